//! A topic that is produced to, with those of its settings that produce obeys.

use gantry_core::Topic;
use gantry_core::model::Timestamp;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

/// Kafka's default for how far ahead of the broker a record may be.
const AHEAD_MAX_MS: u64 = 3_600_000;

/// A topic with its settings, read once a request.
pub(super) struct Target {
    pub(super) topic: Arc<Topic>,
    pub(super) settings: Settings,
}

/// What produce obeys.
pub(super) struct Settings {
    /// `max.message.bytes`.
    pub(super) batch_bytes_max: usize,
    /// `message.timestamp.type`.
    pub(super) is_log_append_time: bool,
    /// `min.insync.replicas`; there is one replica.
    pub(super) in_sync_replicas_min: u32,
    /// `message.timestamp.after.max.ms`.
    ahead_max_ms: u64,
}

impl Target {
    pub(super) fn new(topic: Arc<Topic>, batch_bytes_max: usize) -> Self {
        let settings = Settings::read(&topic.spec().attributes, batch_bytes_max);
        Self { topic, settings }
    }
}

impl Settings {
    fn read(attributes: &BTreeMap<String, String>, batch_bytes_max: usize) -> Self {
        let kind = attributes.get("message.timestamp.type");
        Self {
            batch_bytes_max: number(attributes, "max.message.bytes", batch_bytes_max),
            is_log_append_time: kind.is_some_and(|kind| kind == "LogAppendTime"),
            in_sync_replicas_min: number(attributes, "min.insync.replicas", 1),
            ahead_max_ms: number(attributes, "message.timestamp.after.max.ms", AHEAD_MAX_MS),
        }
    }

    /// Whether the topic refuses records of that time; where the broker sets the time, it cannot.
    pub(super) fn is_too_far_ahead(&self, newest: Timestamp, now: Timestamp) -> bool {
        !self.is_log_append_time && newest.millis_since(now) > self.ahead_max_ms
    }
}

fn number<N: FromStr>(attributes: &BTreeMap<String, String>, name: &str, default: N) -> N {
    let value = attributes.get(name);
    value
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(default)
}
