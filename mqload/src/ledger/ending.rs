//! How a transaction was ended.

use super::Outcome;
use crate::body::MessageId;
use std::fmt;

/// What becomes of a transaction's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It is delivered.
    Commit,
    /// It is not.
    Rollback,
}

/// A decision that was told to the broker, which has the half message: it had acknowledged it, or
/// asks for the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Whose.
    pub id: MessageId,
    /// What was decided.
    pub decision: Decision,
    /// Whether the broker had asked.
    pub is_asked: bool,
    /// Whether the broker took it; most are told one-way, and so are [`Outcome::Unknown`].
    pub outcome: Outcome,
    /// Before it was told.
    pub invoked_ns: u64,
    /// When it was answered, or told if nobody answers.
    pub settled_ns: u64,
}

impl fmt::Display for Ending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} {:?}{}, {:?}, told at {}, settled at {}",
            self.id,
            self.decision,
            if self.is_asked { " when asked" } else { "" },
            self.outcome,
            self.invoked_ns,
            self.settled_ns
        )
    }
}
