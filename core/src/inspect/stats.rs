//! How much of everything there is.

use super::places::Places;
use super::{Inspection, STEP_BYTES, files};
use crate::Error;
use crate::index::IndexFile;
use crate::record::RecordView;
use crate::store::Scanned;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// A store's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Where the log begins.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// Records in it.
    pub records: u64,
    /// Messages that can be read.
    pub messages: u64,
    /// In log order.
    pub segments: Vec<SegmentStats>,
    /// In order of name.
    pub topics: Vec<TopicStats>,
    /// Groups that have progress.
    pub groups: usize,
    /// Index files.
    pub index_files: usize,
    /// Their bytes.
    pub index_bytes: u64,
    /// Keys of messages in them.
    pub index_keys: usize,
    /// Snapshots of the state.
    pub snapshot_files: usize,
    /// Their bytes.
    pub snapshot_bytes: u64,
}

/// A segment's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SegmentStats {
    /// The file's name.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Their bytes.
    pub record_bytes: u64,
    /// When its first record was stored, in milliseconds since the epoch.
    pub first_stored_at: Option<i64>,
    /// When its last record was stored.
    pub last_stored_at: Option<i64>,
    /// Bytes that are no record any more.
    pub damaged_bytes: u64,
    /// Bytes of records that can be read; of a queue that begins within the segment a share by
    /// offsets.
    pub live_bytes: u64,
}

/// A topic's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TopicStats {
    /// The name.
    pub topic: String,
    /// Messages that can be read.
    pub messages: u64,
    /// Bytes of its records in the log.
    pub bytes: u64,
    /// By id.
    pub queues: Vec<QueueStats>,
}

/// A queue's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueStats {
    /// The oldest offset that can be read.
    pub start: u64,
    /// The offset the next message gets.
    pub next: u64,
    /// Bytes of its records in the log.
    pub bytes: u64,
}

/// A queue's part of a segment.
#[derive(Clone, Copy, Debug)]
struct Part {
    first: u64,
    end: u64,
    bytes: u64,
}

/// What the walk has seen.
struct Tally {
    places: Places,
    stats: Stats,
    /// By segment and queue number.
    parts: HashMap<(usize, u32), Part>,
}

impl Inspection {
    /// Counts everything, as slow as the disk; `progress` hears now and then how many bytes of
    /// the log are behind.
    ///
    /// # Errors
    /// [`Error::Storage`] when directories cannot be read.
    pub fn stats(&self, progress: &mut dyn FnMut(u64)) -> Result<Stats, Error> {
        let mut tally = Tally {
            places: Places::from(self.first_state()),
            stats: Stats::default(),
            parts: HashMap::new(),
        };
        let segments = self.segments.all();
        for segment in segments.iter() {
            tally.stats.segments.push(SegmentStats {
                file: format!("{:020}", segment.base().get()),
                bytes: segment.size(),
                ..SegmentStats::default()
            });
        }
        let start = self.segments.start();
        let mut scan = self.scan(start);
        let (mut index, mut reported) = (0, start);
        loop {
            let at = scan.position();
            if reported.distance_to(at) > STEP_BYTES {
                progress(start.distance_to(at));
                self.release_before(at);
                reported = at;
            }
            let scanned = scan.next();
            let from = match &scanned {
                Scanned::Record(record) | Scanned::Damaged(record) => record.position(),
                Scanned::Lost(from, _) => *from,
                Scanned::End(_) | Scanned::Unreadable(_) => break,
            };
            while segments
                .get(index)
                .is_some_and(|segment| segment.end() <= from)
            {
                index += 1;
            }
            match scanned {
                Scanned::Record(record) => tally.take(index, &record),
                _ => tally.damage(index, from.distance_to(scan.position())),
            }
        }
        progress(start.distance_to(scan.position()));
        (tally.stats.start, tally.stats.end) = (start.get(), scan.position().get());
        let mut stats = tally.finish();
        self.measure_files(&mut stats)?;
        Ok(stats)
    }

    fn measure_files(&self, stats: &mut Stats) -> Result<(), Error> {
        let measure = |directory: &Path| {
            let mut bytes = 0;
            let paths = files(&*self.vfs, directory)?;
            for path in &paths {
                bytes += std::fs::metadata(path)?.len();
            }
            Ok::<_, std::io::Error>((paths.len(), bytes))
        };
        let failed = |error: std::io::Error| Error::Storage(error.to_string());
        let (index, state) = (self.directory.join("index"), self.directory.join("state"));
        (stats.index_files, stats.index_bytes) = measure(&index).map_err(failed)?;
        (stats.snapshot_files, stats.snapshot_bytes) = measure(&state).map_err(failed)?;
        stats.index_keys = self.indexes.iter().map(IndexFile::key_count).sum();
        Ok(())
    }
}

impl Tally {
    fn take(&mut self, segment: usize, record: &RecordView) {
        let (bytes, stored_at) = (record.bytes().len() as u64, record.stored_at().millis());
        self.stats.records += 1;
        if let Some(segment) = self.stats.segments.get_mut(segment) {
            segment.records += 1;
            segment.record_bytes += bytes;
            segment.first_stored_at.get_or_insert(stored_at);
            segment.last_stored_at = Some(stored_at);
        }
        // A record of several queues counts for the first.
        if let Some(place) = self.places.of(record).first() {
            let (first, end) = (place.entry.base.get(), place.entry.end().get());
            let fresh = Part {
                first,
                end,
                bytes: 0,
            };
            let part = self.parts.entry((segment, place.queue)).or_insert(fresh);
            part.first = part.first.min(first);
            part.end = part.end.max(end);
            part.bytes += bytes;
        }
    }

    fn damage(&mut self, segment: usize, bytes: u64) {
        if let Some(segment) = self.stats.segments.get_mut(segment) {
            segment.damaged_bytes += bytes;
        }
    }

    fn finish(mut self) -> Stats {
        let state = &self.places.state;
        let start = |queue: u32| state.bounds.get(&queue).map_or(0, |bounds| bounds.start);
        let mut bytes: BTreeMap<u32, u64> = BTreeMap::new();
        let queues = state.topics.values().flat_map(|topic| &topic.queues);
        // The state's own queue is alive, too.
        let alive: std::collections::HashSet<u32> = queues.copied().chain([0]).collect();
        for ((segment, queue), part) in &self.parts {
            *bytes.entry(*queue).or_default() += part.bytes;
            let segment = self.stats.segments.get_mut(*segment);
            if let (Some(segment), true) = (segment, alive.contains(queue)) {
                segment.live_bytes += part.after(start(*queue));
            }
        }
        for (name, topic) in &state.topics {
            let queue = |number: &u32| QueueStats {
                start: start(*number),
                next: self.places.next(*number),
                bytes: bytes.get(number).copied().unwrap_or(0),
            };
            let queues: Vec<_> = topic.queues.iter().map(queue).collect();
            let messages = queues
                .iter()
                .map(|queue| queue.next - queue.start.min(queue.next));
            self.stats.topics.push(TopicStats {
                topic: name.clone(),
                messages: messages.sum(),
                bytes: queues.iter().map(|queue| queue.bytes).sum(),
                queues,
            });
        }
        self.stats.messages = self.stats.topics.iter().map(|topic| topic.messages).sum();
        self.stats.groups = state.groups.len();
        self.stats
    }
}

impl Part {
    /// Its bytes from an offset on, if all messages are of one size.
    fn after(&self, start: u64) -> u64 {
        let (count, gone) = (self.end - self.first, start.saturating_sub(self.first));
        let left = count.saturating_sub(gone);
        self.bytes
            .saturating_mul(left)
            .checked_div(count)
            .unwrap_or(0)
    }
}
