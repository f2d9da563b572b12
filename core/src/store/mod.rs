//! The commit log: the only thing written on the way to an acknowledgement, and the only source
//! of truth. It knows records, positions and queues' indexes; not what a record means.

mod append;
mod config;
mod facts;
mod flusher;
mod health;
mod mapping;
mod recovery;
mod scan;
mod segment;
mod segments;
mod staging;
mod tail;
mod watermark;

pub(crate) use append::{Chore, Pending, Placed, Store};
pub use config::{FlushMode, StoreConfig};
pub(crate) use facts::Facts;
pub(crate) use flusher::FlushTicket;
use health::Health;
pub(crate) use recovery::Opening;
use scan::Scan;
pub(crate) use scan::Scanned;
use segments::Segments;
use watermark::Watermark;

use bytes::Bytes;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Maps a whole file that never changes.
pub(crate) fn map_whole(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    if length == 0 {
        return Ok(Bytes::new());
    }
    mapping::Mapping::new(&file, length).map(|mapping| mapping.bytes().clone())
}

/// Writes a derived file: under another name first, so that it is there whole or not, and
/// survives a power cut once this returns.
pub(crate) fn write_whole(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let directory = path
        .parent()
        .ok_or_else(|| io::Error::other("a file has a directory"))?;
    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    File::open(directory)?.sync_all()
}
