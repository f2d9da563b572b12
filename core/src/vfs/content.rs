//! A file that is only looked at: mapped when it is read first, and let go when asked to.

use super::{Vfs, VfsFile};
use bytes::Bytes;
use parking_lot::Mutex;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// The content of a file that does not change.
#[derive(Debug)]
pub(crate) struct Content {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    bytes: Mutex<Option<Bytes>>,
}

impl Content {
    pub(crate) const fn of(vfs: Arc<dyn Vfs>, path: PathBuf) -> Self {
        Self {
            vfs,
            path,
            bytes: Mutex::new(None),
        }
    }

    fn bytes(&self) -> io::Result<Bytes> {
        let mut bytes = self.bytes.lock();
        if let Some(bytes) = &*bytes {
            return Ok(bytes.clone());
        }
        let content = self.vfs.content(&self.path)?;
        *bytes = Some(content.clone());
        Ok(content)
    }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "it is only looked at")
}

impl VfsFile for Content {
    fn length(&self) -> io::Result<u64> {
        Ok(self.bytes()?.len() as u64)
    }

    fn read(&self, at: u64, length: usize) -> io::Result<Bytes> {
        let bytes = self.bytes()?;
        let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.slice(start..start.saturating_add(length).min(bytes.len())))
    }

    fn write(&self, _slices: &mut [IoSlice<'_>], _at: u64) -> io::Result<()> {
        Err(refused())
    }

    fn sync(&self) -> io::Result<()> {
        Err(refused())
    }

    fn allocate(&self, _length: u64) -> io::Result<()> {
        Err(refused())
    }

    fn zero(&self, _range: Range<u64>) -> io::Result<()> {
        Err(refused())
    }

    fn write_back(&self, _range: Range<u64>) {}

    fn forget_before(&self, _end: u64) {}

    fn release_pages(&self) {
        *self.bytes.lock() = None;
    }

    fn give_up_reads(&self) -> bool {
        false
    }
}
