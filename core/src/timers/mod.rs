//! Delivery at a time. A message that asks for it is appended to the timer topic, and a
//! relay appends it to its own topic when it is due. What waits is in the log; when it is due
//! stands in the queue's index, where other topics have the tag, so that no other file is needed.

mod due;
mod headers;
mod levels;
mod window;

pub use headers::may_have_delay;
pub use levels::{DelayLevels, IllegalLevel};

pub(crate) use due::{due_of, due_time, look_at, tag_of};
pub(crate) use headers::delay_headers;
pub(crate) use window::Window;

use serde::{Deserialize, Serialize};

/// How messages wait for their time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimerConfig {
    /// What the delay levels 1, 2, … stand for (RocketMQ's `messageDelayLevel`).
    pub delay_levels: DelayLevels,
    /// Longest delay in milliseconds (RocketMQ's `timerMaxDelaySec`).
    pub delay_ms_max: u64,
    /// Waiting messages that are held in memory, the next ones due; of the others the index
    /// tells.
    pub window_entries_max: usize,
    /// Most bytes that the delayed records of one Kafka batch may have as messages; a batch with
    /// more is refused as too large, which has its producer split it.
    pub batch_bytes_max: usize,
}

impl Default for TimerConfig {
    fn default() -> Self {
        Self {
            delay_levels: DelayLevels::default(),
            delay_ms_max: 3 * 24 * 3_600_000,
            window_entries_max: 500_000,
            batch_bytes_max: 16 << 20,
        }
    }
}
