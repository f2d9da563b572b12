//! Signs of life.

use std::time::Duration;

/// Intervals of silence after which a peer is taken for dead, as RabbitMQ takes it.
const SILENT_INTERVALS: u32 = 3;

/// When a heartbeat is due, and when the peer is dead. Moments are counted from any one of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    sent: Duration,
    received: Duration,
}

impl Heartbeat {
    pub(super) const fn new(interval: Duration, now: Duration) -> Self {
        Self {
            interval,
            sent: now,
            received: now,
        }
    }

    /// Something was written.
    pub(super) fn note_sent(&mut self, now: Duration) {
        self.sent = self.sent.max(now);
    }

    /// Something was read: any byte is a sign of life.
    pub(super) fn note_received(&mut self, now: Duration) {
        self.received = self.received.max(now);
    }

    /// When to write a heartbeat unless something else is written: half an interval after the
    /// last.
    pub(super) fn due(&self) -> Duration {
        self.sent + self.interval / 2
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        now >= self.due()
    }

    pub(super) fn dead(&self) -> Duration {
        self.received + self.interval * SILENT_INTERVALS
    }

    pub(super) fn is_dead(&self, now: Duration) -> bool {
        now >= self.dead()
    }

    pub(super) fn deadline(&self) -> Duration {
        self.due().min(self.dead())
    }
}
