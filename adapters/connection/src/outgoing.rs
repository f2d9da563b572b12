//! Bytes on their way to the peer.

use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::IoSlice;

/// A shorter chunk costs less copied than as a slice of its own.
const CHUNK_BYTES_MERGED: usize = 512;
/// Room the head has when it is handed out.
const HEAD_BYTES_FREE: usize = 512;
/// A longer head becomes a chunk instead of growing, which would copy it.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Chunks in the order they are written. Long ones are never copied; short ones share buffers.
#[derive(Debug, Default)]
pub struct Outgoing {
    chunks: VecDeque<Bytes>,
    chunk_bytes: usize,
    /// Behind all chunks.
    head: BytesMut,
}

impl Outgoing {
    /// Adds `chunk` behind all there is.
    pub fn push(&mut self, chunk: Bytes) {
        if chunk.len() <= CHUNK_BYTES_MERGED {
            self.head().extend_from_slice(&chunk);
        } else {
            self.seal();
            self.push_chunk(chunk);
        }
    }

    /// A buffer behind all there is, with some hundred bytes of room, for encoding in place.
    /// Other bytes may be in it: only append.
    pub fn head(&mut self) -> &mut BytesMut {
        if self.head.capacity() - self.head.len() < HEAD_BYTES_FREE {
            if self.head.len() >= HEAD_BYTES_MAX {
                self.seal();
            }
            self.head.reserve(HEAD_BYTES_FREE);
        }
        &mut self.head
    }

    /// Bytes not written yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunk_bytes + self.head.len()
    }

    /// Whether all is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.head.is_empty()
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        if other.chunks.is_empty() && other.head.len() <= CHUNK_BYTES_MERGED {
            self.head().extend_from_slice(&other.head);
            return;
        }
        self.seal();
        other.seal();
        self.chunk_bytes += other.chunk_bytes;
        self.chunks.append(&mut other.chunks);
    }

    /// Fills `slices` from the front and says how many are filled.
    pub(crate) fn slices<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.seal();
        let filled = slices.iter_mut().zip(&self.chunks);
        filled
            .map(|(slice, chunk)| *slice = IoSlice::new(chunk))
            .count()
    }

    /// Drops `count` written bytes off the front.
    pub(crate) fn advance(&mut self, mut count: usize) {
        self.chunk_bytes = self.chunk_bytes.saturating_sub(count);
        while let Some(chunk) = self.chunks.front_mut() {
            if count < chunk.len() {
                chunk.advance(count);
                return;
            }
            count -= chunk.len();
            self.chunks.pop_front();
        }
    }

    /// Gives back memory that nothing is in.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    fn seal(&mut self) {
        if !self.head.is_empty() {
            let head = self.head.split().freeze();
            self.push_chunk(head);
        }
    }

    fn push_chunk(&mut self, chunk: Bytes) {
        self.chunk_bytes += chunk.len();
        self.chunks.push_back(chunk);
    }
}
