//! Which of core's topics a Kafka client sees, and by which names.

use crate::wire::topic_key::TopicKey;
use gantry_core::Client;
use gantry_core::Topic;
use kafka_protocol::ResponseError;
use std::sync::Arc;

/// Longest legal name in bytes.
const NAME_BYTES_MAX: usize = 249;

/// Kafka's rule for names: `[a-zA-Z0-9._-]{1,249}`, but neither `.` nor `..`.
pub(crate) fn is_legal_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(legal)
}

/// Whether the topic is no system topic, and its name is legal in Kafka.
pub(crate) fn is_visible(topic: &Topic) -> bool {
    is_legal_name(topic.name().as_str()) && !topic.name().is_system()
}

/// The visible topic of that name.
pub(crate) fn by_name(client: &Client, name: &str) -> Option<Arc<Topic>> {
    client.topic(name).filter(|topic| is_visible(topic))
}

/// The visible topic of that id.
pub(crate) fn by_id(client: &Client, id: [u8; 16]) -> Option<Arc<Topic>> {
    client.topic_by_uuid(id).filter(|topic| is_visible(topic))
}

/// The visible topic a Produce or Fetch request names.
///
/// # Errors
/// The code that tells the client its name or id is unknown.
pub(crate) fn by_key(client: &Client, key: &TopicKey) -> Result<Arc<Topic>, ResponseError> {
    match key {
        TopicKey::Name(name) => by_name(client, name).ok_or(ResponseError::UnknownTopicOrPartition),
        TopicKey::Id(id) => by_id(client, *id).ok_or(ResponseError::UnknownTopicId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rule() {
        for name in ["a", "a.b_c-D9", &"x".repeat(249)] {
            assert!(is_legal_name(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "%RETRY%g",
            "a/b",
            "ü",
            "a b",
            &"x".repeat(250),
        ] {
            assert!(!is_legal_name(name), "{name}");
        }
    }
}
