//! Leases: messages handed out one by one, invisible to the rest of their group until they are
//! acknowledged, given back, or their time is over.
//!
//! A ledger for each queue of a group is a state machine fed with the time; it knows no message,
//! only offsets. An offset is settled, leased, returned, or has never been handed out. What is
//! settled is progress of the group and kept in the log; the rest is memory, so that a crash hands
//! messages out again and never loses one.

mod config;
mod engine;
mod group;
mod ledger;
mod progress;
mod receipt;

pub use config::LeaseConfig;
pub(crate) use engine::{ChangeSignal, LeaseEngine};
pub(crate) use group::{GroupLeases, LedgerKey, Ledgers, Sleeper};
pub(crate) use ledger::{Handout, Ledger};
pub(crate) use progress::Progress;
pub use receipt::{Hold, LeaseOutcome, LeaseReceipt, LeaseSession, LeaseToken};

#[cfg(test)]
mod tests;
