//! The calls adapters see. Nothing here shows a file, a mapping, a lock or a wire code, because
//! another engine will answer the same calls remotely one day.

mod config;
mod consumed;
mod conversion;
mod dispatch;
mod doors;
mod feeds;
mod fetch;
mod figures;
mod import;
mod keeper;
mod keys;
mod lease;
mod locate;
mod mend;
mod offsets;
mod open;
mod policies;
mod produce;
mod rebuild;
mod relay;
mod retention;
mod search;
mod select;
mod shared;
mod streams;
mod topics;
mod vhosts;
mod view;

pub use config::{Config, TopicConfig};
pub use consumed::Consumed;
pub use fetch::{FetchLimits, FetchQueue, Fetched, StoredRecord};
pub use figures::StoreFigures;
pub use import::{
    ImportReport, ImportStep, ImportedFile, ImportedLog, ImportedProgress, ImportedQueue,
    ImportedTopic, import_log,
};
pub use keeper::Steps;
pub use lease::{
    DeadLetters, Delivery, GiveUp, LeaseCounts, LeaseOrder, LeaseQueue, LeaseRequest, LeaseStart,
    Leased,
};
pub use offsets::{CommittedOffset, OffsetCommit};
pub use produce::{Durability, Payload, ProduceItem, Receipt};
pub use rebuild::{RebuildReport, rebuild_index};
pub use relay::{Ended, OpenTransactions};
pub use select::Selected;
pub use shared::RetentionStatus;
pub use streams::TailWatch;
pub use topics::Topic;
pub use view::MessageView;

use crate::model::Clock;
use crate::vfs::{RealVfs, Vfs};
use crate::{DamagedRange, Error, StoreHealth};
use keeper::Keeper;
use relay::Relay;
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
    /// [`Error::Storage`] when the directory cannot be used or another process uses it.
    pub fn open(directory: &Path, config: Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let (shared, household) = open::open(Arc::new(RealVfs), directory, config, clock)?;
        let keeper = Keeper::start(&shared, household)
            .map_err(|error| Error::Storage(format!("starting threads failed: {error}")))?;
        *shared.keeper.lock() = Some(keeper);
        let broker = Self { shared };
        if let Err(error) = broker.anonymous().sweep_queue_topics() {
            tracing::warn!(%error, "topics without a queue stay until the next start");
        }
        Ok(broker)
    }

    /// As [`Broker::open`] on a file system of the caller's, and without threads: nothing is
    /// flushed, indexed or expired but by the [`Steps`] returned, so that every run is the same.
    ///
    /// # Errors
    /// As [`Broker::open`].
    pub fn open_stepped(
        vfs: Arc<dyn Vfs>,
        directory: &Path,
        config: Config,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Steps), Error> {
        let (shared, household) = open::open(vfs, directory, config, clock)?;
        let relay = Relay::of(&shared);
        Ok((Self { shared }, Steps::of(household, relay)))
    }

    /// What the store can do now.
    #[must_use]
    pub fn health(&self) -> StoreHealth {
        self.shared.store.health.state()
    }

    /// What is known to be damaged, in log order.
    #[must_use]
    pub fn damages(&self) -> Vec<DamagedRange> {
        self.shared.store.damages.all()
    }

    /// Why old segments are still there.
    #[must_use]
    pub fn retention(&self) -> RetentionStatus {
        self.shared.retention.lock().clone()
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
