//! Snappy as Kafka has it: Java clients write the frame of xerial's library, a sequence of raw
//! snappy blocks with their lengths; librdkafka and others write one raw block.

use super::compression::DecompressFault;

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
/// The magic, the version and the oldest version that can read it.
const FRAME_HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
const BLOCK_BYTES: usize = 32 << 10;
/// Snappy's best element makes 64 bytes of 3: a block that says it holds more than this times
/// its own bytes is no block, and nothing is reserved for it.
const EXPANSION_MAX: usize = 22;

pub(super) fn decompress(compressed: &[u8], limit: usize) -> Result<Vec<u8>, DecompressFault> {
    let mut plain = Vec::new();
    if !compressed.starts_with(&MAGIC) {
        append_block(compressed, &mut plain, limit)?;
        return Ok(plain);
    }
    let mut rest = compressed
        .get(FRAME_HEADER.len()..)
        .ok_or(DecompressFault::Malformed)?;
    while !rest.is_empty() {
        let (length, after) = rest
            .split_first_chunk::<4>()
            .ok_or(DecompressFault::Malformed)?;
        let (block, after) = usize::try_from(u32::from_be_bytes(*length))
            .ok()
            .and_then(|length| after.split_at_checked(length))
            .ok_or(DecompressFault::Malformed)?;
        append_block(block, &mut plain, limit)?;
        rest = after;
    }
    Ok(plain)
}

fn append_block(block: &[u8], plain: &mut Vec<u8>, limit: usize) -> Result<(), DecompressFault> {
    let malformed = |_| DecompressFault::Malformed;
    let length = snap::raw::decompress_len(block).map_err(malformed)?;
    if length > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(DecompressFault::Malformed);
    }
    let start = plain.len();
    if start.saturating_add(length) > limit {
        return Err(DecompressFault::TooLarge);
    }
    plain.resize(start + length, 0);
    let target = plain.get_mut(start..).unwrap_or_default();
    let written = snap::raw::Decoder::new()
        .decompress(block, target)
        .map_err(malformed)?;
    plain.truncate(start + written);
    Ok(())
}

/// In the frame every client reads; `None` never happens for blocks this small.
pub(super) fn compress(plain: &[u8]) -> Option<Vec<u8>> {
    let mut framed = FRAME_HEADER.to_vec();
    let mut encoder = snap::raw::Encoder::new();
    for block in plain.chunks(BLOCK_BYTES) {
        let compressed = encoder.compress_vec(block).ok()?;
        let length = u32::try_from(compressed.len()).ok()?;
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&compressed);
    }
    Some(framed)
}
