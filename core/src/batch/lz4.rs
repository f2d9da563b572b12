//! LZ4 frames, read straight into the output. The crate's own frame reader clears room for the
//! largest block the frame's header allows, 4 MiB with Go clients, for every batch of some
//! hundred bytes.
//!
//! Checksums within a frame are not compared: a batch has its own over all of them, a message
//! another.

use super::compression::DecompressFault;
use lz4_flex::block::{DecompressError, decompress_into, decompress_into_with_dict};

const FRAME_MAGIC: u32 = 0x184d_2204;
/// Frames that carry something else: any last digit.
const SKIPPABLE_MAGIC: u32 = 0x184d_2a50;
const VERSION_BITS: u8 = 0xc0;
const VERSION: u8 = 0x40;
const INDEPENDENT_BIT: u8 = 0x20;
const BLOCK_CHECKSUM_BIT: u8 = 0x10;
const CONTENT_SIZE_BIT: u8 = 0x08;
const CONTENT_CHECKSUM_BIT: u8 = 0x04;
const DICTIONARY_BIT: u8 = 0x01;
/// In a block's length: its bytes are not compressed.
const UNCOMPRESSED_BIT: u32 = 0x8000_0000;
/// How far back a match can point.
const WINDOW_BYTES: usize = 64 << 10;
/// One byte can lengthen a match by 255.
const EXPANSION_MAX: usize = 255;
/// How much a block is first thought to expand; the next guess is the most it can.
const EXPANSION_USUAL: usize = 4;

/// Undoes one frame after another, to at most `limit` bytes.
pub(super) fn decompress(compressed: &[u8], limit: usize) -> Result<Vec<u8>, DecompressFault> {
    let mut input = Input(compressed);
    let mut plain = Vec::new();
    loop {
        let magic = input.u32()?;
        if magic == FRAME_MAGIC {
            frame(&mut input, &mut plain, limit)?;
        } else if magic & !0xf == SKIPPABLE_MAGIC {
            let length = input.u32()?;
            input.take(usize::try_from(length).map_err(|_| DecompressFault::Malformed)?)?;
        } else {
            return Err(DecompressFault::Malformed);
        }
        if input.0.is_empty() {
            return Ok(plain);
        }
    }
}

/// One frame after its magic.
fn frame(input: &mut Input<'_>, plain: &mut Vec<u8>, limit: usize) -> Result<(), DecompressFault> {
    let [flags, block_descriptor] = input.array()?;
    let block_bytes_max = match block_descriptor >> 4 & 7 {
        4 => 64 << 10,
        5 => 256 << 10,
        6 => 1 << 20,
        7 => 4 << 20,
        _ => return Err(DecompressFault::Malformed),
    };
    if flags & VERSION_BITS != VERSION || flags & DICTIONARY_BIT != 0 {
        return Err(DecompressFault::Malformed);
    }
    let content_size_bytes = if flags & CONTENT_SIZE_BIT == 0 { 0 } else { 8 };
    // The header's own checksum is its last byte.
    input.take(content_size_bytes + 1)?;
    let frame_start = plain.len();
    let are_independent = flags & INDEPENDENT_BIT != 0;
    loop {
        let length = input.u32()?;
        if length == 0 {
            break;
        }
        let stored = input.take((length & !UNCOMPRESSED_BIT) as usize)?;
        if length & UNCOMPRESSED_BIT != 0 {
            plain.extend_from_slice(stored);
        } else {
            let window_start = plain.len().saturating_sub(WINDOW_BYTES).max(frame_start);
            let window_start = if are_independent {
                plain.len()
            } else {
                window_start
            };
            block(stored, plain, window_start, block_bytes_max)?;
        }
        if plain.len() > limit {
            return Err(DecompressFault::TooLarge);
        }
        if flags & BLOCK_CHECKSUM_BIT != 0 {
            input.u32()?;
        }
    }
    if flags & CONTENT_CHECKSUM_BIT != 0 {
        input.u32()?;
    }
    Ok(())
}

/// One compressed block, whose matches may reach back to `window_start`.
fn block(
    stored: &[u8],
    plain: &mut Vec<u8>,
    window_start: usize,
    block_bytes_max: usize,
) -> Result<(), DecompressFault> {
    let start = plain.len();
    let most = stored
        .len()
        .saturating_mul(EXPANSION_MAX)
        .min(block_bytes_max);
    let usual = stored.len().saturating_mul(EXPANSION_USUAL).min(most);
    for room in [usual, most] {
        plain.resize(start + room, 0);
        let Some((before, target)) = plain.split_at_mut_checked(start) else {
            break;
        };
        let window = before.get(window_start..).unwrap_or_default();
        // Without a window the crate has a loop with less to check.
        let written = match window {
            [] => decompress_into(stored, target),
            window => decompress_into_with_dict(stored, target, window),
        };
        match written {
            Ok(written) => {
                plain.truncate(start + written);
                return Ok(());
            }
            Err(DecompressError::OutputTooSmall { .. }) => {}
            Err(_) => break,
        }
    }
    Err(DecompressFault::Malformed)
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecompressFault> {
        let (array, rest) = self
            .0
            .split_first_chunk()
            .ok_or(DecompressFault::Malformed)?;
        self.0 = rest;
        Ok(*array)
    }

    fn u32(&mut self) -> Result<u32, DecompressFault> {
        self.array().map(u32::from_le_bytes)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecompressFault> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(DecompressFault::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use proptest::prelude::*;
    use std::io::Write as _;

    fn framed(info: FrameInfo, plain: &[u8]) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_kind_of_frame_is_read() {
        let words = (0..60_000_u32).flat_map(|n| (n * n % 977).to_le_bytes());
        let plain: Vec<u8> = words.chain(std::iter::repeat_n(7, 300_000)).collect();
        for mode in [BlockMode::Independent, BlockMode::Linked] {
            for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max4MB] {
                for checksums in [false, true] {
                    let info = FrameInfo::new()
                        .block_mode(mode)
                        .block_size(size)
                        .block_checksums(checksums)
                        .content_checksum(checksums)
                        .content_size(checksums.then_some(plain.len() as u64));
                    let packed = framed(info, &plain);
                    assert_eq!(decompress(&packed, plain.len()), Ok(plain.clone()));
                    let too_large = Err(DecompressFault::TooLarge);
                    assert_eq!(decompress(&packed, plain.len() - 1), too_large);
                }
            }
        }
    }

    #[test]
    fn frames_follow_one_another_and_foreign_ones_are_skipped() {
        let mut packed = framed(FrameInfo::new(), b"one ");
        packed.extend_from_slice(b"\x5a\x2a\x4d\x18\x03\0\0\0xyz");
        packed.extend_from_slice(&framed(FrameInfo::new(), b"two"));
        assert_eq!(decompress(&packed, 100).unwrap(), b"one two");
    }

    #[test]
    fn a_frame_cut_anywhere_is_refused() {
        let packed = framed(FrameInfo::new(), &b"some text, some text ".repeat(20));
        for cut in 0..packed.len() {
            assert_eq!(
                decompress(&packed[..cut], 10_000),
                Err(DecompressFault::Malformed)
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_returns(plain in proptest::collection::vec(0_u8..3, 0..5_000)) {
            let packed = framed(FrameInfo::new(), &plain);
            prop_assert_eq!(decompress(&packed, plain.len()), Ok(plain));
        }
    }
}
