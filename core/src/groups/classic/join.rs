//! JoinGroup: who may come in, and what its coming starts.

use super::group::{Group, InitialDelay, Phase};
use super::member::{Member, MemberId};
use super::messages::{Answers, GroupError, Identity, JoinRequest, Joined, Ticket};
use crate::model::Timestamp;

impl Group {
    /// A member joins. The ticket is answered now or when the rebalance is complete.
    /// `fresh_id` is what a member without an id will be called.
    pub fn join(
        &mut self,
        request: &JoinRequest,
        fresh_id: &MemberId,
        ticket: Ticket,
        now: Timestamp,
        answers: &mut Answers,
    ) {
        if let Err(error) = self.admit(request, fresh_id, ticket, now, answers) {
            answers.joins.push((ticket, Err(error)));
        }
    }

    fn admit(
        &mut self,
        request: &JoinRequest,
        fresh_id: &MemberId,
        ticket: Ticket,
        now: Timestamp,
        answers: &mut Answers,
    ) -> Result<(), GroupError> {
        let sessions = self.config.session_timeout_min_ms..=self.config.session_timeout_max_ms;
        if !sessions.contains(&request.session_timeout_ms) {
            return Err(GroupError::InvalidSessionTimeout);
        }
        if request.size() > self.config.member_bytes_max {
            return Err(GroupError::MemberTooLarge);
        }
        let Some(id) = &request.member_id else {
            return self.admit_new(request, fresh_id, ticket, now, answers);
        };
        if request.instance_id.is_none() && self.pending.contains_key(id) {
            self.check_protocols(request, None)?;
            self.pending.remove(id);
            self.add(id.clone(), request, ticket, now, answers);
            return Ok(());
        }
        let identity = Identity {
            member_id: request.member_id.clone(),
            instance_id: request.instance_id.clone(),
        };
        let id = self.identify(&identity)?;
        self.check_protocols(request, Some(&id))?;
        self.rejoin(&id, request, ticket, now, answers);
        Ok(())
    }

    /// A member without an id: a static one takes its old place, another gets a new one.
    fn admit_new(
        &mut self,
        request: &JoinRequest,
        fresh_id: &MemberId,
        ticket: Ticket,
        now: Timestamp,
        answers: &mut Answers,
    ) -> Result<(), GroupError> {
        let taken_over = request
            .instance_id
            .as_ref()
            .and_then(|id| self.statics.get(id))
            .cloned();
        self.check_protocols(request, taken_over.as_ref())?;
        if let Some(old) = taken_over {
            self.take_over(&old, fresh_id, request, ticket, now, answers);
            return Ok(());
        }
        if self.members.len().saturating_add(self.pending.len()) >= self.config.members_max {
            return Err(GroupError::GroupFull);
        }
        if request.instance_id.is_none() && request.id_required {
            let until = now.plus_millis(request.session_timeout_ms);
            self.pending.insert(fresh_id.clone(), until);
            return Err(GroupError::MemberIdRequired(fresh_id.clone()));
        }
        self.add(fresh_id.clone(), request, ticket, now, answers);
        Ok(())
    }

    /// A member must bring the group's type and a protocol that all others support.
    fn check_protocols(
        &self,
        request: &JoinRequest,
        itself: Option<&MemberId>,
    ) -> Result<(), GroupError> {
        let all_support = |protocol: &str| {
            let mut others = self
                .members
                .values()
                .filter(|member| Some(&member.id) != itself);
            others.all(|member| member.supports(protocol))
        };
        let fits = if self.members.is_empty() {
            !request.protocol_type.is_empty() && !request.protocols.is_empty()
        } else {
            self.protocol_type.as_deref() == Some(&request.protocol_type)
                && request.protocols.iter().any(|own| all_support(&own.name))
        };
        if fits {
            Ok(())
        } else {
            Err(GroupError::InconsistentProtocol)
        }
    }

    fn add(
        &mut self,
        id: MemberId,
        request: &JoinRequest,
        ticket: Ticket,
        now: Timestamp,
        answers: &mut Answers,
    ) {
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        self.arrivals = self.arrivals.wrapping_add(1);
        let mut member = Member::new(id.clone(), request, self.arrivals);
        member.awaiting_join = Some(ticket);
        member.expires_at = now.plus_millis(self.config.new_member_timeout_ms);
        if let Some(instance) = &member.instance_id {
            self.statics.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.members.insert(id, member);
        if let Phase::Preparing {
            initial: Some(InitialDelay { grew, .. }),
            ..
        } = &mut self.phase
        {
            *grew = true;
        }
        self.rebalance_or_complete(now, answers);
    }

    /// A member we know joins again.
    fn rejoin(
        &mut self,
        id: &MemberId,
        request: &JoinRequest,
        ticket: Ticket,
        now: Timestamp,
        answers: &mut Answers,
    ) {
        let is_leader = self.is_leader(id);
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        let changed = member.protocols != request.protocols;
        let rebalances = match self.phase {
            // It may have missed our answer.
            Phase::Completing => changed,
            // A leader that joins again wants to divide anew.
            Phase::Stable => changed || is_leader,
            Phase::Empty { .. } | Phase::Preparing { .. } => true,
        };
        member.update(request);
        if !rebalances {
            member.renew(now);
            let answer = self.joined(id, is_leader);
            answers.joins.push((ticket, Ok(answer)));
            return;
        }
        if let Some(earlier) = member.awaiting_join.replace(ticket) {
            answers
                .joins
                .push((earlier, Err(GroupError::RebalanceInProgress)));
        }
        self.rebalance_or_complete(now, answers);
    }

    /// A static member is back under a new id: it keeps its part, and the old one is fenced.
    fn take_over(
        &mut self,
        old: &MemberId,
        fresh_id: &MemberId,
        request: &JoinRequest,
        ticket: Ticket,
        now: Timestamp,
        answers: &mut Answers,
    ) {
        let Some(mut member) = self.members.remove(old) else {
            return;
        };
        if let Some(earlier) = member.awaiting_join.take() {
            answers
                .joins
                .push((earlier, Err(GroupError::FencedInstance)));
        }
        if let Some(earlier) = member.awaiting_sync.take() {
            answers
                .syncs
                .push((earlier, Err(GroupError::FencedInstance)));
        }
        if self.unsynced.remove(old) {
            self.unsynced.insert(fresh_id.clone());
        }
        member.id = fresh_id.clone();
        member.update(request);
        member.renew(now);
        if let Some(instance) = &member.instance_id {
            self.statics.insert(instance.clone(), fresh_id.clone());
        }
        let was_leader = self.is_leader(old);
        if was_leader {
            self.leader = Some(fresh_id.clone());
        }
        self.members.insert(fresh_id.clone(), member);
        if self.phase == Phase::Stable && self.select_protocol() == self.protocol {
            let skips = was_leader && request.may_skip_assignment;
            let mut answer = self.joined(fresh_id, skips);
            answer.skip_assignment = skips;
            if was_leader && !skips {
                // Were it told that it leads, it would divide anew, and nobody would listen.
                answer.leader = old.clone();
            }
            answers.joins.push((ticket, Ok(answer)));
            return;
        }
        if let Some(member) = self.members.get_mut(fresh_id) {
            member.awaiting_join = Some(ticket);
            member.is_new = true;
            member.expires_at = now.plus_millis(self.config.new_member_timeout_ms);
        }
        self.rebalance_or_complete(now, answers);
    }

    /// The answer to a member of the generation in force.
    pub(super) fn joined(&self, id: &MemberId, with_members: bool) -> Joined {
        Joined {
            member_id: id.clone(),
            generation: self.generation,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: self.protocol.clone().unwrap_or_default(),
            leader: self.leader.clone().unwrap_or_else(|| id.clone()),
            members: if with_members {
                self.roster()
            } else {
                Vec::new()
            },
            skip_assignment: false,
        }
    }
}
