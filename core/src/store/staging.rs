//! Records that have their place and are not yet written: what one `pwritev` takes.

use super::segment::Segment;
use crate::model::PhysicalOffset;
use crate::record::Encoded;
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::ops::Range;

/// A body from this size on is written from where it was received; a smaller one is cheaper to
/// copy than to point to.
const BORROW_BYTES_MIN: usize = 4096;

/// Contiguous bytes of the log's last segment, in order.
#[derive(Debug, Default)]
pub(super) struct Staging {
    start: PhysicalOffset,
    length: u64,
    copied: Vec<u8>,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Copied(Range<usize>),
    Borrowed(Bytes),
}

impl Staging {
    /// Whether nothing is staged.
    pub(super) const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// One past the last staged byte.
    pub(super) fn end(&self) -> PhysicalOffset {
        self.start.advance(self.length)
    }

    /// Adds a record that stands at `position`, right after what is staged.
    pub(super) fn push(&mut self, position: PhysicalOffset, record: Encoded) {
        self.start_at(position);
        self.copy(&record.head);
        self.copy(&record.prefix);
        if record.body.len() < BORROW_BYTES_MIN {
            self.copy(&record.body);
        } else {
            self.length += record.body.len() as u64;
            self.parts.push(Part::Borrowed(record.body));
        }
        self.copy(&record.tail);
    }

    /// Adds plain bytes at `position`: a segment's filler.
    pub(super) fn push_bytes(&mut self, position: PhysicalOffset, bytes: &[u8]) {
        self.start_at(position);
        self.copy(bytes);
    }

    /// Writes everything to `segment`, in order.
    pub(super) fn write(&self, segment: &Segment) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = self.parts.iter().map(|part| self.slice(part)).collect();
        segment.write(self.start, &mut slices)
    }

    /// Empties it and keeps its memory, unless a rare large batch made it large.
    pub(super) fn clear(&mut self) {
        const KEPT_BYTES_MAX: usize = 1 << 20;
        self.copied.clear();
        self.copied.shrink_to(KEPT_BYTES_MAX);
        self.parts.clear();
        self.length = 0;
    }

    fn start_at(&mut self, position: PhysicalOffset) {
        if self.is_empty() {
            self.start = position;
        }
    }

    fn copy(&mut self, bytes: &[u8]) {
        let start = self.copied.len();
        self.copied.extend_from_slice(bytes);
        self.length += bytes.len() as u64;
        let end = self.copied.len();
        match self.parts.last_mut() {
            Some(Part::Copied(range)) if range.end == start => range.end = end,
            _ if bytes.is_empty() => {}
            _ => self.parts.push(Part::Copied(start..end)),
        }
    }

    fn slice<'a>(&'a self, part: &'a Part) -> IoSlice<'a> {
        IoSlice::new(match part {
            Part::Copied(range) => self.copied.get(range.clone()).unwrap_or_default(),
            Part::Borrowed(bytes) => bytes,
        })
    }
}
