//! Transactions in RocketMQ's manner. A half message is appended to [`property::HALF_TOPIC`]; when
//! its producer commits, it is appended to its own topic by a record that settles the half one.
//! A producer that says nothing is asked, from time to time, and not for ever.

mod ends;

pub use ends::{EndError, TransactionEnd, TransactionOutcome};

use crate::model::{GroupName, PhysicalOffset, Properties, QueueOffset, property};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// When producers are asked for the outcome of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransactionConfig {
    /// A transaction younger than this is left alone, in milliseconds, unless its message says
    /// otherwise (RocketMQ's `transactionTimeOut`).
    pub timeout_ms: u64,
    /// Time between two rounds of asking, in milliseconds (RocketMQ's
    /// `transactionCheckInterval`).
    pub check_interval_ms: u64,
    /// How often a producer is asked before the transaction is given up (RocketMQ's
    /// `transactionCheckMax`).
    pub check_max: u32,
    /// Questions that wait to be sent to producers.
    pub checks_pending_max: usize,
}

impl Default for TransactionConfig {
    fn default() -> Self {
        Self {
            timeout_ms: 6_000,
            check_interval_ms: 30_000,
            check_max: 15,
            checks_pending_max: 1_024,
        }
    }
}

/// A half message whose producer is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfCheck {
    /// The producer's group.
    pub group: GroupName,
    /// Where the half message stands in the log.
    pub position: PhysicalOffset,
    /// Its offset in the half topic.
    pub offset: QueueOffset,
    /// The message in RocketMQ's commit log layout, with the topic and the queue it is bound for.
    pub record: Bytes,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckAnswer {
    /// A producer was asked.
    Asked,
    /// No producer of the group is there. The question does not count, and nobody is asked for
    /// others of the group in this round.
    NobodyThere,
    /// No producer could be asked just now. The question does not count.
    Busy,
}

/// How long a half message is left alone, in milliseconds.
pub(crate) fn immunity_ms(properties: &Properties, config: &TransactionConfig) -> u64 {
    own_immunity_ms(properties).unwrap_or(config.timeout_ms)
}

/// How long it asks itself to be left alone, in milliseconds.
pub(crate) fn own_immunity_ms(properties: &Properties) -> Option<u64> {
    let seconds: u64 = properties
        .value(property::CHECK_IMMUNITY_SECONDS)?
        .parse()
        .ok()?;
    Some(seconds.saturating_mul(1_000))
}
