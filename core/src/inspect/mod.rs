//! Looking at a store that nothing serves. Nothing is ever created or changed.

mod dump;
mod finding;
mod places;
mod stats;
mod stretch;
mod verify;

pub use dump::{DumpFilter, DumpedRecord, RecordKind};
pub use finding::{Finding, FindingKind, FindingPlace};
pub use stats::{QueueStats, SegmentStats, Stats, TopicStats};
pub use verify::Verified;

use crate::index::IndexFile;
use crate::model::PhysicalOffset;
use crate::store::{Mark, Scan, Segments};
use crate::vfs::{RealVfs, Vfs};
use crate::{DamagedRange, Error};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes between two reports of progress.
const STEP_BYTES: u64 = 8 << 20;

/// A store that is looked at. While it is held no gantry serves it.
#[derive(Debug)]
pub struct Inspection {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    segments: Arc<Segments>,
    /// Before this the log was on the disk: what is no record there is damage.
    flushed: PhysicalOffset,
    /// The index files that can be read, in log order.
    indexes: Vec<IndexFile>,
    /// The names of the others.
    unreadable: Vec<PathBuf>,
    /// None where there is no such file, as in a copy of a store.
    _lock: Option<File>,
}

impl Inspection {
    /// Opens the store of `directory`.
    ///
    /// # Errors
    /// [`Error::Storage`] when it is served, or there is no log that can be read.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::Storage(format!("{}: {error}", directory.display()));
        let lock = lock(directory).map_err(failed)?;
        let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
        let segments = Segments::look(Arc::clone(&vfs), &directory.join("commitlog"));
        let segments = segments.map_err(failed)?;
        if segments.all().is_empty() {
            return Err(failed(io::Error::other("there is no log")));
        }
        let (mut indexes, mut unreadable) = (Vec::new(), Vec::new());
        for path in files(&*vfs, &directory.join("index")).map_err(failed)? {
            match IndexFile::open(&*vfs, &path) {
                Ok(file) => indexes.push(file),
                Err(_) => unreadable.push(path),
            }
        }
        let [first, second] = Mark::look(&*vfs, &directory.join("flushed"));
        let flushed = PhysicalOffset::new(first.max(second));
        Ok(Self {
            flushed: flushed.max(places::covered(segments.start(), &indexes)),
            vfs,
            directory: directory.to_owned(),
            segments: Arc::new(segments),
            indexes,
            unreadable,
            _lock: lock,
        })
    }

    /// Bytes of the log's files.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.segments
            .all()
            .iter()
            .map(|segment| segment.size())
            .sum()
    }

    /// What is known to be damaged.
    ///
    /// # Errors
    /// [`Error::Storage`] when the list cannot be read.
    pub fn known_damages(&self) -> Result<Vec<DamagedRange>, Error> {
        let path = self.directory.join("damaged.json");
        let failed =
            |error: &dyn std::fmt::Display| Error::Storage(format!("{}: {error}", path.display()));
        match self.vfs.content(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| failed(&error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed(&error)),
        }
    }

    fn scan(&self, from: PhysicalOffset) -> Scan {
        Scan::from(Arc::clone(&self.segments), from, self.flushed)
    }

    fn covered(&self) -> PhysicalOffset {
        places::covered(self.segments.start(), &self.indexes)
    }

    /// The state a replay begins with.
    fn first_state(&self) -> crate::state::State {
        places::first_state(&self.segments, &self.indexes, self.scan(self.covered()))
    }

    /// The name of the segment that holds `position`, within the directory.
    fn segment_name(&self, position: PhysicalOffset) -> String {
        let segments = self.segments.all();
        let holding = segments
            .iter()
            .rev()
            .find(|segment| segment.base() <= position);
        let base = holding.map_or(position, |segment| segment.base());
        format!("commitlog/{:020}", base.get())
    }

    /// Lets go of the pages of segments before `position`.
    fn release_before(&self, position: PhysicalOffset) {
        for segment in self.segments.all().iter() {
            if segment.end() <= position {
                segment.release_pages();
            }
        }
    }
}

/// A shared lock on what a gantry locks for itself alone.
fn lock(directory: &Path) -> io::Result<Option<File>> {
    let file = match File::open(directory.join("lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(io::Error::other("another process uses it")),
        Err(error) => Err(error.into()),
    }
}

/// The files of a directory that may be missing.
fn files(vfs: &dyn Vfs, directory: &Path) -> io::Result<Vec<PathBuf>> {
    match vfs.list(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}
