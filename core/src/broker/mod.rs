//! The calls adapters see. Nothing here shows a file, a mapping, a lock or a wire code, because
//! another engine will answer the same calls remotely one day.

mod config;
mod conversion;
mod fetch;
mod keeper;
mod offsets;
mod open;
mod produce;
mod search;
mod shared;
mod topics;
mod view;

pub use config::{Config, TopicConfig};
pub use fetch::{FetchLimits, FetchQueue, Fetched, StoredRecord};
pub use offsets::{CommittedOffset, OffsetCommit};
pub use produce::{Durability, Payload, ProduceItem, Receipt};
pub use topics::Topic;
pub use view::{MessageView, TagFilter};

use crate::Error;
use crate::model::Clock;
use shared::Shared;
use std::path::Path;
use std::sync::Arc;

/// The broker: wires the parts, starts and stops them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Broker {
    shared: Arc<Shared>,
}

/// An authenticated session's handle to the broker; every call on it authorises first.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

impl Broker {
    /// Opens or creates the store in `directory`, recovering what a crash left.
    ///
    /// # Errors
    /// [`Error::Storage`] when the directory cannot be used, another process uses it, or the log
    /// is damaged before its tail.
    pub fn open(directory: &Path, config: Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Ok(Self {
            shared: open::open(directory, config, clock)?,
        })
    }

    /// A session without credentials; all it may do until the security issue.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        Client {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Stops taking writes, flushes, writes a snapshot. Calls after it fail with
    /// [`Error::ShuttingDown`]. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// [`Error::Storage`] when the flush fails.
    pub fn shutdown(&self) -> Result<(), Error> {
        self.shared.shutdown()
    }
}
