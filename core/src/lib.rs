//! Core keeps messages: one log with RocketMQ semantics, whatever protocol wrote it.
//!
//! It opens files and never sockets; it knows no wire code, frame or session.

pub mod batch;
mod broker;
pub mod convert;
mod error;
pub mod groups;
pub mod model;
pub mod record;
mod store;

pub use broker::*;
pub use error::Error;
use std::path::Path;
use std::sync::Arc;

/// The broker: wires the parts, starts and stops them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Broker(Arc<()>);

/// An authenticated session's handle to the broker; every call on it authorises first.
#[derive(Clone, Debug)]
pub struct Client {
    broker: Broker,
}

/// How the broker keeps its messages.
#[derive(Clone, Debug)]
pub struct Config {}

impl Broker {
    /// Opens or creates the store in `directory`, recovering what a crash left.
    ///
    /// # Errors
    /// [`Error::Storage`] when the directory cannot be used or the log is damaged before its tail.
    pub fn open(directory: &Path, config: Config) -> Result<Self, Error> {
        unimplemented!()
    }

    /// A session without credentials; all it may do until the security issue.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        Client {
            broker: self.clone(),
        }
    }

    /// Stops taking writes, flushes, snapshots. Calls after it fail with [`Error::ShuttingDown`].
    ///
    /// # Errors
    /// [`Error::Storage`] when the flush fails.
    pub fn shutdown(&self) -> Result<(), Error> {
        unimplemented!()
    }
}
