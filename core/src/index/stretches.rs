//! All closed stretches in log order, read without a lock.

use super::file::IndexFile;
use super::run::RunView;
use super::stretch::{ClosedStretch, Stretch};
use crate::model::{PhysicalOffset, QueueOffset, Timestamp};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The closed stretches, without holes from the log's beginning on.
#[derive(Debug)]
pub(crate) struct Stretches {
    directory: PathBuf,
    list: ArcSwap<Vec<Stretch>>,
    /// Held while the list is replaced.
    change: Mutex<()>,
}

impl Stretches {
    /// Opens the index files of `directory` as far as they cover the log from `start` without a
    /// hole; files after a hole are deleted, as they will be made anew.
    pub(crate) fn open(
        directory: &Path,
        start: PhysicalOffset,
        log_end: PhysicalOffset,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        paths.sort_unstable();
        let mut list: Vec<Stretch> = Vec::new();
        let mut covered = start;
        for path in paths {
            match IndexFile::open(&path) {
                Ok(file) if file.base() == covered && file.end() <= log_end => {
                    covered = file.end();
                    list.push(Stretch::File(Arc::new(file)));
                }
                _ => std::fs::remove_file(&path)?,
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            list: ArcSwap::from_pointee(list),
            change: Mutex::default(),
        })
    }

    /// Where the covered part of the log ends.
    pub(crate) fn end(&self) -> Option<PhysicalOffset> {
        self.list.load().last().map(Stretch::end)
    }

    /// When the last covered record was stored.
    pub(crate) fn last_time(&self) -> Option<Timestamp> {
        self.list.load().last().map(|stretch| stretch.times().1)
    }

    /// The offset after each queue's last entry in the stretches that start at `from` or later.
    pub(crate) fn queue_ends(&self, from: PhysicalOffset) -> HashMap<u32, QueueOffset> {
        let mut ends = HashMap::new();
        for stretch in self.list.load().iter() {
            if let Stretch::File(file) = stretch
                && file.base() >= from
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

    /// Writes a closed stretch's file and lets go of its memory.
    pub(crate) fn persist(&self, stretch: &ClosedStretch) -> io::Result<()> {
        IndexFile::write(&self.directory, stretch)?;
        let file = IndexFile::open(&IndexFile::path(&self.directory, stretch.base))?;
        let file = Stretch::File(Arc::new(file));
        let _change = self.change.lock();
        let mut list = self.list.load().to_vec();
        for slot in list.iter_mut().filter(|slot| slot.base() == stretch.base) {
            *slot = file.clone();
        }
        self.list.store(Arc::new(list));
        Ok(())
    }

    /// The run that contains `offset` of `queue`.
    pub(crate) fn find(&self, queue: u32, offset: QueueOffset) -> Option<RunView> {
        self.first_run(queue, |run| offset < run.end())
            .filter(|run| run.base() <= offset)
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
            let nearest = (low..=middle)
                .rev()
                .find_map(|index| list.get(index)?.run(queue).map(|run| (index, run)));
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

    /// All runs of `queue`, the oldest first.
    pub(crate) fn runs(&self, queue: u32) -> Vec<RunView> {
        self.list
            .load()
            .iter()
            .filter_map(|stretch| stretch.run(queue))
            .collect()
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
