//! The end of transactions: what their producers say of half messages.

use super::route::bound_of;
use super::settle::Outcome;
use super::timers::entry_at;
use crate::broker::produce::Wish;
use crate::broker::shared::Shared;
use crate::broker::{Durability, StoredRecord, Topic};
use crate::model::{
    Message, PhysicalOffset, Properties, QueueId, SysFlag, TopicName, TopicRules, property,
};
use crate::queue::Queue;
use crate::record::RecordView;
use crate::store::{Facts, FlushTicket};
use crate::transactions::{EndError, TransactionEnd, TransactionOutcome, own_immunity_ms};
use crate::{Client, Error};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A transaction that has ended, or waits on as its producer does not know; what became of it is
/// in the log.
#[derive(Debug)]
pub struct Ended {
    flush: Option<FlushTicket>,
}

impl Ended {
    /// Whether [`Ended::durable`] returns at once.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        self.flush.is_none()
    }

    /// Waits until the outcome is as durable as was asked.
    ///
    /// # Errors
    /// [`Error::FlushTimeout`], or [`Error::Storage`] when the flush failed.
    pub async fn durable(self) -> Result<(), Error> {
        match self.flush {
            Some(ticket) => ticket.wait().await,
            None => Ok(()),
        }
    }
}

/// What an end asks for, found before anything is locked.
enum Wanted {
    Nothing,
    Rollback(u64, Wish),
    Commit(Outcome, Wish),
}

/// What is to be written, and what each end is answered after it.
#[derive(Default)]
struct Taken {
    committed: Vec<Outcome>,
    rolled_back: Vec<u64>,
    results: Vec<Result<Option<(u64, Wish)>, EndError>>,
}

impl Client {
    /// Ends transactions, each with its own result, all with one write. An outcome and the
    /// message's being settled are one record: whatever happens, a message is committed once.
    ///
    /// # Errors
    /// An end's own.
    pub fn end_transactions(
        &self,
        ends: &[TransactionEnd],
        durability: Durability,
    ) -> Vec<Result<Ended, EndError>> {
        let Some((_, queue)) = self.shared.half_queue() else {
            return ends.iter().map(|_| Err(EndError::NotFound)).collect();
        };
        let wanted = ends.iter().map(|end| self.wanted(&queue, end, durability));
        let wanted: Vec<_> = wanted.collect();

        let settling = self.shared.settling.lock();
        let mut taken = self.take_open(&queue, wanted);
        let committed = self.shared.append_outcomes(&queue, taken.committed);
        let dropped = self.shared.drop_waiting(&queue, taken.rolled_back.clone());
        drop(settling);

        let committed = committed.into_iter();
        let mut ends: BTreeMap<u64, Result<PhysicalOffset, Error>> = committed
            .map(|(offset, placed)| (offset, placed.map(|placed| placed.end)))
            .collect();
        let appended = PhysicalOffset::new(self.shared.store.appended());
        let rolled_back = taken.rolled_back.drain(..);
        ends.extend(rolled_back.map(|offset| (offset, dropped.clone().map(|()| appended))));
        let ended = taken.results.into_iter().map(|result| {
            let Some((offset, wish)) = result? else {
                return Ok(Ended { flush: None });
            };
            let end = ends.remove(&offset);
            let end = end.ok_or_else(|| Error::Internal("an end has no outcome".to_owned()))??;
            let flush = self.flush_ticket(end, wish);
            Ok(Ended { flush })
        });
        ended.collect()
    }

    /// Of what is wanted, what concerns half messages without an outcome, each once.
    fn take_open(&self, queue: &Queue, wanted: Vec<Result<Wanted, EndError>>) -> Taken {
        let state = self.shared.state.read();
        let mut seen = BTreeSet::new();
        let mut is_open = |offset| !state.is_settled(queue.number(), offset) && seen.insert(offset);
        let mut taken = Taken::default();
        for wanted in wanted {
            let result = match wanted {
                Ok(Wanted::Nothing) => Ok(None),
                Ok(Wanted::Rollback(offset, wish)) if is_open(offset) => {
                    taken.rolled_back.push(offset);
                    Ok(Some((offset, wish)))
                }
                Ok(Wanted::Commit(outcome, wish)) if is_open(outcome.offset) => {
                    let offset = outcome.offset;
                    taken.committed.push(outcome);
                    Ok(Some((offset, wish)))
                }
                Ok(Wanted::Rollback(..) | Wanted::Commit(..)) => Err(EndError::Ended),
                Err(error) => Err(error),
            };
            taken.results.push(result);
        }
        taken
    }

    fn wanted(
        &self,
        queue: &Queue,
        end: &TransactionEnd,
        durability: Durability,
    ) -> Result<Wanted, EndError> {
        self.shared.check_running()?;
        let record = self.half_record(queue, end)?;
        let mut message = record.to_message();
        if !end.answers_check
            && let Some(millis) = own_immunity_ms(&message.properties)
            && self.shared.clock.now().millis_since(record.stored_at()) > millis
        {
            return Err(EndError::TooLate);
        }
        let offset = record.queue_offset().get();
        match end.outcome {
            TransactionOutcome::Unknown => return Ok(Wanted::Nothing),
            TransactionOutcome::Rollback => {
                let wish = Wish::of(&TopicRules::default(), durability);
                return Ok(Wanted::Rollback(offset, wish));
            }
            TransactionOutcome::Commit => {}
        }
        self.shared.store.health.check_admission()?;
        let (topic, id) = bound_of(self, &message).ok_or_else(|| no_topic(&message))?;
        let wish = Wish::of(&topic.rules(), durability);
        message.sys_flag = message
            .sys_flag
            .without(SysFlag::TRANSACTION)
            .with(SysFlag::COMMITTED);
        message.properties = without_bounds(&message.properties)?;
        let is_delayed = Facts::of_message(topic.name(), &message).is_delayed;
        let waiting = if is_delayed {
            self.delayed(&topic, id, &mut message)?
        } else {
            None
        };
        let outcome = match waiting {
            Some((_, waiting)) => Outcome::new(
                &self.shared,
                &waiting,
                QueueId::new(0),
                message,
                queue,
                offset,
            )?,
            None => Outcome::new(&self.shared, &topic, id, message, queue, offset)?,
        };
        Ok(Wanted::Commit(outcome.of_half_at(end.position), wish))
    }

    /// The half message an end is about. One that was copied forward is found by where it was.
    fn half_record(&self, queue: &Queue, end: &TransactionEnd) -> Result<RecordView, EndError> {
        let entry = entry_at(self, queue, end.offset.get());
        let named = entry.filter(|entry| entry.position == end.position);
        let stored = match &named {
            Some(entry) => self.stored(entry).ok(),
            None => self.record_at(end.position).ok(),
        };
        let is_half = |record: &RecordView| record.topic() == property::HALF_TOPIC;
        let parsed = |stored: StoredRecord| RecordView::parse(&stored.bytes).ok();
        if let Some(record) = stored.and_then(parsed).filter(is_half) {
            check_group(&record, end)?;
            if record.queue_offset() != end.offset {
                return Err(EndError::WrongOffset);
            }
            return Ok(record);
        }
        let entry = entry.ok_or(EndError::NotFound)?;
        let moved = self.stored(&entry).ok().and_then(parsed);
        let moved = moved.ok_or(EndError::NotFound)?;
        check_group(&moved, end)?;
        if moved.is_forwarded() && end.position < entry.position {
            Ok(moved)
        } else {
            Err(EndError::WrongPosition)
        }
    }

    /// Has the producer of a message whose transaction was given up asked again, once: the one at
    /// `position` of the log.
    ///
    /// # Errors
    /// [`EndError::NotFound`] when no such message is there, [`EndError::Ended`] when it waits
    /// again already.
    pub fn resume_transaction(&self, position: PhysicalOffset) -> Result<(), EndError> {
        let topic = self.topic(property::GIVEN_UP_TOPIC);
        let topic = topic.ok_or(EndError::NotFound)?;
        let given_up = topic.queue(QueueId::new(0))?;
        let stored = self.record_at(position).map_err(|_| EndError::NotFound)?;
        let record = RecordView::parse(&stored.bytes).map_err(|_| EndError::NotFound)?;
        if record.topic() != property::GIVEN_UP_TOPIC {
            return Err(EndError::NotFound);
        }
        let offset = record.queue_offset().get();
        let half = self.shared.waiting_topic(property::HALF_TOPIC)?;
        let message = record.to_message();
        let outcome = Outcome::new(
            &self.shared,
            &half,
            QueueId::new(0),
            message,
            &given_up,
            offset,
        )?;
        let _settling = self.shared.settling.lock();
        if self
            .shared
            .state
            .read()
            .is_settled(given_up.number(), offset)
        {
            return Err(EndError::Ended);
        }
        let placed = self.shared.append_outcomes(&given_up, vec![outcome]);
        for (_, placed) in placed {
            placed?;
        }
        Ok(())
    }
}

impl Shared {
    /// Where half messages wait; none as long as there was never one.
    pub(super) fn half_queue(&self) -> Option<(Arc<Topic>, Arc<Queue>)> {
        let topic = self.topics.by_name(property::HALF_TOPIC)?;
        let queue = topic.queue(QueueId::new(0)).ok()?;
        Some((topic, queue))
    }
}

fn check_group(record: &RecordView, end: &TransactionEnd) -> Result<(), EndError> {
    let properties = record.properties();
    if properties.value(property::PRODUCER_GROUP) == Some(&end.group) {
        Ok(())
    } else {
        Err(EndError::WrongGroup)
    }
}

fn no_topic(message: &Message) -> Error {
    let named = message.properties.value(property::REAL_TOPIC);
    match TopicName::new(named.unwrap_or_default()) {
        Ok(name) => Error::TopicNotFound(name),
        Err(error) => Error::Invalid(error.to_string()),
    }
}

/// `properties` without where the message was bound for.
fn without_bounds(properties: &Properties) -> Result<Properties, Error> {
    let is_bound = |name: &str| matches!(name, property::REAL_TOPIC | property::REAL_QUEUE);
    let kept = properties.rewritten(is_bound, &[]);
    kept.map_err(|error| Error::Invalid(error.to_string()))
}
