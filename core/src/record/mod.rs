//! RocketMQ's commit log record, written and read.

/// Java's `String.hashCode` of a tag: over UTF-16 units, wrapping.
#[must_use]
pub fn tag_hash(tag: &str) -> i32 {
    tag.encode_utf16().fold(0, |hash: i32, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}
