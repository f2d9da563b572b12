//! One door in.

use super::Topic;
use super::consumed::Note;
use super::doors::{Door, Doors, Prepared, Staged};
use super::feeds::further;
use crate::batch::RecordBatch;
use crate::model::{
    Message, OffsetRange, PhysicalOffset, Properties, QueueId, QueueOffset, Timestamp, TopicRules,
};
use crate::queue::Queue;
use crate::record::Draft;
use crate::store::{Facts, FlushMode, FlushTicket, Pending, Placed};
use crate::traffic::Amount;
use crate::vhosts::WorkQueue;
use crate::{Client, Error};
use smallvec::SmallVec;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How far a record must have come before its producer hears of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// As the topic's `flush.messages` says, else as the broker is configured.
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
    /// A message that waits for the end of its transaction, see [`Client::end_transactions`]: the
    /// receipt says where. It names the group of its producer
    /// ([`property::PRODUCER_GROUP`]), and is in no further queues.
    ///
    /// [`property::PRODUCER_GROUP`]: crate::model::property::PRODUCER_GROUP
    Half(Message),
    /// A Kafka record batch, kept as it is but for records that are to be delivered later.
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
    /// Further queues in which a message is indexed too: one body, many queues. Each once, and
    /// about 2,000 at most, as they stand in the message's properties.
    pub also: Vec<(Arc<Topic>, QueueId)>,
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
    /// When the message will be in its topic; it waits in another until then, and the offset is
    /// its place there. `None` when it is in its topic.
    pub due: Option<Timestamp>,
    flush: Option<FlushTicket>,
}

impl Receipt {
    /// Whether [`Receipt::durable`] returns at once.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        self.flush.is_none()
    }

    /// How the wait for durability has ended; `None` as long as it has not.
    pub fn poll_durable(&mut self) -> Option<Result<(), Error>> {
        self.flush
            .as_mut()
            .map_or(Some(Ok(())), FlushTicket::outcome)
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
        let doors = Doors::new(durability, Some(&self.shared));
        self.produce_through(doors, items)
    }

    /// As [`Client::produce`], of messages that name all queues they are for: no exchange is asked.
    ///
    /// # Errors
    /// As [`Client::produce`].
    pub fn produce_routed(
        &self,
        items: Vec<ProduceItem>,
        durability: Durability,
    ) -> Vec<Result<Receipt, Error>> {
        self.produce_through(Doors::new(durability, None), items)
    }

    fn produce_through(
        &self,
        doors: Doors<'_>,
        items: Vec<ProduceItem>,
    ) -> Vec<Result<Receipt, Error>> {
        let (staged, pending) = self.stage(doors, items, &[]);
        let placed = self.shared.store.append(pending);
        self.conclude(staged, placed)
    }

    /// Makes records of items, of which some say what `notes` say.
    pub(super) fn stage<'a>(
        &self,
        mut doors: Doors<'a>,
        items: Vec<ProduceItem>,
        notes: &[Note],
    ) -> (Staged<'a>, Vec<Pending>) {
        let mut reached = Vec::new();
        let mut prepared: Vec<Result<Prepared, Error>> = Vec::with_capacity(items.len());
        let mut pending = Vec::with_capacity(items.len());
        let admission = self.shared.store.health.check_admission();
        // Who is done with messages by what all make together is not when one fails.
        let mut is_whole = true;
        for (number, item) in items.into_iter().enumerate() {
            let notes = if is_whole { notes } else { &[] };
            let record = admission.clone().and_then(|()| {
                let (at, door) = doors.of(&item)?;
                let (record, due) = self.prepare(door, item, (notes, number), &mut reached)?;
                Ok((Prepared::of(at, door, &record, due), record))
            });
            is_whole &= !matches!(&record, Err(error) if !is_gone(error));
            prepared.push(record.map(|(prepared, record)| {
                pending.push(record);
                prepared
            }));
        }
        let staged = Staged {
            has_ahead: pending.iter().any(|record| !record.ahead.is_empty()),
            doors,
            prepared,
            reached,
        };
        (staged, pending)
    }

    /// What became of items whose records are in the log, or are not: who waits for them hears
    /// of it.
    pub(super) fn conclude(
        &self,
        staged: Staged<'_>,
        placed: Vec<Result<Placed, Error>>,
    ) -> Vec<Result<Receipt, Error>> {
        let Staged {
            doors,
            prepared,
            reached,
            has_ahead,
        } = staged;
        let dues = prepared.iter().flatten().filter_map(|record| record.due);
        let first_due = dues.min();
        self.count_produced(&doors, &prepared, &placed);
        let appended = self.shared.store.appended();
        let mut placed = placed.into_iter();
        let receipts = prepared.into_iter().map(|prepared| {
            let prepared = prepared?;
            let (Some(placed), Some(door)) = (placed.next(), doors.at(prepared.door)) else {
                return Err(Error::Internal("a record has no outcome".to_owned()));
            };
            let range = match &prepared.elsewhere {
                Some(queue) => queue.range(appended),
                None => door.range(appended),
            };
            let wish = Wish {
                due: prepared.due,
                ..door.wish
            };
            Ok(self.receipt(&placed?, range, wish))
        });
        let receipts = receipts.collect();
        if has_ahead {
            self.shared.relay.wake();
        } else if let Some(due) = first_due {
            self.shared.relay.wake_for(due);
        }
        self.dispatch_all(reached);
        receipts
    }

    /// Counts what was placed, a topic's neighbours together.
    fn count_produced(
        &self,
        doors: &Doors<'_>,
        prepared: &[Result<Prepared, Error>],
        placed: &[Result<Placed, Error>],
    ) {
        let mut open: Option<(&Topic, Amount, Timestamp)> = None;
        let mut kept = 0;
        for (prepared, placed) in prepared.iter().flatten().zip(placed) {
            let (Ok(placed), Some(door)) = (placed, doors.at(prepared.door)) else {
                continue;
            };
            kept += 1;
            if placed.is_duplicate {
                continue;
            }
            let amount = Amount {
                messages: u64::from(prepared.count),
                bytes: placed.position.distance_to(placed.end),
                times: 1,
            };
            open = match open {
                Some((same, sum, _)) if std::ptr::eq(same, &*door.topic) => {
                    Some((same, sum + amount, placed.stored_at))
                }
                before => {
                    self.count_run(before);
                    Some((&door.topic, amount, placed.stored_at))
                }
            };
        }
        self.count_run(open);
        if kept < prepared.len() {
            let refused = prepared.len().saturating_sub(kept);
            let refused = u64::try_from(refused).unwrap_or(0);
            self.shared.refused.fetch_add(refused, Ordering::Relaxed);
        }
    }

    fn count_run(&self, run: Option<(&Topic, Amount, Timestamp)>) {
        if let Some((topic, amount, at)) = run {
            topic.produced().count(amount, at);
            self.shared.produced.count(amount, at);
        }
    }

    /// The record an item becomes, and when it is due if that is later.
    fn prepare(
        &self,
        door: &Door,
        item: ProduceItem,
        (notes, number): (&[Note], usize),
        reached: &mut Vec<Arc<WorkQueue>>,
    ) -> Result<(Pending, Option<Timestamp>), Error> {
        self.shared.check_running()?;
        let ProduceItem {
            topic,
            queue: id,
            payload,
            also,
        } = item;
        let queue = Arc::clone(&door.queue);
        let mut also = further_queues(&queue, &also)?;
        match payload {
            Payload::Message(mut message) => {
                let mut facts = self.check_message(&topic, &message)?;
                if !notes.is_empty() {
                    facts.consumes = Note::write(notes, number, &mut message, also.len());
                }
                let waiting = if facts.is_delayed {
                    self.delayed(&topic, id, &mut message)?
                } else {
                    None
                };
                Ok(match waiting {
                    Some((due, waiting)) => {
                        let id = QueueId::new(0);
                        let pending = Pending::of_message(&waiting, id, message, also)?;
                        (pending, Some(due))
                    }
                    None => {
                        if let Some(feed) = &door.feed {
                            let fed = self.shared.fed(feed, &message);
                            also.extend(further(&fed)?);
                            reached.extend(fed);
                        }
                        let pending = Pending::with(&topic, id, facts, message, (queue, also))?;
                        (pending, None)
                    }
                })
            }
            Payload::Half(mut message) => {
                let facts = self.check_message(&topic, &message)?;
                if !also.is_empty() {
                    let text = "a half message is in no further queues".to_owned();
                    return Err(Error::Invalid(text));
                }
                let waiting = self.half(&topic, id, &facts, &mut message)?;
                let pending = Pending::of_message(&waiting, QueueId::new(0), message, also)?;
                Ok((pending, None))
            }
            Payload::Batch(batch) => {
                self.check_size(batch.bytes().len())?;
                let (batch, mut ahead) = self.without_delayed(&topic, id, batch)?;
                if let Some(feed) = &door.feed {
                    ahead.extend(self.shared.fed_by_batch(feed, &topic, &batch, reached)?);
                }
                let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let pending = Pending {
                    draft: Draft::batch(topic.name(), id, &batch, host),
                    facts: Facts::of_batch(batch.header()),
                    queue,
                    also,
                    ahead,
                };
                Ok((pending, None))
            }
        }
    }

    fn check_message(&self, topic: &Topic, message: &Message) -> Result<Facts, Error> {
        self.check_size(message.body.len())?;
        let facts = Facts::of_message(topic.name(), message);
        if facts.has_reserved {
            let text = "a property is reserved for the broker".to_owned();
            return Err(Error::Invalid(text));
        }
        Ok(facts)
    }

    /// # Errors
    /// [`Error::MessageTooLarge`] for a message or a batch of more bytes than are allowed.
    pub(super) fn check_size(&self, size: usize) -> Result<(), Error> {
        let limit = self.shared.config.topics.message_bytes_max;
        if size > limit {
            Err(Error::MessageTooLarge { size, limit })
        } else {
            Ok(())
        }
    }

    fn receipt(&self, placed: &Placed, range: OffsetRange, wish: Wish) -> Receipt {
        let flush = self.flush_ticket(placed.end, wish);
        Receipt {
            base_offset: placed.base,
            position: placed.position,
            stored_at: placed.stored_at,
            range,
            is_duplicate: placed.is_duplicate,
            due: wish.due,
            flush,
        }
    }

    /// What waits until everything before `end` is as durable as is wished; `None` when it is.
    pub(super) fn flush_ticket(&self, end: PhysicalOffset, wish: Wish) -> Option<FlushTicket> {
        let store = &self.shared.store;
        let waits = wish
            .waits
            .unwrap_or(self.shared.config.store.flush == FlushMode::Sync);
        let flush = waits.then(|| store.flush_ticket(end)).flatten();
        if let Some(time) = wish.within {
            store.flusher.hasten(time);
        }
        flush
    }
}

/// Whether a message is not kept because nobody could ever read it.
pub(super) const fn is_gone(error: &Error) -> bool {
    matches!(error, Error::TopicNotFound(_) | Error::QueueNotFound { .. })
}

/// Further queues of a message.
pub(super) type Further = SmallVec<[Arc<Queue>; 1]>;

/// The further queues of a record that goes to `own`.
fn further_queues(own: &Queue, also: &[(Arc<Topic>, QueueId)]) -> Result<Further, Error> {
    let queues = also.iter().map(|(topic, id)| topic.queue(*id));
    let queues = without_deleted(queues)?;
    let numbers = queues.iter().map(|queue| queue.number());
    let mut numbers: SmallVec<[u32; 8]> = numbers.chain([own.number()]).collect();
    numbers.sort_unstable();
    if numbers.windows(2).any(|pair| pair.first() == pair.last()) {
        // It would have one offset there twice.
        return Err(Error::Invalid("a queue is named twice".to_owned()));
    }
    Ok(queues)
}

/// Those that are there: a message goes to the others although one has gone meanwhile.
///
/// # Errors
/// [`Error::QueueNotFound`].
pub(super) fn without_deleted(
    queues: impl Iterator<Item = Result<Arc<Queue>, Error>>,
) -> Result<Further, Error> {
    let is_there =
        |queue: &Result<Arc<Queue>, Error>| !matches!(queue, Err(Error::TopicNotFound(_)));
    queues.filter(is_there).collect()
}

impl Pending {
    /// The record of a message for queue `id` of `topic`.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::TopicNotFound`], or properties that are too long.
    pub(super) fn of_message(
        topic: &Topic,
        id: QueueId,
        message: Message,
        also: Further,
    ) -> Result<Self, Error> {
        let queue = topic.queue(id)?;
        let facts = Facts::of_message(topic.name(), &message);
        Self::with(topic, id, facts, message, (queue, also))
    }

    /// The same, of a message whose facts in that topic and whose queues are known.
    fn with(
        topic: &Topic,
        id: QueueId,
        facts: Facts,
        message: Message,
        (queue, also): (Arc<Queue>, Further),
    ) -> Result<Self, Error> {
        let further: SmallVec<[u32; 1]> = also.iter().map(|queue| queue.number()).collect();
        let draft = Draft::message(topic.name(), id, message, &further).map_err(|size| {
            Error::MessageTooLarge {
                size,
                limit: Properties::BYTES_MAX,
            }
        })?;
        Ok(Self {
            draft,
            facts,
            queue,
            also,
            ahead: Vec::new(),
        })
    }
}

/// What a record's producer and its topic want.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// Whether the producer waits for the flush; none leaves that to the broker.
    waits: Option<bool>,
    /// When it is to be flushed at the latest.
    within: Option<Duration>,
    /// When the message is due, if that is later.
    due: Option<Timestamp>,
}

impl Wish {
    pub(super) fn of(rules: &TopicRules, durability: Durability) -> Self {
        Self {
            waits: match durability {
                Durability::Configured => rules.waits_for_flush,
                Durability::Appended => Some(false),
                Durability::Flushed => Some(true),
            },
            within: rules.flush_within,
            due: None,
        }
    }
}
