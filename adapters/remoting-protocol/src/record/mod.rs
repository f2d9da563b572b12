//! Messages as bytes: the record a pull brings, the batch a send brings, ids and properties.

mod batch;
mod layout;
mod message_id;
mod properties;
mod recall_handle;

pub use batch::{SubMessage, SubMessages, fuzz_sub_messages, sub_messages};
pub use layout::{Record, RecordError, Records, body_crc, fuzz_records, records};
pub use message_id::{MessageId, MessageIdError};
pub use properties::{java_hash, properties};
pub use recall_handle::RecallHandle;

/// The flag bits of a message that say how its record is laid out.
pub mod sys_flag {
    /// The born host is an IPv6 address.
    pub const BORN_HOST_V6: i32 = 0x10;
    /// The store host is an IPv6 address.
    pub const STORE_HOST_V6: i32 = 0x20;
}

#[cfg(test)]
mod tests;
