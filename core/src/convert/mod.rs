//! A Kafka record as a RocketMQ message and the other way round, without loss.
//!
//! | record | message |
//! |---|---|
//! | key | `KEYS`; `__KEY_B64` when it is no legal text |
//! | value | body; null is an empty body with `__NULL_BODY` |
//! | header | property of the same name, at the same place |
//! | all headers | `__HEADERS_B64`, when one of them is no legal property of its own |
//! | timestamp | born time |
//!
//! A legal property has a name and a value of UTF-8, neither empty nor with `\x01` or `\x02`, no
//! later header of the same name, and a name that native software does not act on
//! ([`crate::model::property::is_reserved`]).

mod body;
mod from_message;
mod from_record;
#[cfg(test)]
mod tests;

pub use body::plain_body;
pub use from_message::{fuzz_properties, push_message, record_of};
pub use from_record::{message_of, message_of_view, tag_of};
