//! Core keeps messages: one log with RocketMQ semantics, whatever protocol wrote it.
//!
//! It opens files and never sockets; it knows no wire code, frame or session.

#[macro_use]
mod crash_points;
#[macro_use]
mod planted;

pub mod batch;
mod broker;
pub mod convert;
mod error;
pub mod filter;
pub mod groups;
mod index;
pub mod inspect;
mod leases;
pub mod model;
mod queue;
pub mod record;
pub mod routing;
mod state;
mod store;
pub mod timers;
pub mod traffic;
pub mod transactions;
pub mod vfs;
pub mod vhosts;

pub use broker::*;
pub use crash_points::CRASH_POINTS;
pub use error::Error;
pub use leases::{Hold, LeaseConfig, LeaseOutcome, LeaseReceipt, LeaseSession, LeaseToken};
#[cfg(feature = "planted-bugs")]
pub use planted::{PLANTED_BUGS, plant};
pub use store::{DamagedRange, FlushMode, StoreConfig, StoreHealth};
