//! What core asks the protocol whose work queues they are.

use super::{VirtualHost, WorkQueue};
use crate::broker::{MessageView, ProduceItem};
use crate::model::{Message, Timestamp};
use crate::record::RecordView;
use std::fmt;
use std::sync::Arc;

/// Why a message is not for a queue's consumers any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// A consumer did not want it.
    Rejected,
    /// Its time, or that of its queue's messages, was over.
    Expired,
    /// The queue was full.
    MaxLength,
    /// It returned too often.
    DeliveryLimit,
}

/// A message on its way to an exchange of dead letters.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// What to produce; none where nobody could ever read it.
    pub items: Vec<ProduceItem>,
    /// The queues it will be in.
    pub queues: Vec<Arc<WorkQueue>>,
}

/// What only the protocol knows whose queues they are.
pub trait QueueProtocol: Send + Sync + fmt::Debug {
    /// The dead letter of a message of `queue`, which has an exchange for them.
    fn dead_letter(
        &self,
        host: &VirtualHost,
        queue: &WorkQueue,
        message: &MessageView,
        death: Death,
        at: Timestamp,
    ) -> DeadLetter;

    /// The queues that a message is for which any protocol produced to the topic that is an
    /// exchange.
    fn route(&self, host: &VirtualHost, exchange: &str, message: &Message) -> Vec<Arc<WorkQueue>>;

    /// When a message expires by what it says itself, in milliseconds after it was stored.
    fn life_ms(&self, record: &RecordView) -> Option<u64>;
}
