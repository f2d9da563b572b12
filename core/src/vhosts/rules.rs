//! What a queue does with its messages by itself.

use crate::routing::{Arguments, Value};
use std::sync::Arc;

/// Rules of a queue, as its arguments say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueRules {
    /// How long a message may be in it, in milliseconds.
    pub life_ms: Option<u64>,
    /// How long it may be unused before it is deleted, in milliseconds.
    pub expires_ms: Option<u64>,
    /// Where messages go that die in it.
    pub dead_letters: Option<DeadLetterExchange>,
    /// Most messages that are ready.
    pub ready_max: Option<u64>,
    /// Most bytes of their bodies.
    pub ready_bytes_max: Option<u64>,
    /// What becomes of more.
    pub overflow: Overflow,
    /// Greatest priority of a message; without, all are the same.
    pub priority_max: Option<u8>,
    /// How often a message may return.
    pub returns_max: Option<u32>,
    /// Only one of its consumers gets anything.
    pub is_single_active: bool,
    /// It is one of RabbitMQ's replicated queues, which count deliveries.
    pub is_quorum: bool,
}

/// `x-dead-letter-exchange`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterExchange {
    /// Its name; it need not be there.
    pub exchange: Arc<str>,
    /// `x-dead-letter-routing-key`; without, a message keeps its own.
    pub routing_key: Option<Arc<str>>,
}

/// `x-overflow`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest messages go.
    #[default]
    DropHead,
    /// New ones are not taken.
    RejectPublish,
    /// New ones are dead letters.
    RejectPublishDeadLetter,
}

impl QueueRules {
    /// The rules that arguments say; those that say nothing a queue could do say nothing.
    #[must_use]
    pub fn of(arguments: &Arguments) -> Self {
        let text = |name| match arguments.get(name) {
            Some(Value::Text(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let number = |name| match arguments.get(name) {
            Some(Value::Integer(number)) => u64::try_from(*number).ok(),
            _ => None,
        };
        let dead_letters = text("x-dead-letter-exchange").map(|exchange| DeadLetterExchange {
            exchange: exchange.into(),
            routing_key: text("x-dead-letter-routing-key").map(Arc::from),
        });
        let clamp = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
        let returns_max = number("x-delivery-limit");
        Self {
            life_ms: number("x-message-ttl"),
            expires_ms: number("x-expires"),
            dead_letters,
            ready_max: number("x-max-length"),
            ready_bytes_max: number("x-max-length-bytes"),
            overflow: match text("x-overflow") {
                Some("reject-publish") => Overflow::RejectPublish,
                Some("reject-publish-dlx") => Overflow::RejectPublishDeadLetter,
                _ => Overflow::DropHead,
            },
            priority_max: number("x-max-priority").map(clamp),
            returns_max: returns_max.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
            is_single_active: arguments.get("x-single-active-consumer") == Some(&Value::Bool(true)),
            is_quorum: text("x-queue-type") == Some("quorum"),
        }
    }

    /// Whether what is ready has a limit that old messages make room for.
    pub(crate) fn drops_head(&self) -> bool {
        self.overflow == Overflow::DropHead
            && (self.ready_max.is_some() || self.ready_bytes_max.is_some())
    }

    /// Whether it may refuse a message.
    #[must_use]
    pub fn may_refuse(&self) -> bool {
        self.overflow != Overflow::DropHead
            && (self.ready_max.is_some() || self.ready_bytes_max.is_some())
    }
}
