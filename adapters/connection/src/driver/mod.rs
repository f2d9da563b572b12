//! The loop of one connection.

mod closing;
mod watch;

use crate::input::Input;
use crate::{Closed, Limits, Protocol, Replies, Shutdown};
use closing::close;
use std::future::poll_fn;
use std::io;
use std::io::IoSlice;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::sleep;
use watch::{Watch, Word, tick};

/// Frames handled at a time, so that what they are answered with stays near the limit.
const FRAMES_MAX: usize = 128;
/// What is answered is written once it is this long, though there may be more to read.
const COALESCED_BYTES: usize = 64 * 1024;
/// Bytes taken from one connection before others have their turn.
const TURN_BYTES: usize = 1 << 20;
/// Slices of one vectored write; far below `IOV_MAX`, and more gain nothing.
const SLICES_MAX: usize = 64;

/// Serves `protocol` on `stream` until either side ends it, and says why it ended. One future is
/// one connection: dropping it drops pending replies, then the protocol.
///
/// Must run inside a tokio runtime with time enabled.
pub async fn run<S, P>(
    stream: S,
    protocol: P,
    limits: &Limits,
    shutdown: &Shutdown,
) -> Closed<P::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Protocol,
{
    let changed = pin!(shutdown.changed());
    let timer = pin!(sleep(tick(limits)));
    let mut watch = Watch::new(limits, shutdown, changed, timer);
    let mut driver = Driver::new(stream, protocol, limits);
    let closed = match poll_fn(|context| driver.poll(context, &mut watch)).await {
        Ok(closed) | Err(closed) => closed,
    };
    driver.replies.drop_pending();
    driver.protocol.end(&closed, driver.replies.out_mut());
    close(&mut driver, &closed, limits).await;
    closed
}

struct Driver<'a, S, P: Protocol> {
    stream: S,
    replies: Replies<P>,
    protocol: P,
    limits: &'a Limits,
    input: Input,
    frames: Vec<P::Frame>,
    /// Frames of the next portion, from what the last ones were answered with.
    portion: usize,
    /// The buffer holds no whole frame.
    starved: bool,
    unflushed: bool,
    moved: bool,
    /// Frames were handled since notices were collected.
    handled: bool,
}

/// Why taking in stopped.
enum Intake {
    /// The stream has no more, or there is no room for answers.
    Waits,
    /// There may be more, but what is answered goes first.
    Enough,
}

type Step<T, P> = Result<T, Closed<<P as Protocol>::Error>>;

impl<'a, S: AsyncRead + AsyncWrite + Unpin, P: Protocol> Driver<'a, S, P> {
    fn new(stream: S, protocol: P, limits: &'a Limits) -> Self {
        Self {
            stream,
            replies: Replies::new(),
            protocol,
            limits,
            input: Input::new(),
            frames: Vec::new(),
            portion: FRAMES_MAX / 8,
            starved: true,
            unflushed: false,
            moved: false,
            handled: false,
        }
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        watch: &mut Watch<'_, '_>,
    ) -> Poll<Step<Closed<P::Error>, P>> {
        if let Some(closed) = self.heed(watch, context) {
            return Poll::Ready(Ok(closed));
        }
        let mut turn = TURN_BYTES;
        let mut blocked = false;
        loop {
            self.collect(context)?;
            let intake = if watch.is_draining() {
                Intake::Waits
            } else {
                self.take_in(context, &mut turn, blocked)?
            };
            if std::mem::take(&mut self.handled) {
                // What was handled may have set another time to wake up at.
                self.collect_notices(context)?;
            }
            let (was_full, had_room) = (self.is_full(), self.has_room());
            let written = self.poll_write(context).map_err(Closed::Stream)?;
            blocked = written.is_pending();
            if watch.is_draining() && !blocked && self.replies.pending_count() == 0 {
                return Poll::Ready(Ok(Closed::Shutdown));
            }
            let more = matches!(intake, Intake::Enough)
                || (was_full && !self.is_full())
                || (!had_room && self.has_room());
            if !more {
                return Poll::Pending;
            }
            if turn == 0 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Does what the clock and the gateway ask for.
    fn heed(
        &mut self,
        watch: &mut Watch<'_, '_>,
        context: &mut Context<'_>,
    ) -> Option<Closed<P::Error>> {
        while let Some(word) = watch.poll(context) {
            match word {
                Word::Drain => self.replies.drop_held(),
                Word::Deadline => return Some(Closed::Shutdown),
                Word::Tick => {
                    let moved = std::mem::take(&mut self.moved);
                    let awaits = self.replies.pending_count() > 0 || self.protocol.may_be_silent();
                    if watch.is_idle(moved || (awaits && self.replies.out().is_empty())) {
                        return Some(Closed::Idle);
                    }
                    if !moved {
                        self.shrink();
                    }
                }
            }
        }
        None
    }

    /// Collects replies that have become ready and what the peer is told unasked.
    fn collect(&mut self, context: &mut Context<'_>) -> Step<(), P> {
        let bytes_max = self.limits.unsent_bytes_max;
        self.replies
            .poll(context, bytes_max)
            .map_err(Closed::Protocol)?;
        self.collect_notices(context)
    }

    /// Collects what the peer is told unasked.
    fn collect_notices(&mut self, context: &mut Context<'_>) -> Step<(), P> {
        while !self.is_full() {
            let notice = self.protocol.poll_notice(context, self.replies.out_mut());
            let Poll::Ready(told) = notice else { break };
            told.map_err(Closed::Protocol)?;
        }
        Ok(())
    }

    /// Handles and reads until there is nothing more, or enough to write.
    fn take_in(
        &mut self,
        context: &mut Context<'_>,
        turn: &mut usize,
        blocked: bool,
    ) -> Step<Intake, P> {
        while self.has_room() {
            if !self.starved && self.handle()? {
                // What was started is polled before anything else is read.
                return Ok(Intake::Enough);
            }
            if !self.starved {
                continue;
            }
            let enough = self.replies.out().len() >= COALESCED_BYTES && !blocked;
            if *turn == 0 || enough {
                return Ok(Intake::Enough);
            }
            let Poll::Ready(count) = self.poll_read(context)? else {
                return Ok(Intake::Waits);
            };
            *turn = turn.saturating_sub(count);
        }
        Ok(Intake::Waits)
    }

    /// Whether replies wait until the peer reads.
    fn is_full(&self) -> bool {
        self.replies.out().len() >= self.limits.unsent_bytes_max
    }

    /// Whether the limits allow another request.
    fn has_room(&self) -> bool {
        self.replies.unsent_bytes() < self.limits.unsent_bytes_max
            && self.replies.request_bytes() < self.limits.pipelined_bytes_max
            && self.replies.pending_count() < self.limits.pending_replies_max
            && self.protocol.takes_more()
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Step<usize, P>> {
        let room = self.input.make_room();
        let read = pin!(self.stream.read_buf(&mut self.input.buffer));
        let count = ready!(read.poll(context)).map_err(Closed::Stream)?;
        if count == 0 {
            return Poll::Ready(Err(Closed::ByPeer));
        }
        self.input.learn(count, room);
        self.starved = false;
        self.moved = true;
        Poll::Ready(Ok(count))
    }

    /// Decodes and handles a portion of what was read; says whether replies became pending.
    fn handle(&mut self) -> Step<bool, P> {
        let before = self.input.buffer.len();
        let decoded = self.decode();
        let request_bytes = before - self.input.buffer.len();
        let (count, unsent) = (self.frames.len(), self.replies.unsent_bytes());
        if count > 0 {
            let frames = self.frames.drain(..);
            let handled = self.protocol.handle(frames, &mut self.replies);
            handled.map_err(Closed::Protocol)?;
            self.handled = true;
        }
        decoded?;
        let waits = self.replies.settle(request_bytes);
        let answered = self.replies.unsent_bytes().saturating_sub(unsent);
        if let Some(answer_bytes) = answered.checked_div(count) {
            let fitting = self.limits.unsent_bytes_max / answer_bytes.max(1);
            self.portion = fitting.clamp(1, FRAMES_MAX);
        }
        Ok(waits)
    }

    fn decode(&mut self) -> Step<(), P> {
        let replies_max = self.limits.pending_replies_max - self.replies.pending_count();
        let bytes_max = self.limits.pipelined_bytes_max - self.replies.request_bytes();
        let least = self.input.buffer.len().saturating_sub(bytes_max);
        while self.frames.len() < self.portion.min(replies_max) {
            if self.input.buffer.len() < least {
                break;
            }
            let decoded = self.protocol.decode(&mut self.input.buffer);
            let Some(frame) = decoded.map_err(Closed::Protocol)? else {
                self.starved = true;
                let limit = self.protocol.frame_bytes_max();
                if self.input.buffer.len() > limit {
                    return Err(Closed::FrameTooLong { limit });
                }
                return Ok(());
            };
            self.frames.push(frame);
        }
        Ok(())
    }

    /// Writes until all is written or the stream takes no more.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.replies.out().is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let filled = self.replies.out_mut().slices(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            let stream = Pin::new(&mut self.stream);
            let count = ready!(stream.poll_write_vectored(context, slices))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.replies.out_mut().advance(count);
            self.unflushed = true;
            self.moved = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn shrink(&mut self) {
        self.input.shrink();
        self.replies.shrink();
        self.frames.shrink_to_fit();
    }
}
