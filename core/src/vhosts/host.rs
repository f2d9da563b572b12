//! One virtual host: its exchanges, queues and bindings in memory.

use super::lives::Lives;
use super::names::exchange_topic;
use super::policies::Policies;
use super::{
    Fact, Policy, PolicyKind, QueueKind, QueueRules, QueueSpec, Ruling, StreamRules, TopologyError,
    VhostLimits, WorkQueue,
};
use crate::leases::LeaseSession;
use crate::model::{StreamTopic, Timestamp, TopicName};
use crate::routing::{Binding, Destination, ExchangeKind, ExchangeSpec, Routable, Router};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The exchange without a name, to which every queue is bound by its own.
const DEFAULT_EXCHANGE: &str = "";
/// Where a policy sends what an exchange has no binding for.
const ALTERNATE: &str = "alternate-exchange";
/// What every virtual host has from the beginning on.
const PREDECLARED: [(&str, ExchangeKind, bool); 6] = [
    ("amq.direct", ExchangeKind::Direct, false),
    ("amq.fanout", ExchangeKind::Fanout, false),
    ("amq.headers", ExchangeKind::Headers, false),
    ("amq.match", ExchangeKind::Headers, false),
    ("amq.rabbitmq.trace", ExchangeKind::Topic, true),
    ("amq.topic", ExchangeKind::Topic, false),
];

/// A virtual host.
#[derive(Debug)]
pub struct VirtualHost {
    name: Arc<str>,
    declared: RwLock<Declared>,
}

/// What there is in it.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) router: Router,
    pub(crate) queues: BTreeMap<Arc<str>, Arc<WorkQueue>>,
    pub(crate) policies: Policies,
    /// None were ever set.
    pub(crate) limits: Option<VhostLimits>,
    /// The virtual host is deleted: nothing is declared in it any more.
    pub(crate) is_gone: bool,
}

/// Other rules for a queue.
pub(crate) struct Amendment {
    pub(crate) queue: Arc<WorkQueue>,
    pub(crate) rules: QueueRules,
}

impl Amendment {
    /// Whether messages are to live longer or shorter.
    pub(crate) fn changes_lives(&self) -> bool {
        self.queue.rules().lives != self.rules.lives
    }

    /// The other rules of a stream.
    pub(crate) fn stream(&self) -> Option<StreamRules> {
        let current = self.queue.rules().stream;
        self.rules.stream.filter(|rules| current != Some(*rules))
    }
}

/// Where a message goes.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where its record stands.
    pub home: Home,
    /// The queues it goes to, each once. Empty: it is not routed.
    pub queues: Vec<Arc<WorkQueue>>,
}

/// The topic that a published message's record is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// As which other protocols see the exchange, or what is sent to a queue by name.
    Topic(TopicName),
    /// The first of its queues alone: no other protocol has a name for it.
    Queue,
}

impl VirtualHost {
    pub(crate) fn new(name: &str) -> Self {
        let mut router = Router::default();
        for (name, kind, is_internal) in PREDECLARED {
            let spec = ExchangeSpec {
                is_internal,
                ..ExchangeSpec::durable(kind)
            };
            // Nothing is there yet that it could differ from.
            let _new = router.declare(name, spec);
        }
        Self {
            name: name.into(),
            declared: RwLock::new(Declared {
                router,
                ..Declared::default()
            }),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Declared> {
        self.declared.read()
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Declared> {
        self.declared.write()
    }

    /// Takes the lock to declare something.
    ///
    /// # Errors
    /// [`TopologyError::NoVirtualHost`]: it is deleted.
    pub(crate) fn write_to_declare(&self) -> Result<RwLockWriteGuard<'_, Declared>, TopologyError> {
        let declared = self.write();
        if declared.is_gone {
            return Err(TopologyError::NoVirtualHost(Arc::clone(&self.name)));
        }
        Ok(declared)
    }

    /// An exchange as it was declared; the default one is a durable direct exchange.
    #[must_use]
    pub fn exchange(&self, name: &str) -> Option<ExchangeSpec> {
        if name == DEFAULT_EXCHANGE {
            return Some(ExchangeSpec::durable(ExchangeKind::Direct));
        }
        self.read().router.exchange(name).cloned()
    }

    /// All exchanges but the default one, in order of name.
    #[must_use]
    pub fn exchanges(&self) -> Vec<(Arc<str>, ExchangeSpec)> {
        let declared = self.read();
        let exchanges = declared.router.exchanges();
        let mut all: Vec<_> = exchanges
            .map(|(name, spec)| (Arc::clone(name), spec.clone()))
            .collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// The name of an exchange, or of a kept queue, that what is produced to the topic of that
    /// name is for.
    pub(crate) fn feeding(&self, name: &str) -> Option<Arc<str>> {
        let declared = self.read();
        if declared.queues.is_empty() {
            return None;
        }
        let queue = declared
            .queues
            .get(name)
            .filter(|queue| queue.spec.is_kept() && !queue.is_topic());
        let is_exchange = declared.router.exchange(name).is_some();
        (queue.is_some() || is_exchange).then(|| name.into())
    }

    /// A queue.
    #[must_use]
    pub fn queue(&self, name: &str) -> Option<Arc<WorkQueue>> {
        self.read().queues.get(name).cloned()
    }

    /// All queues, in order of name.
    #[must_use]
    pub fn queues(&self) -> Vec<Arc<WorkQueue>> {
        self.read().queues.values().cloned().collect()
    }

    /// All policies of a kind, in order of name.
    #[must_use]
    pub fn policies(&self, kind: PolicyKind) -> Vec<(Arc<str>, Policy)> {
        let declared = self.read();
        let all = declared.policies.all(kind);
        all.map(|(name, policy)| (Arc::clone(name), policy.clone()))
            .collect()
    }

    /// What its policies say of a queue.
    #[must_use]
    pub fn queue_ruling(&self, queue: &WorkQueue) -> Ruling {
        self.read().policies.queue(queue.name(), queue.kind())
    }

    /// What its policies say of an exchange.
    #[must_use]
    pub fn exchange_ruling(&self, name: &str) -> Ruling {
        self.read().policies.exchange(name)
    }

    /// How much there may be in it, if that was ever said.
    #[must_use]
    pub fn limits(&self) -> Option<VhostLimits> {
        self.read().limits
    }

    /// All bindings of an exchange; each queue is bound to the default one by its name.
    #[must_use]
    pub fn bindings_of(&self, exchange: &str) -> Vec<Binding> {
        self.read().router.bindings_of(exchange)
    }

    /// All bindings that lead somewhere, but that to the default exchange.
    #[must_use]
    pub fn bindings_to(&self, destination: &Destination) -> Vec<Binding> {
        self.read().router.bindings_to(destination)
    }

    /// Where a message goes that is published to an exchange with these keys: its own, and those
    /// of `CC` and `BCC`.
    ///
    /// # Errors
    /// [`TopologyError::NoExchange`].
    pub fn route(
        &self,
        exchange: &str,
        keys: &[&str],
        message: &dyn Routable,
    ) -> Result<Route, TopologyError> {
        let declared = self.read();
        if exchange == DEFAULT_EXCHANGE {
            return Ok(declared.route_by_name(&self.name, keys));
        }
        if declared.router.exchange(exchange).is_none() {
            return Err(TopologyError::NoExchange(exchange.into()));
        }
        let names = declared.router.route(exchange, keys, message);
        let queues = names.iter().filter_map(|name| declared.queues.get(name));
        let home = exchange_topic(&self.name, exchange);
        let home = home.filter(|_| !declared.is_made_stream(exchange));
        Ok(Route {
            home: home.map_or(Home::Queue, Home::Topic),
            queues: queues.cloned().collect(),
        })
    }
}

impl Declared {
    /// Whether the topic of that name was made for a stream: what is published to an exchange of
    /// the same name is in it only where it is routed to it.
    fn is_made_stream(&self, name: &str) -> bool {
        let queue = self.queues.get(name).filter(|queue| queue.is_topic());
        queue.is_some_and(|queue| queue.topic.rules().stream == Some(StreamTopic::Own))
    }

    /// Of the default exchange.
    fn route_by_name(&self, vhost: &str, keys: &[&str]) -> Route {
        let mut queues: Vec<Arc<WorkQueue>> = Vec::new();
        for queue in keys.iter().filter_map(|key| self.queues.get(*key)) {
            if !queues.iter().any(|known| Arc::ptr_eq(known, queue)) {
                queues.push(Arc::clone(queue));
            }
        }
        // What goes with a connection is nothing that others would look for.
        let first = queues.first().filter(|queue| queue.spec.is_kept());
        let home = first.and_then(|queue| exchange_topic(vhost, &queue.name));
        Route {
            home: home.map_or(Home::Queue, Home::Topic),
            queues,
        }
    }

    /// The queue of that name, for the connection `asking`.
    ///
    /// # Errors
    /// [`TopologyError::NoQueue`], [`TopologyError::Locked`].
    pub(crate) fn queue_for(
        &self,
        name: &str,
        asking: Option<LeaseSession>,
    ) -> Result<&Arc<WorkQueue>, TopologyError> {
        let queue = self.queues.get(name);
        let queue = queue.ok_or_else(|| TopologyError::NoQueue(name.into()))?;
        if queue.owner.is_some() && queue.owner != asking {
            return Err(TopologyError::Locked(Arc::clone(&queue.name)));
        }
        Ok(queue)
    }

    /// Whether a declaration finds its queue there already.
    ///
    /// # Errors
    /// [`TopologyError::Locked`], [`TopologyError::Inequivalent`].
    pub(crate) fn find_same(
        &self,
        name: &str,
        spec: &QueueSpec,
        asking: Option<LeaseSession>,
    ) -> Result<Option<Arc<WorkQueue>>, TopologyError> {
        match self.queue_for(name, asking) {
            Ok(queue) => {
                queue.spec.check_same(spec)?;
                Ok(Some(Arc::clone(queue)))
            }
            Err(TopologyError::NoQueue(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What of a virtual host without exchanges and queues is gone with it.
    pub(crate) fn end(&self, vhost: &Arc<str>) -> Vec<Fact> {
        let mut facts = vec![Fact::gone_vhost(vhost), Fact::limits(vhost, None)];
        for kind in [PolicyKind::User, PolicyKind::Operator] {
            let names = self.policies.all(kind).map(|(name, _)| name);
            facts.extend(names.map(|name| Fact::gone_policy(vhost, kind, name)));
        }
        facts
    }

    /// Which queues would have other rules under `policies` from `now` on.
    pub(crate) fn amendments(&self, policies: &Policies, now: Timestamp) -> Vec<Amendment> {
        let queues = self.queues.values();
        let amended = queues.filter_map(|queue| {
            let settings = policies.queue(&queue.name, queue.kind()).settings;
            let rules = queue.rules_under(&settings, now)?;
            let queue = Arc::clone(queue);
            Some(Amendment { queue, rules })
        });
        amended.collect()
    }

    /// Puts policies in force, with what they amend; the queues that have other rules now.
    pub(crate) fn rule(
        &mut self,
        policies: Policies,
        amendments: Vec<Amendment>,
    ) -> Vec<Arc<WorkQueue>> {
        self.policies = policies;
        self.rule_exchanges();
        let ruled = amendments.into_iter().map(|Amendment { queue, rules }| {
            queue.rule(rules);
            queue
        });
        ruled.collect()
    }

    /// After policies have come or gone.
    pub(crate) fn rule_exchanges(&mut self) {
        let exchanges = self.router.exchanges();
        let names: Vec<_> = exchanges.map(|(name, _)| Arc::clone(name)).collect();
        names.iter().for_each(|name| self.rule_exchange(name));
    }

    /// A new exchange is under the policies that there are.
    pub(crate) fn rule_exchange(&mut self, name: &str) {
        let settings = self.policies.exchange(name).settings;
        let alternate = settings.get(ALTERNATE).and_then(serde_json::Value::as_str);
        self.router.rule_alternate(name, alternate.map(Arc::from));
    }

    /// Rules of a queue that is to be.
    pub(crate) fn rules_of(&self, name: &str, spec: &QueueSpec) -> QueueRules {
        let kind = QueueKind::of(&spec.arguments);
        let settings = self.policies.queue(name, kind).settings;
        QueueRules::of(&spec.arguments, &settings)
    }

    /// The same of a queue, in which messages were to live as long as `lives` says before.
    pub(crate) fn rule_new(&self, queue: &WorkQueue, lives: Lives) {
        let ruling = self.policies.queue(&queue.name, queue.kind());
        queue.begin(&ruling.settings, lives);
    }

    /// Whether both ends of a binding outlive a restart, so that it does.
    pub(crate) fn is_kept(&self, binding: &Binding) -> bool {
        let source = self.router.exchange(&binding.source);
        let is_kept = match &binding.destination {
            Destination::Queue(name) => self
                .queues
                .get(name)
                .is_some_and(|queue| queue.spec.is_kept()),
            Destination::Exchange(name) => {
                let exchange = self.router.exchange(name);
                exchange.is_some_and(|spec| spec.is_durable)
            }
        };
        is_kept && source.is_some_and(|spec| spec.is_durable)
    }
}
