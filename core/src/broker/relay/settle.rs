//! Giving waiting records their outcome.

use crate::broker::Topic;
use crate::broker::feeds::further;
use crate::broker::shared::Shared;
use crate::model::{Message, PhysicalOffset, QueueId, property};
use crate::queue::Queue;
use crate::state::Command;
use crate::store::{Pending, Placed};
use crate::vhosts::WorkQueue;
use crate::{Client, Error};
use std::sync::Arc;

/// A message that is the outcome of the waiting record at an offset.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) offset: u64,
    pub(super) pending: Box<Pending>,
    /// Queues of AMQP's that it is in as well.
    fed: Vec<Arc<WorkQueue>>,
}

impl Outcome {
    /// The message for queue `id` of `topic`, the outcome of the record of `waiting` at `offset`.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::TopicNotFound`], or properties that are too long.
    pub(super) fn new(
        shared: &Shared,
        topic: &Topic,
        id: QueueId,
        mut message: Message,
        waiting: &Queue,
        offset: u64,
    ) -> Result<Self, Error> {
        let settles = format!("{}:{offset}", waiting.number());
        let settles = [(property::SETTLES, settles.as_str())];
        let properties = message
            .properties
            .rewritten(property::is_internal, &settles);
        message.properties = properties.map_err(|error| Error::Invalid(error.to_string()))?;
        let feed = shared.feed_of(topic.name());
        let fed = feed
            .map(|feed| shared.fed(&feed, &message))
            .unwrap_or_default();
        let pending = Pending::of_message(topic, id, message, further(&fed)?)?;
        Ok(Self {
            offset,
            fed,
            pending: Box::new(pending),
        })
    }
}

impl Outcome {
    /// Notes where the half message stands that this is the outcome of.
    pub(super) const fn of_half_at(mut self, position: PhysicalOffset) -> Self {
        self.pending.draft.note_half(position);
        self
    }
}

impl Shared {
    /// Appends outcomes of records of `waiting`, and notes those that were written as settled. The
    /// caller holds [`Shared::settling`], and has looked whether they are settled since.
    pub(super) fn append_outcomes(
        self: &Arc<Self>,
        waiting: &Queue,
        outcomes: Vec<Outcome>,
    ) -> Vec<(u64, Result<Placed, Error>)> {
        if outcomes.is_empty() {
            return Vec::new();
        }
        let wakes_relay = outcomes
            .iter()
            .any(|outcome| outcome.pending.facts.is_delayed);
        let mut reached = Vec::new();
        let (offsets, pending): (Vec<u64>, Vec<Pending>) = outcomes
            .into_iter()
            .map(|outcome| {
                reached.extend(outcome.fed);
                (outcome.offset, *outcome.pending)
            })
            .unzip();
        if pending.is_empty() {
            return Vec::new();
        }
        crash_point!("relay.before_append");
        let placed = self.store.append(pending);
        crash_point!("relay.before_settle");
        let mut state = self.state.write();
        let outcomes = offsets.into_iter().zip(placed);
        let settled = outcomes.map(|(offset, placed)| {
            if placed.is_ok() {
                state.settle(waiting.number(), offset);
            }
            (offset, placed)
        });
        let settled = settled.collect();
        drop(state);
        if wakes_relay {
            self.relay.wake();
        }
        let client = Client {
            shared: Arc::clone(self),
        };
        client.dispatch_all(reached);
        settled
    }

    /// Notes that records of `waiting` have an outcome that is in no queue.
    ///
    /// # Errors
    /// A failed store.
    pub(super) fn drop_waiting(&self, waiting: &Queue, offsets: Vec<u64>) -> Result<(), Error> {
        if offsets.is_empty() {
            return Ok(());
        }
        let queue = waiting.number();
        self.log(&mut self.state.write(), Command::Settle { queue, offsets })?;
        Ok(())
    }
}
