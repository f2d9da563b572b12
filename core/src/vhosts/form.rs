//! What is durable, as documents of the state. Names are persisted: add, never change.

use super::lives::Lives;
use super::{
    Policy, PolicyKind, QueueRules, QueueSpec, Rule, VhostLimits, VirtualHosts, WorkQueue,
};
use crate::broker::Topic;
use crate::model::GroupName;
use crate::routing::{Binding, ExchangeSpec};
use crate::state::DocumentChange;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of all documents of virtual hosts.
pub(crate) const NAMESPACE: &str = "amqp";

/// What a document is about, which is its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Key {
    Vhost(Arc<str>),
    Exchange(Arc<str>, Arc<str>),
    Queue(Arc<str>, Arc<str>),
    /// All of it is its identity.
    Binding(Arc<str>, Binding),
    Policy(Arc<str>, Arc<str>),
    OperatorPolicy(Arc<str>, Arc<str>),
    /// Of a virtual host.
    Limits(Arc<str>),
}

/// What the document of a queue says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct KeptQueue {
    topic: String,
    spec: QueueSpec,
    /// Where policies have changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lives: Option<Lives>,
}

/// A fact of a virtual host, there or gone.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    key: Key,
    value: Option<String>,
}

impl Fact {
    pub(crate) fn vhost(name: &Arc<str>) -> Self {
        Self {
            key: Key::Vhost(Arc::clone(name)),
            value: Some(String::new()),
        }
    }

    /// A virtual host, gone.
    pub(crate) fn gone_vhost(name: &Arc<str>) -> Self {
        Self::vhost(name).gone()
    }

    pub(crate) fn exchange(vhost: &Arc<str>, name: &str, spec: &ExchangeSpec) -> Self {
        Self {
            key: Key::Exchange(Arc::clone(vhost), name.into()),
            value: serde_json::to_string(spec).ok(),
        }
    }

    /// An exchange, gone.
    pub(crate) fn gone_exchange(vhost: &Arc<str>, name: &Arc<str>) -> Self {
        Self {
            key: Key::Exchange(Arc::clone(vhost), Arc::clone(name)),
            value: None,
        }
    }

    /// A queue whose rules are, or will be, these.
    pub(crate) fn queue(vhost: &Arc<str>, queue: &WorkQueue, rules: &QueueRules) -> Self {
        let kept = KeptQueue {
            topic: queue.topic.name().as_str().to_owned(),
            spec: queue.spec.clone(),
            lives: rules.lives.has_changed().then(|| rules.lives.clone()),
        };
        Self {
            key: Key::Queue(Arc::clone(vhost), Arc::clone(&queue.name)),
            value: serde_json::to_string(&kept).ok(),
        }
    }

    /// A queue, gone.
    pub(crate) fn gone_queue(vhost: &Arc<str>, name: &Arc<str>) -> Self {
        Self {
            key: Key::Queue(Arc::clone(vhost), Arc::clone(name)),
            value: None,
        }
    }

    pub(crate) fn policy(
        vhost: &Arc<str>,
        kind: PolicyKind,
        name: &Arc<str>,
        policy: &Policy,
    ) -> Self {
        Self {
            value: serde_json::to_string(policy).ok(),
            ..Self::gone_policy(vhost, kind, name)
        }
    }

    /// A policy, gone.
    pub(crate) fn gone_policy(vhost: &Arc<str>, kind: PolicyKind, name: &Arc<str>) -> Self {
        let (vhost, name) = (Arc::clone(vhost), Arc::clone(name));
        let key = match kind {
            PolicyKind::User => Key::Policy(vhost, name),
            PolicyKind::Operator => Key::OperatorPolicy(vhost, name),
        };
        Self { key, value: None }
    }

    /// Limits of a virtual host; `None` has them gone.
    pub(crate) fn limits(vhost: &Arc<str>, limits: Option<&VhostLimits>) -> Self {
        Self {
            key: Key::Limits(Arc::clone(vhost)),
            value: limits.and_then(|limits| serde_json::to_string(limits).ok()),
        }
    }

    pub(crate) fn binding(vhost: &Arc<str>, binding: &Binding) -> Self {
        Self {
            key: Key::Binding(Arc::clone(vhost), binding.clone()),
            value: Some(String::new()),
        }
    }

    /// The same fact, gone.
    pub(crate) fn gone(self) -> Self {
        Self {
            value: None,
            ..self
        }
    }

    pub(crate) fn into_change(self) -> Option<DocumentChange> {
        Some(DocumentChange {
            namespace: NAMESPACE.to_owned(),
            key: serde_json::to_string(&self.key).ok()?,
            value: self.value,
        })
    }
}

impl VirtualHosts {
    /// What the documents say there is; `find` finds topics. What cannot be read, or is of
    /// something that is not there, is passed over.
    pub(crate) fn load(
        documents: &BTreeMap<String, String>,
        find: impl Fn(&str) -> Option<Arc<Topic>>,
    ) -> Self {
        let hosts = Self::default();
        hosts.get_or_make(super::DEFAULT_VHOST);
        let (mut bindings, mut queues) = (Vec::new(), Vec::new());
        for (key, value) in documents {
            match serde_json::from_str(key) {
                Ok(Key::Vhost(name)) => {
                    hosts.get_or_make(&name);
                }
                Ok(Key::Exchange(vhost, name)) => hosts.load_exchange(&vhost, &name, value),
                Ok(Key::Queue(vhost, name)) => queues.push((vhost, name, value)),
                Ok(Key::Binding(vhost, binding)) => bindings.push((vhost, binding)),
                Ok(Key::Policy(vhost, name)) => {
                    hosts.load_policy(&vhost, PolicyKind::User, name, value);
                }
                Ok(Key::OperatorPolicy(vhost, name)) => {
                    hosts.load_policy(&vhost, PolicyKind::Operator, name, value);
                }
                Ok(Key::Limits(vhost)) => hosts.load_limits(&vhost, value),
                Err(error) => tracing::error!(%error, key, "a document cannot be read"),
            }
        }
        for host in hosts.all() {
            host.write().rule_exchanges();
        }
        // They are under the policies that there are.
        for (vhost, name, value) in queues {
            hosts.load_queue(&vhost, name, value, &find);
        }
        for (vhost, binding) in bindings {
            let (host, _) = hosts.get_or_make(&vhost);
            let mut declared = host.write();
            if declared.is_kept(&binding)
                && let Err(error) = declared.router.bind(&binding)
            {
                tracing::error!(%error, ?binding, "a binding cannot be made again");
            }
        }
        hosts
    }

    fn load_exchange(&self, vhost: &str, name: &str, value: &str) {
        let (host, _) = self.get_or_make(vhost);
        let spec = serde_json::from_str(value).map_err(|error| error.to_string());
        let mut declared = host.write();
        let done = spec.and_then(|spec| {
            let made = declared.router.declare(name, spec);
            made.map_err(|error| error.to_string())
        });
        if let Err(error) = done {
            tracing::error!(error, vhost, name, "an exchange cannot be made again");
        }
    }

    fn load_queue(
        &self,
        vhost: &str,
        name: Arc<str>,
        value: &str,
        find: impl Fn(&str) -> Option<Arc<Topic>>,
    ) {
        let (host, _) = self.get_or_make(vhost);
        let kept = serde_json::from_str::<KeptQueue>(value).ok();
        let found = kept.and_then(|kept| {
            let group = GroupName::new(&kept.topic).ok()?;
            Some((find(&kept.topic)?, group, kept))
        });
        let Some((topic, group, kept)) = found else {
            tracing::error!(vhost, %name, "a queue has lost its topic");
            return;
        };
        let names = (host.name(), &*name);
        let queue = WorkQueue::new(names, kept.spec, None, (topic, group));
        let mut declared = host.write();
        declared.rule_new(&queue, kept.lives.unwrap_or_default());
        declared.queues.insert(name, Arc::new(queue));
    }

    fn load_policy(&self, vhost: &str, kind: PolicyKind, name: Arc<str>, value: &str) {
        let (host, _) = self.get_or_make(vhost);
        let policy = serde_json::from_str(value).map_err(|error| error.to_string());
        match policy.and_then(Rule::new) {
            Ok(rule) => drop(host.write().policies.put(kind, name, rule)),
            Err(error) => tracing::error!(error, vhost, %name, "a policy cannot be read"),
        }
    }

    fn load_limits(&self, vhost: &str, value: &str) {
        let (host, _) = self.get_or_make(vhost);
        match serde_json::from_str(value) {
            Ok(limits) => host.write().limits = Some(limits),
            Err(error) => tracing::error!(%error, vhost, "limits cannot be read"),
        }
    }

    /// The topics that queues stand in.
    pub(crate) fn queue_topics(&self) -> Vec<Arc<Topic>> {
        let queues = self.all().into_iter().flat_map(|host| host.queues());
        queues.map(|queue| Arc::clone(queue.topic())).collect()
    }
}
