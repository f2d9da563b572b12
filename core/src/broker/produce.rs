//! One door in.

use super::Topic;
use crate::batch::RecordBatch;
use crate::model::{
    Message, OffsetRange, PhysicalOffset, QueueId, QueueOffset, Timestamp, TopicName,
};
use crate::{Client, Error};
use std::sync::Arc;

/// How far a record must have come before its producer hears of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// As the topic, else the broker, is configured.
    #[default]
    Configured,
    /// In the operating system: survives `kill -9`, not a power cut.
    Appended,
    /// On the disk.
    Flushed,
}

/// What is produced.
#[derive(Clone, Debug)]
pub enum Payload {
    /// One message.
    Message(Message),
    /// A Kafka record batch, kept as it is.
    Batch(RecordBatch),
}

/// One record for one queue.
#[derive(Clone, Debug)]
pub struct ProduceItem {
    /// From [`Client::topic`] or [`Client::topic_or_create`].
    pub topic: Arc<Topic>,
    /// A queue of that topic.
    pub queue: QueueId,
    /// The message or batch.
    pub payload: Payload,
    /// Further topics (queue 0 of each) in which the record is indexed too: one body, many queues.
    pub also: Vec<TopicName>,
}

/// Where a record went. It is in the log, in this order, when the receipt exists; whether it is
/// on the disk is what [`Receipt::durable`] waits for.
#[derive(Debug)]
pub struct Receipt {
    /// Queue offset of the record's first message.
    pub base_offset: QueueOffset,
    /// Where the record starts in the log.
    pub position: PhysicalOffset,
    /// When the broker stored it.
    pub stored_at: Timestamp,
    /// The queue's range after it; `start` is Kafka's log start offset.
    pub range: OffsetRange,
    /// The batch was a retry of one already there: nothing was appended, `base_offset` is the
    /// original's.
    pub is_duplicate: bool,
    flush: Option<crate::store::FlushWait>,
}

impl Receipt {
    /// Whether [`Receipt::durable`] returns at once.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        self.flush.is_none()
    }

    /// Waits until the record is as durable as was asked.
    ///
    /// # Errors
    /// [`Error::FlushTimeout`], or [`Error::Storage`] when the flush failed.
    pub async fn durable(self) -> Result<Self, Error> {
        unimplemented!()
    }
}

impl Client {
    /// Appends `items` in their order with one write, each with its own outcome. An idempotent
    /// producer's batches are checked for duplicates and gaps first.
    ///
    /// # Errors
    /// An item's own: too large, not writable, out of sequence, or a failed store.
    pub fn produce(
        &self,
        items: Vec<ProduceItem>,
        durability: Durability,
    ) -> Vec<Result<Receipt, Error>> {
        unimplemented!()
    }
}
