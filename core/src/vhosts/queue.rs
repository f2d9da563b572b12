//! A queue as AMQP declares it.

use super::lives::Lives;
use super::{Consumers, FreshSizes, QueueKind, QueueRules, Settings, is_queue_topic};
use crate::broker::Topic;
use crate::leases::LeaseSession;
use crate::model::{GroupName, QueueId, Timestamp};
use crate::routing::{Arguments, Inequivalent, Value};
use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Arguments by which two declarations of a queue differ, as RabbitMQ compares them.
const COMPARED: [&str; 13] = [
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-delivery-limit",
    "x-expires",
    "x-max-age",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-message-ttl",
    "x-overflow",
    "x-queue-type",
    "x-single-active-consumer",
];
/// Further ones by which streams differ.
const COMPARED_OF_STREAMS: [&str; 4] = [
    "x-initial-cluster-size",
    "x-queue-leader-locator",
    "x-stream-filter-size-bytes",
    "x-stream-max-segment-size-bytes",
];
/// What a queue is that does not say.
const DEFAULT_TYPE: &str = "classic";
const TYPE: &str = "x-queue-type";

/// A queue as declared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueSpec {
    /// It outlives a restart.
    pub is_durable: bool,
    /// It is one connection's, and goes with it.
    pub is_exclusive: bool,
    /// It goes with its last consumer.
    pub is_auto_delete: bool,
    /// All arguments as they were given.
    pub arguments: Arguments,
}

impl QueueSpec {
    /// Whether it is kept in the log: what one connection owns is not.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.is_durable && !self.is_exclusive
    }

    /// # Errors
    /// What was declared is another queue.
    pub(super) fn check_same(&self, declared: &Self) -> Result<(), Inequivalent> {
        let flags = [
            ("exclusive", declared.is_exclusive, self.is_exclusive),
            ("durable", declared.is_durable, self.is_durable),
            ("auto_delete", declared.is_auto_delete, self.is_auto_delete),
        ];
        for (argument, received, current) in flags {
            if received != current {
                return Err(Inequivalent {
                    argument,
                    received: format!("'{received}'"),
                    current: format!("'{current}'"),
                });
            }
        }
        let stream = Some(Value::Text(Bytes::from_static(b"stream")));
        let further = if self.argument(TYPE) == stream {
            COMPARED_OF_STREAMS.as_slice()
        } else {
            &[]
        };
        for argument in COMPARED.iter().chain(further).copied() {
            let (received, current) = (declared.argument(argument), self.argument(argument));
            if received != current {
                let said = |value: &Option<Value>, other: &Option<Value>| match (value, other) {
                    (None, _) => "none".to_owned(),
                    (Some(value), Some(_)) => format!("'{}'", plain(value)),
                    (Some(value), None) => {
                        format!("the value '{}' of type '{}'", plain(value), type_of(value))
                    }
                };
                return Err(Inequivalent {
                    argument,
                    received: said(&received, &current),
                    current: said(&current, &received),
                });
            }
        }
        Ok(())
    }

    fn argument(&self, name: &str) -> Option<Value> {
        let given = self.arguments.get(name).cloned();
        given.or_else(|| (name == TYPE).then(|| Value::Text(DEFAULT_TYPE.as_bytes().into())))
    }
}

/// A value as RabbitMQ's errors show it.
fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

/// What RabbitMQ calls a value's type.
const fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Void => "void",
        Value::Bool(_) => "bool",
        Value::Integer(_) => "signedint",
        Value::Float(_) => "double",
        Value::Decimal { .. } => "decimal",
        Value::Text(_) => "longstr",
        Value::Bytes(_) => "binary",
        Value::Timestamp(_) => "timestamp",
        Value::Composite(_) => "table",
    }
}

/// What a queue must be to be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteOnly {
    /// Nobody consumes from it.
    pub if_unused: bool,
    /// No message is ready.
    pub if_empty: bool,
}

/// A queue that was declared.
#[derive(Debug)]
pub struct WorkQueue {
    pub(super) name: Arc<str>,
    pub(super) spec: QueueSpec,
    pub(super) owner: Option<LeaseSession>,
    pub(super) topic: Arc<Topic>,
    pub(super) group: GroupName,
    vhost: Arc<str>,
    /// Replaced when policies change.
    rules: ArcSwap<QueueRules>,
    /// Taken before the group's lock.
    consumers: Mutex<Consumers>,
    /// Messages that say when they expire may be in it.
    has_mortals: AtomicBool,
    /// When it was declared, asked for a message or consumed from last.
    used_at: AtomicI64,
    /// When it is looked at next.
    alarm_at: AtomicI64,
    /// Of each of its topic's queues, where bytes are limited.
    fresh_sizes: Mutex<Vec<FreshSizes>>,
}

/// No alarm is set.
const NEVER: i64 = i64::MAX;

impl WorkQueue {
    /// A queue of `vhost` in a topic that has a queue for each of its priorities, and its group.
    /// What policies say comes with [`WorkQueue::begin`].
    pub(crate) fn new(
        (vhost, name): (&Arc<str>, &str),
        spec: QueueSpec,
        owner: Option<LeaseSession>,
        (topic, group): (Arc<Topic>, GroupName),
    ) -> Self {
        let rules = QueueRules::of(&spec.arguments, &Settings::new());
        let consumers = Consumers::new(rules.is_single_active);
        Self {
            name: name.into(),
            spec,
            owner,
            topic,
            group,
            vhost: Arc::clone(vhost),
            rules: ArcSwap::from_pointee(rules),
            consumers: Mutex::new(consumers),
            has_mortals: false.into(),
            used_at: 0.into(),
            alarm_at: NEVER.into(),
            fresh_sizes: Mutex::default(),
        }
    }

    /// Its virtual host's name.
    #[must_use]
    pub const fn vhost(&self) -> &Arc<str> {
        &self.vhost
    }

    /// What it does by itself, at this moment.
    #[must_use]
    pub fn rules(&self) -> Guard<Arc<QueueRules>> {
        self.rules.load()
    }

    /// What RabbitMQ calls its type.
    #[must_use]
    pub fn kind(&self) -> QueueKind {
        QueueKind::of(&self.spec.arguments)
    }

    /// Its rules under other policies from `now` on, where that changes them.
    pub(super) fn rules_under(&self, settings: &Settings, now: Timestamp) -> Option<QueueRules> {
        let mut rules = QueueRules::of(&self.spec.arguments, settings);
        let current = self.rules();
        rules.lives = current.lives.then(rules.lives.last(), now);
        (rules != **current).then_some(rules)
    }

    /// Puts rules in force. Its virtual host is locked.
    pub(super) fn rule(&self, rules: QueueRules) {
        self.rules.store(Arc::new(rules));
    }

    /// Puts its first rules in force; `lives` is how long messages were to live in it before.
    pub(super) fn begin(&self, settings: &Settings, lives: Lives) {
        let mut rules = QueueRules::of(&self.spec.arguments, settings);
        if lives.has_changed() && lives.last() == rules.lives.last() {
            rules.lives = lives;
        }
        self.rule(rules);
    }

    /// Whether it is the topic of its name: a stream that others know, too.
    #[must_use]
    pub fn is_topic(&self) -> bool {
        self.rules().is_stream() && !is_queue_topic(self.topic.name().as_str())
    }

    /// The queue of its topic for messages of a priority.
    #[must_use]
    pub fn queue_for(&self, priority: Option<u8>) -> QueueId {
        let greatest = self.rules().priority_max.unwrap_or(0);
        QueueId::new(priority.unwrap_or(0).min(greatest).into())
    }

    /// A message that says when it expires is on its way into it, or may be in it.
    pub fn expect_mortals(&self) {
        self.has_mortals.store(true, Ordering::Release);
    }

    /// Whether messages may expire in it.
    pub(crate) fn has_mortals(&self) -> bool {
        self.rules().lives.is_any() || self.has_mortals.load(Ordering::Acquire)
    }

    /// Whether what is ready in it may have to go by itself.
    pub(crate) fn needs_upkeep(&self) -> bool {
        self.rules().drops_head() || self.has_mortals()
    }

    pub(crate) fn note_use(&self, now: Timestamp) {
        self.used_at.store(now.millis(), Ordering::Release);
    }

    /// When it is to be deleted unless it is used.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        let used_at = Timestamp::from_millis(self.used_at.load(Ordering::Acquire));
        Some(used_at.plus_millis(self.rules().expires_ms?))
    }

    /// Whether an alarm is to be set for `at`: there is none before.
    pub(crate) fn wants_alarm(&self, at: Timestamp) -> bool {
        self.alarm_at.fetch_min(at.millis(), Ordering::AcqRel) > at.millis()
    }

    /// The alarm has gone off.
    pub(crate) fn note_alarm(&self) {
        self.alarm_at.store(NEVER, Ordering::Release);
    }

    /// Who consumes from it.
    pub(crate) fn consumers(&self) -> MutexGuard<'_, Consumers> {
        self.consumers.lock()
    }

    /// How many consume from it.
    #[must_use]
    pub fn consumer_count(&self) -> usize {
        self.consumers().count()
    }

    /// Sizes of what was never handed out.
    pub(crate) fn fresh_sizes(&self) -> MutexGuard<'_, Vec<FreshSizes>> {
        self.fresh_sizes.lock()
    }

    /// Its name in the virtual host.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// As it was declared.
    #[must_use]
    pub const fn spec(&self) -> &QueueSpec {
        &self.spec
    }

    /// The connection it belongs to.
    #[must_use]
    pub const fn owner(&self) -> Option<LeaseSession> {
        self.owner
    }

    /// The topic in whose queue 0 its messages are.
    #[must_use]
    pub const fn topic(&self) -> &Arc<Topic> {
        &self.topic
    }

    /// The group whose leases are the queue's deliveries, named as its topic is.
    #[must_use]
    pub const fn group(&self) -> &GroupName {
        &self.group
    }
}
