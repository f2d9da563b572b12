//! Topics as handles: looked up once, then used without a name.

use crate::model::{TopicName, TopicSpec};
use crate::{Client, Error};
use std::sync::Arc;

/// A topic that exists (or existed: a handle outlives its deletion, and calls with it then fail
/// with [`Error::TopicNotFound`]).
#[derive(Debug)]
pub struct Topic {
    name: TopicName,
    /// Random, never reused: Kafka's topic id.
    uuid: [u8; 16],
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
        unimplemented!()
    }

    /// How many queues there are: numbered from 0 without holes.
    #[must_use]
    pub fn queue_count(&self) -> u32 {
        unimplemented!()
    }
}

impl Client {
    /// The topic of that name. Takes the text so that a look-up allocates nothing.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        unimplemented!()
    }

    /// The topic of that Kafka topic id.
    #[must_use]
    pub fn topic_by_uuid(&self, uuid: [u8; 16]) -> Option<Arc<Topic>> {
        unimplemented!()
    }

    /// The topic, created with `queues` (`None`: the configured default number) when it is
    /// missing and auto-creation is on.
    ///
    /// # Errors
    /// [`Error::TopicNotFound`] when it is missing and auto-creation is off.
    pub fn topic_or_create(
        &self,
        name: &TopicName,
        queues: Option<u32>,
    ) -> Result<Arc<Topic>, Error> {
        unimplemented!()
    }

    /// All topics, system topics included, in order of name.
    #[must_use]
    pub fn topics(&self) -> Vec<Arc<Topic>> {
        unimplemented!()
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], [`Error::Invalid`] for no queues or too many.
    pub fn create_topic(&self, name: &TopicName, spec: TopicSpec) -> Result<Arc<Topic>, Error> {
        unimplemented!()
    }

    /// Replaces a topic's settings. Queues are never removed: fewer read or write queues only
    /// hide the rest.
    ///
    /// # Errors
    /// [`Error::TopicNotFound`], [`Error::Invalid`].
    pub fn alter_topic(&self, name: &TopicName, spec: TopicSpec) -> Result<Arc<Topic>, Error> {
        unimplemented!()
    }

    /// Deletes a topic and every group's progress in it. A topic of the same name created later
    /// starts at offset 0.
    ///
    /// # Errors
    /// [`Error::TopicNotFound`].
    pub fn delete_topic(&self, name: &TopicName) -> Result<(), Error> {
        unimplemented!()
    }

    /// Whether unknown topics are created when named.
    #[must_use]
    pub fn auto_create_topics(&self) -> bool {
        unimplemented!()
    }
}
