//! The queues that one call produces to: what a run of neighbours has in common is asked once.

use super::feeds::Feed;
use super::produce::{Durability, ProduceItem, Wish};
use super::shared::Shared;
use super::topics::Topic;
use crate::Error;
use crate::model::{OffsetRange, QueueId, Timestamp};
use crate::queue::Queue;
use crate::store::{Pending, Placed};
use crate::vhosts::WorkQueue;
use smallvec::SmallVec;
use std::cell::OnceCell;
use std::sync::Arc;

/// A queue that takes messages.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) topic: Arc<Topic>,
    id: QueueId,
    pub(super) queue: Arc<Queue>,
    /// What those who produce to it want.
    pub(super) wish: Wish,
    /// The queues of AMQP's that it feeds.
    pub(super) feed: Option<Feed>,
    range: OnceCell<OffsetRange>,
}

impl Door {
    /// # Errors
    /// [`Error::Forbidden`], or there is no such queue.
    fn of(
        item: &ProduceItem,
        durability: Durability,
        feeder: Option<&Shared>,
    ) -> Result<Self, Error> {
        let topic = &item.topic;
        if !topic.spec().permission.is_writable() {
            let text = format!("topic {} is not writable", topic.name());
            return Err(Error::Forbidden(text));
        }
        Ok(Self {
            topic: Arc::clone(topic),
            id: item.queue,
            queue: topic.queue(item.queue)?,
            wish: Wish::of(&topic.rules(), durability),
            feed: feeder.and_then(|shared| shared.feed_of(topic.name())),
            range: OnceCell::new(),
        })
    }

    fn is_for(&self, item: &ProduceItem) -> bool {
        self.id == item.queue && Arc::ptr_eq(&self.topic, &item.topic)
    }

    /// The queue's range once all is appended.
    pub(super) fn range(&self, appended: u64) -> OffsetRange {
        *self.range.get_or_init(|| self.queue.range(appended))
    }
}

/// Those of a call, one for each run of items.
#[derive(Debug)]
pub(super) struct Doors<'a> {
    durability: Durability,
    /// Who knows what is fed; nobody where producers have looked themselves.
    feeder: Option<&'a Shared>,
    all: SmallVec<[Door; 2]>,
}

impl<'a> Doors<'a> {
    pub(super) fn new(durability: Durability, feeder: Option<&'a Shared>) -> Self {
        Self {
            durability,
            feeder,
            all: SmallVec::new(),
        }
    }

    /// The one of the next item, and its place among all.
    ///
    /// # Errors
    /// The item cannot be taken.
    pub(super) fn of(&mut self, item: &ProduceItem) -> Result<(usize, &Door), Error> {
        if !self.all.last().is_some_and(|door| door.is_for(item)) {
            self.all.push(Door::of(item, self.durability, self.feeder)?);
        }
        let at = self.all.len().saturating_sub(1);
        let door = self.at(at);
        let door = door.ok_or_else(|| Error::Internal("a queue has no place".to_owned()))?;
        Ok((at, door))
    }

    pub(super) fn at(&self, at: usize) -> Option<&Door> {
        self.all.get(at)
    }
}

/// What is remembered of an item while its record is appended.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The place of its door.
    pub(super) door: usize,
    /// Offsets it takes.
    pub(super) count: u32,
    /// When it is due, if that is later.
    pub(super) due: Option<Timestamp>,
    /// The queue it waits in instead.
    pub(super) elsewhere: Option<Arc<Queue>>,
    /// It says what a group is done with.
    consumes: bool,
}

/// The items of a call while their records are appended.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    pub(super) doors: Doors<'a>,
    /// In the order of the items.
    pub(super) prepared: Vec<Result<Prepared, Error>>,
    /// Queues that some are in as well.
    pub(super) reached: Vec<Arc<WorkQueue>>,
    /// Some are preceded by what is to be delivered later.
    pub(super) has_ahead: bool,
}

impl Staged<'_> {
    /// Which items are in the log and say there what a group is done with.
    pub(super) fn noting(&self, placed: &[Result<Placed, Error>]) -> Vec<usize> {
        let prepared = self.prepared.iter().enumerate();
        let records = prepared.filter_map(|(at, prepared)| Some((at, prepared.as_ref().ok()?)));
        let kept = records
            .zip(placed)
            .filter(|((_, record), placed)| record.consumes && placed.is_ok());
        kept.map(|((at, _), _)| at).collect()
    }
}

impl Prepared {
    pub(super) fn of(at: usize, door: &Door, record: &Pending, due: Option<Timestamp>) -> Self {
        let is_elsewhere = !Arc::ptr_eq(&record.queue, &door.queue);
        Self {
            door: at,
            count: record.facts.count,
            due,
            elsewhere: is_elsewhere.then(|| Arc::clone(&record.queue)),
            consumes: record.facts.consumes,
        }
    }
}
