//! Kafka's record batch v2 (reference: KIP-98, `DefaultRecordBatch`), which is also the form in
//! which a batch is stored.

use bytes::Bytes;

/// A checked batch of a producer: header sane, CRC right. Its records are never decoded on the
/// way in.
#[derive(Clone, Debug)]
pub struct RecordBatch {
    bytes: Bytes,
}

impl RecordBatch {
    /// The batch's bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}
