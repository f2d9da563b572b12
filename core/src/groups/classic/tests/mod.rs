//! A group driven by hand: time is a number, answers are collected by ticket.

mod coordinator;
mod fencing;
mod lifecycle;
mod model;

use super::config::ClassicConfig;
use super::*;
use crate::model::Timestamp;
use bytes::Bytes;
use std::collections::{HashMap, HashSet};

pub(super) const SESSION_MS: u64 = 10_000;
pub(super) const REBALANCE_MS: u64 = 60_000;

pub(super) fn config() -> ClassicConfig {
    ClassicConfig {
        initial_rebalance_delay_ms: 0,
        ..ClassicConfig::default()
    }
}

pub(super) fn id(text: &str) -> MemberId {
    MemberId::new(text).unwrap()
}

pub(super) fn member(text: &str) -> Identity {
    Identity {
        member_id: MemberId::new(text),
        instance_id: None,
    }
}

pub(super) fn instance(member: &str, instance: &str) -> Identity {
    Identity {
        member_id: MemberId::new(member),
        instance_id: Some(instance.to_owned()),
    }
}

pub(super) fn protocols(names: &[&str], metadata: &'static str) -> Vec<Protocol> {
    let protocol = |name: &&str| Protocol {
        name: (*name).to_owned(),
        metadata: Bytes::from_static(metadata.as_bytes()),
    };
    names.iter().map(protocol).collect()
}

/// A join of a dynamic member that already has an id (or comes without: `""`).
pub(super) fn request(member: &str) -> JoinRequest {
    JoinRequest {
        member_id: MemberId::new(member),
        instance_id: None,
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        protocol_type: "consumer".to_owned(),
        protocols: protocols(&["range"], "topics"),
        id_required: false,
        may_skip_assignment: true,
    }
}

pub(super) fn static_request(member: &str, instance: &str) -> JoinRequest {
    JoinRequest {
        instance_id: Some(instance.to_owned()),
        ..request(member)
    }
}

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) group: Group,
    pub(super) now: Timestamp,
    tickets: u64,
    pub(super) open: HashSet<Ticket>,
    pub(super) joins: HashMap<Ticket, Result<Joined, GroupError>>,
    pub(super) syncs: HashMap<Ticket, Result<Synced, GroupError>>,
}

impl Stage {
    pub(super) fn new(config: ClassicConfig) -> Self {
        let now = Timestamp::from_millis(0);
        Self {
            group: Group::new(config, now),
            now,
            tickets: 0,
            open: HashSet::new(),
            joins: HashMap::new(),
            syncs: HashMap::new(),
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket::new(self.tickets);
        self.open.insert(ticket);
        ticket
    }

    fn take(&mut self, answers: Answers) {
        for (ticket, answer) in answers.joins {
            assert!(self.open.remove(&ticket), "{ticket:?} is answered once");
            self.joins.insert(ticket, answer);
        }
        for (ticket, answer) in answers.syncs {
            assert!(self.open.remove(&ticket), "{ticket:?} is answered once");
            self.syncs.insert(ticket, answer);
        }
    }

    /// Joins as `request`; a member without an id will be called `fresh`.
    pub(super) fn join_as(&mut self, request: &JoinRequest, fresh: &str) -> Ticket {
        let ticket = self.ticket();
        let mut answers = Answers::default();
        self.group
            .join(request, &id(fresh), ticket, self.now, &mut answers);
        self.take(answers);
        ticket
    }

    /// A new dynamic member joins and is called `name`.
    pub(super) fn join(&mut self, name: &str) -> Ticket {
        self.join_as(&request(""), name)
    }

    pub(super) fn rejoin(&mut self, name: &str) -> Ticket {
        self.join_as(&request(name), "unused")
    }

    pub(super) fn sync(&mut self, name: &str, parts: &[(&str, &'static str)]) -> Ticket {
        let assignments = parts
            .iter()
            .map(|(to, part)| (id(to), Bytes::from_static(part.as_bytes())));
        let request = SyncRequest {
            identity: member(name),
            generation: self.group.generation(),
            assignments: assignments.collect(),
            ..SyncRequest::default()
        };
        self.sync_as(request)
    }

    pub(super) fn sync_as(&mut self, request: SyncRequest) -> Ticket {
        let ticket = self.ticket();
        let mut answers = Answers::default();
        self.group.sync(request, ticket, self.now, &mut answers);
        self.take(answers);
        ticket
    }

    pub(super) fn leave(&mut self, leavers: &[Identity]) -> Vec<Result<(), GroupError>> {
        let mut answers = Answers::default();
        let verdicts = self.group.leave(leavers, self.now, &mut answers);
        self.take(answers);
        verdicts
    }

    pub(super) fn beat(&mut self, name: &str) -> Result<(), GroupError> {
        let generation = self.group.generation();
        self.group.heartbeat(&member(name), generation, self.now)
    }

    /// Lets time pass, stopping at every deadline as the driver would.
    pub(super) fn pass(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        while let Some(due) = self.group.next_deadline() {
            if due > end || self.group.is_dead(due.max(self.now)) {
                break;
            }
            self.now = due.max(self.now);
            let mut answers = Answers::default();
            self.group.expire(self.now, &mut answers);
            self.take(answers);
            let next = self.group.next_deadline();
            assert!(
                next.is_none_or(|next| next > self.now),
                "what was due is done"
            );
        }
        self.now = end;
    }

    pub(super) fn joined(&self, ticket: Ticket) -> &Joined {
        let answer = self.joins.get(&ticket).expect("the join is answered");
        answer.as_ref().expect("the join succeeds")
    }

    pub(super) fn part(&self, ticket: Ticket) -> &[u8] {
        let answer = self.syncs.get(&ticket).expect("the sync is answered");
        &answer.as_ref().expect("the sync succeeds").assignment
    }

    /// A stable group of `a` (the leader, part `0`) and `b` (part `1`), in generation 2.
    pub(super) fn stable_pair(config: ClassicConfig) -> Self {
        let mut stage = Self::new(config);
        stage.join("a");
        stage.join("b");
        stage.rejoin("a");
        stage.sync("b", &[]);
        stage.sync("a", &[("a", "0"), ("b", "1")]);
        assert_eq!(stage.group.state(), GroupState::Stable);
        stage
    }
}
