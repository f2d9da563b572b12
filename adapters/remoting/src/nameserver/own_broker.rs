//! The broker in this NameServer's own process. It does not register: its topics are core's at
//! any moment.

use super::config::Advertised;
use crate::names;
use gantry_core::model::{Permission, TopicSpec};
use gantry_core::{Client, Topic};
use gantry_remoting_protocol::body::QueueData;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::watch;

/// Read, write, and inherited by the topics made from it.
pub(crate) const TEMPLATE_PERMISSION: Permission = Permission::from_bits(7);

/// What an operator did to the permissions of all topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Override {
    /// Nobody may write.
    Wiped,
    /// Everybody may read and write.
    Added,
}

/// The broker and what is told of it.
#[derive(Debug)]
pub(super) struct OwnBroker {
    client: Client,
    pub(super) advertised: Advertised,
    changes: watch::Receiver<u64>,
    /// Of all topics, until one of them changes; with the number of changes at the time.
    overridden: Mutex<Option<(u64, Override)>>,
}

impl OwnBroker {
    pub(super) fn new(client: Client, advertised: Advertised) -> Self {
        Self {
            changes: client.topic_changes(),
            client,
            advertised,
            overridden: Mutex::new(None),
        }
    }

    /// The topic's queues. A client that finds a topic missing asks for the template's route and
    /// sends there, upon which the broker makes the topic.
    pub(super) fn queues(&self, topic: &str) -> Option<QueueData> {
        let spec = self.spec_of(topic)?;
        let permission = match self.override_in_force() {
            Some(Override::Wiped) => Permission::from_bits(spec.permission.bits() & !2),
            Some(Override::Added) => Permission::READ_WRITE,
            None => spec.permission,
        };
        let count = |queues| i32::try_from(queues).unwrap_or(i32::MAX);
        Some(QueueData {
            broker_name: self.advertised.broker_name.clone(),
            perm: i32::from(permission.bits()),
            read_queue_nums: count(spec.read_queues),
            topic_sys_flag: spec.sys_flag,
            write_queue_nums: count(spec.write_queues),
        })
    }

    fn spec_of(&self, topic: &str) -> Option<TopicSpec> {
        if names::is_hidden_topic(topic) {
            return None;
        }
        if topic == names::DEFAULT_TOPIC {
            return self.client.auto_create_topics().then(|| TopicSpec {
                permission: TEMPLATE_PERMISSION,
                ..TopicSpec::with_queues(self.advertised.auto_create_queues)
            });
        }
        if let Some(topic) = self.client.topic(topic) {
            return Some((*topic.spec()).clone());
        }
        let is_to_come = topic == names::TRACE_TOPIC && self.client.auto_create_topics();
        is_to_come.then(|| TopicSpec::with_queues(names::TRACE_QUEUES))
    }

    /// The template, then topics clients may know of in order of name.
    pub(super) fn topic_names(&self) -> Vec<String> {
        let template = self.client.auto_create_topics();
        let template = template.then(|| names::DEFAULT_TOPIC.to_owned());
        let topics = self.visible_topics().map(|topic| topic.name().to_string());
        let topics = topics.filter(|name| name != names::DEFAULT_TOPIC);
        template.into_iter().chain(topics).collect()
    }

    /// Names of topics whose flags `wanted` accepts.
    pub(super) fn topics_where(&self, wanted: impl Fn(i32) -> bool) -> Vec<String> {
        self.visible_topics()
            .filter(|topic| wanted(topic.spec().sys_flag))
            .map(|topic| topic.name().to_string())
            .collect()
    }

    /// Overrides the permissions of all topics; how many there are.
    pub(super) fn override_permissions(&self, change: Override) -> usize {
        let changes = *self.changes.borrow();
        *self.overridden.lock() = Some((changes, change));
        self.topic_names().len()
    }

    fn override_in_force(&self) -> Option<Override> {
        let overridden = *self.overridden.lock();
        let (at, change) = overridden?;
        (at == *self.changes.borrow()).then_some(change)
    }

    fn visible_topics(&self) -> impl Iterator<Item = Arc<Topic>> {
        let topics = self.client.topics().into_iter();
        topics.filter(|topic| !names::is_hidden_topic(topic.name().as_str()))
    }
}
