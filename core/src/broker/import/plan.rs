//! What is imported, and the state it makes.

use crate::Error;
use crate::broker::{CommittedOffset, Config};
use crate::model::{
    GroupName, PhysicalOffset, QueueId, QueueOffset, Timestamp, TopicName, TopicSpec, property,
};
use crate::state::{Bounds, State};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The group whose progress tells which half messages RocketMQ is done with.
const TRANSACTION_GROUP: &str = "CID_RMQ_SYS_TRANS";

/// A log, and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct ImportedLog {
    /// Its files, one after the other without a hole.
    pub files: Vec<ImportedFile>,
    /// One past its last record: what is after it is not imported.
    pub end: PhysicalOffset,
    /// Its topics. Records of others are in no queue.
    pub topics: Vec<ImportedTopic>,
    /// How far groups have come.
    pub progress: Vec<ImportedProgress>,
    /// Timer messages due up to then were delivered.
    pub timers_read_until: Timestamp,
    /// By delay level, the first message that was not delivered.
    pub delays: BTreeMap<u32, QueueOffset>,
    /// Facts for an adapter to find: namespace, key, value.
    pub documents: Vec<(String, String, String)>,
}

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFile {
    /// Where it is.
    pub path: PathBuf,
    /// The position of its first byte.
    pub base: PhysicalOffset,
    /// Its size.
    pub bytes: u64,
}

/// A topic of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedTopic {
    /// Its name.
    pub name: TopicName,
    /// Its settings. It gets as many queues as they say, and at least `queues`.
    pub spec: TopicSpec,
    /// Records of its name before this were those of an older topic.
    pub created_at: PhysicalOffset,
    /// Where its queues begin and go on, by queue id.
    pub queues: Vec<ImportedQueue>,
}

/// Where a queue begins and goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportedQueue {
    /// The offset of the first message there is.
    pub first: QueueOffset,
    /// The offset the next message gets.
    pub next: QueueOffset,
}

/// How far a group has come in one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedProgress {
    /// The group.
    pub group: GroupName,
    /// The topic, which need not exist.
    pub topic: TopicName,
    /// The queue.
    pub queue: QueueId,
    /// The next message to consume.
    pub offset: QueueOffset,
}

impl ImportedTopic {
    fn queue_count(&self) -> u32 {
        let known = u32::try_from(self.queues.len()).unwrap_or(u32::MAX);
        self.spec.queue_count().max(known)
    }
}

impl ImportedLog {
    /// The log's first byte.
    #[must_use]
    pub fn start(&self) -> PhysicalOffset {
        self.files.first().map_or(self.end, |file| file.base)
    }

    pub(super) fn check(&self, config: &Config) -> Result<(), Error> {
        let limits = &config.topics;
        let mut total = 0_u64;
        for topic in &self.topics {
            let (name, count) = (&topic.name, topic.queue_count());
            if name.as_str() == property::STATE_TOPIC {
                return Err(Error::Invalid(format!("{name} is not a topic of others")));
            }
            if count > limits.queues_max {
                let limit = limits.queues_max;
                return Err(Error::Invalid(format!(
                    "topic {name} has {count} queues, more than topics.queues_max={limit}"
                )));
            }
            total += u64::from(count);
        }
        if total > u64::from(limits.queues_total_max) {
            let limit = limits.queues_total_max;
            return Err(Error::Invalid(format!(
                "{total} queues are more than topics.queues_total_max={limit}"
            )));
        }
        let mut follows = self.start();
        for file in &self.files {
            if file.base != follows || file.bytes == 0 {
                let path = file.path.display();
                return Err(Error::Invalid(format!(
                    "{path} does not begin at {follows}"
                )));
            }
            follows = file.base.advance(file.bytes);
        }
        if self.files.is_empty() || self.end < self.start() || follows < self.end {
            return Err(Error::Invalid("there is no whole log".to_owned()));
        }
        Ok(())
    }

    /// Half messages that the other broker was done with. What it noted of later ones is found in
    /// its log.
    fn settle_halves(&self, state: &mut State, numbers: &[u32]) {
        let is_done = |progress: &&ImportedProgress| {
            progress.group.as_str() == TRANSACTION_GROUP
                && progress.topic.as_str() == property::HALF_TOPIC
        };
        for progress in self.progress.iter().filter(is_done) {
            let index = usize::try_from(progress.queue.get()).unwrap_or(usize::MAX);
            if let Some(number) = numbers.get(index) {
                let settled = state.settled.entry(*number).or_default();
                settled.raise(progress.offset.get());
            }
        }
    }

    /// The state at the log's beginning.
    pub(super) fn state(&self, now: Timestamp) -> State {
        let mut state = State {
            log_start: self.start().get(),
            ..State::default()
        };
        for topic in &self.topics {
            let name = topic.name.as_str().to_owned();
            let (spec, count) = (topic.spec.clone(), topic.queue_count());
            let numbers = state.import_topic(name, spec, count, topic.created_at.get());
            if topic.name.as_str() == property::HALF_TOPIC {
                self.settle_halves(&mut state, &numbers);
            }
            for (number, queue) in numbers.into_iter().zip(&topic.queues) {
                let first = queue.first.get();
                if first > 0 {
                    let bounds = Bounds {
                        start: first,
                        main: first,
                    };
                    state.bounds.insert(number, bounds);
                }
            }
        }
        for progress in &self.progress {
            let committed = CommittedOffset {
                offset: progress.offset.get(),
                leader_epoch: -1,
                metadata: String::new(),
                committed_at: now.millis(),
            };
            let topics = state.groups.entry(progress.group.as_str().to_owned());
            let queues = topics
                .or_default()
                .entry(progress.topic.as_str().to_owned());
            queues.or_default().insert(progress.queue.get(), committed);
        }
        for (namespace, key, value) in &self.documents {
            let documents = state.documents.entry(namespace.clone()).or_default();
            documents.insert(key.clone(), value.clone());
        }
        state
    }
}
