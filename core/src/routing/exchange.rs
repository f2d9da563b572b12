//! What an exchange and a binding are, as clients declare them.

use super::arguments::Arguments;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How an exchange chooses among its bindings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeKind {
    /// Those whose key is the message's.
    Direct,
    /// All.
    Fanout,
    /// Those whose pattern (`*` one word, `#` any number, words parted by dots) the key matches.
    Topic,
    /// Those whose arguments the message's headers match.
    Headers,
    /// One of them, the same for the same message; their keys are weights (RabbitMQ's
    /// `x-consistent-hash`).
    ConsistentHash(HashOn),
}

impl ExchangeKind {
    /// What RabbitMQ calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
            Self::ConsistentHash(_) => "x-consistent-hash",
        }
    }
}

/// What of a message is hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashOn {
    /// Its routing key.
    Key,
    /// A header.
    Header(Box<str>),
    /// A property: `message_id`, `correlation_id` or `timestamp`.
    Property(Box<str>),
}

/// An exchange as declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExchangeSpec {
    /// How it chooses.
    pub kind: ExchangeKind,
    /// It delays messages first (`x-delayed-message` of that kind).
    pub is_delayed: bool,
    /// It outlives a restart.
    pub is_durable: bool,
    /// It goes with the last binding from it.
    pub is_auto_delete: bool,
    /// Clients may not publish to it.
    pub is_internal: bool,
    /// Where messages go for which it has no binding; need not exist.
    pub alternate: Option<Arc<str>>,
    /// All arguments as they were given.
    pub arguments: Arguments,
}

impl ExchangeSpec {
    /// What RabbitMQ calls exchanges of this type.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        if self.is_delayed {
            "x-delayed-message"
        } else {
            self.kind.name()
        }
    }

    /// A durable exchange and nothing else.
    #[must_use]
    pub fn durable(kind: ExchangeKind) -> Self {
        Self {
            kind,
            is_delayed: false,
            is_durable: true,
            is_auto_delete: false,
            is_internal: false,
            alternate: None,
            arguments: Arguments::default(),
        }
    }
}

/// Where a binding leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// To a queue.
    Queue(Arc<str>),
    /// To another exchange.
    Exchange(Arc<str>),
}

/// A binding; all of it together is its identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// The exchange it is of.
    pub source: Arc<str>,
    /// Where it leads.
    pub destination: Destination,
    /// A key, a pattern or a weight, as the exchange reads it.
    pub key: Box<str>,
    /// What a headers exchange matches.
    pub arguments: Arguments,
}
