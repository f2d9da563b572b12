//! What exchanges may ask of a message.

use super::table;
use crate::codec::PropertyList;
use bytes::Bytes;
use gantry_core::routing::{Routable, Value};

/// A message's properties.
pub(super) struct Headers<'a>(pub(super) &'a PropertyList<'a>);

impl Routable for Headers<'_> {
    fn header(&self, name: &str) -> Option<Value> {
        let value = table(self.0.headers).get(name)?;
        Some(crate::topology::value_of(value))
    }

    fn property(&self, name: &str) -> Option<Bytes> {
        let copy = Bytes::copy_from_slice;
        match name {
            "message_id" => self.0.message_id.map(copy),
            "correlation_id" => self.0.correlation_id.map(copy),
            "timestamp" => self.0.timestamp.map(|seconds| seconds.to_string().into()),
            _ => None,
        }
    }
}
