//! What a producer may say, and hears.

use crate::Error;
use crate::model::{PhysicalOffset, QueueOffset};

/// What a producer says of a transaction of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionEnd {
    /// The producer's group.
    pub group: String,
    /// Where the half message stands in the log.
    pub position: PhysicalOffset,
    /// Its offset in the half topic.
    pub offset: QueueOffset,
    /// What is to happen to it.
    pub outcome: TransactionOutcome,
    /// The producer was asked. If not, it may be too late for a message that says how long it is
    /// to be left alone.
    pub answers_check: bool,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionOutcome {
    /// The message goes to its topic.
    Commit,
    /// Nobody will see it.
    Rollback,
    /// It waits on.
    Unknown,
}

/// Why a transaction was not ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndError {
    /// There is no such half message.
    #[error("there is no such half message")]
    NotFound,
    /// It has its outcome.
    #[error("the transaction has ended before")]
    Ended,
    /// It is another group's.
    #[error("the half message is of another producer group")]
    WrongGroup,
    /// The half message there has another offset.
    #[error("the half message has another offset in the half topic")]
    WrongOffset,
    /// The half message of that offset stands elsewhere.
    #[error("the half message stands elsewhere in the log")]
    WrongPosition,
    /// The message was to be left alone for a time that is over.
    #[error("the time the half message gave its producer is over")]
    TooLate,
    /// Anything else.
    #[error(transparent)]
    Other(#[from] Error),
}
