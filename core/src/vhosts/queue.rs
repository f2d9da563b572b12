//! A queue as AMQP declares it.

use super::Consumers;
use crate::broker::Topic;
use crate::leases::LeaseSession;
use crate::model::GroupName;
use crate::routing::{Arguments, Inequivalent, Value};
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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
/// What a queue is that does not say.
const DEFAULT_TYPE: &str = "classic";

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
            ("durable", declared.is_durable, self.is_durable),
            ("exclusive", declared.is_exclusive, self.is_exclusive),
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
        for argument in COMPARED {
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
        given.or_else(|| {
            (name == "x-queue-type").then(|| Value::Text(DEFAULT_TYPE.as_bytes().into()))
        })
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
    /// Taken before the group's lock.
    consumers: Mutex<Consumers>,
}

impl WorkQueue {
    pub(crate) fn new(
        name: &str,
        spec: QueueSpec,
        owner: Option<LeaseSession>,
        topic: Arc<Topic>,
        group: GroupName,
    ) -> Self {
        let single = spec.arguments.get("x-single-active-consumer");
        let consumers = Consumers::new(single == Some(&Value::Bool(true)));
        Self {
            name: name.into(),
            spec,
            owner,
            topic,
            group,
            consumers: Mutex::new(consumers),
        }
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
