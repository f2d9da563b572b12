//! Index files that have rotted on the disk: found by their checksum, one after the other while
//! the broker runs, and made anew from their stretch of the log.

use super::keeper::Household;
use super::keys::batch_keys;
use super::shared::Shared;
use crate::Error;
use crate::index::{ClosedStretch, Entry, INNER_NONE, IndexFile, KeyEntry, Lane, OpenRun};
use crate::model::{PhysicalOffset, QueueId, Timestamp};
use crate::queue::Queue;
use crate::record::{Further, RecordView, dispatched};
use crate::store::{Chore, Facts, Scan, Scanned};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Household {
    /// Checks the files that somebody suspects, and the next one of all.
    pub(super) fn check_index(&mut self, shared: &Shared) {
        let suspects = std::mem::take(&mut self.suspects);
        let stretches = &self.store.stretches;
        let mut files: Vec<_> = suspects
            .into_iter()
            .filter_map(|base| stretches.file_from(base))
            .collect();
        if let Some(next) = stretches.file_from(self.checked_to) {
            self.checked_to = next.end();
            files.push(next);
        }
        for file in files.iter().filter(|file| !file.body_matches()) {
            let base = file.base();
            match shared.mend(file) {
                Ok(()) => tracing::warn!(%base, "a damaged index file was made anew"),
                Err(error) => tracing::error!(%base, %error, "an index file is damaged"),
            }
        }
    }
}

impl Shared {
    /// Whether the index, and not the log, is to blame for an entry that leads to nothing. If so
    /// the file is going to be made anew.
    pub(super) fn is_index_damaged(&self, entry: &Entry) -> bool {
        let reaching = self.store.stretches.files_reaching(entry.position);
        let damaged = reaching.iter().find(|file| !file.body_matches());
        if let Some(file) = damaged {
            tracing::warn!(base = %file.base(), "an index file is damaged");
            self.store.order(Chore::Mend(file.base()));
        }
        damaged.is_some()
    }

    /// Writes a file anew.
    ///
    /// # Errors
    /// [`Error::Storage`] when the log's own stretch is not whole, or the file cannot be written:
    /// the file stays as it is.
    fn mend(&self, file: &IndexFile) -> Result<(), Error> {
        let failed = |error: std::io::Error| Error::Storage(error.to_string());
        let stretch = Reindexing::of(self, file).run(file)?;
        let keys = batch_keys(&self.store, &stretch);
        let (base, end) = (stretch.base, stretch.end);
        let is_there = self.store.stretches.file_from(base);
        if is_there.is_none_or(|file| (file.base(), file.end()) != (base, end)) {
            return Err(Error::Storage("the stretch has gone".to_owned()));
        }
        self.store
            .stretches
            .persist(&stretch, &keys)
            .map_err(failed)
    }
}

/// One stretch whose index is made again.
struct Reindexing<'a> {
    shared: &'a Shared,
    base: PhysicalOffset,
    first_time: Timestamp,
    runs: BTreeMap<(u32, Lane), OpenRun>,
    keys: Vec<KeyEntry>,
}

impl<'a> Reindexing<'a> {
    fn of(shared: &'a Shared, file: &IndexFile) -> Self {
        Self {
            shared,
            base: file.base(),
            first_time: file.times().0,
            runs: BTreeMap::new(),
            keys: Vec::new(),
        }
    }

    fn run(mut self, file: &IndexFile) -> Result<ClosedStretch, Error> {
        let end = file.end();
        let store = &self.shared.store;
        let segments = Arc::clone(&store.segments);
        let flushed = PhysicalOffset::new(store.flushed());
        let mut scan = Scan::from(segments, self.base, flushed);
        while scan.position() < end {
            match scan.next() {
                Scanned::Record(record) if record.position() < end => self.take(&record),
                // The filler at the segment's end was passed.
                Scanned::Record(_) => break,
                Scanned::Damaged(record) => {
                    let at = record.position();
                    return Err(Error::Damaged(at));
                }
                Scanned::Lost(from, _) => return Err(Error::Damaged(from)),
                Scanned::End(_) => break,
                Scanned::Unreadable(error) => return Err(Error::Storage(error.to_string())),
            }
        }
        if scan.position() < end {
            return Err(Error::Damaged(scan.position()));
        }
        Ok(ClosedStretch {
            base: self.base,
            end,
            first_time: self.first_time,
            last_time: file.times().1,
            runs: self
                .runs
                .into_iter()
                .map(|(key, run)| (key, Arc::new(run)))
                .collect(),
            keys: self.keys,
        })
    }

    fn take(&mut self, record: &RecordView) {
        let Some(facts) = Facts::of_record(record) else {
            return;
        };
        let position = record.position();
        let from_base = u32::try_from(self.base.distance_to(position)).unwrap_or(u32::MAX);
        self.keys.extend(facts.keys.iter().map(|hash| KeyEntry {
            hash: *hash,
            position: from_base,
        }));
        if record.sys_flag().is_unqueued() {
            return;
        }
        let entry = Entry {
            base: record.queue_offset(),
            count: facts.count,
            position,
            size: u32::try_from(record.bytes().len()).unwrap_or(u32::MAX),
            tag: facts.tag,
            stored_at: record.stored_at(),
            inner: INNER_NONE,
        };
        let is_forwarded = record.is_forwarded();
        if let Some(queue) = self.queue(record.topic(), record.queue(), position) {
            let (lane, time) = if is_forwarded {
                (Lane::Forwarded, entry.stored_at)
            } else {
                (Lane::Main, self.first_time)
            };
            self.push(&queue, lane, time, &entry, facts.time_max);
        }
        if is_forwarded || record.is_batch() {
            return;
        }
        for (further, base) in dispatched(record) {
            let queue = match further {
                Further::Queue(number) => self.shared.topics.queue(number),
                Further::Topic(name) => self.queue(&name, QueueId::new(0), position),
            };
            if let Some(queue) = queue {
                let entry = Entry {
                    base,
                    count: 1,
                    ..entry
                };
                self.push(&queue, Lane::Main, self.first_time, &entry, facts.time_max);
            }
        }
    }

    fn push(
        &mut self,
        queue: &Queue,
        lane: Lane,
        time: Timestamp,
        entry: &Entry,
        time_max: Timestamp,
    ) {
        let base = self.base;
        let run = self.runs.entry((queue.number(), lane));
        let run = run.or_insert_with(|| OpenRun::new(entry.base, base, time));
        // A record whose offset its queue has already was passed over before, too.
        if entry.base >= run.end() {
            run.push(entry, time_max);
        }
    }

    /// The queue a record at `position` belongs to; none when its topic was deleted since.
    fn queue(&self, topic: &str, id: QueueId, position: PhysicalOffset) -> Option<Arc<Queue>> {
        if topic == self.shared.state_topic.as_str() {
            return Some(Arc::clone(&self.shared.state_queue));
        }
        let created_at = self.shared.state.read().topics.get(topic)?.created_at;
        (position.get() >= created_at).then_some(())?;
        self.shared.topics.by_name(topic)?.queue(id).ok()
    }
}
