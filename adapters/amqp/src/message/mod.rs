//! A published message as core keeps it, and any message as AMQP's consumers get it.
//!
//! | AMQP | property |
//! |---|---|
//! | exchange, routing key, properties byte for byte | [`AMQP_BASE64`] |
//! | routing key | `TAGS` |
//! | `message-id` | `UNIQ_KEY` |
//! | other properties of text | of the same name |
//! | `timestamp` | born time |
//! | header `KEYS` | `KEYS` |
//! | header with a text, a number, a truth value | of the same name; `cloudEvents:NAME` is `ce_NAME` |
//!
//! AMQP's consumers get the bytes of the first line, others read the rest. What has no such bytes
//! was written in another protocol: its tag is the routing key, and what a Kafka consumer would
//! see as headers are its headers.
//!
//! [`AMQP_BASE64`]: gantry_core::model::property::AMQP_BASE64

mod deliver;
mod publish;
#[cfg(test)]
mod tests;

pub use deliver::Delivered;
pub use publish::{MessageFault, Published};

/// Where the parts of what is kept byte for byte end: two short strings and the properties.
fn split_short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// What begins the name of a CloudEvent's attribute as AMQP's binding has it: as it was, and as
/// JMS's names allow; the first is sent.
const CLOUD_EVENTS: [&str; 2] = ["cloudEvents:", "cloudEvents_"];
/// What every event says.
const EVENT_VERSION: &str = "ce_specversion";

/// Properties of text that other protocols see by these names.
const TEXTS: [&str; 7] = [
    "app-id",
    "content-encoding",
    "content-type",
    "correlation-id",
    "expiration",
    "reply-to",
    "type",
];
