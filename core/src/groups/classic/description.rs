//! What administrators see of a group.

use super::group::{Group, Phase};
use super::member::{Member, MemberId};
use bytes::Bytes;
use std::fmt;

/// Where a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// No members; it may have committed offsets.
    Empty,
    /// Members are joining.
    PreparingRebalance,
    /// The leader divides the work.
    CompletingRebalance,
    /// Everybody works.
    Stable,
    /// Not known.
    Dead,
}

/// A group at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Where it stands.
    pub state: GroupState,
    /// Its kind, empty when no member ever said.
    pub protocol_type: String,
    /// How the work is divided; empty unless stable.
    pub protocol: String,
    /// Everybody in it, in order of id.
    pub members: Vec<MemberDescription>,
}

/// A member at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub id: MemberId,
    /// A static member's name.
    pub instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// Its words to the leader; empty unless the group is stable.
    pub metadata: Bytes,
    /// Its part; empty unless the group is stable.
    pub assignment: Bytes,
}

impl fmt::Display for GroupState {
    /// Kafka's names, which its tools show and filter by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        })
    }
}

impl Group {
    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> GroupState {
        match self.phase {
            Phase::Empty { .. } => GroupState::Empty,
            Phase::Preparing { .. } => GroupState::PreparingRebalance,
            Phase::Completing => GroupState::CompletingRebalance,
            Phase::Stable => GroupState::Stable,
        }
    }

    /// Its kind, empty when no member ever said.
    #[must_use]
    pub fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    /// Everything about it.
    #[must_use]
    pub fn describe(&self) -> GroupDescription {
        let stable = self.phase == Phase::Stable;
        let protocol = self
            .protocol
            .as_deref()
            .filter(|_| stable)
            .unwrap_or_default();
        let describe = |member: &Member| MemberDescription {
            id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if stable {
                member.metadata(protocol)
            } else {
                Bytes::new()
            },
            assignment: if stable {
                member.assignment.clone()
            } else {
                Bytes::new()
            },
        };
        GroupDescription {
            state: self.state(),
            protocol_type: self.protocol_type().to_owned(),
            protocol: protocol.to_owned(),
            members: self.members.values().map(describe).collect(),
        }
    }
}
