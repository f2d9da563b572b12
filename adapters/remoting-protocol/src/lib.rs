//! RocketMQ's remoting protocol: frames, headers, JSON bodies and message records, sans I/O.
//!
//! It turns bytes into values and values into bytes; it knows no socket, no clock and no core.
//! Nothing here panics on, or allocates from, what a peer merely claims.

pub mod body;
pub mod code;
pub mod codec;
pub mod header;
mod json;
pub mod peer;
pub mod pop;
pub mod record;
#[cfg(test)]
mod testdata;

pub use code::{RequestCode, ResponseCode};
pub use codec::{
    Answer, Command, DecodeError, FRAME_BYTES_MAX, FieldError, FieldWriter, Fields, Flag, NoFields,
    Request, Serialization, Text, WriteFields, decode,
};
pub use peer::LanguageCode;
