//! One index file held against the log.

use super::finding::{Finding, FindingKind, FindingPlace};
use super::places::{Place, is_at, record_at};
use crate::index::{Entry, IndexFile, Lane, RunView};
use crate::model::PhysicalOffset;
use crate::store::Segments;
use std::collections::HashMap;
use std::ops::Range;

/// How far the runs of an index file are compared.
#[derive(Debug)]
pub(super) struct StretchCheck {
    name: String,
    end: PhysicalOffset,
    runs: HashMap<(u32, Lane), (RunView, usize)>,
}

impl StretchCheck {
    pub(super) fn of(file: &IndexFile) -> Self {
        let runs = file.runs().into_iter();
        Self {
            name: name(file.base()),
            end: file.end(),
            runs: runs
                .map(|(queue, lane, run)| ((queue, lane), (run, 0)))
                .collect(),
        }
    }

    pub(super) const fn end(&self) -> PhysicalOffset {
        self.end
    }

    /// A whole record of the log is to have the entry `place`.
    pub(super) fn take(
        &mut self,
        place: &Place,
        topic: &str,
        queue: u32,
        bad: &[Range<u64>],
        found: &mut dyn FnMut(Finding),
    ) {
        let position = place.entry.position;
        let key = (place.queue, place.lane);
        let mut is_there = false;
        if let Some((run, at)) = self.runs.get_mut(&key) {
            while let Some(entry) = run.entry(*at).filter(|entry| entry.position <= position) {
                *at += 1;
                is_there |= entry.position == position;
                let is_right = place.is(&entry);
                if !is_right && !is_bad(bad, &entry) {
                    found(wrong(&self.name, place.queue, &entry));
                }
                if entry.position == position {
                    break;
                }
            }
        }
        if !is_there {
            found(Finding {
                kind: FindingKind::UnindexedRecord,
                from: position.get(),
                to: position.get() + u64::from(place.entry.size),
                file: self.name.clone(),
                place: Some(FindingPlace {
                    topic: topic.to_owned(),
                    queue,
                    offset: place.entry.base.get(),
                }),
            });
        }
    }

    /// The log's part is over: what is left are entries of topics that are no more, which must
    /// name records all the same, and of damaged records.
    pub(super) fn finish(
        self,
        segments: &Segments,
        bad: &[Range<u64>],
        found: &mut dyn FnMut(Finding),
    ) {
        for ((queue, _), (run, at)) in &self.runs {
            for entry in (*at..run.len()).map_while(|index| run.entry(index)) {
                if is_bad(bad, &entry) {
                    continue;
                }
                let record = record_at(segments, &entry);
                if !record.is_some_and(|record| is_at(&record, entry.base)) {
                    found(wrong(&self.name, *queue, &entry));
                }
            }
        }
    }
}

/// The file's name within the data directory.
pub(super) fn name(base: PhysicalOffset) -> String {
    format!("index/{:020}.index", base.get())
}

fn is_bad(bad: &[Range<u64>], entry: &Entry) -> bool {
    bad.iter()
        .any(|range| range.contains(&entry.position.get()))
}

fn wrong(file: &str, queue: u32, entry: &Entry) -> Finding {
    Finding {
        kind: FindingKind::WrongEntry,
        from: entry.position.get(),
        to: entry.position.get() + u64::from(entry.size),
        file: file.to_owned(),
        place: Some(FindingPlace {
            topic: String::new(),
            queue,
            offset: entry.base.get(),
        }),
    }
}
