//! One door in.

use super::Topic;
use crate::batch::RecordBatch;
use crate::model::{
    Message, OffsetRange, PhysicalOffset, QueueId, QueueOffset, Timestamp, TopicName,
};
use crate::record::Draft;
use crate::store::{Facts, FlushMode, FlushTicket, Pending, Placed};
use crate::{Client, Error};
use smallvec::SmallVec;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// How far a record must have come before its producer hears of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// As the broker is configured.
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
    /// Further topics (queue 0 of each) in which a message is indexed too: one body, many
    /// queues.
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
    flush: Option<FlushTicket>,
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
    pub async fn durable(mut self) -> Result<Self, Error> {
        if let Some(ticket) = self.flush.take() {
            ticket.wait().await?;
        }
        Ok(self)
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
        let mut prepared: Vec<Result<(), Error>> = Vec::with_capacity(items.len());
        let mut pending = Vec::with_capacity(items.len());
        for item in items {
            prepared.push(self.prepare(item).map(|record| pending.push(record)));
        }
        let queues: SmallVec<[_; 8]> = pending
            .iter()
            .map(|record| Arc::clone(&record.queue))
            .collect();
        let mut placed = self.shared.store.append(pending).into_iter().zip(queues);
        let receipts = prepared.into_iter().map(|prepared| {
            prepared?;
            let Some((placed, queue)) = placed.next() else {
                return Err(Error::Internal("a record has no outcome".to_owned()));
            };
            let placed = placed?;
            let range = queue.range(self.shared.store.appended());
            Ok(self.receipt(&placed, range, durability))
        });
        receipts.collect()
    }

    fn prepare(&self, item: ProduceItem) -> Result<Pending, Error> {
        self.shared.check_running()?;
        let ProduceItem {
            topic,
            queue: id,
            payload,
            also,
        } = item;
        if !topic.spec().permission.is_writable() {
            return Err(Error::Forbidden(format!(
                "topic {} is not writable",
                topic.name()
            )));
        }
        let queue = topic.queue(id)?;
        let also = self.further_queues(&also)?;
        let (facts, draft) = match payload {
            Payload::Message(message) => {
                self.check_size(message.body.len())?;
                let facts = Facts::of_message(topic.name(), &message);
                if facts.has_reserved {
                    let text = "a property is reserved for the broker".to_owned();
                    return Err(Error::Invalid(text));
                }
                let names: SmallVec<[TopicName; 1]> =
                    also.iter().map(|queue| queue.topic().clone()).collect();
                let draft = Draft::message(topic.name(), id, message, &names).map_err(|size| {
                    Error::MessageTooLarge {
                        size,
                        limit: 32_767,
                    }
                })?;
                (facts, draft)
            }
            Payload::Batch(batch) => {
                self.check_size(batch.bytes().len())?;
                let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                (
                    Facts::of_batch(batch.header()),
                    Draft::batch(topic.name(), id, &batch, host),
                )
            }
        };
        Ok(Pending {
            draft,
            facts,
            queue,
            also,
        })
    }

    fn further_queues(
        &self,
        names: &[TopicName],
    ) -> Result<SmallVec<[Arc<crate::queue::Queue>; 1]>, Error> {
        let queue = |name: &TopicName| {
            let topic = self.topic(name.as_str());
            topic
                .ok_or_else(|| Error::TopicNotFound(name.clone()))?
                .queue(QueueId::new(0))
        };
        names.iter().map(queue).collect()
    }

    fn check_size(&self, size: usize) -> Result<(), Error> {
        let limit = self.shared.config.topics.message_bytes_max;
        if size > limit {
            Err(Error::MessageTooLarge { size, limit })
        } else {
            Ok(())
        }
    }

    fn receipt(&self, placed: &Placed, range: OffsetRange, durability: Durability) -> Receipt {
        let flushed = match durability {
            Durability::Configured => self.shared.config.store.flush == FlushMode::Sync,
            Durability::Appended => false,
            Durability::Flushed => true,
        };
        let flush = flushed
            .then(|| self.shared.store.flush_ticket(placed.end))
            .flatten();
        Receipt {
            base_offset: placed.base,
            position: placed.position,
            stored_at: placed.stored_at,
            range,
            is_duplicate: placed.is_duplicate,
            flush,
        }
    }
}
