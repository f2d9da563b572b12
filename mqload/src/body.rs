//! Message bodies that say which message they are, whatever protocol brings them.
//!
//! ```text
//! | producer: u32 | sequence: u64 | filler |      little-endian
//! ```
//!
//! The filler is noise, so that nothing on the way can shorten it, and is a function of the seed
//! and the sequence: a body sent again is the same body.

use bytes::{BufMut as _, BytesMut};
use std::fmt;

/// The shortest body.
pub const BODY_BYTES_MIN: usize = 12;
/// How far the filler's start moves about.
const STARTS: usize = 4096;

/// Which message a body is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// The producer.
    pub producer: u32,
    /// Counts a producer's messages from 0.
    pub sequence: u64,
}

impl MessageId {
    /// What a body too short to be of this program is taken for. No load has it.
    pub const FOREIGN: Self = Self {
        producer: u32::MAX,
        sequence: u64::MAX,
    };

    /// Whose body this is.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        let parts = body.split_first_chunk::<4>();
        let parts = parts.and_then(|(producer, rest)| Some((producer, rest.first_chunk::<8>()?)));
        parts.map_or(Self::FOREIGN, |(producer, sequence)| Self {
            producer: u32::from_le_bytes(*producer),
            sequence: u64::from_le_bytes(*sequence),
        })
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}#{}", self.producer, self.sequence)
    }
}

/// Makes bodies of one length.
#[derive(Debug)]
pub(crate) struct Bodies {
    noise: Vec<u8>,
    filler_bytes: usize,
}

impl Bodies {
    pub(crate) fn new(body_bytes: usize, seed: u64) -> Self {
        let filler_bytes = body_bytes.saturating_sub(BODY_BYTES_MIN);
        let mut state = seed;
        let mut noise = Vec::new();
        while noise.len() < filler_bytes.saturating_add(STARTS) {
            state = mix(state);
            noise.extend_from_slice(&state.to_le_bytes());
        }
        Self {
            noise,
            filler_bytes,
        }
    }

    /// Bytes of each body.
    pub(crate) const fn body_bytes(&self) -> usize {
        self.filler_bytes.saturating_add(BODY_BYTES_MIN)
    }

    /// Appends the body of `id`; its CRC-32.
    pub(crate) fn put(&self, id: MessageId, out: &mut BytesMut) -> u32 {
        let start = usize::try_from(mix(id.sequence)).unwrap_or(0) % STARTS;
        let filler = self
            .noise
            .get(start..start.saturating_add(self.filler_bytes));
        let at = out.len();
        out.put_u32_le(id.producer);
        out.put_u64_le(id.sequence);
        out.put_slice(filler.unwrap_or_default());
        crc32fast::hash(out.get(at..).unwrap_or_default())
    }
}

/// SplitMix64's step.
pub(crate) const fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_whose_it_is_and_is_the_same_again() {
        for length in [12, 13, 1024] {
            let bodies = Bodies::new(length, 7);
            for sequence in [0, 1, u64::MAX - 1] {
                let id = MessageId {
                    producer: 3,
                    sequence,
                };
                let mut out = BytesMut::from(&b"before"[..]);
                let crc = bodies.put(id, &mut out);
                let body = out.split_off(6);
                assert_eq!(body.len(), length);
                assert_eq!(MessageId::of(&body), id);
                assert_eq!(crc, crc32fast::hash(&body));
                let mut again = BytesMut::new();
                assert_eq!(bodies.put(id, &mut again), crc);
                assert_eq!(again, body);
            }
        }
        assert_eq!(MessageId::of(b"somebody"), MessageId::FOREIGN);
    }
}
