//! Kafka's record batch v2 (KIP-98, `DefaultRecordBatch`), which is also the form in which a
//! batch is stored. Taking one in reads its 61-byte header and its checksum and never its
//! records; only a reader of another protocol pays for those.
//!
//! ```text
//!  0 base offset i64      | 21 attributes i16          | 43 producer id i64
//!  8 length i32 (rest)    | 23 last offset delta i32   | 51 producer epoch i16
//! 12 leader epoch i32     | 27 base timestamp i64      | 53 base sequence i32
//! 16 magic i8 = 2         | 35 max timestamp i64       | 57 record count i32
//! 17 CRC-32C of 21.. u32  |                            | 61 records, perhaps compressed
//! ```

mod builder;
mod checksum;
mod compression;
mod error;
mod fuzz;
mod header;
mod lz4;
#[cfg(test)]
mod oracle;
mod record_batch;
mod records;
mod split;
#[cfg(test)]
mod tests;
mod varint;
mod xerial;

pub use builder::{BatchBuilder, TimestampKind};
pub(crate) use checksum::crc32_of;
pub use checksum::{crc32, crc32c};
pub use compression::{Codec, DECOMPRESSED_BYTES_MAX};
pub(crate) use compression::{DecompressFault, gunzip, unlz4, unzlib, unzstd};
pub use error::{BatchError, BatchFault, RecordFault};
#[doc(hidden)]
pub use fuzz::fuzz_record_batch;
pub use header::{BatchHeader, HEADER_BYTES};
pub use record_batch::{RECORD_BYTES_MIN, RECORDS_MAX, RecordBatch};
pub use records::{HeaderView, Headers, RecordIter, RecordStamp, RecordView, Records, StampIter};

/// The only leader epoch there is until there are replicas.
pub(crate) const LEADER_EPOCH: i32 = 0;
pub(crate) use records::{put_headers, read_headers};
