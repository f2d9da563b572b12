//! AMQP 0-9-1 on the wire: bytes into values and values into bytes, sans I/O.
//!
//! ```text
//! bytes ─ protocol_header ─▶ frame::decode ─▶ Assembler (one a channel) ─▶ Command
//! bytes ◀─ ServerMethod::encode, write_content, HEARTBEAT_FRAME
//! ```
//!
//! Strings, tables, properties and bodies share the bytes they came with. What RabbitMQ reads is
//! read, with its field types and methods; a [`DecodeError`] knows which close RabbitMQ answers.
//! Lengths are judged before a byte is reserved for them, and nesting costs no stack.

mod arguments;
mod content;
mod error;
mod frame;
mod fuzz;
pub mod method;
mod properties;
mod protocol_header;
mod reply_code;
mod short_string;
pub mod table;
mod write;

pub use content::{Assembler, Command, Content};
pub use error::{DecodeError, Octets};
pub use frame::{FRAME_OVERHEAD_BYTES, Frame, FrameMax, HEARTBEAT_FRAME, Payload, decode};
pub use fuzz::{fuzz_frames, fuzz_methods, fuzz_tables};
pub use method::{ClientMethod, MethodId, ServerMethod};
pub use properties::{Properties, PropertyFault, PropertyList};
pub use protocol_header::{PROTOCOL_HEADER_BYTES, ProtocolHeader, SUPPORTED};
pub use reply_code::{ReplyCode, Scope};
pub use short_string::{NotShortString, SHORT_STRING_BYTES_MAX, ShortString};
pub use table::{Table, TableView, Value};
pub use write::{ContentMethod, PropertiesTooLong, write_content};

#[cfg(test)]
mod tests;
