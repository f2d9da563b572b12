//! What a consumer got, and what of it it sent back to be tried again.

use super::Outcome;
use crate::body::MessageId;
use std::fmt;

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryStep {
    /// It came, from its topic or from where messages are tried again.
    Received,
    /// It was sent back.
    SentBack,
}

/// One step of a message that is tried until it is consumed or given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Which step.
    pub step: RetryStep,
    /// Whether it was answered that it was done.
    pub outcome: Outcome,
    /// Which attempt it came for, or was sent back after; the first is 1.
    pub attempt: u16,
    /// The message.
    pub id: MessageId,
    /// How long it was to be held back, milliseconds.
    pub delay_ms: u32,
    /// Before it was asked for.
    pub invoked_ns: u64,
    /// When it was answered, or given up.
    pub settled_ns: u64,
}

impl fmt::Display for Retry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}, attempt {}: {:?}, {:?}, asked at {}, settled at {}",
            self.id, self.attempt, self.step, self.outcome, self.invoked_ns, self.settled_ns
        )
    }
}
