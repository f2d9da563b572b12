//! What a consumer holds of a lease, and what becomes of it.

use crate::model::{QueueId, QueueOffset, Timestamp, TopicName};

/// How long a message stays invisible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// So many milliseconds from now on.
    Millis(u64),
    /// Until the session ends.
    Session(LeaseSession),
}

/// A consumer whose leases end with it; from [`crate::Client::lease_session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseSession(pub(crate) u64);

/// Which handing out of a message is meant: all messages of one call have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseToken {
    /// When it was handed out.
    pub leased_at: Timestamp,
    /// Tells apart those of one millisecond; below [`LeaseToken::SERIALS`].
    pub serial: u32,
}

impl LeaseToken {
    /// Serials start again at 0 here.
    pub const SERIALS: u32 = 1 << 20;
}

/// The proof of one lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseReceipt {
    /// The topic.
    pub topic: TopicName,
    /// The queue.
    pub queue: QueueId,
    /// The message.
    pub offset: QueueOffset,
    /// The call that handed it out.
    pub token: LeaseToken,
}

/// What a receipt was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// Done as asked.
    Done,
    /// The message was settled before.
    Settled,
    /// The lease is over: the message is with somebody else, or waits to be handed out again.
    Stale,
    /// The group never had the message.
    Unknown,
}
