//! From one generation to the next.

use super::group::{Group, InitialDelay, Phase};
use super::member::{Member, MemberId};
use super::messages::{Answers, GroupError, JoinedMember};
use crate::model::Timestamp;
use bytes::Bytes;
use std::collections::BTreeMap;

/// A group of absent static members is looked at again no sooner than this.
const RECHECK_MS_MIN: u64 = 1_000;

impl Group {
    /// Something changed: starts a rebalance, or goes on with the one that runs.
    pub(super) fn rebalance_or_complete(&mut self, now: Timestamp, answers: &mut Answers) {
        if !matches!(self.phase, Phase::Preparing { .. }) {
            self.prepare(now, answers);
        }
        let complete = match self.phase {
            // While the first members are awaited, only the deadline ends the wait.
            Phase::Preparing { deadline, initial } => {
                deadline <= now || (initial.is_none() && self.all_joined())
            }
            Phase::Empty { .. } | Phase::Completing | Phase::Stable => false,
        };
        if complete {
            self.complete_join(now, answers);
        }
    }

    fn all_joined(&self) -> bool {
        self.pending.is_empty()
            && self
                .members
                .values()
                .all(|member| member.awaiting_join.is_some())
    }

    fn prepare(&mut self, now: Timestamp, answers: &mut Answers) {
        for member in self.members.values_mut() {
            if self.phase == Phase::Completing {
                // The old parts belong to a generation that never came to be.
                member.assignment = Bytes::new();
            }
            if let Some(ticket) = member.awaiting_sync.take() {
                member.renew(now);
                answers
                    .syncs
                    .push((ticket, Err(GroupError::RebalanceInProgress)));
            }
        }
        self.unsynced.clear();
        self.sync_deadline = None;
        let timeout = self.rebalance_timeout_ms();
        let delay = self.config.initial_rebalance_delay_ms.min(timeout);
        let left_ms = timeout.saturating_sub(delay);
        self.phase = match self.phase {
            Phase::Empty { .. } => Phase::Preparing {
                deadline: now.plus_millis(delay),
                initial: Some(InitialDelay {
                    grew: false,
                    left_ms,
                }),
            },
            Phase::Preparing { .. } | Phase::Completing | Phase::Stable => Phase::Preparing {
                deadline: now.plus_millis(timeout),
                initial: None,
            },
        };
    }

    /// The time to wait for members is over.
    pub(super) fn preparation_expired(&mut self, now: Timestamp, answers: &mut Answers) {
        let Phase::Preparing { deadline, initial } = &mut self.phase else {
            return;
        };
        if let Some(InitialDelay { grew, left_ms }) = initial
            && *grew
            && *left_ms > 0
        {
            let more = self.config.initial_rebalance_delay_ms.min(*left_ms);
            *grew = false;
            *left_ms = left_ms.saturating_sub(more);
            *deadline = now.plus_millis(more);
            return;
        }
        self.complete_join(now, answers);
    }

    /// Goes on with those who are there: the next generation begins.
    fn complete_join(&mut self, now: Timestamp, answers: &mut Answers) {
        let is_absent =
            |member: &&Member| member.awaiting_join.is_none() && member.instance_id.is_none();
        let absent: Vec<_> = self
            .members
            .values()
            .filter(is_absent)
            .map(|member| member.id.clone())
            .collect();
        for id in absent {
            self.remove(&id, answers);
        }
        if !self.members.is_empty() && !self.elect_leader() {
            // All are static and none is back: they keep their places until their sessions end.
            let timeout = self.rebalance_timeout_ms().max(RECHECK_MS_MIN);
            self.phase = Phase::Preparing {
                deadline: now.plus_millis(timeout),
                initial: None,
            };
            return;
        }
        // An overflow would take one rebalance a second for 68 years.
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.protocol = self.select_protocol();
        if self.members.is_empty() {
            self.phase = Phase::Empty { since: now };
            return;
        }
        self.phase = Phase::Completing;
        self.unsynced = self.members.keys().cloned().collect();
        self.sync_deadline = Some(now.plus_millis(self.rebalance_timeout_ms()));
        self.answer_joins(now, answers);
    }

    fn answer_joins(&mut self, now: Timestamp, answers: &mut Answers) {
        let mut waiting = Vec::new();
        for member in self.members.values_mut() {
            if let Some(ticket) = member.awaiting_join.take() {
                member.is_new = false;
                member.renew(now);
                waiting.push((member.id.clone(), ticket));
            }
        }
        for (id, ticket) in waiting {
            let answer = self.joined(&id, self.is_leader(&id));
            answers.joins.push((ticket, Ok(answer)));
        }
    }

    /// A leader that has joined: the old one, or the oldest member that has. Says if there is one.
    fn elect_leader(&mut self) -> bool {
        let has_joined = |id: &MemberId| {
            self.members
                .get(id)
                .is_some_and(|member| member.awaiting_join.is_some())
        };
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let oldest = self
            .members
            .values()
            .filter(|member| member.awaiting_join.is_some())
            .min_by_key(|member| member.arrival)
            .map(|member| member.id.clone());
        let found = oldest.is_some();
        if found {
            self.leader = oldest;
        }
        found
    }

    /// The protocol most members like best, of those all support; among equals the leader's
    /// favourite.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let common = |name: &str| self.members.values().all(|member| member.supports(name));
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let favourite = member
                .protocols
                .iter()
                .find(|protocol| common(&protocol.name));
            if let Some(favourite) = favourite {
                *votes.entry(&favourite.name).or_default() += 1;
            }
        }
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        let rank = |name: &str| {
            let own = leader.map(|leader| &leader.protocols);
            own.and_then(|own| own.iter().position(|protocol| protocol.name == name))
        };
        votes
            .into_iter()
            .max_by_key(|(name, count)| (*count, std::cmp::Reverse(rank(name))))
            .map(|(name, _)| name.to_owned())
    }

    /// What the leader is told of everybody.
    pub(super) fn roster(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let entry = |member: &Member| JoinedMember {
            id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol),
        };
        self.members.values().map(entry).collect()
    }

    /// Takes a member out and answers what it waits for; what follows is for the caller.
    pub(super) fn remove(&mut self, id: &MemberId, answers: &mut Answers) {
        let Some(member) = self.members.remove(id) else {
            return;
        };
        if let Some(ticket) = member.awaiting_join {
            answers.joins.push((ticket, Err(GroupError::UnknownMember)));
        }
        if let Some(ticket) = member.awaiting_sync {
            answers.syncs.push((ticket, Err(GroupError::UnknownMember)));
        }
        if let Some(instance) = &member.instance_id {
            self.statics.remove(instance);
        }
        self.unsynced.remove(id);
        if self.is_leader(id) {
            let oldest = self.members.values().min_by_key(|member| member.arrival);
            self.leader = oldest.map(|member| member.id.clone());
        }
    }
}
