//! One file of the commit log, named by the position of its first byte in 20 digits.

use super::mapping::Mapping;
use crate::model::PhysicalOffset;
use bytes::Bytes;
use rustix::fs::{Advice, FallocateFlags};
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Most slices of one vectored write (Linux' `IOV_MAX`).
const SLICES_MAX: usize = 1024;

/// A segment: written by `pwrite` at its end, read through a mapping.
#[derive(Debug)]
pub(crate) struct Segment {
    base: PhysicalOffset,
    size: u64,
    file: File,
    mapping: Mapping,
}

impl Segment {
    /// The file's path in `directory`.
    pub(super) fn path(directory: &Path, base: PhysicalOffset) -> PathBuf {
        directory.join(format!("{:020}", base.get()))
    }

    /// Creates a segment with every block allocated, and makes its name durable.
    pub(super) fn create(directory: &Path, base: PhysicalOffset, size: u64) -> io::Result<Self> {
        let path = Self::path(directory, base);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        if let Err(error) = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size) {
            drop(file);
            std::fs::remove_file(&path)?;
            return Err(error.into());
        }
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
        Self::from_file(file, base, size)
    }

    /// Opens the segment that is in `directory`, whatever its size.
    pub(super) fn open(directory: &Path, base: PhysicalOffset) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(Self::path(directory, base))?;
        let size = file.metadata()?.len();
        // A file that was not fully allocated before a crash has no block a mapping may hit.
        rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, size.max(1))?;
        Self::from_file(file, base, size)
    }

    fn from_file(file: File, base: PhysicalOffset, size: u64) -> io::Result<Self> {
        let length = usize::try_from(size).map_err(io::Error::other)?;
        let mapping = Mapping::new(&file, length)?;
        Ok(Self {
            base,
            size,
            file,
            mapping,
        })
    }

    /// The position of the first byte.
    pub(crate) const fn base(&self) -> PhysicalOffset {
        self.base
    }

    /// One past the position of the last byte.
    pub(crate) fn end(&self) -> PhysicalOffset {
        self.base.advance(self.size)
    }

    /// `length` bytes from `position`, fewer at the segment's end. The caller has checked that
    /// they are below the log's `appended` mark.
    pub(crate) fn slice(&self, position: PhysicalOffset, length: usize) -> Bytes {
        let bytes = self.mapping.bytes();
        let start = usize::try_from(self.base.distance_to(position)).unwrap_or(usize::MAX);
        let start = start.min(bytes.len());
        bytes.slice(start..start.saturating_add(length).min(bytes.len()))
    }

    /// Writes `slices` one after the other from `position` on.
    pub(super) fn write(
        &self,
        position: PhysicalOffset,
        slices: &mut [IoSlice<'_>],
    ) -> io::Result<()> {
        let mut at = self.base.distance_to(position);
        let mut rest = slices;
        while !rest.is_empty() {
            let count = rest.len().min(SLICES_MAX);
            let now = rest.get(..count).unwrap_or_default();
            let written = rustix::io::pwritev(&self.file, now, at)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            at += u64::try_from(written).map_err(io::Error::other)?;
            IoSlice::advance_slices(&mut rest, written);
        }
        Ok(())
    }

    /// Makes everything written so far survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Zeroes everything from `position` on, so that no stale record can be taken for a new one.
    pub(super) fn zero_from(&self, position: PhysicalOffset) -> io::Result<()> {
        let start = self.base.distance_to(position);
        let length = self.size.saturating_sub(start);
        if length == 0 {
            return Ok(());
        }
        let zeroed = rustix::fs::fallocate(&self.file, FallocateFlags::ZERO_RANGE, start, length);
        if zeroed.is_err() {
            self.write_zeros(start)?;
        }
        self.file.sync_data()
    }

    fn write_zeros(&self, start: u64) -> io::Result<()> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        let mut at = start;
        while at < self.size {
            let left = usize::try_from(self.size - at)
                .unwrap_or(usize::MAX)
                .min(ZEROS.len());
            let zeros = ZEROS.get(..left).unwrap_or_default();
            self.file.write_all_at(zeros, at)?;
            at += u64::try_from(left).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Drops the flushed bytes before `position` from the page cache.
    pub(super) fn forget_before(&self, position: PhysicalOffset) {
        let length = self.base.distance_to(position).min(self.size);
        let advised = rustix::fs::fadvise(&self.file, 0, NonZeroU64::new(length), Advice::DontNeed);
        if let Err(error) = advised {
            tracing::debug!(%error, "dropping cached pages failed");
        }
    }

    /// Lets go of the pages readers have pulled into this process.
    pub(crate) fn release_pages(&self) {
        self.mapping.release_pages();
    }
}
