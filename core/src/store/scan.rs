//! Walks the log record by record, checking each.

use super::Segments;
use crate::model::PhysicalOffset;
use crate::record::{RecordError, RecordView, is_blank};
use std::sync::Arc;

/// A walk from one position on.
#[derive(Debug)]
pub(crate) struct Scan {
    segments: Arc<Segments>,
    position: PhysicalOffset,
}

/// What stands at the walk's position.
#[derive(Debug)]
pub(crate) enum Scanned {
    /// A whole record that passes its checksums and stands where it says.
    Record(RecordView),
    /// No record: the log's end, or damage.
    End(RecordError),
}

impl Scan {
    /// A walk from `position`, where a record must start.
    pub(crate) const fn from(segments: Arc<Segments>, position: PhysicalOffset) -> Self {
        Self { segments, position }
    }

    /// Where the walk stands: after [`Scanned::End`], where the log ends.
    pub(crate) const fn position(&self) -> PhysicalOffset {
        self.position
    }

    /// Goes on by one record.
    pub(crate) fn next(&mut self) -> Scanned {
        loop {
            let none = RecordError::Truncated {
                needed: 8,
                available: 0,
            };
            let Some(segment) = self.segments.find(self.position) else {
                return Scanned::End(none);
            };
            let bytes = segment.slice(self.position, usize::MAX);
            if is_blank(&bytes) && self.segments.find(segment.end()).is_some() {
                self.position = segment.end();
                continue;
            }
            let record = RecordView::parse(&bytes).and_then(|record| {
                if record.position() != self.position {
                    return Err(RecordError::Checksum);
                }
                record.verify().map(|()| record)
            });
            return match record {
                Ok(record) => {
                    self.position = self.position.advance(record.bytes().len() as u64);
                    Scanned::Record(record)
                }
                Err(error) => Scanned::End(error),
            };
        }
    }
}
