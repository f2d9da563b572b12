//! The clock of a connection and the gateway's word to stop. Both are looked at on every turn and
//! rarely speak, so a look costs two loads: they are polled again only for another waker.

use crate::{Limits, Shutdown};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, Sleep};

/// Connections look at themselves four times in the time that makes them idle, but so often.
const TICK_MAX: Duration = Duration::from_secs(15);

/// What a connection is to do.
pub(super) enum Word {
    /// Time to see whether anything moved.
    Tick,
    /// Finish what is in flight.
    Drain,
    /// There is no more time to finish it.
    Deadline,
}

pub(super) struct Watch<'a, 'p> {
    limits: &'a Limits,
    shutdown: &'a Shutdown,
    changed: Pin<&'p mut Notified<'a>>,
    timer: Pin<&'p mut Sleep>,
    waker: Waker,
    draining: bool,
    quiet: Duration,
}

pub(super) fn tick(limits: &Limits) -> Duration {
    (limits.idle() / 4).clamp(Duration::from_millis(1), TICK_MAX)
}

impl<'a, 'p> Watch<'a, 'p> {
    pub(super) fn new(
        limits: &'a Limits,
        shutdown: &'a Shutdown,
        changed: Pin<&'p mut Notified<'a>>,
        timer: Pin<&'p mut Sleep>,
    ) -> Self {
        Self {
            limits,
            shutdown,
            changed,
            timer,
            waker: Waker::noop().clone(),
            draining: false,
            quiet: Duration::ZERO,
        }
    }

    pub(super) const fn is_draining(&self) -> bool {
        self.draining
    }

    /// The next thing to do, or none for now.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Option<Word> {
        if !self.draining && self.shutdown.is_requested() {
            self.draining = true;
            self.rearm(self.limits.drain());
            return Some(Word::Drain);
        }
        if !self.waker.will_wake(context.waker()) {
            self.waker.clone_from(context.waker());
            let _ = self.timer.as_mut().poll(context);
            if self.changed.as_mut().poll(context).is_ready() && !self.draining {
                return self.poll(context);
            }
        }
        self.elapsed()
    }

    fn elapsed(&mut self) -> Option<Word> {
        if !self.timer.is_elapsed() {
            return None;
        }
        if self.draining {
            return Some(Word::Deadline);
        }
        self.rearm(tick(self.limits));
        Some(Word::Tick)
    }

    /// Counts a tick; whether the connection has been quiet for too long.
    pub(super) fn is_idle(&mut self, moved: bool) -> bool {
        if moved {
            self.quiet = Duration::ZERO;
            return false;
        }
        self.quiet += tick(self.limits);
        self.quiet >= self.limits.idle()
    }

    fn rearm(&mut self, after: Duration) {
        self.timer.as_mut().reset(Instant::now() + after);
        self.waker = Waker::noop().clone();
    }
}
