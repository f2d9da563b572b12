//! RocketMQ's commit log record (`CommitLog`, `MessageExtEncoder`), which is also its wire form.
//!
//! ```text
//! 0         4        8         12       16     20            28
//! | size 4 | magic 4 | crc 4   | queue 4 | flag 4 | queue offset 8 |
//! | physical offset 8 | sysflag 4 | born 8 | born host 8/20 | stored 8 |
//! | store host 8/20 | reconsume 4 | prepared 8 | body length 4 | body |
//! | topic length 1 (V1) or 2 (V2) | topic | property length 2 | properties |
//! ```
//! The last property is always `__CRC32#`: the CRC-32 of every byte before it, so that a torn
//! or rotten header is found as surely as a rotten body.

mod dispatch;
mod draft;
mod forwarded;
mod view;

use crate::batch::crc32_of;

pub(crate) use dispatch::{Further, dispatched};
pub(crate) use draft::Encoded;
pub use draft::{Draft, Placement};
pub(crate) use forwarded::{forwarded, forwarded_size};
pub use view::{RecordError, RecordView};
pub(crate) use view::{blank_bytes, is_batch};

/// Magic of a record whose topic length takes one byte.
pub const MAGIC_V1: u32 = 0xDAA3_20A7;
/// Magic of a record whose topic length takes two bytes (topics longer than 127).
pub const MAGIC_V2: u32 = 0xDAA3_20AB;
/// Magic of the filler at a segment's end.
pub const MAGIC_BLANK: u32 = 0xCBD4_3194;
/// Bytes of the filler that are written: its length and its magic.
pub const BLANK_BYTES: u64 = 8;

/// `__CRC32#` `\x01` ten digits `\x02`.
const CRC_PROPERTY_BYTES: usize = 20;

/// Java's `String.hashCode` of a tag: over UTF-16 units, wrapping.
#[must_use]
pub fn tag_hash(tag: &str) -> i32 {
    tag.encode_utf16().fold(0, |hash: i32, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}

/// RocketMQ's body checksum: CRC-32 without its sign bit.
fn body_crc(body: &[&[u8]]) -> u32 {
    crc32_of(body) & 0x7FFF_FFFF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_hash_is_java_string_hash_code() {
        assert_eq!(tag_hash("TagA"), 2_598_919);
        assert_eq!(tag_hash(""), 0);
        assert_eq!(tag_hash("polygenelubricants"), i32::MIN);
    }
}
