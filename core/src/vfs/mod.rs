//! The file system as the store needs it: the machine's own, or a simulated one that loses power,
//! runs full and tells lies. Only what is promised here is relied on:
//!
//! - what was written survives a power cut once [`VfsFile::sync`] returned;
//! - a name that was created, renamed or removed does once [`Vfs::sync_directory`] returned;
//! - before that, any part of it may be there or not, page by page and name by name.

mod content;
mod file_bytes;
mod mapping;
mod real;
pub mod simulated;

pub(crate) use content::Content;
pub use file_bytes::FileBytes;
pub use real::RealVfs;

use bytes::Bytes;
use std::any::Any;
use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file system.
pub trait Vfs: Debug + Send + Sync {
    /// Makes a directory and those above it that are missing; they survive a power cut once this
    /// returns.
    ///
    /// # Errors
    /// What the file system says.
    fn create_directories(&self, path: &Path) -> io::Result<()>;

    /// Paths of the files in a directory, in order of name.
    ///
    /// # Errors
    /// What the file system says.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// A new empty file, in place of one that is there.
    ///
    /// # Errors
    /// What the file system says.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>>;

    /// A file that is there, to read and write it.
    ///
    /// # Errors
    /// What the file system says.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>>;

    /// The content of a file that never changes again; no descriptor stays open.
    ///
    /// # Errors
    /// What the file system says.
    fn content(&self, path: &Path) -> io::Result<Bytes>;

    /// As [`Vfs::content`], of a file that is kept open to be read, whose pages can be let go.
    ///
    /// # Errors
    /// What the file system says.
    fn kept_content(&self, path: &Path) -> io::Result<FileBytes> {
        self.content(path).map(FileBytes::of)
    }

    /// Gives a file another name, in place of a file that has it.
    ///
    /// # Errors
    /// What the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the file system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory survive a power cut.
    ///
    /// # Errors
    /// What the file system says.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// How much room the file system of `path` has.
    ///
    /// # Errors
    /// What the file system says.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Makes the file `path` ours alone until what is returned is dropped.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another process has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>>;
}

/// An open file.
pub trait VfsFile: Debug + Send + Sync {
    /// Its bytes.
    ///
    /// # Errors
    /// What the file system says.
    fn length(&self) -> io::Result<u64>;

    /// Up to `length` bytes at `at`, fewer at the end of what the file had when it was first
    /// read. They must not be written any more.
    ///
    /// # Errors
    /// What the file system says.
    fn read(&self, at: u64, length: usize) -> io::Result<Bytes>;

    /// Writes `slices` one after the other from `at` on.
    ///
    /// # Errors
    /// What the file system says; a part may be written.
    fn write(&self, slices: &mut [IoSlice<'_>], at: u64) -> io::Result<()>;

    /// Makes what was written survive a power cut (`fdatasync`).
    ///
    /// # Errors
    /// What the file system says. It may have dropped what it could not write: a second call
    /// proves nothing.
    fn sync(&self) -> io::Result<()>;

    /// Gives the file `length` bytes with room for all of them on the disk.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] among others.
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// Makes the bytes of `range` zeros.
    ///
    /// # Errors
    /// What the file system says.
    fn zero(&self, range: Range<u64>) -> io::Result<()>;

    /// Starts to write what is dirty in `range`, without waiting for it. Promises nothing.
    fn write_back(&self, range: Range<u64>);

    /// Lets the page cache drop the synced bytes before `end`.
    fn forget_before(&self, end: u64);

    /// Lets go of the pages that reading has brought into this process.
    fn release_pages(&self);

    /// Whether nobody holds bytes that were read before this call, so that they may be written
    /// again.
    fn give_up_reads(&self) -> bool;
}

/// The room of a file system, as `df` counts it: what is kept for others is neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// What is taken, in bytes.
    pub used: u64,
    /// What this process may still use, in bytes.
    pub available: u64,
}

impl Space {
    /// The used part in percent, rounded down; 0 when nothing is known.
    #[must_use]
    pub fn used_percent(&self) -> u64 {
        let all = self.used.saturating_add(self.available);
        let percent = self.used.saturating_mul(100).checked_div(all);
        percent.unwrap_or(0)
    }
}

/// Writes a file under another name first, so that it is there whole or not at all, and survives
/// a power cut once this returns.
///
/// # Errors
/// What the file system says.
pub(crate) fn write_whole(vfs: &dyn Vfs, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let directory = path
        .parent()
        .ok_or_else(|| io::Error::other("a file has a directory"))?;
    let unfinished = path.with_extension("unfinished");
    let file = vfs.create(&unfinished)?;
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    file.write(&mut slices, 0)?;
    crash_point!("whole.before_sync");
    file.sync()?;
    crash_point!("whole.before_rename");
    vfs.rename(&unfinished, path)?;
    crash_point!("whole.before_directory_sync");
    vfs.sync_directory(directory)
}
