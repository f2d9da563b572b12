//! Bytes from the peer that are no frames yet.

use bytes::BytesMut;

/// What is read at a time at first, and by a peer that sends little.
const READ_BYTES_MIN: usize = 2 * 1024;
/// What is read at a time at most, unless a longer frame has begun.
const READ_BYTES_MAX: usize = 256 * 1024;
/// Reads that left most of their room unused before less room is made.
const SMALL_READS: u8 = 16;

/// A buffer that grows with what was received, never with what a peer says it will send.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) buffer: BytesMut,
    read_bytes: usize,
    small_reads: u8,
}

impl Input {
    pub(crate) fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            read_bytes: READ_BYTES_MIN,
            small_reads: 0,
        }
    }

    /// Makes room for the next read and says how much.
    pub(crate) fn make_room(&mut self) -> usize {
        let kept = self.buffer.len();
        let free = self.buffer.capacity() - kept;
        // A frame that has begun doubles the buffer, so that all copying stays within its length.
        let wanted = self.read_bytes.max(kept);
        if free < wanted / 2 {
            if !self.buffer.try_reclaim(wanted) {
                let mut larger = BytesMut::with_capacity(kept + wanted);
                larger.extend_from_slice(&self.buffer);
                self.buffer = larger;
            }
        } else if kept == 0 && self.buffer.capacity() > 2 * READ_BYTES_MAX {
            self.buffer = BytesMut::with_capacity(wanted);
        }
        self.buffer.capacity() - kept
    }

    /// Learns how much to read at a time from a read of `count` bytes into `room`.
    pub(crate) fn learn(&mut self, count: usize, room: usize) {
        if count >= room.min(self.read_bytes) {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
            self.small_reads = 0;
        } else if count >= self.read_bytes / 4 {
            self.small_reads = 0;
        } else {
            self.small_reads += 1;
            if self.small_reads == SMALL_READS {
                self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
                self.small_reads = 0;
            }
        }
    }

    /// Gives back memory that nothing is in.
    pub(crate) fn shrink(&mut self) {
        if self.buffer.is_empty() {
            *self = Self::new();
        }
    }
}
