//! What a consumer was handed out, and what it said of it.

use super::Outcome;
use crate::body::MessageId;
use std::fmt;

/// What happened to a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseStep {
    /// It began: the message was handed out.
    HandedOut,
    /// The message was acknowledged.
    Acknowledged,
    /// It was to last for another while, counted from then.
    Extended,
}

/// One step of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which step.
    pub step: LeaseStep,
    /// Whether it was answered that it was done.
    pub outcome: Outcome,
    /// The lease's number, counted by its load.
    pub lease: u64,
    /// How often the message had been handed out, this time included.
    pub attempt: u16,
    /// The message.
    pub id: MessageId,
    /// Its queue.
    pub queue: u32,
    /// Its offset there.
    pub offset: i64,
    /// How long the lease was to last, milliseconds; 0 where it ends.
    pub hold_ms: u32,
    /// Before it was asked for.
    pub invoked_ns: u64,
    /// When it was answered, or given up.
    pub settled_ns: u64,
}

impl fmt::Display for Lease {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} at {}:{}, lease {}, attempt {}: {:?} for {} ms, {:?}, asked at {}, settled at {}",
            self.id,
            self.queue,
            self.offset,
            self.lease,
            self.attempt,
            self.step,
            self.hold_ms,
            self.outcome,
            self.invoked_ns,
            self.settled_ns
        )
    }
}
