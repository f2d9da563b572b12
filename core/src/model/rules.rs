//! What a topic's settings mean for the store. The names are Kafka's, as both protocols carry
//! them; a value that does not parse is as if it were not set.

use std::collections::BTreeMap;
use std::time::Duration;

/// A topic's own rules; where there is none, the broker's hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicRules {
    /// `flush.messages`: 1 has producers wait for the disk, more has them not.
    pub waits_for_flush: Option<bool>,
    /// `flush.ms`: longest time between an append and its flush.
    pub flush_within: Option<Duration>,
    /// `retention.ms`, and `cleanup.policy`: how long messages are kept.
    pub kept_for: Option<KeptFor>,
    /// `retention.bytes`: most bytes of one queue.
    pub queue_bytes_max: Option<u64>,
    /// `message.type`, RocketMQ's attribute, is `DELAY` or `MIXED`: messages that are delivered
    /// later are expected, so that compressed batches are looked into for them.
    pub expects_delays: bool,
    /// `gantry.work.queue` is `true`: messages are kept until they are acknowledged.
    pub is_work_queue: bool,
    /// `gantry.stream`: AMQP's clients see the topic's first queue as a stream.
    pub stream: Option<StreamTopic>,
}

/// Whose a topic is that AMQP's clients see as a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamTopic {
    /// It was made for the stream, and goes with it.
    Own,
    /// It was there before the stream, and stays.
    View,
}

/// The setting by which the broker knows the topics of work queues that it has made.
pub(crate) const WORK_QUEUE: &str = "gantry.work.queue";
/// `true`: the topic was made for what AMQP publishes to the exchange of its name.
pub(crate) const EXCHANGE: &str = "gantry.exchange";
/// The setting by which the broker knows topics that are streams.
pub(crate) const STREAM: &str = "gantry.stream";

impl StreamTopic {
    /// The value of the setting.
    pub(crate) const fn setting(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::View => "view",
        }
    }
}

/// How long messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptFor {
    /// Milliseconds since the broker stored them.
    Millis(u64),
    /// For ever.
    Ever,
}

impl TopicRules {
    /// The rules among a topic's settings.
    #[must_use]
    pub fn of(settings: &BTreeMap<String, String>) -> Self {
        let number = |name: &str| settings.get(name)?.trim().parse::<i64>().ok();
        // What is compacted is not deleted, however old.
        let is_compacted = settings
            .get("cleanup.policy")
            .is_some_and(|policy| !policy.contains("delete") && policy.contains("compact"));
        let kept_for = number("retention.ms")
            .map(|millis| u64::try_from(millis).map_or(KeptFor::Ever, KeptFor::Millis));
        Self {
            waits_for_flush: number("flush.messages").map(|messages| messages <= 1),
            flush_within: number("flush.ms")
                .and_then(|millis| u64::try_from(millis).ok())
                .map(Duration::from_millis),
            kept_for: if is_compacted {
                Some(KeptFor::Ever)
            } else {
                kept_for
            },
            queue_bytes_max: number("retention.bytes")
                .and_then(|bytes| u64::try_from(bytes).ok())
                .filter(|_| !is_compacted),
            expects_delays: settings
                .get("message.type")
                .is_some_and(|kind| matches!(kind.trim(), "DELAY" | "MIXED")),
            is_work_queue: settings
                .get(WORK_QUEUE)
                .is_some_and(|value| value.trim() == "true"),
            stream: match settings.get(STREAM).map(|value| value.trim()) {
                Some("own") => Some(StreamTopic::Own),
                Some("view") => Some(StreamTopic::View),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(settings: &[(&str, &str)]) -> TopicRules {
        let settings = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        TopicRules::of(&settings.collect())
    }

    #[test]
    fn settings_are_read_as_kafka_reads_them() {
        assert_eq!(rules(&[]), TopicRules::default());
        assert_eq!(rules(&[("retention.ms", "soon")]), TopicRules::default());
        let rules_of = rules(&[
            ("retention.ms", "-1"),
            ("retention.bytes", "-1"),
            ("flush.messages", "1"),
            ("flush.ms", "10"),
        ]);
        assert_eq!(rules_of.kept_for, Some(KeptFor::Ever));
        assert_eq!(rules_of.queue_bytes_max, None);
        assert_eq!(rules_of.waits_for_flush, Some(true));
        assert_eq!(rules_of.flush_within, Some(Duration::from_millis(10)));
    }

    #[test]
    fn a_topic_says_whether_it_expects_delays() {
        let expects = |kind| rules(&[("message.type", kind)]).expects_delays;
        assert!(expects("DELAY") && expects("MIXED"));
        assert!(!expects("NORMAL") && !expects("FIFO") && !expects("delayed"));
    }

    #[test]
    fn what_is_compacted_is_not_deleted_by_age() {
        let policy = |policy| {
            rules(&[
                ("cleanup.policy", policy),
                ("retention.ms", "5"),
                ("retention.bytes", "5"),
            ])
        };
        assert_eq!(policy("compact").kept_for, Some(KeptFor::Ever));
        assert_eq!(policy("compact").queue_bytes_max, None);
        assert_eq!(policy("compact,delete").kept_for, Some(KeptFor::Millis(5)));
    }
}
