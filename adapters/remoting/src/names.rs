//! Which names RocketMQ clients may give to topics and groups (`TopicValidator`). Dots are legal
//! here: Kafka's names have them.

use gantry_core::model::TopicName;

/// Longest name of an ordinary topic, in characters.
const TOPIC_CHARACTERS_MAX: usize = 127;
/// Longest name of a retry or dead letter topic, and of a group.
const LONG_CHARACTERS_MAX: usize = 255;
/// Prefix of a group's topic of messages to try again.
pub(crate) const RETRY_PREFIX: &str = "%RETRY%";
/// Prefix of a group's topic of messages that are given up.
const DEAD_LETTER_PREFIX: &str = "%DLQ%";

/// The broker's own topics. Clients neither send to them nor create them.
const CLOSED_TOPICS: &[&str] = &[
    "SCHEDULE_TOPIC_XXXX",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
];
const CLOSED_PREFIXES: &[&str] = &["rmq_sys_", "GANTRY_SYS_"];

/// The template of topics created by sending (`AUTO_CREATE_TOPIC_KEY_TOPIC`).
pub(crate) const DEFAULT_TOPIC: &str = "TBW102";

/// Where tracing clients tell what became of messages. It is there whenever topics may come to be
/// by sending: some clients ask for its route only, and name no template when they send.
pub(crate) const TRACE_TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";
/// How many queues it has.
pub(crate) const TRACE_QUEUES: u32 = 1;

fn has_legal_characters(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"%|_-.".contains(&byte);
    !name.is_empty() && name.bytes().all(is_legal)
}

/// Whether `topic` belongs to the broker: no client writes to it.
pub(crate) fn is_closed_topic(topic: &str) -> bool {
    CLOSED_TOPICS.contains(&topic)
        || CLOSED_PREFIXES
            .iter()
            .any(|prefix| topic.starts_with(prefix))
}

/// The topics that stock brokers keep for themselves and offer to clients.
const OPEN_TOPICS: &[&str] = &[
    DEFAULT_TOPIC,
    "BenchmarkTest",
    "RMQ_SYS_TRACE_TOPIC",
    "rmq_sys_wheel_timer",
];

/// The broker's own topics that have names of their own.
pub(crate) fn system_topics() -> impl Iterator<Item = &'static str> {
    CLOSED_TOPICS.iter().chain(OPEN_TOPICS).copied()
}

/// Whether `topic` is not for clients' eyes: state of this broker in the shape of a topic.
pub(crate) fn is_hidden_topic(topic: &str) -> bool {
    topic.starts_with("GANTRY_SYS_")
}

/// Says why a topic of that name cannot be created.
pub(crate) fn check_new_topic(topic: &str) -> Result<(), String> {
    let is_private = topic.starts_with(RETRY_PREFIX) || topic.starts_with(DEAD_LETTER_PREFIX);
    let max = if is_private {
        LONG_CHARACTERS_MAX
    } else {
        TOPIC_CHARACTERS_MAX
    };
    if topic.is_empty() {
        Err("The specified topic is blank.".to_owned())
    } else if topic.len() > max {
        Err(format!(
            "The specified topic is longer than topic max length {max}."
        ))
    } else if has_legal_characters(topic) {
        Ok(())
    } else {
        Err(
            "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9._-]+$"
                .to_owned(),
        )
    }
}

/// Says why a group cannot have that name.
pub(crate) fn check_group(group: &str) -> Result<(), String> {
    if group.trim().is_empty() {
        Err("The specified group is blank.".to_owned())
    } else if group.len() > LONG_CHARACTERS_MAX {
        Err(format!(
            "The specified group is longer than group max length {LONG_CHARACTERS_MAX}."
        ))
    } else if has_legal_characters(group) {
        Ok(())
    } else {
        Err(
            "The specified group contains illegal characters, allowing only ^[%|a-zA-Z0-9._-]+$"
                .to_owned(),
        )
    }
}

/// The topic of a group's messages to try again; none for a name too long for one.
pub(crate) fn retry_topic(group: &str) -> Option<TopicName> {
    TopicName::new(&format!("{RETRY_PREFIX}{group}")).ok()
}

/// The topic of a group's messages that nobody tries any more; none for a name too long for one.
pub(crate) fn dead_letter_topic(group: &str) -> Option<TopicName> {
    TopicName::new(&format!("{DEAD_LETTER_PREFIX}{group}")).ok()
}

/// Whether a group may have that name.
pub(crate) fn is_legal_group(group: &str) -> bool {
    group.len() <= LONG_CHARACTERS_MAX && has_legal_characters(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_may_have_dots_but_neither_slashes_nor_spaces() {
        assert!(check_new_topic("orders.eu-1_%|").is_ok());
        for illegal in ["", "a b", "../x", "ü", "a\0", "a/b", "a:b"] {
            assert!(check_new_topic(illegal).is_err(), "{illegal:?}");
        }
    }

    #[test]
    fn retry_topics_may_be_longer_than_others() {
        assert!(check_new_topic(&"t".repeat(127)).is_ok());
        assert!(check_new_topic(&"t".repeat(128)).is_err());
        assert!(check_new_topic(&format!("%RETRY%{}", "g".repeat(248))).is_ok());
        assert!(check_new_topic(&format!("%RETRY%{}", "g".repeat(249))).is_err());
    }

    #[test]
    fn the_benchmark_and_trace_topics_are_open() {
        assert!(!is_closed_topic("BenchmarkTest"));
        assert!(!is_closed_topic("RMQ_SYS_TRACE_TOPIC"));
        assert!(is_closed_topic("rmq_sys_wheel_timer"));
        assert!(is_closed_topic("GANTRY_SYS_STATE"));
    }
}
