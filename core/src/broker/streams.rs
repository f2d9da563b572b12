//! AMQP's streams: topics whose first queue AMQP's clients read as a log.
//!
//! A stream is the topic of its name, so that Kafka's, RocketMQ's and AMQP's clients see the same
//! messages at the same offsets. It is made for the stream, or was there before and has one queue.
//! Where the topic of that name is something else (it has several queues, AMQP publishes to an
//! exchange of that name there, or no topic can have the name), the stream has a topic of its own,
//! as other queues do, and gets what is sent to it by that name as they do.

use super::{Client, Topic};
use crate::Error;
use crate::model::{EXCHANGE, QueueId, STREAM, StreamTopic, TopicName, TopicSpec};
use crate::queue::{Queue, Waiter};
use crate::vhosts::{StreamRules, TopologyError, VirtualHost, exchange_topic};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

/// Wakes somebody whenever a queue has more, for as long as this lives.
#[derive(Debug)]
pub struct TailWatch {
    queue: Arc<Queue>,
    waiter: Arc<Waiter>,
}

impl Drop for TailWatch {
    fn drop(&mut self) {
        self.queue.waiters.remove(&self.waiter);
    }
}

impl Client {
    /// Wakes `waker` after each append to a queue, and when its topic is deleted.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::TopicNotFound`].
    pub fn watch_tail(
        &self,
        topic: &Topic,
        queue: QueueId,
        waker: Waker,
    ) -> Result<TailWatch, Error> {
        let queue = topic.queue(queue)?;
        let waiter = Waiter::waking(waker);
        queue.waiters.add(&waiter);
        Ok(TailWatch { queue, waiter })
    }

    /// The topic that the stream `name` is to be. None: it needs one of its own.
    pub(super) fn stream_topic(
        &self,
        vhost: &str,
        name: &str,
        rules: StreamRules,
    ) -> Result<Option<Arc<Topic>>, Error> {
        let Some(name) = exchange_topic(vhost, name) else {
            return Ok(None);
        };
        if let Some(known) = self.topic(name.as_str()) {
            if known.rules().stream == Some(StreamTopic::Own) {
                // Left of a deletion that failed in the middle.
                self.remove_topic(&name)?;
            } else if may_be_stream(&known) {
                self.adopt(&name, rules)?;
                return Ok(Some(known));
            } else {
                return Ok(None);
            }
        }
        match self.create_topic(&name, stream_spec(rules)) {
            Err(Error::AlreadyExists(_)) => Ok(None),
            created => created.map(Some),
        }
    }

    /// A topic that is there becomes a stream as well. What the stream does not say of retention
    /// stays as it is.
    fn adopt(&self, name: &TopicName, rules: StreamRules) -> Result<(), Error> {
        let mut changes = BTreeMap::new();
        let mut set = |name: &str, value: String| changes.insert(name.to_owned(), Some(value));
        set(STREAM, StreamTopic::View.setting().to_owned());
        if let Some(age) = rules.age_ms_max {
            set(RETENTION_MS, number(age));
        }
        if let Some(bytes) = rules.bytes_max {
            set(RETENTION_BYTES, number(bytes));
        }
        self.alter_attributes(name, changes)
    }

    /// A stream keeps its messages as long as other rules say. What they do not say is as the
    /// broker has it, where the topic was there before the stream; else it has no limit.
    ///
    /// # Errors
    /// A failed store.
    pub(super) fn alter_stream(&self, topic: &Topic, rules: StreamRules) -> Result<(), Error> {
        let is_own = topic.rules().stream == Some(StreamTopic::Own);
        let said = |limit: Option<u64>| {
            let unsaid = is_own.then(|| UNLIMITED.to_owned());
            limit.map(number).or(unsaid)
        };
        let changes = BTreeMap::from([
            (RETENTION_MS.to_owned(), said(rules.age_ms_max)),
            (RETENTION_BYTES.to_owned(), said(rules.bytes_max)),
        ]);
        match self.alter_attributes(topic.name(), changes) {
            // Others may delete it.
            Err(Error::TopicNotFound(_)) => Ok(()),
            done => done,
        }
    }

    /// What a stream that is deleted leaves of its topic: nothing, unless it was there before.
    ///
    /// # Errors
    /// A failed store.
    pub(super) fn drop_stream_topic(&self, topic: &Topic) -> Result<(), Error> {
        let known = self.topic(topic.name().as_str());
        if known.is_none_or(|known| known.uuid() != topic.uuid()) {
            return Ok(());
        }
        let done = match topic.rules().stream {
            Some(StreamTopic::Own) => self.remove_topic(topic.name()),
            Some(StreamTopic::View) => {
                let changes = BTreeMap::from([(STREAM.to_owned(), None)]);
                self.alter_attributes(topic.name(), changes)
            }
            // Somebody has taken the mark away.
            None => Ok(()),
        };
        match done {
            // Others may delete it.
            Err(Error::TopicNotFound(_)) => Ok(()),
            done => done,
        }
    }

    /// Deletes the stream that a topic was which somebody else has deleted.
    ///
    /// # Errors
    /// A failed store; it is gone nevertheless until the next start, and then for good.
    pub(super) fn drop_stream_of(&self, topic: &Topic) -> Result<(), Error> {
        let Some((host, name)) = self.shared.vhosts.named_as(topic.name()) else {
            return Ok(());
        };
        self.drop_stream(&host, name, topic)
    }

    fn drop_stream(&self, host: &VirtualHost, name: &str, topic: &Topic) -> Result<(), Error> {
        let known = host.queue(name);
        let Some(queue) = known.filter(|queue| std::ptr::eq(&**queue.topic(), topic)) else {
            return Ok(());
        };
        match self.delete_if(host, &queue, |_| true) {
            Err(TopologyError::Store(error)) => Err(error),
            // It was deleted by name meanwhile.
            _ => Ok(()),
        }
    }
}

const RETENTION_MS: &str = "retention.ms";
const RETENTION_BYTES: &str = "retention.bytes";
/// Kafka's word for what has no limit.
const UNLIMITED: &str = "-1";

/// Of a topic made for a stream, which keeps everything unless it says otherwise.
pub(super) fn stream_spec(rules: StreamRules) -> TopicSpec {
    let said = |limit: Option<u64>| limit.map_or_else(|| UNLIMITED.to_owned(), number);
    let settings = [
        (STREAM, StreamTopic::Own.setting().to_owned()),
        (RETENTION_MS, said(rules.age_ms_max)),
        (RETENTION_BYTES, said(rules.bytes_max)),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value));
    TopicSpec {
        attributes: BTreeMap::from(settings),
        ..TopicSpec::with_queues(1)
    }
}

/// Within the signed 64 bits that settings have.
fn number(value: u64) -> String {
    i64::try_from(value).unwrap_or(i64::MAX).to_string()
}

/// Whether a topic that is there is one log, and its producers' own.
fn may_be_stream(topic: &Topic) -> bool {
    topic.queue_count() == 1
        && !topic.rules().is_work_queue
        && !topic.spec().attributes.contains_key(EXCHANGE)
}
