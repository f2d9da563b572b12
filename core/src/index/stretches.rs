//! All closed stretches in log order, read without a lock.

use super::file::IndexFile;
use super::run::{Lane, RunView};
use super::stretch::{ClosedStretch, KeyEntry, Stretch};
use crate::model::{PhysicalOffset, QueueOffset, Timestamp};
use crate::vfs::Vfs;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Of the newest files the whole content is checked when they are opened, up to so many bytes: they
/// are the ones that a failing disk or a power cut may have left torn. The older ones have been
/// checked before, and are again, one after the other.
const CHECKED_BYTES: u64 = 64 << 20;
/// How far an entry can lead from its stretch's first byte.
const REACH_BYTES: u64 = 1 << 32;

/// The closed stretches, without holes from the log's beginning on.
#[derive(Debug)]
pub(crate) struct Stretches {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    /// Where the first stretch starts, if there ever is one.
    start: PhysicalOffset,
    list: ArcSwap<Vec<Stretch>>,
    /// Held while the list is replaced.
    change: Mutex<()>,
}

impl Stretches {
    /// Opens the index files of `directory` as far as they cover the log from `start` without a
    /// hole; files after a hole and unfinished ones are deleted, as they will be made anew.
    pub(crate) fn open(
        vfs: Arc<dyn Vfs>,
        directory: &Path,
        start: PhysicalOffset,
        log_end: PhysicalOffset,
    ) -> io::Result<Self> {
        vfs.create_directories(directory)?;
        let mut list: Vec<Stretch> = Vec::new();
        let mut covered = start;
        let mut files = Vec::new();
        for path in vfs.list(directory)? {
            let file = IndexFile::open(&*vfs, &path);
            files.push((path, file));
        }
        let mut unchecked: u64 = files
            .iter()
            .flat_map(|(_, file)| file)
            .map(IndexFile::size)
            .sum();
        for (path, file) in files {
            let follows = |file: &IndexFile| {
                // One that was not finished may look whole and not be: its name tells.
                path == IndexFile::path(directory, file.base())
                    && file.base() == covered
                    && file.end() <= log_end
                    && (unchecked > CHECKED_BYTES || file.body_matches())
            };
            let size = file.as_ref().map_or(0, IndexFile::size);
            match file {
                Ok(file) if follows(&file) => {
                    covered = file.end();
                    list.push(Stretch::File(Arc::new(file)));
                }
                _ => vfs.remove(&path)?,
            }
            unchecked -= size;
        }
        let stretches = Self {
            vfs,
            directory: directory.to_owned(),
            start,
            list: ArcSwap::from_pointee(list),
            change: Mutex::default(),
        };
        stretches.release_pages();
        Ok(stretches)
    }

    /// Where the covered part of the log ends.
    pub(crate) fn end(&self) -> PhysicalOffset {
        self.list.load().last().map_or(self.start, Stretch::end)
    }

    /// Where the part of the log ends whose index is in files.
    pub(crate) fn filed_end(&self) -> PhysicalOffset {
        let list = self.list.load();
        let filed = list.iter().take_while(|stretch| stretch.has_file());
        filed.last().map_or(self.start, Stretch::end)
    }

    /// When the last record before `end` was stored.
    pub(crate) fn last_time_before(&self, end: PhysicalOffset) -> Option<Timestamp> {
        let list = self.list.load();
        let before = list.iter().take_while(|stretch| stretch.end() <= end);
        before.last().map(|stretch| stretch.times().1)
    }

    /// When the last covered record was stored.
    pub(crate) fn last_time(&self) -> Option<Timestamp> {
        self.list.load().last().map(|stretch| stretch.times().1)
    }

    /// The offset after each queue's last entry in the stretches that end after `from`: one made
    /// anew need not begin where the one did at whose end a snapshot was written.
    pub(crate) fn queue_ends(&self, from: PhysicalOffset) -> HashMap<u32, QueueOffset> {
        let mut ends = HashMap::new();
        for stretch in self.list.load().iter() {
            if let Stretch::File(file) = stretch
                && file.end() > from
            {
                ends.extend(file.queue_ends());
            }
        }
        ends
    }

    /// Adds a stretch that has just closed.
    pub(crate) fn push(&self, stretch: Arc<ClosedStretch>) {
        let _change = self.change.lock();
        let mut list = self.list.load().to_vec();
        list.push(Stretch::Memory(stretch));
        self.list.store(Arc::new(list));
    }

    /// The runs of `queue` whose files are not written yet, in log order.
    pub(crate) fn unfiled_runs(&self, queue: u32) -> Vec<RunView> {
        let list = self.list.load();
        let unfiled = list.iter().filter(|stretch| !stretch.has_file());
        unfiled
            .flat_map(|stretch| {
                let lanes = [Lane::Main, Lane::Forwarded];
                lanes.map(|lane| stretch.run(queue, lane))
            })
            .flatten()
            .collect()
    }

    /// Writes a closed stretch's file, with `more` keys than it knows, and lets go of its memory.
    pub(crate) fn persist(&self, stretch: &ClosedStretch, more: &[KeyEntry]) -> io::Result<()> {
        let path = IndexFile::path(&self.directory, stretch.base);
        IndexFile::write(&*self.vfs, &path, stretch, more)?;
        let file = IndexFile::open(&*self.vfs, &path)?;
        let file = Stretch::File(Arc::new(file));
        let _change = self.change.lock();
        let mut list = self.list.load().to_vec();
        for slot in list.iter_mut().filter(|slot| slot.base() == stretch.base) {
            *slot = file.clone();
        }
        self.list.store(Arc::new(list));
        Ok(())
    }

    /// The run that contains `offset` of `queue`, or the next one after it.
    pub(crate) fn find(&self, queue: u32, offset: QueueOffset) -> Option<RunView> {
        self.first_run(queue, |run| offset < run.end())
    }

    /// The first run of `queue` that `is_at_or_after` accepts; of a queue's runs in log order it
    /// refuses a first part and accepts the rest.
    pub(crate) fn first_run(
        &self,
        queue: u32,
        is_at_or_after: impl Fn(&RunView) -> bool,
    ) -> Option<RunView> {
        let list = self.list.load();
        let (mut low, mut high) = (0, list.len());
        let mut found = None;
        while low < high {
            let middle = low + (high - low) / 2;
            // Not every stretch has entries of the queue: the nearest on the left that has.
            let nearest = (low..=middle).rev().find_map(|index| {
                list.get(index)?
                    .run(queue, Lane::Main)
                    .map(|run| (index, run))
            });
            match nearest {
                Some((index, run)) if is_at_or_after(&run) => {
                    high = index;
                    found = Some(run);
                }
                _ => low = middle + 1,
            }
        }
        found
    }

    /// Where the oldest stretch begins; it only grows.
    pub(crate) fn start(&self) -> Option<PhysicalOffset> {
        self.list.load().first().map(Stretch::base)
    }

    /// All runs of `queue` in one lane, in log order.
    pub(crate) fn runs(&self, queue: u32, lane: Lane) -> Vec<RunView> {
        self.list
            .load()
            .iter()
            .filter_map(|stretch| stretch.run(queue, lane))
            .collect()
    }

    /// The stretches before `end`, in log order.
    pub(crate) fn before(&self, end: PhysicalOffset) -> Vec<Stretch> {
        let list = self.list.load();
        let before = list.iter().take_while(|stretch| stretch.end() <= end);
        before.cloned().collect()
    }

    /// The file of the stretch that begins at `position`, else of the next one; of the first behind
    /// the last.
    pub(crate) fn file_from(&self, position: PhysicalOffset) -> Option<Arc<IndexFile>> {
        let list = self.list.load();
        let file = |stretch: &Stretch| match stretch {
            Stretch::File(file) => Some(Arc::clone(file)),
            Stretch::Memory(_) => None,
        };
        let mut files = list.iter().filter_map(file);
        let next = files.find(|file| file.base() >= position);
        next.or_else(|| list.iter().find_map(file))
    }

    /// The files that may have an entry that leads to `position`, the nearest first.
    pub(crate) fn files_reaching(&self, position: PhysicalOffset) -> Vec<Arc<IndexFile>> {
        let mut files = Vec::new();
        for stretch in self.list.load().iter().rev() {
            if let Stretch::File(file) = stretch
                && file.base() <= position
                && file.base().distance_to(position) < REACH_BYTES
            {
                files.push(Arc::clone(file));
            }
        }
        files
    }

    /// Lets go of the pages that reading index files has brought into this process.
    pub(crate) fn release_pages(&self) {
        for stretch in self.list.load().iter() {
            if let Stretch::File(file) = stretch {
                file.release_pages();
            }
        }
    }

    /// Lets the stretches before `end` go, and their files.
    pub(crate) fn drop_before(&self, end: PhysicalOffset) -> io::Result<()> {
        let _change = self.change.lock();
        let (gone, kept): (Vec<_>, Vec<_>) = self
            .list
            .load()
            .iter()
            .cloned()
            .partition(|stretch| stretch.end() <= end);
        self.list.store(Arc::new(kept));
        for stretch in gone.iter().filter(|stretch| stretch.has_file()) {
            crash_point!("index.before_remove");
            self.vfs
                .remove(&IndexFile::path(&self.directory, stretch.base()))?;
        }
        Ok(())
    }

    /// Positions of records with that key hash, the newest stretch first.
    pub(crate) fn positions_of_key(&self, hash: u32) -> Vec<PhysicalOffset> {
        self.list
            .load()
            .iter()
            .rev()
            .flat_map(|stretch| stretch.positions_of_key(hash))
            .collect()
    }
}
