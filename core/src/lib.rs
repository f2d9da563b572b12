//! Core keeps messages: one log with RocketMQ semantics, whatever protocol wrote it.
//!
//! It opens files and never sockets; it knows no wire code, frame or session.

pub mod batch;
mod broker;
pub mod convert;
mod error;
pub mod groups;
mod index;
pub mod model;
mod queue;
pub mod record;
mod state;
mod store;

pub use broker::*;
pub use error::Error;
pub use store::{FlushMode, StoreConfig};
