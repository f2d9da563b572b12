//! What goes into a group and what comes out.

use super::member::{MemberId, Protocol};
use bytes::Bytes;
use std::collections::HashMap;

/// A caller that waits for an answer; the caller numbers them, never twice in one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Why a request of a member is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// No such member, or no such group.
    #[error("the member is unknown")]
    UnknownMember,
    /// Another process has taken over this static member.
    #[error("the instance id belongs to a newer member")]
    FencedInstance,
    /// The member lives in another generation than the group.
    #[error("the generation is not the group's")]
    IllegalGeneration,
    /// The member has to join again.
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    /// No protocol, or none that all members support, or another type than the group's.
    #[error("the protocols do not fit the group's")]
    InconsistentProtocol,
    /// The member has to join again with this id, so that a lost answer leaves no ghost.
    #[error("join again as {0}")]
    MemberIdRequired(MemberId),
    /// The session timeout is outside the configured range.
    #[error("the session timeout is out of range")]
    InvalidSessionTimeout,
    /// The member says more of itself than is kept.
    #[error("the member's subscription is too long")]
    MemberTooLarge,
    /// The group has as many members as it may have.
    #[error("the group is full")]
    GroupFull,
    /// There are as many groups as there may be.
    #[error("too many groups")]
    TooManyGroups,
    /// The coordinator has stopped.
    #[error("the coordinator has stopped")]
    Stopped,
    /// The group still has members.
    #[error("the group has members")]
    GroupNotEmpty,
}

/// Who speaks, as far as it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The id it was given.
    pub member_id: Option<MemberId>,
    /// The name a static member keeps over restarts.
    pub instance_id: Option<String>,
}

/// A member wants in, or in again.
#[derive(Clone, Debug)]
pub struct JoinRequest {
    /// The id it was given, if any.
    pub member_id: Option<MemberId>,
    /// The name a static member keeps over restarts.
    pub instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// Without a word for so long it is dead.
    pub session_timeout_ms: u64,
    /// How long a rebalance waits for it.
    pub rebalance_timeout_ms: u64,
    /// What kind of group it believes this is, as `consumer`.
    pub protocol_type: String,
    /// In order of preference.
    pub protocols: Vec<Protocol>,
    /// Without an id it is given one and told to come again with it.
    pub id_required: bool,
    /// It understands [`Joined::skip_assignment`].
    pub may_skip_assignment: bool,
}

impl JoinRequest {
    /// What keeping the member costs.
    pub(super) fn size(&self) -> usize {
        let names = [&self.client_id, &self.protocol_type].map(String::len);
        let instance = self.instance_id.as_ref().map_or(0, String::len);
        let protocols = self.protocols.iter();
        let protocols = protocols.map(|protocol| protocol.name.len() + protocol.metadata.len());
        names.into_iter().chain(protocols).chain([instance]).sum()
    }
}

/// A member is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its id.
    pub member_id: MemberId,
    /// The group's generation.
    pub generation: i32,
    /// The group's kind.
    pub protocol_type: String,
    /// How the work is divided in this generation.
    pub protocol: String,
    /// Who divides it.
    pub leader: MemberId,
    /// All members, for the leader only.
    pub members: Vec<JoinedMember>,
    /// The leader is to take its assignment, not to make new ones.
    pub skip_assignment: bool,
}

/// What the leader learns of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub id: MemberId,
    /// A static member's name.
    pub instance_id: Option<String>,
    /// Its own words for the chosen protocol.
    pub metadata: Bytes,
}

/// A member asks for its part; the leader brings everybody's.
#[derive(Clone, Debug, Default)]
pub struct SyncRequest {
    /// Who asks.
    pub identity: Identity,
    /// The generation it joined.
    pub generation: i32,
    /// The group's kind, where the member says it.
    pub protocol_type: Option<String>,
    /// The protocol, where the member says it.
    pub protocol: Option<String>,
    /// The leader's division.
    pub assignments: HashMap<MemberId, Bytes>,
}

/// A member's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The group's kind.
    pub protocol_type: String,
    /// How the work was divided.
    pub protocol: String,
    /// The part, in the leader's words.
    pub assignment: Bytes,
}

/// Tickets that have their answer.
#[derive(Debug, Default)]
pub struct Answers {
    /// Of joins.
    pub joins: Vec<(Ticket, Result<Joined, GroupError>)>,
    /// Of syncs.
    pub syncs: Vec<(Ticket, Result<Synced, GroupError>)>,
}

impl Ticket {
    /// Ticket number `number`.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}
