//! A connection's time, and when it is woken.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Moments are counted from when the connection was accepted.
#[derive(Debug)]
pub(super) struct Pulse {
    started: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        let started = Instant::now();
        Self {
            started,
            alarm: Box::pin(sleep_until(started)),
        }
    }

    pub(super) const fn started(&self) -> Instant {
        self.started
    }

    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether it is time; if not, the task is woken when it is, or before.
    pub(super) fn poll(&mut self, deadline: Duration, context: &mut Context<'_>) -> bool {
        let deadline = self.started + deadline;
        // Deadlines move with every frame, mostly back: then the alarm is left to go off early.
        if deadline < self.alarm.deadline() {
            self.alarm.as_mut().reset(deadline);
        }
        while self.alarm.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return true;
            }
            self.alarm.as_mut().reset(deadline);
        }
        false
    }
}
