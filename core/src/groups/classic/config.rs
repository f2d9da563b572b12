//! What bounds classic groups.

use serde::{Deserialize, Serialize};

/// Limits and delays, with the names Kafka gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassicConfig {
    /// `group.min.session.timeout.ms`: the shortest session a member may ask for.
    pub session_timeout_min_ms: u64,
    /// `group.max.session.timeout.ms`: the longest.
    pub session_timeout_max_ms: u64,
    /// `group.initial.rebalance.delay.ms`: how long an empty group waits for more members after
    /// the first one. 0 starts at once.
    pub initial_rebalance_delay_ms: u64,
    /// A member that was never answered (so it cannot beat) is dropped after this long.
    pub new_member_timeout_ms: u64,
    /// `group.max.size`: members of one group, handed-out ids that have not joined included.
    pub members_max: usize,
    /// Most bytes of what one member says of itself: names and subscriptions of all its protocols.
    pub member_bytes_max: usize,
    /// Groups kept at once; joins that would open another are refused.
    pub groups_max: usize,
    /// A group without members is forgotten after this long; its committed offsets stay.
    pub empty_group_retention_ms: u64,
}

impl Default for ClassicConfig {
    fn default() -> Self {
        Self {
            session_timeout_min_ms: 6_000,
            session_timeout_max_ms: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            new_member_timeout_ms: 300_000,
            members_max: 10_000,
            member_bytes_max: 4 << 20,
            groups_max: 100_000,
            empty_group_retention_ms: 600_000,
        }
    }
}
