//! Kinds of queues, and which settings each has a use for.

use crate::routing::{Arguments, Value};

/// What RabbitMQ calls a queue's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// What a queue is that does not say.
    Classic,
    /// One that RabbitMQ replicates.
    Quorum,
    /// One that keeps what was consumed.
    Stream,
}

/// Settings that no classic queue has, by RabbitMQ 3.10.8 (`rabbit_classic_queue:capabilities`).
const NOT_CLASSIC: [&str; 7] = [
    "dead-letter-strategy",
    "delivery-limit",
    "initial-cluster-size",
    "max-age",
    "queue-leader-locator",
    "stream-filter-size-bytes",
    "stream-max-segment-size-bytes",
];
/// The same of quorum queues.
const NOT_QUORUM: [&str; 12] = [
    "ha-mode",
    "ha-params",
    "ha-promote-on-failure",
    "ha-promote-on-shutdown",
    "ha-sync-batch-size",
    "ha-sync-mode",
    "initial-cluster-size",
    "max-age",
    "queue-master-locator",
    "queue-mode",
    "stream-filter-size-bytes",
    "stream-max-segment-size-bytes",
];
/// The only ones that streams have.
const OF_STREAMS: [&str; 8] = [
    "alternate-exchange",
    "initial-cluster-size",
    "max-age",
    "max-length-bytes",
    "queue-leader-locator",
    "queue-version",
    "stream-filter-size-bytes",
    "stream-max-segment-size-bytes",
];

impl QueueKind {
    /// As a queue's arguments say.
    #[must_use]
    pub fn of(arguments: &Arguments) -> Self {
        match arguments.get("x-queue-type") {
            Some(Value::Text(text)) if &text[..] == b"quorum" => Self::Quorum,
            Some(Value::Text(text)) if &text[..] == b"stream" => Self::Stream,
            _ => Self::Classic,
        }
    }

    /// As `x-queue-type` calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
            Self::Stream => "stream",
        }
    }

    /// A policy with any setting that it has no use for is none for it.
    pub(super) fn has_use_for(self, setting: &str) -> bool {
        match self {
            Self::Classic => !NOT_CLASSIC.contains(&setting),
            Self::Quorum => !NOT_QUORUM.contains(&setting),
            Self::Stream => OF_STREAMS.contains(&setting),
        }
    }
}
