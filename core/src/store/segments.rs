//! The segments of a log, in order, and the one prepared to be next.

use super::segment::Segment;
use crate::Error;
use crate::model::PhysicalOffset;
use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All segments; the last is written.
#[derive(Debug)]
pub(crate) struct Segments {
    directory: PathBuf,
    size: u64,
    list: ArcSwap<Vec<Arc<Segment>>>,
    /// Made ahead so that a roll does not wait for the file system.
    spare: Mutex<Option<Segment>>,
}

impl Segments {
    /// Opens the segments of `directory`, or creates the first; new ones get `size` bytes.
    pub(super) fn open(directory: &Path, size: u64) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let mut bases = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let name = entry?.file_name();
            let base = name
                .to_str()
                .filter(|name| name.len() == 20)
                .and_then(|name| name.parse().ok());
            bases.extend(base.map(PhysicalOffset::new));
        }
        bases.sort_unstable();
        let mut list: Vec<Arc<Segment>> = Vec::with_capacity(bases.len() + 1);
        for base in bases {
            if let Some(before) = list.last()
                && before.end() != base
            {
                return Err(io::Error::other(format!(
                    "the segment between {} and {base} is missing",
                    before.end()
                )));
            }
            list.push(Arc::new(Segment::open(directory, base)?));
        }
        if list.is_empty() {
            list.push(Arc::new(Segment::create(
                directory,
                PhysicalOffset::ZERO,
                size,
            )?));
        }
        Ok(Self {
            directory: directory.to_owned(),
            size,
            list: ArcSwap::from_pointee(list),
            spare: Mutex::default(),
        })
    }

    /// The segments in order.
    pub(crate) fn all(&self) -> Arc<Vec<Arc<Segment>>> {
        self.list.load_full()
    }

    /// The segment that holds `position`.
    pub(crate) fn find(&self, position: PhysicalOffset) -> Option<Arc<Segment>> {
        let list = self.list.load();
        let after = list.partition_point(|segment| segment.base() <= position);
        let segment = list.get(after.checked_sub(1)?)?;
        (position < segment.end()).then(|| Arc::clone(segment))
    }

    /// `length` bytes at `position`, which lie in one segment and below `appended`.
    pub(crate) fn slice(&self, position: PhysicalOffset, length: usize) -> Option<Bytes> {
        let bytes = self.find(position)?.slice(position, length);
        (bytes.len() == length).then_some(bytes)
    }

    /// Ends the log at `end`: everything after it is zeroed, and segments after it are prepared
    /// ones or a torn tail's and go.
    pub(super) fn cut(&self, end: PhysicalOffset) -> io::Result<()> {
        let list = self.list.load();
        let (kept, beyond): (Vec<_>, Vec<_>) = list
            .iter()
            .cloned()
            .partition(|segment| segment.base() <= end);
        for segment in beyond.iter().rev() {
            std::fs::remove_file(Segment::path(&self.directory, segment.base()))?;
        }
        if let Some(last) = kept.last() {
            last.zero_from(end)?;
        }
        File::open(&self.directory)?.sync_all()?;
        self.list.store(Arc::new(kept));
        Ok(())
    }

    /// Drops the flushed bytes from `from` to `to` from the page cache.
    pub(super) fn forget(&self, from: PhysicalOffset, to: PhysicalOffset) {
        let list = self.list.load();
        for segment in list.iter().rev().filter(|segment| segment.base() < to) {
            if segment.end() <= from {
                break;
            }
            segment.forget_before(to);
        }
    }

    /// Makes the next segment ahead of its need. Does nothing when there is one.
    pub(super) fn prepare_spare(&self) -> io::Result<()> {
        let mut spare = self.spare.lock();
        let Some(last) = self.list.load().last().map(|last| last.end()) else {
            return Ok(());
        };
        if spare.as_ref().is_none_or(|spare| spare.base() != last) {
            *spare = Some(Segment::create(&self.directory, last, self.size)?);
        }
        Ok(())
    }

    /// Goes on to the next segment.
    ///
    /// # Errors
    /// [`Error::DiskFull`] when there is no room for it, [`Error::Storage`] otherwise.
    pub(super) fn roll(&self) -> Result<Arc<Segment>, Error> {
        self.prepare_spare().map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull,
            _ => Error::Storage(format!("creating a segment failed: {error}")),
        })?;
        let segment = self.spare.lock().take().map(Arc::new);
        let Some(segment) = segment else {
            return Err(Error::Internal("the prepared segment is gone".to_owned()));
        };
        let mut list = self.list.load().to_vec();
        list.push(Arc::clone(&segment));
        self.list.store(Arc::new(list));
        Ok(segment)
    }
}
