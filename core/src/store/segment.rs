//! One file of the commit log, named by the position of its first byte in 20 digits.

use super::touched::Touched;
use crate::model::PhysicalOffset;
use crate::vfs::{Content, Vfs, VfsFile};
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A segment: written at its end, read where it is written.
#[derive(Debug)]
pub(crate) struct Segment {
    base: PhysicalOffset,
    size: u64,
    file: Arc<dyn VfsFile>,
    touched: Touched,
}

impl Segment {
    /// The file's path in `directory`.
    pub(super) fn path(directory: &Path, base: PhysicalOffset) -> PathBuf {
        directory.join(format!("{:020}", base.get()))
    }

    /// The position in a file's name, when it is a segment's.
    pub(super) fn base_of(path: &Path) -> Option<PhysicalOffset> {
        let name = path.file_name()?.to_str()?;
        let is_number = name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| name.parse().ok().map(PhysicalOffset::new))?
    }

    /// Creates a segment with every block allocated, and makes its name durable. It has its name
    /// only once it is whole.
    pub(super) fn create(
        vfs: &dyn Vfs,
        directory: &Path,
        base: PhysicalOffset,
        size: u64,
    ) -> io::Result<Self> {
        let path = Self::path(directory, base);
        let unfinished = path.with_extension("unfinished");
        let file = vfs.create(&unfinished)?;
        crash_point!("segment.created");
        if let Err(error) = file.allocate(size) {
            drop(file);
            vfs.remove(&unfinished)?;
            return Err(error);
        }
        crash_point!("segment.allocated");
        file.sync()?;
        crash_point!("segment.synced");
        vfs.rename(&unfinished, &path)?;
        crash_point!("segment.named");
        if !planted!("segment.forget_directory_sync") {
            vfs.sync_directory(directory)?;
        }
        Ok(Self::of(base, size, file))
    }

    /// Opens the segment that is in `directory`, whatever its size. One that was cut short to less
    /// than `whole` bytes gets zeros for what it has lost, which no record is made of.
    pub(super) fn open(
        vfs: &dyn Vfs,
        directory: &Path,
        base: PhysicalOffset,
        whole: u64,
    ) -> io::Result<Self> {
        let file = vfs.open(&Self::path(directory, base))?;
        let mut size = file.length()?;
        if size < whole {
            tracing::error!(%base, size, whole, "a segment was cut short");
            file.allocate(whole)?;
            file.sync()?;
            size = whole;
        }
        Ok(Self::of(base, size, file))
    }

    /// The segment that is in `directory`, to look at it: nothing of it is changed.
    pub(super) fn look(
        vfs: &Arc<dyn Vfs>,
        path: PathBuf,
        base: PhysicalOffset,
    ) -> io::Result<Self> {
        let file = Arc::new(Content::of(Arc::clone(vfs), path));
        let size = file.length()?;
        Ok(Self::of(base, size, file))
    }

    fn of(base: PhysicalOffset, size: u64, file: Arc<dyn VfsFile>) -> Self {
        let touched = Touched::none(size);
        Self {
            base,
            size,
            file,
            touched,
        }
    }

    /// This expired segment as the one that starts at `base`; its old records stand at positions
    /// that are not theirs and so never parse. The caller renames the file.
    pub(super) fn recycled(&self, base: PhysicalOffset) -> Self {
        Self::of(base, self.size, Arc::clone(&self.file))
    }

    /// The position of the first byte.
    pub(crate) const fn base(&self) -> PhysicalOffset {
        self.base
    }

    /// Bytes of the file.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// One past the position of the last byte.
    pub(crate) fn end(&self) -> PhysicalOffset {
        self.base.advance(self.size)
    }

    /// `length` bytes from `position`, fewer at the segment's end. The caller has checked that
    /// they are below the log's `appended` mark.
    pub(crate) fn slice(&self, position: PhysicalOffset, length: usize) -> io::Result<Bytes> {
        self.file.read(self.base.distance_to(position), length)
    }

    /// Writes `slices` one after the other from `position` on.
    pub(super) fn write(
        &self,
        position: PhysicalOffset,
        slices: &mut [IoSlice<'_>],
    ) -> io::Result<()> {
        self.file.write(slices, self.base.distance_to(position))
    }

    /// Makes everything written so far survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// Zeroes everything from `position` on, so that no stale record can be taken for a new one.
    pub(super) fn zero_from(&self, position: PhysicalOffset) -> io::Result<()> {
        self.file.zero(self.base.distance_to(position)..self.size)?;
        self.file.sync()
    }

    /// Starts to write what is dirty between two positions.
    pub(super) fn write_back(&self, from: PhysicalOffset, to: PhysicalOffset) {
        let (start, end) = (self.base.distance_to(from), self.base.distance_to(to));
        self.file.write_back(start..end.min(self.size));
    }

    /// Drops the flushed bytes before `position` from the page cache.
    pub(super) fn forget_before(&self, position: PhysicalOffset) {
        let length = self.base.distance_to(position).min(self.size);
        self.file.forget_before(length);
    }

    /// Enters that `length` bytes at `position` are about to be read; how many windows of the
    /// mapping that adds to this process.
    pub(super) fn touch(&self, position: PhysicalOffset, length: usize) -> u64 {
        let at = self.base.distance_to(position);
        let length = (length as u64).min(self.size.saturating_sub(at));
        self.touched.enter(at, length)
    }

    /// Lets go of the pages of what was touched.
    pub(super) fn release_touched(&self) {
        if self.touched.clear() {
            self.file.release_pages();
        }
    }

    /// Lets go of the pages readers have pulled into this process.
    pub(crate) fn release_pages(&self) {
        self.file.release_pages();
    }

    /// Whether nobody holds bytes of it any more.
    pub(super) fn give_up_reads(&self) -> bool {
        self.file.give_up_reads()
    }
}
