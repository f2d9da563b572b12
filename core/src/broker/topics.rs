//! Topics as handles: looked up once, then used without a name.

use crate::model::{QueueId, QueueOffset, TopicName, TopicSpec};
use crate::queue::Queue;
use crate::state::{Command, State, TopicState};
use crate::{Client, Error};
use arc_swap::ArcSwap;
use dashmap::DashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A topic that exists (or existed: a handle outlives its deletion, and calls with it then fail
/// with [`Error::TopicNotFound`]).
#[derive(Debug)]
pub struct Topic {
    name: TopicName,
    /// Random, never reused: Kafka's topic id.
    uuid: [u8; 16],
    spec: ArcSwap<TopicSpec>,
    queues: ArcSwap<Vec<Arc<Queue>>>,
}

impl Topic {
    /// The name.
    #[must_use]
    pub const fn name(&self) -> &TopicName {
        &self.name
    }

    /// A random id of this incarnation; a topic created anew has another.
    #[must_use]
    pub const fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// The settings in force.
    #[must_use]
    pub fn spec(&self) -> Arc<TopicSpec> {
        self.spec.load_full()
    }

    /// How many queues there are: numbered from 0 without holes.
    #[must_use]
    pub fn queue_count(&self) -> u32 {
        u32::try_from(self.queues.load().len()).unwrap_or(u32::MAX)
    }

    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::TopicNotFound`] once deleted.
    pub(crate) fn queue(&self, id: QueueId) -> Result<Arc<Queue>, Error> {
        let index = usize::try_from(id.get()).unwrap_or(usize::MAX);
        let queue = self.queues.load().get(index).cloned();
        let queue = queue.ok_or_else(|| Error::QueueNotFound {
            topic: self.name.clone(),
            queue: id,
        })?;
        if queue.is_deleted() {
            return Err(Error::TopicNotFound(self.name.clone()));
        }
        Ok(queue)
    }

    pub(crate) fn queues(&self) -> Arc<Vec<Arc<Queue>>> {
        self.queues.load_full()
    }

    fn new(name: &TopicName, state: &TopicState, ends: &BTreeMap<u32, u64>) -> Self {
        let topic = Self {
            name: name.clone(),
            uuid: state.uuid,
            spec: ArcSwap::from_pointee(state.spec.clone()),
            queues: ArcSwap::default(),
        };
        topic.reflect(state, ends);
        topic
    }

    /// Takes over new settings and queues.
    fn reflect(&self, state: &TopicState, ends: &BTreeMap<u32, u64>) {
        self.spec.store(Arc::new(state.spec.clone()));
        let mut queues = self.queues.load().to_vec();
        for number in state.queues.iter().skip(queues.len()) {
            let next = QueueOffset::new(ends.get(number).copied().unwrap_or(0));
            queues.push(Arc::new(Queue::new(*number, self.name.clone(), next)));
        }
        self.queues.store(Arc::new(queues));
    }
}

/// All topics' handles.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: DashMap<TopicName, Arc<Topic>>,
    by_uuid: DashMap<[u8; 16], Arc<Topic>>,
}

impl Topics {
    pub(super) fn by_name(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.get(name).map(|topic| Arc::clone(&topic))
    }

    /// In order of name.
    pub(super) fn all(&self) -> Vec<Arc<Topic>> {
        let mut all: Vec<_> = self
            .by_name
            .iter()
            .map(|topic| Arc::clone(&topic))
            .collect();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Makes the handle of `name` what `state` says of it. New queues continue at `ends`.
    pub(super) fn reflect(&self, name: &TopicName, state: &State, ends: &BTreeMap<u32, u64>) {
        let now = state.topics.get(name.as_str());
        let before = self.by_name(name.as_str());
        match (before, now) {
            (Some(topic), Some(now)) if topic.uuid == now.uuid => topic.reflect(now, ends),
            (before, now) => {
                if let Some(gone) = before {
                    self.by_uuid.remove(&gone.uuid);
                    self.by_name.remove(name.as_str());
                    gone.queues.load().iter().for_each(|queue| queue.delete());
                }
                if let Some(now) = now {
                    let topic = Arc::new(Topic::new(name, now, ends));
                    self.by_uuid.insert(topic.uuid, Arc::clone(&topic));
                    self.by_name.insert(name.clone(), topic);
                }
            }
        }
    }
}

impl Client {
    /// The topic of that name. Takes the text so that a look-up allocates nothing.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.shared.topics.by_name(name)
    }

    /// The topic of that Kafka topic id.
    #[must_use]
    pub fn topic_by_uuid(&self, uuid: [u8; 16]) -> Option<Arc<Topic>> {
        self.shared
            .topics
            .by_uuid
            .get(&uuid)
            .map(|topic| Arc::clone(&topic))
    }

    /// The topic, created with `queues` (`None`: the configured default number) when it is
    /// missing and auto-creation is on.
    ///
    /// # Errors
    /// [`Error::TopicNotFound`] when it is missing and auto-creation is off, or what
    /// [`Client::create_topic`] says.
    pub fn topic_or_create(
        &self,
        name: &TopicName,
        queues: Option<u32>,
    ) -> Result<Arc<Topic>, Error> {
        if let Some(topic) = self.topic(name.as_str()) {
            return Ok(topic);
        }
        if !self.auto_create_topics() {
            return Err(Error::TopicNotFound(name.clone()));
        }
        let queues = queues.unwrap_or(self.shared.config.topics.default_queues);
        match self.create_topic(name, TopicSpec::with_queues(queues)) {
            Err(Error::AlreadyExists(_)) => self
                .topic(name.as_str())
                .ok_or_else(|| Error::TopicNotFound(name.clone())),
            created => created,
        }
    }

    /// All topics, system topics included, in order of name.
    #[must_use]
    pub fn topics(&self) -> Vec<Arc<Topic>> {
        self.shared.topics.all()
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], [`Error::Invalid`] for no queues or too many, [`Error::Busy`]
    /// at the limit of all queues.
    pub fn create_topic(&self, name: &TopicName, spec: TopicSpec) -> Result<Arc<Topic>, Error> {
        let mut state = self.shared.state_mut();
        if state.topics.contains_key(name.as_str()) {
            return Err(Error::AlreadyExists(name.clone()));
        }
        self.check_queues(&state, &spec, 0)?;
        let uuid = *uuid::Uuid::new_v4().as_bytes();
        let command = Command::CreateTopic {
            name: name.as_str().to_owned(),
            uuid,
            spec,
        };
        self.shared.log(&mut state, command)?;
        self.shared.topics.reflect(name, &state, &BTreeMap::new());
        drop(state);
        self.topic(name.as_str())
            .ok_or_else(|| Error::TopicNotFound(name.clone()))
    }

    /// Replaces a topic's settings. Queues are never removed: fewer read or write queues only
    /// hide the rest.
    ///
    /// # Errors
    /// [`Error::TopicNotFound`], and what [`Client::create_topic`] says of queues.
    pub fn alter_topic(&self, name: &TopicName, spec: TopicSpec) -> Result<Arc<Topic>, Error> {
        let mut state = self.shared.state_mut();
        let Some(topic) = self.topic(name.as_str()) else {
            return Err(Error::TopicNotFound(name.clone()));
        };
        self.check_queues(&state, &spec, topic.queue_count())?;
        let command = Command::AlterTopic {
            name: name.as_str().to_owned(),
            spec,
        };
        self.shared.log(&mut state, command)?;
        self.shared.topics.reflect(name, &state, &BTreeMap::new());
        Ok(topic)
    }

    /// Deletes a topic and every group's progress in it. A topic of the same name created later
    /// starts at offset 0.
    ///
    /// # Errors
    /// [`Error::TopicNotFound`].
    pub fn delete_topic(&self, name: &TopicName) -> Result<(), Error> {
        let mut state = self.shared.state_mut();
        let Some(topic) = self.topic(name.as_str()) else {
            return Err(Error::TopicNotFound(name.clone()));
        };
        self.shared.check_running()?;
        // Before the command: no record may follow it in the log.
        topic.queues.load().iter().for_each(|queue| queue.delete());
        self.shared.log(
            &mut state,
            Command::DeleteTopic {
                name: name.as_str().to_owned(),
            },
        )?;
        self.shared.topics.reflect(name, &state, &BTreeMap::new());
        Ok(())
    }

    /// Whether unknown topics are created when named.
    #[must_use]
    pub fn auto_create_topics(&self) -> bool {
        self.shared.config.topics.auto_create
    }

    /// Queues of a topic whose creator does not say.
    #[must_use]
    pub fn default_queues(&self) -> u32 {
        self.shared.config.topics.default_queues
    }

    /// Largest message or batch in bytes.
    #[must_use]
    pub fn message_bytes_max(&self) -> usize {
        self.shared.config.topics.message_bytes_max
    }

    fn check_queues(&self, state: &State, spec: &TopicSpec, have: u32) -> Result<(), Error> {
        let limits = &self.shared.config.topics;
        if spec.read_queues == 0 || spec.write_queues == 0 {
            return Err(Error::Invalid("a topic has at least one queue".to_owned()));
        }
        if spec.queue_count() > limits.queues_max {
            let (count, limit) = (spec.queue_count(), limits.queues_max);
            return Err(Error::Invalid(format!(
                "{count} queues are more than {limit}"
            )));
        }
        let total: usize = state.topics.values().map(|topic| topic.queues.len()).sum();
        let more = usize::try_from(spec.queue_count().saturating_sub(have)).unwrap_or(usize::MAX);
        if total.saturating_add(more) > usize::try_from(limits.queues_total_max).unwrap_or(0) {
            return Err(Error::Busy("topics.queues_total_max"));
        }
        Ok(())
    }
}
