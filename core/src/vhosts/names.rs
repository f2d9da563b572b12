//! Under which topics exchanges and queues stand.
//!
//! | in AMQP | topic |
//! |---|---|
//! | exchange `x` of `/` | `x` |
//! | exchange `x` of `v` | `v%x`, as RocketMQ writes a namespace |
//! | queue `q` of `/` | `%QUEUE%q` |
//! | queue `q` of `v` | `%QUEUE%v%q` |
//!
//! In a queue's name, and in that of any virtual host but `/`, a percent sign and control
//! characters are written as in URLs: two queues never share a topic. A queue whose name gets too
//! long for a topic, or whose topic is somebody else's, has one with a random name.

use super::DEFAULT_VHOST;
use crate::model::TopicName;
use std::fmt::Write as _;

/// What every queue's topic begins with.
const QUEUE_PREFIX: &str = "%QUEUE%";

/// The topic of a queue's own messages. None for a queue whose name is too long for one.
pub(crate) fn queue_topic(vhost: &str, queue: &str) -> Option<TopicName> {
    topic(QUEUE_PREFIX, vhost, &escaped(queue))
}

/// A topic for a queue that cannot have its own; `id` is nobody else's.
pub(crate) fn spare_topic(id: [u8; 16]) -> Option<TopicName> {
    let id = u128::from_be_bytes(id);
    TopicName::new(&format!("{QUEUE_PREFIX}%{id:032x}")).ok()
}

/// The topic by which other protocols see an exchange. None for a name that no topic can have.
pub(crate) fn exchange_topic(vhost: &str, exchange: &str) -> Option<TopicName> {
    topic("", vhost, exchange).filter(|topic| !topic.is_system())
}

/// The virtual host and the exchange that are seen as a topic. None for topics of queues and of
/// the system, and where a virtual host's name is not written as it is.
pub(super) fn exchange_of(topic: &str) -> Option<(&str, &str)> {
    match topic.split_once('%') {
        None => Some((DEFAULT_VHOST, topic)),
        Some(("", _)) => None,
        Some((vhost, exchange)) => Some((vhost, exchange)),
    }
}

/// Whether a topic is named as some queue's.
pub(crate) fn is_queue_topic(topic: &str) -> bool {
    topic.starts_with(QUEUE_PREFIX)
}

fn topic(prefix: &str, vhost: &str, name: &str) -> Option<TopicName> {
    let mut whole = prefix.to_owned();
    if vhost != DEFAULT_VHOST {
        whole.push_str(&escaped(vhost));
        whole.push('%');
    }
    whole.push_str(name);
    TopicName::new(&whole).ok()
}

fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        if character == '%' || character.is_control() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                // A string takes whatever is written.
                let _written = write!(text, "%{byte:02X}");
            }
        } else {
            text.push(character);
        }
    }
    text
}
