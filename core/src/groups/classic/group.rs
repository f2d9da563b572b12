//! The state of one group. What it does is in the files named after the requests.

use super::config::ClassicConfig;
use super::member::{Member, MemberId};
use super::messages::{GroupError, Identity};
use crate::model::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// One group: a state machine over the time it is given.
#[derive(Debug)]
pub struct Group {
    pub(super) config: ClassicConfig,
    pub(super) phase: Phase,
    pub(super) generation: i32,
    /// Set by the first member, kept while the group is known.
    pub(super) protocol_type: Option<String>,
    /// Chosen with each generation.
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<MemberId>,
    pub(super) members: BTreeMap<MemberId, Member>,
    /// Instance id to member id.
    pub(super) statics: BTreeMap<String, MemberId>,
    /// Ids handed out that have not joined yet, and until when they may.
    pub(super) pending: BTreeMap<MemberId, Timestamp>,
    /// Members of this generation that have not asked for their part yet.
    pub(super) unsynced: BTreeSet<MemberId>,
    /// When the unsynced are dropped.
    pub(super) sync_deadline: Option<Timestamp>,
    pub(super) arrivals: u64,
}

/// Where the group stands, with what only that state needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nobody is in.
    Empty {
        /// Since when.
        since: Timestamp,
    },
    /// Waiting for the members to join (again).
    Preparing {
        /// When it goes on without those who are missing.
        deadline: Timestamp,
        /// Set while the first members of an empty group are awaited.
        initial: Option<InitialDelay>,
    },
    /// Waiting for the leader's division.
    Completing,
    /// Everybody can have its part.
    Stable,
}

/// A young group waits a little for more members, again when one came, but not for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InitialDelay {
    /// A member came since the last look.
    pub(super) grew: bool,
    /// Milliseconds by which the delay may still grow.
    pub(super) left_ms: u64,
}

impl Group {
    /// A group nobody has joined.
    #[must_use]
    pub const fn new(config: ClassicConfig, now: Timestamp) -> Self {
        Self {
            config,
            phase: Phase::Empty { since: now },
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            pending: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            sync_deadline: None,
            arrivals: 0,
        }
    }

    /// The generation in force; it rises with every completed rebalance.
    #[must_use]
    pub const fn generation(&self) -> i32 {
        self.generation
    }

    /// Whether nobody is in and nobody was told to come.
    #[must_use]
    pub fn is_deserted(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty()
    }

    /// Which member speaks, if it may speak for its instance id.
    pub(super) fn identify(&self, identity: &Identity) -> Result<MemberId, GroupError> {
        let Some(id) = &identity.member_id else {
            return Err(GroupError::UnknownMember);
        };
        if let Some(instance) = &identity.instance_id {
            match self.statics.get(instance) {
                None => return Err(GroupError::UnknownMember),
                Some(current) if current != id => return Err(GroupError::FencedInstance),
                Some(_) => {}
            }
        }
        if self.members.contains_key(id) {
            Ok(id.clone())
        } else {
            Err(GroupError::UnknownMember)
        }
    }

    pub(super) fn is_leader(&self, id: &MemberId) -> bool {
        self.leader.as_ref() == Some(id)
    }

    /// The longest time a member asked for, which is how long all are waited for.
    pub(super) fn rebalance_timeout_ms(&self) -> u64 {
        let asked = self
            .members
            .values()
            .map(|member| member.rebalance_timeout_ms);
        asked.max().unwrap_or(0)
    }
}
