//! Replies that are ready, and those that are not yet.

use crate::{Outgoing, Protocol, ReplyOrder};
use futures_util::Stream;
use futures_util::stream::FuturesUnordered;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Where a protocol puts its replies, each once, in the order of the requests. A request that
/// wants no reply puts none.
pub struct Replies<P: Protocol> {
    out: Outgoing,
    /// Replies that one before them holds up; empty unless replies keep the order of requests.
    queue: VecDeque<Slot>,
    queue_front: u64,
    queued_bytes: usize,
    /// The first reply whose bytes are not in `queued_bytes`, because it is still being written.
    uncounted: u64,
    started: Vec<Started<P::Pending>>,
    pending: FuturesUnordered<Waiting<P::Pending>>,
    pending_count: usize,
    request_bytes: usize,
}

/// A reply's place in the order.
enum Slot {
    Pending,
    Ready(Outgoing),
    /// It never comes, and nothing behind it may be written.
    Dropped,
}

struct Started<F> {
    future: F,
    slot: u64,
    held: bool,
}

/// A pending reply and what it is charged with.
struct Waiting<F> {
    reply: Started<F>,
    request_bytes: usize,
}

impl<P: Protocol> Replies<P> {
    pub(crate) fn new() -> Self {
        Self {
            out: Outgoing::default(),
            queue: VecDeque::new(),
            queue_front: 0,
            queued_bytes: 0,
            uncounted: 0,
            started: Vec::new(),
            pending: FuturesUnordered::new(),
            pending_count: 0,
            request_bytes: 0,
        }
    }

    /// One reply that is ready: write all of it into what this returns, at once.
    pub fn ready(&mut self) -> &mut Outgoing {
        if self.queue.is_empty() {
            return &mut self.out;
        }
        self.queue.push_back(Slot::Ready(Outgoing::default()));
        match self.queue.back_mut() {
            Some(Slot::Ready(reply)) => reply,
            _ => &mut self.out,
        }
    }

    /// One reply that comes later and is worth waiting for, also when we are stopping.
    pub fn pending(&mut self, reply: P::Pending) {
        self.start(reply, false);
    }

    /// One reply that waits for something to happen, and is dropped when we are stopping.
    pub fn held(&mut self, reply: P::Pending) {
        self.start(reply, true);
    }

    fn start(&mut self, future: P::Pending, held: bool) {
        let slot = self.queue_front + self.queue.len() as u64;
        if P::ORDER == ReplyOrder::OfRequests {
            self.queue.push_back(Slot::Pending);
        }
        self.started.push(Started { future, slot, held });
    }

    /// Begins waiting for what was started by requests of `request_bytes` in all; says whether
    /// there was any.
    pub(crate) fn settle(&mut self, request_bytes: usize) -> bool {
        self.count();
        let Some(share) = request_bytes.checked_div(self.started.len()) else {
            return false;
        };
        for reply in self.started.drain(..) {
            self.request_bytes += share;
            self.pending_count += 1;
            self.pending.push(Waiting {
                reply,
                request_bytes: share,
            });
        }
        true
    }

    fn count(&mut self) {
        let counted = self.uncounted.saturating_sub(self.queue_front);
        let counted = usize::try_from(counted).unwrap_or(usize::MAX);
        for slot in self.queue.iter().skip(counted) {
            if let Slot::Ready(reply) = slot {
                self.queued_bytes += reply.len();
            }
        }
        self.uncounted = self.queue_front + self.queue.len() as u64;
    }

    /// Takes what is ready by now, as long as less than `bytes_max` are to be written.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        bytes_max: usize,
    ) -> Result<(), P::Error> {
        while self.pending_count > 0 && self.out.len() < bytes_max {
            let next = Pin::new(&mut self.pending).poll_next(context);
            let Poll::Ready(Some((slot, request_bytes, output))) = next else {
                break;
            };
            self.request_bytes -= request_bytes;
            self.pending_count -= 1;
            self.finish(slot, output)?;
        }
        Ok(())
    }

    fn finish(
        &mut self,
        slot: u64,
        output: <P::Pending as Future>::Output,
    ) -> Result<(), P::Error> {
        if P::ORDER == ReplyOrder::AsReady {
            return P::finish(output, &mut self.out);
        }
        if slot == self.queue_front {
            self.queue.pop_front();
            self.queue_front += 1;
            P::finish(output, &mut self.out)?;
            self.release();
            return Ok(());
        }
        let mut reply = Outgoing::default();
        P::finish(output, &mut reply)?;
        self.queued_bytes += reply.len();
        let place = usize::try_from(slot - self.queue_front).unwrap_or(usize::MAX);
        if let Some(place) = self.queue.get_mut(place) {
            *place = Slot::Ready(reply);
        }
        Ok(())
    }

    /// Moves what nothing holds up any more to what is written.
    fn release(&mut self) {
        while let Some(Slot::Ready(reply)) = self.queue.front_mut() {
            let reply = mem::take(reply);
            self.queued_bytes = self.queued_bytes.saturating_sub(reply.len());
            self.out.append(reply);
            self.queue.pop_front();
            self.queue_front += 1;
        }
        if matches!(self.queue.front(), Some(Slot::Dropped)) {
            self.drop_pending();
        }
    }

    /// Drops the long polls, and in an ordered protocol what is behind the first of them.
    pub(crate) fn drop_held(&mut self) {
        for waiting in mem::take(&mut self.pending) {
            if !waiting.reply.held {
                self.pending.push(waiting);
                continue;
            }
            self.request_bytes -= waiting.request_bytes;
            self.pending_count -= 1;
            let place = waiting.reply.slot.wrapping_sub(self.queue_front);
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            if let Some(place) = self.queue.get_mut(place) {
                *place = Slot::Dropped;
            }
        }
        self.release();
    }

    /// Drops every reply that is not ready, and those behind it in an ordered protocol.
    pub(crate) fn drop_pending(&mut self) {
        self.started.clear();
        self.pending.clear();
        self.queue.clear();
        self.queued_bytes = 0;
        self.pending_count = 0;
        self.request_bytes = 0;
    }

    pub(crate) const fn out(&self) -> &Outgoing {
        &self.out
    }

    pub(crate) const fn out_mut(&mut self) -> &mut Outgoing {
        &mut self.out
    }

    /// Bytes of replies that are ready.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.out.len() + self.queued_bytes
    }

    /// Bytes of the requests that wait for their replies.
    pub(crate) const fn request_bytes(&self) -> usize {
        self.request_bytes
    }

    pub(crate) fn pending_count(&self) -> usize {
        self.pending_count.max(self.queue.len())
    }

    /// Gives back memory that nothing is in.
    pub(crate) fn shrink(&mut self) {
        self.out.shrink();
        self.queue.shrink_to_fit();
        self.started.shrink_to_fit();
    }
}

impl<F: Future + Unpin> Future for Waiting<F> {
    type Output = (u64, usize, F::Output);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let output = Pin::new(&mut self.reply.future).poll(context);
        output.map(|output| (self.reply.slot, self.request_bytes, output))
    }
}

impl<P: Protocol> fmt::Debug for Replies<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("unsent_bytes", &self.unsent_bytes())
            .field("pending", &self.pending_count())
            .finish_non_exhaustive()
    }
}
