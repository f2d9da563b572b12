use super::{BatchError, lz4, xerial};
use bytes::Bytes;
use std::cell::RefCell;
use std::fmt;
use std::io::{Read, Write};
use zstd::zstd_safe::{DCtx, InBuffer, OutBuffer};

/// Most bytes that the records of one batch, or the body of one message, may decompress to:
/// sixty times Kafka's default batch. What is stored is kept beyond it; only readers of another
/// protocol are refused.
pub const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

/// Room made before the first byte is decompressed; from then on it doubles with what came out.
const FIRST_ROOM: usize = 16 << 10;
/// A decompressor that wrote more than this is not kept for the thread's next batch: its window
/// would stay in memory.
const KEPT_CONTEXT_BYTES_MAX: usize = 1 << 20;
const ZSTD_LEVEL: i32 = 3;

/// How a batch's records are compressed, by Kafka's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// 0
    None,
    /// 1
    Gzip,
    /// 2: raw, or in the frame of xerial's Java library
    Snappy,
    /// 3: LZ4 frames
    Lz4,
    /// 4
    Zstd,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// Why bytes do not decompress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecompressFault {
    Malformed,
    TooLarge,
}

impl Codec {
    pub(super) const fn from_attributes(attributes: u16) -> Result<Self, BatchError> {
        match attributes & super::header::CODEC_BITS {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            #[expect(clippy::cast_possible_truncation, reason = "three bits")]
            other => Err(BatchError::Compression(other as u8)),
        }
    }

    pub(super) const fn attribute_bits(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    pub(super) fn decompress(self, payload: Bytes) -> Result<Bytes, BatchError> {
        let plain = match self {
            Self::None => return Ok(payload),
            Self::Gzip => gunzip(&payload),
            Self::Snappy => xerial::decompress(&payload, DECOMPRESSED_BYTES_MAX),
            Self::Lz4 => unlz4(&payload),
            Self::Zstd => unzstd(&payload),
        };
        plain.map(Bytes::from).map_err(|fault| match fault {
            DecompressFault::Malformed => BatchError::Decompress(self),
            DecompressFault::TooLarge => BatchError::DecompressedTooLarge {
                limit: DECOMPRESSED_BYTES_MAX,
            },
        })
    }

    pub(super) fn compress(self, plain: &[u8]) -> Result<Vec<u8>, BatchError> {
        let compressed = match self {
            Self::None => Some(plain.to_vec()),
            Self::Gzip => {
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                let written = encoder.write_all(plain);
                written.and_then(|()| encoder.finish()).ok()
            }
            Self::Snappy => xerial::compress(plain),
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                let written = encoder.write_all(plain).ok();
                written.and_then(|()| encoder.finish().ok())
            }
            Self::Zstd => zstd::bulk::compress(plain, ZSTD_LEVEL).ok(),
        };
        compressed.ok_or(BatchError::Compress(self))
    }
}

/// Undoes gzip (RFC 1952), members one after another included.
pub(crate) fn gunzip(compressed: &[u8]) -> Result<Vec<u8>, DecompressFault> {
    read_capped(flate2::read::MultiGzDecoder::new(compressed))
}

/// Undoes zlib (RFC 1950), RocketMQ's default for bodies.
pub(crate) fn unzlib(compressed: &[u8]) -> Result<Vec<u8>, DecompressFault> {
    read_capped(flate2::read::ZlibDecoder::new(compressed))
}

/// Undoes LZ4 frames.
pub(crate) fn unlz4(compressed: &[u8]) -> Result<Vec<u8>, DecompressFault> {
    lz4::decompress(compressed, DECOMPRESSED_BYTES_MAX)
}

/// Reads all of `decoder`, growing with what it gives and no further than the limit.
fn read_capped(decoder: impl Read) -> Result<Vec<u8>, DecompressFault> {
    let mut plain = Vec::with_capacity(FIRST_ROOM);
    let limit = u64::try_from(DECOMPRESSED_BYTES_MAX + 1).unwrap_or(u64::MAX);
    match decoder.take(limit).read_to_end(&mut plain) {
        Ok(_) if plain.len() > DECOMPRESSED_BYTES_MAX => Err(DecompressFault::TooLarge),
        Ok(_) => Ok(plain),
        Err(_) => Err(DecompressFault::Malformed),
    }
}

thread_local! {
    static ZSTD: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

/// Undoes zstd frames. Making a context costs more than a small batch, so the thread keeps one.
pub(crate) fn unzstd(compressed: &[u8]) -> Result<Vec<u8>, DecompressFault> {
    let mut context = ZSTD
        .take()
        .or_else(DCtx::try_create)
        .ok_or(DecompressFault::Malformed)?;
    let plain = unzstd_with(&mut context, compressed)?;
    if plain.len() <= KEPT_CONTEXT_BYTES_MAX {
        ZSTD.set(Some(context));
    }
    Ok(plain)
}

fn unzstd_with(context: &mut DCtx<'_>, compressed: &[u8]) -> Result<Vec<u8>, DecompressFault> {
    let mut plain = Vec::with_capacity(FIRST_ROOM.max(compressed.len() * 2));
    let mut input = InBuffer::around(compressed);
    let malformed = |_| DecompressFault::Malformed;
    context.init().map_err(malformed)?;
    loop {
        if plain.len() == plain.capacity() {
            plain.reserve(plain.len());
        }
        let start = plain.len();
        let mut output = OutBuffer::around_pos(&mut plain, start);
        let wanted = context
            .decompress_stream(&mut output, &mut input)
            .map_err(malformed)?;
        if plain.len() > DECOMPRESSED_BYTES_MAX {
            return Err(DecompressFault::TooLarge);
        }
        let all_read = input.pos == compressed.len();
        if all_read && wanted == 0 {
            return Ok(plain);
        }
        // A frame that wants more input than there is, with room left to write, is cut short.
        if all_read && plain.len() < plain.capacity() {
            return Err(DecompressFault::Malformed);
        }
    }
}
