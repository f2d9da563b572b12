//! LeaveGroup, by a member itself or by an administrator for many.

use super::group::{Group, Phase};
use super::messages::{Answers, GroupError, Identity};
use crate::model::Timestamp;

impl Group {
    /// Members leave, in one rebalance; one verdict each, in the same order. An instance id
    /// without a member id removes whoever holds it.
    pub fn leave(
        &mut self,
        leavers: &[Identity],
        now: Timestamp,
        answers: &mut Answers,
    ) -> Vec<Result<(), GroupError>> {
        let before = self.members.len();
        let verdicts = leavers
            .iter()
            .map(|leaver| self.remove_leaver(leaver, answers))
            .collect();
        // One who had not joined yet is missed only by a rebalance that waits for it.
        if self.members.len() < before || matches!(self.phase, Phase::Preparing { .. }) {
            self.rebalance_or_complete(now, answers);
        }
        verdicts
    }

    fn remove_leaver(
        &mut self,
        leaver: &Identity,
        answers: &mut Answers,
    ) -> Result<(), GroupError> {
        let id = match (&leaver.member_id, &leaver.instance_id) {
            (None, Some(instance)) => self.statics.get(instance).cloned(),
            (Some(id), None) if self.pending.remove(id).is_some() => return Ok(()),
            _ => Some(self.identify(leaver)?),
        };
        let id = id.ok_or(GroupError::UnknownMember)?;
        self.remove(&id, answers);
        Ok(())
    }
}
