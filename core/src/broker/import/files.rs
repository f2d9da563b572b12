//! The place where a store is made before it is one: a directory within the data directory, whose
//! parts move to where they belong once they are whole. The log moves first: from then on there
//! is a store, and what has not followed it is made again from the log.

use super::ImportedFile;
use crate::Error;
use crate::model::PhysicalOffset;
use crate::vfs::{RealVfs, Vfs};
use rustix::fs::{FallocateFlags, copy_file_range, fallocate, ioctl_ficlone};
use std::any::Any;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const LOG: &str = "commitlog";
const UNFINISHED: &str = "importing";
/// What follows the log, where it is there.
const REST: [&str; 3] = ["flushed", "index", "state"];
/// Copied between two reports.
const STEP_BYTES: u64 = 32 << 20;

/// The directory; it goes when dropped.
#[derive(Debug)]
pub(super) struct Workplace {
    directory: PathBuf,
    path: PathBuf,
    _lock: Box<dyn Any + Send + Sync>,
}

impl Workplace {
    /// Makes it, and removes what an interrupted import has left.
    pub(super) fn make(directory: &Path) -> Result<Self, Error> {
        let failed = |error: io::Error| {
            let why = match error.kind() {
                ErrorKind::WouldBlock => "another process uses it".to_owned(),
                _ => error.to_string(),
            };
            Error::Storage(format!("preparing {}: {why}", directory.display()))
        };
        RealVfs.create_directories(directory).map_err(failed)?;
        let lock = RealVfs.lock(&directory.join("lock")).map_err(failed)?;
        for name in [LOG].iter().chain(&REST) {
            let path = directory.join(name);
            if is_in_use(&path).map_err(failed)? {
                let path = path.display();
                return Err(Error::Invalid(format!(
                    "there is a store already: {path}; an import needs a directory without one"
                )));
            }
        }
        let path = directory.join(UNFINISHED);
        remove(&path).map_err(failed)?;
        fs::create_dir_all(path.join(LOG)).map_err(failed)?;
        let directory = directory.to_owned();
        Ok(Self {
            directory,
            path,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the files up to `end`; whether all share their blocks with the originals.
    pub(super) fn copy(
        &self,
        files: &[ImportedFile],
        end: PhysicalOffset,
        copied: &dyn Fn(u64),
    ) -> Result<bool, Error> {
        let mut is_reflinked = true;
        for (index, file) in files.iter().enumerate() {
            // What was made ahead is not needed.
            if index > 0 && file.base >= end {
                break;
            }
            let to = self.path.join(LOG).join(format!("{:020}", file.base.get()));
            let used = file.base.distance_to(end).min(file.bytes);
            is_reflinked &= copy_file(file, used, &to, copied).map_err(|error| {
                let (from, to) = (file.path.display(), to.display());
                Error::Storage(format!("copying {from} to {to}: {error}"))
            })?;
        }
        let synced = RealVfs.sync_directory(&self.path.join(LOG));
        synced.map_err(|error| Error::Storage(error.to_string()))?;
        Ok(is_reflinked)
    }

    /// Moves the store to where it belongs.
    pub(super) fn publish(self) -> Result<(), Error> {
        self.try_publish().map_err(|error| {
            let directory = self.directory.display();
            Error::Storage(format!("moving the store to {directory}: {error}"))
        })
    }

    fn try_publish(&self) -> io::Result<()> {
        RealVfs.sync_directory(&self.path)?;
        let whole = |name: &str| (self.path.join(name), self.directory.join(name));
        let (from, to) = whole(LOG);
        fs::rename(from, to)?;
        RealVfs.sync_directory(&self.directory)?;
        for name in REST {
            let (from, to) = whole(name);
            if from.try_exists()? {
                fs::rename(from, to)?;
            }
        }
        RealVfs.sync_directory(&self.directory)
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "an unfinished import is left");
        }
    }
}

/// Whether there is a file, or a directory with something in it.
fn is_in_use(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(true),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Copies the first `used` bytes; the rest of the file is zeros. Whether the blocks are shared.
fn copy_file(file: &ImportedFile, used: u64, to: &Path, copied: &dyn Fn(u64)) -> io::Result<bool> {
    let source = File::open(&file.path)?;
    let target = File::create_new(to)?;
    // A clone shares the bytes after the end, too, and opening the store cuts those off.
    let is_reflinked = ioctl_ficlone(&target, &source).is_ok();
    if is_reflinked {
        copied(used);
    } else {
        copy_bytes(&source, &target, used, copied)?;
        fallocate(&target, FallocateFlags::empty(), 0, file.bytes)?;
    }
    if target.metadata()?.len() != file.bytes {
        return Err(io::Error::other("the file changed meanwhile"));
    }
    target.sync_all()?;
    Ok(is_reflinked)
}

fn copy_bytes(source: &File, target: &File, used: u64, copied: &dyn Fn(u64)) -> io::Result<()> {
    let mut at = 0;
    while at < used {
        let (mut read_at, mut write_at) = (at, at);
        let length = usize::try_from((used - at).min(STEP_BYTES)).map_err(io::Error::other)?;
        let bytes = match copy_file_range(
            source,
            Some(&mut read_at),
            target,
            Some(&mut write_at),
            length,
        ) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => u64::try_from(bytes).map_err(io::Error::other)?,
            // Not between these file systems.
            Err(_) => copy_plainly(source, target, at, length)?,
        };
        copied(bytes);
        at += bytes;
    }
    Ok(())
}

fn copy_plainly(mut source: &File, mut target: &File, at: u64, length: usize) -> io::Result<u64> {
    source.seek(SeekFrom::Start(at))?;
    target.seek(SeekFrom::Start(at))?;
    let length = u64::try_from(length).map_err(io::Error::other)?;
    match io::copy(&mut source.take(length), &mut target)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        bytes => Ok(bytes),
    }
}
