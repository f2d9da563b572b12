//! What a protocol tells the driver.

use crate::{Closed, Outgoing, Replies};
use bytes::BytesMut;
use std::task::{Context, Poll};
use std::vec::Drain;

/// In which order replies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyOrder {
    /// In the order of the requests: a reply waits for those before it (Kafka).
    OfRequests,
    /// As they become ready: requests are numbered (RocketMQ).
    AsReady,
}

/// One connection's protocol and state. Dropped when the connection ends, after its pending
/// replies.
pub trait Protocol: Sized {
    /// What the peer sends.
    type Frame;
    /// A reply that is not there yet; need not be `Send`.
    type Pending: Future + Unpin;
    /// Why the connection cannot go on.
    type Error: std::error::Error;

    /// In which order replies are written.
    const ORDER: ReplyOrder;

    /// Bytes the longest frame may have. When so many are there and [`Protocol::decode`] still
    /// wants more, the connection closes.
    fn frame_bytes_max(&self) -> usize;

    /// Takes one whole frame off the front of `buffer`, or nothing when bytes are missing.
    /// Reserves nothing: the driver grows the buffer with the bytes that come.
    ///
    /// # Errors
    /// The bytes are no frame. Frames before it are handled, then the connection closes.
    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Self::Frame>, Self::Error>;

    /// Handles the whole frames there are, in their order. Runs to completion: what takes longer
    /// becomes [`Replies::pending`].
    ///
    /// # Errors
    /// The connection is to be closed once the replies made so far are written; pending ones are
    /// dropped.
    fn handle(
        &mut self,
        frames: Drain<'_, Self::Frame>,
        replies: &mut Replies<Self>,
    ) -> Result<(), Self::Error>;

    /// Writes the reply that `output` of a pending one is.
    ///
    /// # Errors
    /// The connection is to be closed.
    fn finish(
        output: <Self::Pending as Future>::Output,
        reply: &mut Outgoing,
    ) -> Result<(), Self::Error>;

    /// Writes one thing the peer is told unasked, until there is none. Called only while there is
    /// room: what waits for a slow reader waits in a bounded place of the protocol's own. In
    /// [`ReplyOrder::OfRequests`] it goes before replies that are not ready.
    ///
    /// # Errors
    /// The connection is to be closed.
    fn poll_notice(
        &mut self,
        context: &mut Context<'_>,
        notice: &mut Outgoing,
    ) -> Poll<Result<(), Self::Error>> {
        let _ = (context, notice);
        Poll::Pending
    }

    /// Whether more of what the peer sends is to be read. When that changes, the task is to be
    /// woken.
    fn takes_more(&self) -> bool {
        true
    }

    /// Whether a peer that has read everything may be silent for as long as it likes, as where the
    /// protocol has its own way to find out that it is dead.
    fn may_be_silent(&self) -> bool {
        false
    }

    /// The connection has ended; what it holds is to be let go of. What is written to `farewell`
    /// goes after all that is written, unless the stream is gone.
    fn end(&mut self, closed: &Closed<Self::Error>, farewell: &mut Outgoing) {
        let _ = (closed, farewell);
    }
}
