//! Bytes to requests and answers to bytes, without I/O.
//!
//! Frames, headers and the two hot messages (Produce, Fetch) are decoded here by hand; the cold
//! ones go through `kafka-protocol`, but only after [`shape`] has walked their bytes, because that
//! crate reserves memory from counts it has not checked.

pub mod error;
pub mod fetch;
pub mod frame;
pub mod produce;
pub mod reader;
pub mod shape;
pub(crate) mod shapes;
pub mod topic_key;
pub(crate) mod writer;

pub use error::DecodeError;
