//! Half messages that have no outcome yet.

use super::transactions::shown;
use crate::broker::shared::Shared;
use crate::index::Entry;
use crate::model::{GroupName, QueueOffset, property};
use crate::queue::Queue;
use crate::record::RecordView;
use crate::store::group_tag;
use crate::transactions::HalfCheck;
use crate::{Client, Error};

/// Half messages looked at in one go.
pub(super) const BATCH: usize = 256;
/// How often, for those of one group.
const LOOKS_MAX: usize = 16;

/// Transactions of a group that nobody has ended.
#[derive(Clone, Debug, Default)]
pub struct OpenTransactions {
    /// In the order in which they began.
    pub halves: Vec<HalfCheck>,
    /// Where to go on looking, if not everything was looked at.
    pub next: Option<QueueOffset>,
}

impl Client {
    /// The transactions of a group that are open, from an offset of the half topic on: at most
    /// `max`, of `bytes_max` bytes but always one, and fewer where those of others are many. Nobody
    /// is asked.
    ///
    /// # Errors
    /// [`Error::ShuttingDown`], or a failed store.
    pub fn open_transactions(
        &self,
        group: &GroupName,
        from: QueueOffset,
        max: usize,
        bytes_max: usize,
    ) -> Result<OpenTransactions, Error> {
        self.shared.check_running()?;
        let mut found = OpenTransactions::default();
        let Some((_, queue)) = self.shared.half_queue() else {
            return Ok(found);
        };
        let tag = group_tag(group.as_str());
        let end = queue.range(self.shared.store.appended()).end.get();
        let (mut cursor, mut bytes) = (from.get(), 0_usize);
        for _ in 0..LOOKS_MAX {
            let open = self.shared.open_halves(&queue, cursor, end);
            for (entry, _) in &open {
                cursor = entry.end().get();
                if entry.tag != tag {
                    continue;
                }
                if let Some(half) = self.half_of(group, entry)? {
                    bytes = bytes.saturating_add(half.record.len());
                    found.halves.push(half);
                }
                if found.halves.len() >= max || bytes >= bytes_max {
                    found.next = Some(QueueOffset::new(cursor));
                    return Ok(found);
                }
            }
            if open.len() < BATCH {
                return Ok(found);
            }
        }
        found.next = Some(QueueOffset::new(cursor));
        Ok(found)
    }

    /// The half message of an entry, if it is of the group; what cannot be read is passed over.
    fn half_of(&self, group: &GroupName, entry: &Entry) -> Result<Option<HalfCheck>, Error> {
        let stored = match self.stored(entry) {
            Ok(stored) => stored,
            Err(Error::Damaged(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(record) = RecordView::parse(&stored.bytes) else {
            return Ok(None);
        };
        let message = record.to_message();
        if message.properties.value(property::PRODUCER_GROUP) != Some(group.as_str()) {
            return Ok(None);
        }
        Ok(Some(HalfCheck {
            group: group.clone(),
            position: entry.position,
            offset: entry.base,
            record: shown(message, &record, entry)?,
        }))
    }
}

impl Shared {
    /// The next half messages without an outcome before `end`, and how often somebody was asked
    /// for it: fewer than [`BATCH`] when there are no more.
    pub(super) fn open_halves(&self, queue: &Queue, from: u64, end: u64) -> Vec<(Entry, u32)> {
        let state = self.state.read();
        let settled = state.settled.get(&queue.number());
        let counts = state.checks.get(&queue.number());
        let mut open = Vec::new();
        let mut cursor = from;
        while open.len() < BATCH {
            let at = settled.map_or(cursor, |settled| settled.next_open(cursor));
            if at >= end {
                break;
            }
            cursor = end;
            self.store.entries(queue, QueueOffset::new(at), |entry| {
                let offset = entry.base.get();
                cursor = offset;
                let is_open = !settled.is_some_and(|settled| settled.contains(offset));
                if offset >= end || !is_open || open.len() >= BATCH {
                    return false;
                }
                open.push((entry, counts.map_or(0, |counts| counts.of(offset))));
                cursor = entry.end().get();
                true
            });
        }
        open
    }
}
