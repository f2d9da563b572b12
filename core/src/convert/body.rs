use crate::batch::{DecompressFault, gunzip, unlz4, unzlib, unzstd};
use crate::model::{Message, SysFlag};
use bytes::Bytes;
use std::borrow::Cow;

const TYPE_SHIFT: u32 = 8;
const LZ4: i32 = 1;
const ZSTD: i32 = 2;
const ZLIB: i32 = 3;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The body as the application made it.
///
/// # Errors
/// The name of the compression it does not come out of.
pub fn plain_body(message: &Message) -> Result<Cow<'_, Bytes>, String> {
    if !message.sys_flag.has(SysFlag::COMPRESSED) {
        return Ok(Cow::Borrowed(&message.body));
    }
    let compression = (message.sys_flag.bits() & SysFlag::COMPRESSION_TYPE) >> TYPE_SHIFT;
    let body = &message.body;
    let plain = match compression {
        LZ4 => unlz4(body),
        ZSTD => unzstd(body),
        // gRPC clients' gzip is stored under the type of zlib.
        0 | ZLIB if body.starts_with(&GZIP_MAGIC) => gunzip(body),
        0 | ZLIB => unzlib(body),
        _ => Err(DecompressFault::Malformed),
    };
    plain
        .map(|plain| Cow::Owned(plain.into()))
        .map_err(|_| match compression {
            LZ4 => "lz4".to_owned(),
            ZSTD => "zstd".to_owned(),
            0 | ZLIB => "zlib".to_owned(),
            other => other.to_string(),
        })
}
