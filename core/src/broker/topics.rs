//! Topics as handles: looked up once, then used without a name.

use crate::model::{EXCHANGE, QueueId, QueueOffset, TopicName, TopicRules, TopicSpec};
use crate::queue::Queue;
use crate::state::{Bounds, Command, State, TopicState};
use crate::traffic::Traffic;
use crate::{Client, Error, StoreHealth};
use arc_swap::ArcSwap;
use dashmap::DashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// A topic that exists (or existed: a handle outlives its deletion, and calls with it then fail
/// with [`Error::TopicNotFound`]).
#[derive(Debug)]
pub struct Topic {
    name: TopicName,
    /// Random, never reused: Kafka's topic id.
    uuid: [u8; 16],
    spec: ArcSwap<TopicSpec>,
    /// What the settings mean for the store.
    rules: ArcSwap<TopicRules>,
    queues: ArcSwap<Vec<Arc<Queue>>>,
    /// What was produced.
    produced: Traffic,
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

    /// What the settings in force mean for the store.
    #[must_use]
    pub fn rules(&self) -> TopicRules {
        **self.rules.load()
    }

    /// What was produced to the topic since the broker was started, in bytes of log.
    #[must_use]
    pub const fn produced(&self) -> &Traffic {
        &self.produced
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

    fn new(name: &TopicName, state: &TopicState, ends: &Numbers, bounds: &QueueBounds) -> Self {
        let topic = Self {
            name: name.clone(),
            uuid: state.uuid,
            spec: ArcSwap::from_pointee(state.spec.clone()),
            rules: ArcSwap::default(),
            queues: ArcSwap::default(),
            produced: Traffic::default(),
        };
        topic.reflect(state, ends, bounds);
        topic
    }

    /// Takes over new settings and queues.
    fn reflect(&self, state: &TopicState, ends: &Numbers, bounds: &QueueBounds) {
        let rules = TopicRules::of(&state.spec.attributes);
        self.rules.store(Arc::new(rules));
        self.spec.store(Arc::new(state.spec.clone()));
        let mut queues = self.queues.load().to_vec();
        for number in state.queues.iter().skip(queues.len()) {
            // Of a queue whose messages have all gone only its bounds tell where it goes on.
            let bounds = bounds.get(number).copied().unwrap_or_default();
            let next = ends.get(number).copied().unwrap_or(0).max(bounds.main);
            let next = QueueOffset::new(next);
            let id = QueueId::new(u32::try_from(queues.len()).unwrap_or(u32::MAX));
            let queue = Queue::new(*number, self.name.clone(), id, next);
            queues.push(Arc::new(queue));
        }
        for (queue, number) in queues.iter().zip(&state.queues) {
            if let Some(bounds) = bounds.get(number) {
                queue.raise(
                    QueueOffset::new(bounds.start),
                    QueueOffset::new(bounds.main),
                );
            }
        }
        self.queues.store(Arc::new(queues));
    }
}

/// Each queue's next offset, by its number.
type Numbers = BTreeMap<u32, u64>;
/// Where queues begin, by their numbers.
type QueueBounds = BTreeMap<u32, Bounds>;

/// All topics' handles.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: DashMap<TopicName, Arc<Topic>>,
    by_uuid: DashMap<[u8; 16], Arc<Topic>>,
    queues: DashMap<u32, Arc<Queue>>,
    /// How often a topic was made, altered or deleted.
    changes: watch::Sender<u64>,
}

impl Topics {
    pub(super) fn by_name(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.get(name).map(|topic| Arc::clone(&topic))
    }

    /// The queue of that number.
    pub(super) fn queue(&self, number: u32) -> Option<Arc<Queue>> {
        self.queues.get(&number).map(|queue| Arc::clone(&queue))
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
    pub(super) fn reflect(&self, name: &TopicName, state: &State, ends: &Numbers) {
        let now = state.topics.get(name.as_str());
        let before = self.by_name(name.as_str());
        match (before, now) {
            (Some(topic), Some(now)) if topic.uuid == now.uuid => {
                topic.reflect(now, ends, &state.bounds);
                self.enter_queues(&topic);
            }
            (before, now) => {
                if let Some(gone) = before {
                    self.by_uuid.remove(&gone.uuid);
                    self.by_name.remove(name.as_str());
                    for queue in gone.queues.load().iter() {
                        queue.delete();
                        self.queues.remove(&queue.number());
                    }
                }
                if let Some(now) = now {
                    let topic = Arc::new(Topic::new(name, now, ends, &state.bounds));
                    self.enter_queues(&topic);
                    self.by_uuid.insert(topic.uuid, Arc::clone(&topic));
                    self.by_name.insert(name.clone(), topic);
                }
            }
        }
        self.changes
            .send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    fn enter_queues(&self, topic: &Topic) {
        for queue in topic.queues.load().iter() {
            self.queues.insert(queue.number(), Arc::clone(queue));
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
        self.create_or_find(name, TopicSpec::with_queues(queues))
    }

    /// The topic for what is published to the exchange of its name; made with one queue.
    ///
    /// # Errors
    /// As [`Client::topic_or_create`].
    pub fn exchange_topic(&self, name: &TopicName) -> Result<Arc<Topic>, Error> {
        if let Some(topic) = self.topic(name.as_str()) {
            return Ok(topic);
        }
        if !self.auto_create_topics() {
            return Err(Error::TopicNotFound(name.clone()));
        }
        let mut spec = TopicSpec::with_queues(1);
        let mark = (EXCHANGE.to_owned(), true.to_string());
        spec.attributes.extend([mark]);
        self.create_or_find(name, spec)
    }

    fn create_or_find(&self, name: &TopicName, spec: TopicSpec) -> Result<Arc<Topic>, Error> {
        match self.create_topic(name, spec) {
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

    /// A number that rises whenever a topic was created, altered or deleted; what changed is seen
    /// in [`Client::topics`].
    #[must_use]
    pub fn topic_changes(&self) -> watch::Receiver<u64> {
        self.shared.topics.changes.subscribe()
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
        self.check_queues(&spec, 0)?;
        let uuid = self.shared.clock.unique_id();
        let command = Command::CreateTopic {
            name: name.as_str().to_owned(),
            uuid,
            spec,
        };
        let end = self.shared.log(&mut state, command)?;
        self.shared.topics.reflect(name, &state, &BTreeMap::new());
        drop(state);
        self.shared.settle(end)?;
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
        self.check_queues(&spec, topic.queue_count())?;
        let command = Command::AlterTopic {
            name: name.as_str().to_owned(),
            spec,
        };
        let end = self.shared.log(&mut state, command)?;
        self.shared.topics.reflect(name, &state, &BTreeMap::new());
        drop(state);
        self.shared.settle(end)?;
        Ok(topic)
    }

    /// Changes single settings of a topic by name, `None` removes one; the others stay as they are.
    ///
    /// # Errors
    /// [`Error::TopicNotFound`].
    pub fn alter_attributes(
        &self,
        name: &TopicName,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<(), Error> {
        let mut state = self.shared.state_mut();
        let Some(topic) = self.topic(name.as_str()) else {
            return Err(Error::TopicNotFound(name.clone()));
        };
        let mut spec = TopicSpec::clone(&topic.spec());
        for (setting, value) in changes {
            match value {
                Some(value) => spec.attributes.insert(setting, value),
                None => spec.attributes.remove(&setting),
            };
        }
        let command = Command::AlterTopic {
            name: name.as_str().to_owned(),
            spec,
        };
        let end = self.shared.log(&mut state, command)?;
        self.shared.topics.reflect(name, &state, &BTreeMap::new());
        drop(state);
        self.shared.settle(end)
    }

    /// Deletes a topic and every group's progress in it, and the stream that it is. A topic of the
    /// same name created later starts at offset 0.
    ///
    /// # Errors
    /// [`Error::TopicNotFound`].
    pub fn delete_topic(&self, name: &TopicName) -> Result<(), Error> {
        let topic = self.topic(name.as_str());
        self.remove_topic(name)?;
        match topic.filter(|topic| topic.rules().stream.is_some()) {
            Some(stream) => self.drop_stream_of(&stream),
            None => Ok(()),
        }
    }

    /// The same, whose stream is not looked for.
    pub(super) fn remove_topic(&self, name: &TopicName) -> Result<(), Error> {
        let mut state = self.shared.state_mut();
        let Some(topic) = self.topic(name.as_str()) else {
            return Err(Error::TopicNotFound(name.clone()));
        };
        self.shared.check_running()?;
        // Before the command: no record may follow it in the log.
        let queues = topic.queues();
        queues.iter().for_each(|queue| queue.delete());
        let command = Command::DeleteTopic {
            name: name.as_str().to_owned(),
        };
        crash_point!("topic.before_delete");
        let end = self.shared.log(&mut state, command).inspect_err(|_| {
            if !planted!("topic.half_deleted") {
                queues.iter().for_each(|queue| queue.restore());
            }
        })?;
        self.shared.topics.reflect(name, &state, &BTreeMap::new());
        drop(state);
        self.shared.count_death();
        self.shared.settle(end)
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

    /// How long messages of a topic that does not say are kept, in milliseconds; 0 is for ever.
    #[must_use]
    pub fn retention_ms(&self) -> u64 {
        self.shared.config.store.retention_ms
    }

    /// Largest message or batch in bytes.
    #[must_use]
    pub fn message_bytes_max(&self) -> usize {
        self.shared.config.topics.message_bytes_max
    }

    /// Whether there is room on the disk for more messages.
    #[must_use]
    pub fn admits_messages(&self) -> bool {
        let state = self.shared.store.health.state();
        !matches!(state, StoreHealth::ReadOnly | StoreHealth::DiskFull)
    }

    fn check_queues(&self, spec: &TopicSpec, have: u32) -> Result<(), Error> {
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
        let total = self.shared.topics.queues.len();
        let more = usize::try_from(spec.queue_count().saturating_sub(have)).unwrap_or(usize::MAX);
        if total.saturating_add(more) > usize::try_from(limits.queues_total_max).unwrap_or(0) {
            return Err(Error::Busy("topics.queues_total_max"));
        }
        Ok(())
    }
}
