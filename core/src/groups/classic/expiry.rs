//! What happens because time passes.

use super::group::{Group, Phase};
use super::messages::Answers;
use crate::model::Timestamp;

impl Group {
    /// When [`Self::expire`] has something to do; `None`: never, unless somebody comes.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let phase = match self.phase {
            Phase::Preparing { deadline, .. } => Some(deadline),
            Phase::Empty { since } if self.is_deserted() => {
                Some(since.plus_millis(self.config.empty_group_retention_ms))
            }
            Phase::Empty { .. } | Phase::Completing | Phase::Stable => None,
        };
        let members = self.members.values().filter_map(|member| member.deadline());
        let pending = self.pending.values().copied();
        members
            .chain(pending)
            .chain(phase)
            .chain(self.sync_deadline)
            .min()
    }

    /// Whether the group has been deserted for so long that it can be forgotten.
    #[must_use]
    pub fn is_dead(&self, now: Timestamp) -> bool {
        let Phase::Empty { since } = self.phase else {
            return false;
        };
        self.is_deserted() && now >= since.plus_millis(self.config.empty_group_retention_ms)
    }

    /// Does what is due at `now`: forgets ids nobody came with, drops the dead, ends waits.
    pub fn expire(&mut self, now: Timestamp, answers: &mut Answers) {
        let had_pending = self.pending.len();
        self.pending.retain(|_, until| *until > now);
        let lapsed = self.pending.len() < had_pending;
        if lapsed
            && self.is_deserted()
            && let Phase::Empty { since } = &mut self.phase
        {
            *since = now;
        }
        let is_dead = |deadline: Timestamp| deadline <= now;
        let mut gone: Vec<_> = self
            .members
            .values()
            .filter(|member| member.deadline().is_some_and(is_dead))
            .map(|member| member.id.clone())
            .collect();
        if self.sync_deadline.is_some_and(is_dead) {
            self.sync_deadline = None;
            gone.extend(std::mem::take(&mut self.unsynced));
        }
        for id in &gone {
            self.remove(id, answers);
        }
        let is_preparing = matches!(self.phase, Phase::Preparing { .. });
        if !gone.is_empty() || (lapsed && is_preparing) {
            self.rebalance_or_complete(now, answers);
        }
        if let Phase::Preparing { deadline, .. } = self.phase
            && is_dead(deadline)
        {
            self.preparation_expired(now, answers);
        }
    }
}
