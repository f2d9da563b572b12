//! Topics from which AMQP's queues are fed: what any protocol produces to the topic of an exchange
//! reaches the queues bound to it, and what is produced to a topic of a queue's name that queue.

use super::produce::{Further, without_deleted};
use super::shared::Shared;
use super::topics::Topic;
use crate::Error;
use crate::batch::{BatchError, RecordBatch};
use crate::convert::message_of_view;
use crate::model::{Message, TopicName, property};
use crate::store::Pending;
use crate::vhosts::{VirtualHost, WorkQueue};
use std::sync::Arc;

/// The exchange that a topic is.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    host: Arc<VirtualHost>,
    exchange: Arc<str>,
    topic: TopicName,
}

impl Shared {
    /// The exchange that `topic` is, if that leads to any queue.
    pub(super) fn feed_of(&self, topic: &TopicName) -> Option<Feed> {
        let (host, exchange) = self.vhosts.exchange_of(topic)?;
        Some(Feed {
            host,
            exchange,
            topic: topic.clone(),
        })
    }

    /// The queues that a message is for as well.
    pub(super) fn fed(&self, feed: &Feed, message: &Message) -> Vec<Arc<WorkQueue>> {
        let Some(protocol) = self.vhosts.queue_protocol.get() else {
            return Vec::new();
        };
        let mut queues = protocol.route(&feed.host, &feed.exchange, message);
        // A stream that is the topic has it already.
        queues.retain(|queue| queue.topic().name() != &feed.topic);
        queues
    }

    /// Records for the queues that a batch's records are for, each once for all its queues.
    ///
    /// # Errors
    /// [`Error::Invalid`] for records that do not parse, or properties that are too long.
    pub(super) fn fed_by_batch(
        &self,
        feed: &Feed,
        topic: &Topic,
        batch: &RecordBatch,
        reached: &mut Vec<Arc<WorkQueue>>,
    ) -> Result<Vec<Pending>, Error> {
        let records = batch.records().map_err(|error| unreadable(&error))?;
        let mut copies = Vec::new();
        for record in &records {
            let record = record.map_err(|error| unreadable(&error))?;
            let mut message = message_of_view(&record);
            let mut queues = self.fed(feed, &message);
            queues.retain(|queue| queue.topic().queue(queue.queue_for(None)).is_ok());
            let Some((first, others)) = queues.split_first() else {
                continue;
            };
            let origin = [(property::ORIGIN, topic.name().as_str())];
            let properties = message.properties.rewritten(|_| false, &origin);
            message.properties = properties.map_err(|error| Error::Invalid(error.to_string()))?;
            let also = further(others)?;
            let id = first.queue_for(None);
            copies.push(Pending::of_message(first.topic(), id, message, also)?);
            reached.extend(queues.iter().cloned());
        }
        Ok(copies)
    }
}

/// Where messages without a priority stand in queues.
pub(super) fn further(queues: &[Arc<WorkQueue>]) -> Result<Further, Error> {
    let queues = queues.iter();
    let queues = queues.map(|queue| queue.topic().queue(queue.queue_for(None)));
    without_deleted(queues)
}

fn unreadable(error: &BatchError) -> Error {
    Error::Invalid(format!("records for queues were looked for: {error}"))
}
