//! What a consumer does with a message: a function of its number, and of how often it came.

use crate::body::{MessageId, mix};

/// What is done with a message that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It is acknowledged alone.
    Acknowledge,
    /// It is acknowledged with others of its pop.
    AcknowledgeTogether,
    /// It is kept for longer, then acknowledged.
    Keep,
    /// Nothing, as if its consumer had died.
    Leave,
    /// It is kept for a shorter time, and then nothing is done.
    LeaveSoon,
}

impl Plan {
    pub(super) fn of(id: MessageId, attempt: u16) -> Self {
        let dice = mix(mix(id.sequence).wrapping_add(u64::from(id.producer))) % 64;
        match (dice, attempt) {
            (0, _) => Self::LeaveSoon,
            (1..5, 1) | (5, 1..3) => Self::Leave,
            (6..9, 1) => Self::LeaveSoon,
            (9..14, _) => Self::Keep,
            (14..32, _) => Self::AcknowledgeTogether,
            _ => Self::Acknowledge,
        }
    }
}
