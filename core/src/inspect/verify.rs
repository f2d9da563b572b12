//! Everything in a store held against everything else.

use super::finding::{Finding, FindingKind, FindingPlace};
use super::places::Places;
use super::stretch::{self, StretchCheck};
use super::{Inspection, STEP_BYTES, files};
use crate::model::PhysicalOffset;
use crate::record::{MAGIC_V1, MAGIC_V2, RecordView};
use crate::state::Snapshot;
use crate::store::Scanned;
use std::ops::Range;

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Whole records of the log.
    pub records: u64,
    /// Their bytes.
    pub record_bytes: u64,
    /// Where the log ends.
    pub end: u64,
    /// Where a record begins that is not whole, which was never flushed: what a crash leaves, and
    /// the next start cuts off.
    pub torn_at: Option<u64>,
    /// Index files that can be read.
    pub indexes: usize,
    /// Bytes of the log that have no index file; the next start makes it.
    pub unindexed_bytes: u64,
    /// Snapshots that can be read.
    pub snapshots: usize,
    /// Ranges in the list of known damage.
    pub known_damages: usize,
}

/// The walk over the log.
struct Walk<'a> {
    store: &'a Inspection,
    places: Places,
    /// Damaged and lost bytes of the stretch, in log order.
    bad: Vec<Range<u64>>,
    check: Option<StretchCheck>,
    /// The next index file.
    next_index: usize,
    found: &'a mut dyn FnMut(Finding),
}

impl Inspection {
    /// Looks at everything. `found` hears what is wrong as it is found, `progress` now and then
    /// how many bytes of the log are behind.
    pub fn verify(
        &self,
        found: &mut dyn FnMut(Finding),
        progress: &mut dyn FnMut(u64),
    ) -> Verified {
        let mut verified = Verified {
            indexes: self.indexes.len(),
            ..Verified::default()
        };
        self.verify_files(&mut verified, found);
        let mut walk = Walk {
            store: self,
            places: Places::from(self.first_state()),
            bad: Vec::new(),
            check: None,
            next_index: 0,
            found,
        };
        walk.run(&mut verified, progress);
        let end = PhysicalOffset::new(verified.end);
        verified.unindexed_bytes = self.covered().distance_to(end);
        let log_end = self.segments.all().last().map(|last| last.end());
        if log_end.is_some_and(|log_end| log_end < self.flushed) {
            let (from, to) = (verified.end, self.flushed.get());
            found(self.finding(FindingKind::MissingSegment, from..to));
        }
        verified
    }

    /// Everything but the log.
    fn verify_files(&self, verified: &mut Verified, found: &mut dyn FnMut(Finding)) {
        let of_file = |kind, file: String, range: Range<u64>| Finding {
            kind,
            from: range.start,
            to: range.end,
            file,
            place: None,
        };
        let within = |path: &std::path::Path| {
            let name = path.strip_prefix(&self.directory).unwrap_or(path);
            name.display().to_string()
        };
        for path in &self.unreadable {
            found(of_file(FindingKind::UnreadableIndex, within(path), 0..0));
        }
        let mut covered = self.segments.start();
        for file in &self.indexes {
            let (base, end) = (file.base(), file.end());
            if !file.body_matches() {
                let range = base.get()..end.get();
                found(of_file(
                    FindingKind::DamagedIndex,
                    stretch::name(base),
                    range,
                ));
            }
            if base != covered {
                let range = covered.get().min(base.get())..covered.get().max(base.get());
                found(of_file(FindingKind::IndexGap, stretch::name(base), range));
            }
            covered = end;
        }
        let snapshots = files(&*self.vfs, &self.directory.join("state")).unwrap_or_default();
        let snapshots = snapshots
            .iter()
            .filter(|path| path.extension().is_some_and(|name| name == "snapshot"));
        for path in snapshots {
            match Snapshot::read(&*self.vfs, path) {
                Some(_) => verified.snapshots += 1,
                None => found(of_file(FindingKind::DamagedSnapshot, within(path), 0..0)),
            }
        }
        match self.known_damages() {
            Ok(known) => verified.known_damages = known.len(),
            Err(_) => found(of_file(
                FindingKind::DamagedList,
                "damaged.json".to_owned(),
                0..0,
            )),
        }
    }

    fn finding(&self, kind: FindingKind, range: Range<u64>) -> Finding {
        let file = match kind {
            FindingKind::MissingSegment => format!("commitlog/{:020}", range.start),
            _ => self.segment_name(PhysicalOffset::new(range.start)),
        };
        Finding {
            kind,
            file,
            from: range.start,
            to: range.end,
            place: None,
        }
    }
}

impl Walk<'_> {
    fn run(&mut self, verified: &mut Verified, progress: &mut dyn FnMut(u64)) {
        let start = self.store.segments.start();
        let mut scan = self.store.scan(start);
        let mut reported = start;
        loop {
            let at = scan.position();
            if reported.distance_to(at) > STEP_BYTES {
                progress(start.distance_to(at));
                self.store.release_before(at);
                reported = at;
            }
            match scan.next() {
                Scanned::Record(record) => {
                    verified.records += 1;
                    verified.record_bytes += record.bytes().len() as u64;
                    self.take(&record);
                }
                Scanned::Damaged(record) => {
                    let from = record.position();
                    let range = from.get()..from.advance(record.bytes().len() as u64).get();
                    let mut finding = self.store.finding(FindingKind::DamagedRecord, range);
                    finding.place = Some(FindingPlace {
                        topic: record.topic().to_owned(),
                        queue: record.queue().get(),
                        offset: record.queue_offset().get(),
                    });
                    self.spoil(finding);
                }
                Scanned::Lost(from, to) => {
                    let has_file = self.store.segments.find(from).is_some();
                    let kind = if has_file {
                        FindingKind::LostBytes
                    } else {
                        FindingKind::MissingSegment
                    };
                    self.spoil(self.store.finding(kind, from.get()..to.get()));
                }
                // The rest of the log is not looked at: reading on would fail again.
                Scanned::Unreadable(error) => {
                    tracing::error!(%error, position = %scan.position(), "reading failed");
                    let end = self.store.segments.find(scan.position());
                    let end = end.map_or_else(|| scan.position(), |segment| segment.end());
                    let range = scan.position().get()..end.get();
                    self.spoil(self.store.finding(FindingKind::LostBytes, range));
                    break;
                }
                Scanned::End(_) => break,
            }
        }
        let end = scan.position();
        self.finish_check();
        progress(start.distance_to(end));
        verified.end = end.get();
        verified.torn_at = self.is_torn(end).then_some(end.get());
    }

    /// Notes bytes that are no record.
    fn spoil(&mut self, finding: Finding) {
        self.enter(PhysicalOffset::new(finding.from));
        self.bad.push(finding.from..finding.to);
        (self.found)(finding);
    }

    fn take(&mut self, record: &RecordView) {
        self.enter(record.position());
        for place in self.places.of(record) {
            if let Some(check) = &mut self.check {
                let (topic, queue) = (record.topic(), record.queue().get());
                check.take(&place, topic, queue, &self.bad, self.found);
            }
        }
    }

    /// Goes on to the index file that covers `position`.
    fn enter(&mut self, position: PhysicalOffset) {
        while self
            .check
            .as_ref()
            .is_some_and(|check| check.end() <= position)
            || (self.check.is_none() && self.next_base().is_some_and(|base| base <= position))
        {
            self.finish_check();
            let Some(file) = self.store.indexes.get(self.next_index) else {
                return;
            };
            if file.base() > position {
                return;
            }
            self.next_index += 1;
            self.check = Some(StretchCheck::of(file));
        }
    }

    fn next_base(&self) -> Option<PhysicalOffset> {
        let next = self.store.indexes.get(self.next_index);
        next.map(|file| file.base())
    }

    fn finish_check(&mut self) {
        if let Some(check) = self.check.take() {
            let end = check.end();
            check.finish(&self.store.segments, &self.bad, self.found);
            self.bad.retain(|range| range.end > end.get());
        }
    }

    /// Whether a record begins at `end` that is not whole. What was there before the segment was
    /// used again stands at positions that are not its own.
    fn is_torn(&self, end: PhysicalOffset) -> bool {
        let head = self.store.segments.slice(end, 36).ok();
        let number = |at: usize| head.as_ref()?.get(at..at + 4)?.try_into().ok();
        let magic = number(4).map(u32::from_be_bytes);
        let position = head
            .as_ref()
            .and_then(|head| head.get(28..36)?.try_into().ok());
        (magic == Some(MAGIC_V1) || magic == Some(MAGIC_V2))
            && position.map(u64::from_be_bytes) == Some(end.get())
    }
}
