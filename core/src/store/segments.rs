//! The segments of a log, in order, the one prepared to be next, and expired ones on their way
//! to become it.

use super::segment::Segment;
use super::touched::WINDOW_BYTES;
use super::{Damages, Health};
use crate::Error;
use crate::model::PhysicalOffset;
use crate::vfs::Vfs;
use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Ending of an expired segment's file until it is recycled or removed.
const EXPIRED: &str = "expired";
/// Directory beside the log's of expired segments that are damaged.
const QUARANTINE: &str = "quarantine";

/// Bytes of one write when the log is written again.
const REWRITE_BYTES: usize = 1 << 20;

/// All segments; the last is written.
#[derive(Debug)]
pub(crate) struct Segments {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    size: u64,
    list: ArcSwap<Vec<Arc<Segment>>>,
    health: Arc<Health>,
    /// Most windows of mappings that reading may leave in this process.
    windows_max: u64,
    /// How many it has.
    windows: AtomicU64,
    /// Held while the list or the file names change.
    change: Mutex<Aside>,
}

/// Segments that are not part of the log.
#[derive(Debug, Default)]
struct Aside {
    /// Made ahead so that a roll does not wait for the file system.
    spare: Option<Segment>,
    /// Readers may still hold their bytes.
    expired: Vec<Arc<Segment>>,
}

impl Segments {
    /// Opens the segments of `directory`, or creates the first; new ones get `size` bytes. The log
    /// was on the disk up to `flushed`. Reading leaves at most `mapped_bytes_max` mapped.
    pub(super) fn open(
        vfs: Arc<dyn Vfs>,
        directory: &Path,
        size: u64,
        flushed: u64,
        mapped_bytes_max: u64,
        health: Arc<Health>,
    ) -> io::Result<Self> {
        vfs.create_directories(directory)?;
        let mut bases = Vec::new();
        for path in vfs.list(directory)? {
            if let Some(base) = Segment::base_of(&path) {
                bases.push(base);
            } else if path.extension().is_some() {
                // Expired, or not finished when the process ended.
                vfs.remove(&path)?;
            }
        }
        let mut list: Vec<Arc<Segment>> = Vec::with_capacity(bases.len() + 1);
        for (index, base) in bases.iter().enumerate() {
            let whole = bases
                .get(index + 1)
                .map_or_else(
                    || base.distance_to(PhysicalOffset::new(flushed)),
                    |next| base.distance_to(*next),
                )
                .min(size);
            list.push(Arc::new(Segment::open(&*vfs, directory, *base, whole)?));
        }
        if list.is_empty() {
            let first = Segment::create(&*vfs, directory, PhysicalOffset::ZERO, size)?;
            list.push(Arc::new(first));
        }
        Ok(Self {
            vfs,
            directory: directory.to_owned(),
            size,
            list: ArcSwap::from_pointee(list),
            health,
            windows_max: mapped_bytes_max / WINDOW_BYTES,
            windows: AtomicU64::new(0),
            change: Mutex::default(),
        })
    }

    /// The segments that are in `directory`, to look at them: nothing is created or changed.
    pub(crate) fn look(vfs: Arc<dyn Vfs>, directory: &Path) -> io::Result<Self> {
        let mut list = Vec::new();
        for path in vfs.list(directory)? {
            if let Some(base) = Segment::base_of(&path) {
                list.push(Arc::new(Segment::look(&vfs, path, base)?));
            }
        }
        list.retain(|segment| segment.size() > 0);
        Ok(Self {
            vfs,
            directory: directory.to_owned(),
            size: 0,
            list: ArcSwap::from_pointee(list),
            health: Arc::default(),
            windows_max: u64::MAX,
            windows: AtomicU64::new(0),
            change: Mutex::default(),
        })
    }

    /// The segments in order.
    pub(crate) fn all(&self) -> Arc<Vec<Arc<Segment>>> {
        self.list.load_full()
    }

    /// The position of the oldest byte kept.
    pub(crate) fn start(&self) -> PhysicalOffset {
        let list = self.list.load();
        list.first().map(|first| first.base()).unwrap_or_default()
    }

    /// The segment that holds `position`.
    pub(crate) fn find(&self, position: PhysicalOffset) -> Option<Arc<Segment>> {
        let list = self.list.load();
        let after = list.partition_point(|segment| segment.base() <= position);
        let segment = list.get(after.checked_sub(1)?)?;
        (position < segment.end()).then(|| Arc::clone(segment))
    }

    /// The first segment that starts at `position` or later.
    pub(crate) fn next_from(&self, position: PhysicalOffset) -> Option<Arc<Segment>> {
        let list = self.list.load();
        list.get(list.partition_point(|segment| segment.base() < position))
            .cloned()
    }

    /// `length` bytes at `position`, which lie in one segment and below `appended`; fewer where
    /// the log has no more.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn slice(&self, position: PhysicalOffset, length: usize) -> io::Result<Bytes> {
        self.find(position).map_or_else(
            || Ok(Bytes::new()),
            |segment| {
                self.touch(&segment, position, length);
                segment.slice(position, length)
            },
        )
    }

    /// Counts that `length` bytes of `segment` at `position` are about to be read, and lets go of
    /// the pages of what was read before when there are too many; whether it did.
    pub(crate) fn touch(&self, segment: &Segment, position: PhysicalOffset, length: usize) -> bool {
        let fresh = segment.touch(position, length);
        let before = self.windows.fetch_add(fresh, Ordering::Relaxed);
        let is_over = before.saturating_add(fresh) > self.windows_max && fresh > 0;
        if is_over {
            self.release_pages();
            let fresh = segment.touch(position, length);
            self.windows.fetch_add(fresh, Ordering::Relaxed);
        }
        is_over
    }

    /// Lets go of the pages that reading has brought into this process.
    fn release_pages(&self) {
        self.windows.store(0, Ordering::Relaxed);
        let all = self.list.load();
        all.iter().for_each(|segment| segment.release_touched());
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
            self.vfs
                .remove(&Segment::path(&self.directory, segment.base()))?;
        }
        if let Some(last) = kept.last()
            && end < last.end()
            && !planted!("recover.keep_tail")
        {
            last.zero_from(end)?;
        }
        self.vfs.sync_directory(&self.directory)?;
        self.list.store(Arc::new(kept));
        Ok(())
    }

    /// Writes the bytes between two positions again. A flush that failed may have left them in the
    /// page cache alone, counted as written: the next flush is to write them.
    pub(super) fn rewrite(&self, from: PhysicalOffset, to: PhysicalOffset) -> io::Result<()> {
        let list = self.list.load();
        for segment in list.iter().filter(|segment| segment.base() < to) {
            let mut at = from.max(segment.base());
            let end = to.min(segment.end());
            while at < end {
                let left = usize::try_from(at.distance_to(end)).unwrap_or(usize::MAX);
                self.touch(segment, at, left.min(REWRITE_BYTES));
                let bytes = segment.slice(at, left.min(REWRITE_BYTES))?;
                if bytes.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                segment.write(at, &mut [IoSlice::new(&bytes)])?;
                at = at.advance(bytes.len() as u64);
            }
        }
        Ok(())
    }

    /// Starts to write what is dirty between two positions.
    pub(super) fn write_back(&self, from: PhysicalOffset, to: PhysicalOffset) {
        self.between(from, to, |segment| segment.write_back(from, to));
    }

    /// Drops the flushed bytes from `from` to `to` from the page cache.
    pub(super) fn forget(&self, from: PhysicalOffset, to: PhysicalOffset) {
        self.between(from, to, |segment| segment.forget_before(to));
    }

    fn between(&self, from: PhysicalOffset, to: PhysicalOffset, act: impl Fn(&Segment)) {
        let list = self.list.load();
        for segment in list.iter().rev().filter(|segment| segment.base() < to) {
            if segment.end() <= from {
                break;
            }
            act(segment);
        }
    }

    /// Makes the next segment ahead of its need, of an expired one where nobody reads one any
    /// more. Does nothing when there is one. Notes whether the disk is full.
    pub(super) fn prepare_spare(&self) -> io::Result<()> {
        let made = self.make_spare(&mut self.change.lock());
        match &made {
            Ok(()) => self.health.set_full(false),
            Err(error) if is_full(error) => self.health.set_full(true),
            Err(_) => {}
        }
        made
    }

    fn make_spare(&self, aside: &mut Aside) -> io::Result<()> {
        let Some(next) = self.list.load().last().map(|last| last.end()) else {
            return Ok(());
        };
        if aside
            .spare
            .as_ref()
            .is_some_and(|spare| spare.base() == next)
        {
            return Ok(());
        }
        aside.spare = match self.recycle(aside, next)? {
            Some(recycled) => Some(recycled),
            None => Some(Segment::create(
                &*self.vfs,
                &self.directory,
                next,
                self.size,
            )?),
        };
        Ok(())
    }

    fn recycle(&self, aside: &mut Aside, next: PhysicalOffset) -> io::Result<Option<Segment>> {
        let is_free = |segment: &Arc<Segment>| {
            segment.size() == self.size
                && Arc::strong_count(segment) == 1
                && segment.give_up_reads()
        };
        let Some(found) = aside.expired.iter().position(is_free) else {
            return Ok(None);
        };
        let segment = aside.expired.swap_remove(found);
        crash_point!("recycle.before_rename");
        self.vfs.rename(
            &self.expired_path(&segment),
            &Segment::path(&self.directory, next),
        )?;
        crash_point!("recycle.before_directory_sync");
        self.vfs.sync_directory(&self.directory)?;
        crash_point!("recycle.ready");
        Ok(Some(segment.recycled(next)))
    }

    /// Removes expired segments that will not be recycled: all but the newest.
    pub(super) fn drop_expired(&self) -> io::Result<()> {
        let mut aside = self.change.lock();
        let keep = usize::from(aside.spare.is_none());
        while aside.expired.len() > keep {
            let path = aside
                .expired
                .first()
                .map(|oldest| self.expired_path(oldest));
            crash_point!("expire.before_remove");
            path.map_or(Ok(()), |path| self.vfs.remove(&path))?;
            // Readers that still hold its bytes keep them: the file lives as long as its mapping.
            aside.expired.remove(0);
        }
        Ok(())
    }

    /// Takes the segments that end at or before `start` out of the log. Once this returns they
    /// do not come back after a power cut. Damaged ones are set aside and never removed.
    pub(super) fn expire_before(&self, start: PhysicalOffset, damages: &Damages) -> io::Result<()> {
        let mut aside = self.change.lock();
        let (gone, kept): (Vec<_>, Vec<_>) = self
            .list
            .load()
            .iter()
            .cloned()
            .partition(|segment| segment.end() <= start);
        let is_damaged = |segment: &Arc<Segment>| damages.touches(segment.base(), segment.end());
        let (damaged, gone): (Vec<_>, Vec<_>) = gone.into_iter().partition(is_damaged);
        for segment in &damaged {
            self.set_aside(segment)?;
        }
        for segment in &gone {
            let path = Segment::path(&self.directory, segment.base());
            crash_point!("expire.before_rename");
            self.vfs.rename(&path, &self.expired_path(segment))?;
        }
        crash_point!("expire.before_directory_sync");
        self.vfs.sync_directory(&self.directory)?;
        self.list.store(Arc::new(kept));
        aside.expired.extend(gone);
        Ok(())
    }

    /// Moves a damaged segment to where somebody can look at it.
    fn set_aside(&self, segment: &Segment) -> io::Result<()> {
        let directory = self.directory.with_file_name(QUARANTINE);
        self.vfs.create_directories(&directory)?;
        let from = Segment::path(&self.directory, segment.base());
        let to = Segment::path(&directory, segment.base());
        tracing::warn!(to = %to.display(), "a damaged segment has expired and is kept");
        self.vfs.rename(&from, &to)?;
        self.vfs.sync_directory(&directory)
    }

    fn expired_path(&self, segment: &Segment) -> PathBuf {
        Segment::path(&self.directory, segment.base()).with_extension(EXPIRED)
    }

    /// Goes on to the next segment.
    ///
    /// # Errors
    /// [`Error::DiskFull`] when there is no room for it, [`Error::Storage`] otherwise.
    pub(super) fn roll(&self) -> Result<Arc<Segment>, Error> {
        // Known to be full: whoever keeps the store looks again, not every producer.
        if self.health.is_full() {
            return Err(Error::DiskFull);
        }
        self.prepare_spare().map_err(|error| {
            if is_full(&error) {
                Error::DiskFull
            } else {
                Error::Storage(format!("creating a segment failed: {error}"))
            }
        })?;
        let mut aside = self.change.lock();
        let Some(segment) = aside.spare.take().map(Arc::new) else {
            return Err(Error::Internal("the prepared segment is gone".to_owned()));
        };
        let mut list = self.list.load().to_vec();
        list.push(Arc::clone(&segment));
        self.list.store(Arc::new(list));
        Ok(segment)
    }
}

/// Whether there was no room.
fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
