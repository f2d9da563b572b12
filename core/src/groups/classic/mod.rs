//! Groups whose members come together to share work (Kafka's classic protocol): everybody joins,
//! one is made leader, it divides the work, everybody picks up its part.
//!
//! ```text
//!            join                 all joined             leader's sync
//!   Empty ─────────▶ Preparing ─────────────▶ Completing ─────────────▶ Stable
//!     ▲              Rebalance ◀───────────── Rebalance ◀──────────────   │
//!     └─ all left ──────┘        join, leave, death                 join, leave, death
//! ```
//!
//! [`Group`] is the state machine: it takes an input and the time, and says which tickets are
//! answered. [`Coordinator`] holds all groups, the waiting callers, and the one task that expires
//! members. What members say to one another (subscriptions, assignments) is opaque here, so a
//! cooperative rebalance needs nothing of its own.

mod config;
mod coordinator;
mod deadlines;
mod description;
mod expiry;
mod group;
mod join;
mod leave;
mod member;
mod messages;
mod rebalance;
mod standing;
mod sync;
#[cfg(test)]
mod tests;

pub use config::ClassicConfig;
pub use coordinator::Coordinator;
pub use description::{GroupDescription, GroupState, MemberDescription};
pub use group::Group;
pub use member::{MemberId, Protocol};
pub use messages::{
    Answers, GroupError, Identity, JoinRequest, Joined, JoinedMember, SyncRequest, Synced, Ticket,
};
