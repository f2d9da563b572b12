//! SyncGroup: the leader brings the division, everybody gets its part.

use super::group::{Group, Phase};
use super::member::MemberId;
use super::messages::{Answers, GroupError, SyncRequest, Synced, Ticket};
use crate::model::Timestamp;
use bytes::Bytes;
use std::collections::HashMap;

impl Group {
    /// A member asks for its part. The ticket is answered now, or when the leader has brought
    /// the division or the group rebalances again.
    pub fn sync(
        &mut self,
        request: SyncRequest,
        ticket: Ticket,
        now: Timestamp,
        answers: &mut Answers,
    ) {
        let id = match self.may_sync(&request) {
            Ok(id) => id,
            Err(error) => {
                answers.syncs.push((ticket, Err(error)));
                return;
            }
        };
        self.unsynced.remove(&id);
        if self.unsynced.is_empty() {
            self.sync_deadline = None;
        }
        let brings_division = self.phase == Phase::Completing && self.is_leader(&id);
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        member.renew(now);
        if let Some(earlier) = member.awaiting_sync.replace(ticket) {
            answers
                .syncs
                .push((earlier, Err(GroupError::RebalanceInProgress)));
        }
        if brings_division {
            self.divide(request.assignments);
        }
        if self.phase == Phase::Stable {
            self.answer_syncs(now, answers);
        }
    }

    fn may_sync(&self, request: &SyncRequest) -> Result<MemberId, GroupError> {
        let id = self.identify(&request.identity)?;
        if request.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        let differs = |said: &Option<String>, own: &Option<String>| said.is_some() && said != own;
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol, &self.protocol)
        {
            return Err(GroupError::InconsistentProtocol);
        }
        match self.phase {
            Phase::Completing | Phase::Stable => Ok(id),
            Phase::Preparing { .. } => Err(GroupError::RebalanceInProgress),
            Phase::Empty { .. } => Err(GroupError::UnknownMember),
        }
    }

    /// Whom the leader forgot has no work.
    fn divide(&mut self, mut assignments: HashMap<MemberId, Bytes>) {
        for (id, member) in &mut self.members {
            member.assignment = assignments.remove(id).unwrap_or_default();
        }
        self.phase = Phase::Stable;
    }

    fn answer_syncs(&mut self, now: Timestamp, answers: &mut Answers) {
        for member in self.members.values_mut() {
            let Some(ticket) = member.awaiting_sync.take() else {
                continue;
            };
            member.renew(now);
            let synced = Synced {
                protocol_type: self.protocol_type.clone().unwrap_or_default(),
                protocol: self.protocol.clone().unwrap_or_default(),
                assignment: member.assignment.clone(),
            };
            answers.syncs.push((ticket, Ok(synced)));
        }
    }
}
