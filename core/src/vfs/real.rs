//! The machine's own file system.

use super::mapping::{Mapping, start_write_back};
use super::{FileBytes, Space, Vfs, VfsFile};
use bytes::Bytes;
use memmap2::MmapRaw;
use parking_lot::Mutex;
use rustix::fs::{Advice, FallocateFlags, FlockOperation};
use std::any::Any;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

/// Most slices of one vectored write (Linux' `IOV_MAX`).
const SLICES_MAX: usize = 1024;

/// Files of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealVfs;

#[derive(Debug)]
struct RealFile {
    file: File,
    mapped: Mutex<Mapped>,
}

#[derive(Debug, Default)]
struct Mapped {
    /// Made by the first read, of the length the file has then.
    mapping: Option<Mapping>,
    /// The one before, which readers may still hold.
    given_up: Weak<MmapRaw>,
}

impl Vfs for RealVfs {
    fn create_directories(&self, path: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
            .collect();
        std::fs::create_dir_all(path)?;
        for parent in missing.iter().filter_map(|path| path.parent()) {
            let is_here = parent.as_os_str().is_empty();
            self.sync_directory(if is_here { Path::new(".") } else { parent })?;
        }
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                paths.push(entry.path());
            }
        }
        paths.sort_unstable();
        Ok(paths)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        RealFile::open(OpenOptions::new().create(true).truncate(true), path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        RealFile::open(&mut OpenOptions::new(), path)
    }

    fn content(&self, path: &Path) -> io::Result<Bytes> {
        self.kept_content(path).map(|kept| kept.bytes().clone())
    }

    fn kept_content(&self, path: &Path) -> io::Result<FileBytes> {
        let file = File::open(path)?;
        match usize::try_from(file.metadata()?.len()).map_err(io::Error::other)? {
            0 => Ok(FileBytes::of(Bytes::new())),
            length => Mapping::new(&file, length).map(FileBytes::mapped),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(path)?;
        Ok(Space {
            used: found
                .f_blocks
                .saturating_sub(found.f_bfree)
                .saturating_mul(found.f_frsize),
            available: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let file = File::create(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(file))
    }
}

impl RealFile {
    fn open(options: &mut OpenOptions, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        let file = options.read(true).write(true).open(path)?;
        Ok(Arc::new(Self {
            file,
            mapped: Mutex::default(),
        }))
    }

    /// Bytes of the mapping, which is made when there is none.
    fn mapped(&self, range: Range<usize>) -> io::Result<Bytes> {
        let mapping = &mut self.mapped.lock().mapping;
        if mapping.is_none() {
            let length = self.file.metadata()?.len();
            // A file that was not fully allocated before a crash has no block a mapping may hit.
            rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, length.max(1))?;
            let length = usize::try_from(length).map_err(io::Error::other)?;
            if length > 0 {
                *mapping = Some(Mapping::new(&self.file, length)?);
            }
        }
        Ok(mapping.as_ref().map_or_else(Bytes::new, |mapping| {
            let bytes = mapping.bytes();
            let start = range.start.min(bytes.len());
            bytes.slice(start..range.end.min(bytes.len()))
        }))
    }

    fn write_zeros(&self, range: Range<u64>) -> io::Result<()> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        let mut at = range.start;
        while at < range.end {
            let left = usize::try_from(range.end - at)
                .unwrap_or(usize::MAX)
                .min(ZEROS.len());
            let zeros = ZEROS.get(..left).unwrap_or_default();
            self.file.write_all_at(zeros, at)?;
            at += u64::try_from(left).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl VfsFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, at: u64, length: usize) -> io::Result<Bytes> {
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        self.mapped(start..start.saturating_add(length))
    }

    fn write(&self, slices: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
        let mut rest = slices;
        while !rest.is_empty() {
            let count = rest.len().min(SLICES_MAX);
            let now = rest.get(..count).unwrap_or_default();
            let written = match rustix::io::pwritev(&self.file, now, at) {
                Err(rustix::io::Errno::INTR) => continue,
                written => written?,
            };
            if written == 0 && now.iter().any(|slice| !slice.is_empty()) {
                return Err(io::ErrorKind::WriteZero.into());
            }
            at += u64::try_from(written).map_err(io::Error::other)?;
            if written == 0 {
                rest = rest.get_mut(count..).unwrap_or_default();
            } else {
                IoSlice::advance_slices(&mut rest, written);
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, length)?;
        Ok(())
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        let length = range.end.saturating_sub(range.start);
        if length == 0 {
            return Ok(());
        }
        let flags = FallocateFlags::ZERO_RANGE;
        match rustix::fs::fallocate(&self.file, flags, range.start, length) {
            Ok(()) => Ok(()),
            Err(_) => self.write_zeros(range),
        }
    }

    fn write_back(&self, range: Range<u64>) {
        if let Err(error) = start_write_back(&self.file, &range) {
            tracing::debug!(%error, "write-behind failed");
        }
    }

    fn forget_before(&self, end: u64) {
        let advised = rustix::fs::fadvise(&self.file, 0, NonZeroU64::new(end), Advice::DontNeed);
        if let Err(error) = advised {
            tracing::debug!(%error, "dropping cached pages failed");
        }
    }

    fn release_pages(&self) {
        if let Some(mapping) = &self.mapped.lock().mapping {
            mapping.release_pages();
        }
    }

    fn give_up_reads(&self) -> bool {
        let mut mapped = self.mapped.lock();
        if let Some(mapping) = mapped.mapping.take() {
            mapped.given_up = mapping.give_up();
        }
        mapped.given_up.strong_count() == 0
    }
}
