//! When which group is to be looked at.

use crate::model::{GroupName, Timestamp};
use std::collections::BTreeSet;

/// Groups in the order they are due. A group stands in it at most once, perhaps too early,
/// never too late.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BTreeSet<(Timestamp, GroupName)>);

impl Deadlines {
    /// Moves `group` from `old` to `new`; says whether it is now the first.
    pub(super) fn advance(
        &mut self,
        group: &GroupName,
        old: Option<Timestamp>,
        new: Timestamp,
    ) -> bool {
        if let Some(old) = old {
            self.0.remove(&(old, group.clone()));
        }
        self.0.insert((new, group.clone()));
        self.0.first().is_some_and(|(_, first)| first == group)
    }

    /// The earliest.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.0.first().map(|(due, _)| *due)
    }

    /// Takes out a group that is due.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<GroupName> {
        let (due, _) = self.0.first()?;
        if *due > now {
            return None;
        }
        self.0.pop_first().map(|(_, group)| group)
    }
}
