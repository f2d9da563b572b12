//! Streams that count, and streams that are slow.

use std::cell::{Cell, RefCell};
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Default)]
pub struct Counts {
    pub writes: Cell<usize>,
    /// Where each slice written began.
    pub slices: RefCell<Vec<(*const u8, usize)>>,
}

/// Counts writes and takes at most `write_bytes_max` of each.
pub struct Counted<S> {
    pub stream: S,
    pub counts: Rc<Counts>,
    pub write_bytes_max: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let mut left = self.write_bytes_max;
        let mut taken = Vec::new();
        for slice in slices {
            let part = &slice[..slice.len().min(left)];
            left -= part.len();
            if !part.is_empty() {
                taken.push(IoSlice::new(part));
            }
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, &taken);
        if written.is_ready() {
            self.counts.writes.set(self.counts.writes.get() + 1);
            let starts = taken.iter().map(|slice| (slice.as_ptr(), slice.len()));
            self.counts.slices.borrow_mut().extend(starts);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
