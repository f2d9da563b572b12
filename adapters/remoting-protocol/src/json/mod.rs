//! JSON as fastjson writes and reads it: numbers and objects as keys, single quotes, trailing
//! commas, names without quotes, numbers as strings. Used for bodies; headers have their own
//! reader, which is on the way of every message.

mod reader;
mod writer;

pub use reader::BodyError;
pub(crate) use reader::from_slice;
pub use writer::Style;
pub(crate) use writer::to_bytes;

#[cfg(test)]
mod tests;
