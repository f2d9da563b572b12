//! One member of a group.

use super::messages::{JoinRequest, Ticket};
use crate::model::Timestamp;
use bytes::Bytes;
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A member's id within its group, handed out by the coordinator. Never empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(Arc<str>);

/// A way of dividing the work that a member supports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Its name, as `range`.
    pub name: String,
    /// What the member tells the leader; opaque.
    pub metadata: Bytes,
}

/// What the group knows of a member.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) session_timeout_ms: u64,
    pub(super) rebalance_timeout_ms: u64,
    /// In the member's order of preference.
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    /// Its JoinGroup that is not answered yet.
    pub(super) awaiting_join: Option<Ticket>,
    /// Its SyncGroup that is not answered yet.
    pub(super) awaiting_sync: Option<Ticket>,
    /// It was never told its generation, so it cannot beat.
    pub(super) is_new: bool,
    /// When it is taken for dead, unless it waits for an answer of ours.
    pub(super) expires_at: Timestamp,
    /// Order of arrival: the oldest waiting member leads when the leader is gone.
    pub(super) arrival: u64,
}

impl MemberId {
    /// The id of a wire's field; `None` when empty, which is how a member says it has none.
    #[must_use]
    pub fn new(id: &str) -> Option<Self> {
        (!id.is_empty()).then(|| Self(id.into()))
    }

    /// An id made of what the client is called and a random part; unique for ever.
    #[must_use]
    pub fn generate(prefix: &str) -> Self {
        Self(format!("{prefix}-{}", uuid::Uuid::new_v4()).into())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for MemberId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Member {
    pub(super) fn new(id: MemberId, request: &JoinRequest, arrival: u64) -> Self {
        Self {
            id,
            instance_id: request.instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            protocols: request.protocols.clone(),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
            expires_at: Timestamp::default(),
            arrival,
        }
    }

    /// What the member now says of itself.
    pub(super) fn update(&mut self, request: &JoinRequest) {
        self.client_id.clone_from(&request.client_id);
        self.client_host.clone_from(&request.client_host);
        self.session_timeout_ms = request.session_timeout_ms;
        self.rebalance_timeout_ms = request.rebalance_timeout_ms;
        self.protocols.clone_from(&request.protocols);
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|own| own.name == protocol)
    }

    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let named = self.protocols.iter().find(|own| own.name == protocol);
        named.map_or_else(Bytes::new, |own| own.metadata.clone())
    }

    /// It has been heard of: its session starts anew.
    pub(super) fn renew(&mut self, now: Timestamp) {
        self.expires_at = now.plus_millis(self.session_timeout_ms);
    }

    /// When it is taken for dead. A member that waits for us need not beat, but one that was
    /// never answered may have gone without our knowing.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let waits = self.awaiting_join.is_some() || self.awaiting_sync.is_some();
        (self.is_new || !waits).then_some(self.expires_at)
    }
}
