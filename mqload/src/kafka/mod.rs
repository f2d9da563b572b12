//! Kafka as a client: the hot requests in our own few bytes, the others by a library.

mod administration;
mod connection;
mod fetch;
mod offsets;
mod produce;
mod record_batch;

pub(crate) use administration::{create_topic, delete_topic, producer_identity};
pub(crate) use connection::leader;
pub(crate) use fetch::read_queue;
pub(crate) use offsets::Committer;
pub(crate) use produce::Producing;

use bytes::{BufMut as _, BytesMut};

/// What we call ourselves.
const CLIENT: &str = "mqload";

/// The identity a broker gives to an idempotent producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProducerIdentity {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

impl ProducerIdentity {
    /// Of a producer that is not idempotent.
    pub(crate) const NONE: Self = Self { id: -1, epoch: -1 };
}

/// Appends a text as the versions before the flexible ones have it.
fn put_text(out: &mut BytesMut, text: &str) {
    out.put_i16(i16::try_from(text.len()).unwrap_or(0));
    out.put_slice(text.as_bytes());
}

/// Appends the header of a request of such a version.
fn put_header(out: &mut BytesMut, key: i16, version: i16, correlation: i32) {
    out.put_i16(key);
    out.put_i16(version);
    out.put_i32(correlation);
    put_text(out, CLIENT);
}
