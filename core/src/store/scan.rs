//! Walks the log record by record, checking each.

use super::Segments;
use crate::model::PhysicalOffset;
use crate::record::{MAGIC_V1, RecordError, RecordView, blank_bytes};
use bytes::Bytes;
use memchr::memmem;
use std::io;
use std::sync::Arc;

/// Bytes of one look for the next record.
const SEARCH_BYTES: usize = 1 << 20;

/// A walk from one position on.
#[derive(Debug)]
pub(crate) struct Scan {
    segments: Arc<Segments>,
    position: PhysicalOffset,
    /// Before this the log was on the disk: what is no record there is damage.
    flushed: PhysicalOffset,
    /// The log begins with another broker's records, which have no CRC of all their bytes, and
    /// none of ours has been passed yet.
    is_foreign: bool,
}

/// What stands at the walk's position.
#[derive(Debug)]
pub(crate) enum Scanned {
    /// A whole record that passes its checksums and stands where it says.
    Record(RecordView),
    /// A record that was whole once: its lengths add up and it stands where it says, but a
    /// checksum does not match.
    Damaged(RecordView),
    /// Bytes that were records once, up to where the next one starts.
    Lost(PhysicalOffset, PhysicalOffset),
    /// No record: the log's end.
    End(RecordError),
    /// The file system does not give the bytes, which may be whole: nothing is to be cut.
    Unreadable(io::Error),
}

impl Scan {
    /// A walk from `position`, where a record must start, of a log that was on the disk up to
    /// `flushed`.
    pub(crate) fn from(
        segments: Arc<Segments>,
        position: PhysicalOffset,
        flushed: PhysicalOffset,
    ) -> Self {
        let is_foreign = segments
            .all()
            .first()
            .and_then(|first| first.slice(first.base(), usize::MAX).ok())
            .and_then(|bytes| RecordView::parse(&bytes).ok())
            .is_some_and(|record| record.is_foreign());
        Self {
            segments,
            position,
            flushed,
            is_foreign,
        }
    }

    /// Where the walk stands: after [`Scanned::End`], where the log ends.
    pub(crate) const fn position(&self) -> PhysicalOffset {
        self.position
    }

    /// Goes on by one record.
    pub(crate) fn next(&mut self) -> Scanned {
        loop {
            let Some(segment) = self.segments.find(self.position) else {
                return self.pass_missing_segment();
            };
            let bytes = match segment.slice(self.position, usize::MAX) {
                Ok(bytes) => bytes,
                Err(error) => return Scanned::Unreadable(error),
            };
            let goes_on =
                segment.end() < self.flushed || self.segments.find(segment.end()).is_some();
            if goes_on && blank_bytes(&bytes) == Some(bytes.len()) {
                self.position = segment.end();
                continue;
            }
            return match record_at(self.position, &bytes, self.is_foreign) {
                Ok(record) => {
                    self.is_foreign &= record.is_foreign();
                    self.step(record, Scanned::Record)
                }
                Err(error) if self.position >= self.flushed || planted!("damage.cut") => {
                    Scanned::End(error)
                }
                Err(error) => self.pass_damage(segment.end(), &bytes, error),
            };
        }
    }

    fn step(&mut self, record: RecordView, found: impl Fn(RecordView) -> Scanned) -> Scanned {
        self.touch(self.position, record.bytes().len());
        self.position = self.position.advance(record.bytes().len() as u64);
        found(record)
    }

    /// A flushed part of the log has no file.
    fn pass_missing_segment(&mut self) -> Scanned {
        let from = self.position;
        match self.segments.next_from(from) {
            Some(next) if from < self.flushed => {
                self.position = next.base();
                Scanned::Lost(from, next.base())
            }
            _ => Scanned::End(RecordError::Truncated {
                needed: 8,
                available: 0,
            }),
        }
    }

    /// `bytes` go on to the segment's `end`.
    fn pass_damage(&mut self, end: PhysicalOffset, bytes: &Bytes, error: RecordError) -> Scanned {
        let from = self.position;
        let whole = RecordView::parse(bytes).ok();
        if let Some(record) = whole.filter(|record| record.position() == from) {
            return self.step(record, Scanned::Damaged);
        }
        let next = self.next_record(bytes);
        // A segment that is not the last was left by a roll; in the last the log ends where it
        // was flushed to.
        let rest = if self.flushed < end {
            self.flushed
        } else {
            end
        };
        self.position = next.unwrap_or(rest);
        tracing::debug!(%from, to = %self.position, %error, "no record");
        Scanned::Lost(from, self.position)
    }

    /// Where the next whole record starts after the first byte of `bytes`, which stand at the
    /// walk's position.
    fn next_record(&self, bytes: &Bytes) -> Option<PhysicalOffset> {
        // Both magics share their first three bytes; the length before them takes four.
        let [a, b, c, _] = MAGIC_V1.to_be_bytes();
        let magic = [a, b, c];
        let mut from = 5;
        while from < bytes.len() {
            let end = bytes.len().min(from + SEARCH_BYTES + magic.len() - 1);
            for hit in memmem::find_iter(bytes.get(from..end)?, &magic) {
                let start = from + hit - 4;
                let position = self.position.advance(start as u64);
                if record_at(position, &bytes.slice(start..), self.is_foreign).is_ok() {
                    return Some(position);
                }
            }
            self.touch(self.position.advance(from as u64), SEARCH_BYTES);
            from += SEARCH_BYTES;
        }
        None
    }

    fn touch(&self, position: PhysicalOffset, length: usize) {
        if let Some(segment) = self.segments.find(position) {
            self.segments.touch(&segment, position, length);
        }
    }
}

/// The record at the start of `bytes`, which stand at `position`.
fn record_at(
    position: PhysicalOffset,
    bytes: &Bytes,
    is_foreign: bool,
) -> Result<RecordView, RecordError> {
    let record = RecordView::parse(bytes)?;
    if record.position() != position {
        return Err(RecordError::Checksum);
    }
    if planted!("recover.trust_checksum") {
        return Ok(record);
    }
    if is_foreign {
        record.verify()?;
    } else {
        record.verify_all()?;
    }
    Ok(record)
}
