//! The one closed set of what can go wrong in core. Facts only: each protocol has its own codes.

use crate::model::{GroupName, OffsetRange, PhysicalOffset, QueueId, QueueOffset, TopicName};

/// Every way a call on [`crate::Client`] fails. Adapters match it without a wildcard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No topic of that name, or not that queue in it.
    #[error("topic {0} does not exist")]
    TopicNotFound(TopicName),
    /// The topic has no such queue.
    #[error("topic {topic} has no queue {queue}")]
    QueueNotFound {
        /// The topic.
        topic: TopicName,
        /// The queue asked for.
        queue: QueueId,
    },
    /// No group of that name.
    #[error("group {0} does not exist")]
    GroupNotFound(GroupName),
    /// The group still has members, so it cannot be deleted.
    #[error("group {0} has members")]
    GroupNotEmpty(GroupName),
    /// A topic of that name exists.
    #[error("topic {0} exists")]
    AlreadyExists(TopicName),
    /// The offset is before the start or after the end of the queue.
    #[error("offset {requested} is outside {range}")]
    OffsetOutOfRange {
        /// What was asked.
        requested: QueueOffset,
        /// What there is.
        range: OffsetRange,
    },
    /// A message is over the configured size.
    #[error("the message has {size} bytes, more than {limit}")]
    MessageTooLarge {
        /// Bytes of the message.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The request contradicts itself or breaks a rule; the text is for people.
    #[error("{0}")]
    Invalid(String),
    /// A batch whose checksum does not match its bytes.
    #[error("the batch is corrupt: {0}")]
    CorruptBatch(String),
    /// An idempotent producer's batch does not follow its last one.
    #[error("sequence {got} of producer {producer} does not follow, {expected} does")]
    OutOfOrderSequence {
        /// The producer's id.
        producer: i64,
        /// The first sequence number that would be right.
        expected: i32,
        /// The batch's first sequence number.
        got: i32,
    },
    /// A newer instance of the producer has taken over.
    #[error("epoch {got} of producer {producer} is older than {current}")]
    ProducerFenced {
        /// The producer's id.
        producer: i64,
        /// The epoch in force.
        current: i16,
        /// The batch's epoch.
        got: i16,
    },
    /// No valid credentials.
    #[error("not authenticated")]
    Unauthenticated,
    /// The session, or the topic's permission, does not allow it.
    #[error("{0}")]
    Forbidden(String),
    /// A configured limit was hit; the call can be tried again. The text names the limit.
    #[error("busy: {0}")]
    Busy(&'static str),
    /// The records are in the log, and were not on the disk within the time allowed.
    #[error("the flush took longer than allowed")]
    FlushTimeout,
    /// The broker is stopping.
    #[error("shutting down")]
    ShuttingDown,
    /// No space for another segment.
    #[error("the disk is full")]
    DiskFull,
    /// The record that stands there in the log was whole once and is not any more.
    #[error("the record at {0} of the log is damaged")]
    Damaged(PhysicalOffset),
    /// The store failed, or failed before and takes no writes until a restart.
    #[error("storage: {0}")]
    Storage(String),
    /// A mistake of ours.
    #[error("internal: {0}")]
    Internal(String),
}
