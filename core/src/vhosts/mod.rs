//! AMQP's virtual hosts: what clients declare in them, and where that stands in the log.
//!
//! An exchange is seen by other protocols as the topic of its name, a queue has a topic of its
//! own. What is durable is a document in the state; the rest ends with the process. The calls are
//! [`crate::Client`]'s.

mod alarms;
mod consumers;
mod error;
mod form;
mod fresh_sizes;
mod host;
mod limits;
mod lives;
mod names;
mod policies;
mod protocol;
mod queue;
mod rules;

pub(crate) use alarms::Alarms;
pub(crate) use consumers::Consumers;
pub use consumers::{Consumer, Credit, Dealt, Mailbox};
pub use error::TopologyError;
pub(crate) use form::{Fact, NAMESPACE};
pub(crate) use fresh_sizes::FreshSizes;
pub(crate) use host::{Amendment, Declared};
pub use host::{Home, Route, VirtualHost};
pub use limits::VhostLimits;
pub(crate) use lives::Lives;
use names::exchange_of;
pub(crate) use names::{exchange_topic, is_queue_topic, queue_topic, spare_topic};
pub use policies::{AppliesTo, Policy, PolicyKind, QueueKind, Ruling, Settings};
pub(crate) use policies::{Policies, Rule};
pub use protocol::{DeadLetter, Death, QueueProtocol};
pub use queue::{DeleteOnly, QueueSpec, WorkQueue};
pub use rules::{DeadLetterExchange, Overflow, QueueRules, StreamRules, millis_of_age};

use crate::model::TopicName;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The virtual host that is always there.
pub const DEFAULT_VHOST: &str = "/";

/// All virtual hosts, by name.
#[derive(Debug, Default)]
pub(crate) struct VirtualHosts {
    by_name: RwLock<BTreeMap<Arc<str>, Arc<VirtualHost>>>,
    /// Whose queues' messages expire, and whose queues do.
    pub(crate) alarms: Alarms,
    /// None as long as nobody serves the queues.
    pub(crate) queue_protocol: OnceLock<Arc<dyn QueueProtocol>>,
}

impl VirtualHosts {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<VirtualHost>> {
        self.by_name.read().get(name).cloned()
    }

    /// In order of name.
    pub(crate) fn all(&self) -> Vec<Arc<VirtualHost>> {
        self.by_name.read().values().cloned().collect()
    }

    /// The exchange that a topic is, if it leads to any queue.
    pub(crate) fn exchange_of(&self, topic: &TopicName) -> Option<(Arc<VirtualHost>, Arc<str>)> {
        let (host, exchange) = self.named_as(topic)?;
        let exchange = host.feeding(exchange)?;
        Some((host, exchange))
    }

    /// The virtual host and the name of what a topic is there.
    pub(crate) fn named_as<'a>(&self, topic: &'a TopicName) -> Option<(Arc<VirtualHost>, &'a str)> {
        let (vhost, name) = exchange_of(topic.as_str())?;
        Some((self.get(vhost)?, name))
    }

    pub(crate) fn remove(&self, name: &str) {
        self.by_name.write().remove(name);
    }

    /// The virtual host, made when it is missing; whether it was.
    pub(crate) fn get_or_make(&self, name: &str) -> (Arc<VirtualHost>, bool) {
        if let Some(known) = self.get(name) {
            return (known, false);
        }
        let mut hosts = self.by_name.write();
        let is_new = !hosts.contains_key(name);
        let host = hosts
            .entry(name.into())
            .or_insert_with(|| Arc::new(VirtualHost::new(name)));
        (Arc::clone(host), is_new)
    }
}
