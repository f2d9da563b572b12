//! One message in both of its neutral shapes: RocketMQ's text properties, and Kafka's key with
//! an ordered list of byte headers. `convert` turns one into the other without loss.

use super::{Timestamp, property};
use bytes::Bytes;
use memchr::{memchr, memchr2};
use std::net::{Ipv4Addr, SocketAddr};

/// A message as RocketMQ knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The body as the producer sent it, compressed when `sys_flag` says so.
    pub body: Bytes,
    /// Everything else the application said.
    pub properties: Properties,
    /// The application's own 32 bits.
    pub flag: i32,
    /// How the body is compressed and of what kind the message is.
    pub sys_flag: SysFlag,
    /// When the producer made it.
    pub born_at: Timestamp,
    /// Who made it.
    pub born_host: SocketAddr,
    /// How often a group has tried it before.
    pub reconsume_times: i32,
}

impl Message {
    /// A message of `body` with no properties, born at `born_at` on this machine.
    #[must_use]
    pub fn new(body: Bytes, born_at: Timestamp) -> Self {
        Self {
            body,
            properties: Properties::default(),
            flag: 0,
            sys_flag: SysFlag::default(),
            born_at,
            born_host: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            reconsume_times: 0,
        }
    }
}

/// A record as Kafka knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// `None` is null, which is not the empty key.
    pub key: Option<Bytes>,
    /// `None` is null (a tombstone), which is not the empty value.
    pub value: Option<Bytes>,
    /// In the producer's order; names may repeat.
    pub headers: Vec<Header>,
    /// CreateTime.
    pub timestamp: Timestamp,
}

/// A header of a record. Kafka's names are UTF-8 by convention only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name's bytes.
    pub name: Bytes,
    /// `None` is null.
    pub value: Option<Bytes>,
}

/// RocketMQ's 32 flag bits of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SysFlag(i32);

impl SysFlag {
    /// The body is compressed, by the type of [`SysFlag::COMPRESSION_TYPE`].
    pub const COMPRESSED: i32 = 0x1;
    /// Prepared 0x4, commit 0x8, rollback 0xC.
    pub const TRANSACTION: i32 = 0xC;
    /// The value of [`SysFlag::TRANSACTION`] of a message whose transaction was committed.
    pub const COMMITTED: i32 = 0x8;
    /// The born host is an IPv6 address.
    pub const BORN_HOST_V6: i32 = 0x10;
    /// The store host is an IPv6 address.
    pub const STORE_HOST_V6: i32 = 0x20;
    /// Clients must unwrap the record.
    pub const NEED_UNWRAP: i32 = 0x40;
    /// The record holds many messages.
    pub const INNER_BATCH: i32 = 0x80;
    /// The record was copied forward from an expired segment; no client knows this bit.
    pub const FORWARDED: i32 = 0x4000_0000;
    /// LZ4 0x100, ZSTD 0x200, ZLIB 0x300, 0 is ZLIB too.
    pub const COMPRESSION_TYPE: i32 = 0x700;

    /// The bits as they stand in a record.
    #[must_use]
    pub const fn from_bits(bits: i32) -> Self {
        Self(bits)
    }

    /// The bits as they stand in a record.
    #[must_use]
    pub const fn bits(self) -> i32 {
        self.0
    }

    /// Whether any of `bits` is set.
    #[must_use]
    pub const fn has(self, bits: i32) -> bool {
        self.0 & bits != 0
    }

    /// Whether the record is in no queue: sent as prepared, or as rolled back. Brokers of the
    /// first kind of transactions wrote such, and no client ever sees them.
    #[must_use]
    pub const fn is_unqueued(self) -> bool {
        let transaction = self.0 & Self::TRANSACTION;
        transaction != 0 && transaction != Self::COMMITTED
    }

    /// This flag with `bits` set.
    #[must_use]
    pub const fn with(self, bits: i32) -> Self {
        Self(self.0 | bits)
    }

    /// This flag with `bits` cleared.
    #[must_use]
    pub const fn without(self, bits: i32) -> Self {
        Self(self.0 & !bits)
    }
}

/// What a property area cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// The area is over 32,767 bytes.
    #[error("the properties have {0} bytes, more than 32767")]
    TooLong(usize),
    /// A name or value with one of the two separators.
    #[error("property {0:?} has a separator byte, or an empty name or value")]
    Illegal(String),
    /// The area is not UTF-8.
    #[error("the properties are not UTF-8")]
    NotUtf8,
}

/// RocketMQ's property area, `name \x01 value \x02` repeated, at most 32,767 bytes of UTF-8.
///
/// The bytes stay as the producer sent them; looking a name up scans them, and of a repeated
/// name the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(Bytes);

impl Properties {
    /// Longest area in bytes.
    pub const BYTES_MAX: usize = 32_767;
    const NAME_END: u8 = 1;
    const VALUE_END: u8 = 2;

    /// Takes a producer's area as it is.
    ///
    /// # Errors
    /// Too long, or not UTF-8.
    pub fn from_wire(area: Bytes) -> Result<Self, PropertyError> {
        if area.len() > Self::BYTES_MAX {
            return Err(PropertyError::TooLong(area.len()));
        }
        match std::str::from_utf8(&area) {
            Ok(_) => Ok(Self(area)),
            Err(_) => Err(PropertyError::NotUtf8),
        }
    }

    /// An area of `pairs`, in their order.
    ///
    /// # Errors
    /// A pair that cannot stand in the area, or too many of them.
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, PropertyError> {
        let mut area = String::new();
        for (name, value) in pairs {
            let separator =
                |text: &str| memchr2(Self::NAME_END, Self::VALUE_END, text.as_bytes()).is_some();
            if name.is_empty() || value.is_empty() || separator(name) || separator(value) {
                return Err(PropertyError::Illegal(name.to_owned()));
            }
            area.push_str(name);
            area.push(char::from(Self::NAME_END));
            area.push_str(value);
            area.push(char::from(Self::VALUE_END));
        }
        if area.len() > Self::BYTES_MAX {
            return Err(PropertyError::TooLong(area.len()));
        }
        Ok(Self(area.into()))
    }

    /// These without those whose name `is_dropped`, and with `added` behind the rest.
    ///
    /// # Errors
    /// As [`Properties::from_pairs`].
    pub fn rewritten(
        &self,
        is_dropped: impl Fn(&str) -> bool,
        added: &[(&str, &str)],
    ) -> Result<Self, PropertyError> {
        let kept = self.iter().filter(|(name, _)| !is_dropped(name));
        Self::from_pairs(kept.chain(added.iter().copied()))
    }

    /// The area's bytes, the last `\x02` perhaps missing.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The pairs in their order; entries without a name or a value are no pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = std::str::from_utf8(&self.0).unwrap_or_default();
        // Every message of RocketMQ's clients comes through here more than once: searched for as
        // characters, the separators took a sixth of what a delayed message costs.
        let entries = std::iter::from_fn(move || {
            let (entry, after) = split_at_byte(rest, Self::VALUE_END).unwrap_or((rest, ""));
            rest = after;
            (!entry.is_empty() || !after.is_empty()).then_some(entry)
        });
        entries
            .filter_map(|entry| split_at_byte(entry, Self::NAME_END))
            .filter(|(name, value)| !name.is_empty() && !value.is_empty())
    }

    /// The value of `name`, the last one when it repeats.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter()
            .filter(|(candidate, _)| *candidate == name)
            .map(|(_, value)| value)
            .last()
    }

    /// The message's tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.value(property::TAGS)
    }
}

/// What is before and behind the first `byte`, an ASCII character.
fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = memchr(byte, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_repeated_property_counts() {
        let area = Bytes::from_static(b"a\x011\x02b\x01\x02a\x012\x01x\x02TAGS\x01t");
        let properties = Properties::from_wire(area).unwrap();
        assert_eq!(properties.value("a"), Some("2\u{1}x"));
        assert_eq!(properties.value("b"), None, "an empty value is no property");
        assert_eq!(
            properties.tag(),
            Some("t"),
            "the last separator may be missing"
        );
    }

    #[test]
    fn a_separator_inside_a_value_is_refused() {
        assert!(Properties::from_pairs([("a", "x\u{2}")]).is_err());
        assert!(Properties::from_pairs([("", "x")]).is_err());
    }
}
