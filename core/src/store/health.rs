//! Whether the store may be written. A failed write or fsync is final until a restart recovers:
//! the kernel may have dropped what it could not write, and a second fsync would lie. A full disk
//! is not: writes go on once there is room.

use crate::Error;
use crate::vfs::Space;
use parking_lot::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the store can do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreHealth {
    /// Everything.
    Healthy,
    /// The disk is fuller than `store.disk_read_only_percent`: no messages are taken.
    ReadOnly,
    /// There is no room for another segment: nothing is written.
    DiskFull,
    /// A write or a flush failed: nothing is written until a restart.
    Failed(String),
}

/// Healthy until told otherwise.
#[derive(Debug, Default)]
pub(crate) struct Health {
    poison: OnceLock<String>,
    is_full: AtomicBool,
    is_read_only: AtomicBool,
    space: Mutex<Space>,
}

impl Health {
    /// Refuses every write from now on.
    pub(crate) fn poison(&self, what: &str, error: &std::io::Error) {
        let text = format!("{what} failed: {error}; the store takes no writes until a restart");
        if self.poison.set(text).is_ok() {
            tracing::error!(%error, what, "the store is poisoned");
        }
    }

    /// Whether there is room for another segment.
    pub(crate) fn set_full(&self, is_full: bool) {
        if self.is_full.swap(is_full, Ordering::AcqRel) != is_full {
            if is_full {
                tracing::error!("the disk is full: nothing more is written until there is room");
            } else {
                tracing::info!("there is room on the disk again");
            }
        }
    }

    /// Notes what room the disk has.
    pub(crate) fn set_space(&self, space: Space) {
        *self.space.lock() = space;
    }

    /// The room the disk had when it was looked at last.
    pub(crate) fn space(&self) -> Space {
        *self.space.lock()
    }

    /// Whether the disk is so full that no message is taken.
    pub(crate) fn set_read_only(&self, is_read_only: bool) {
        if self.is_read_only.swap(is_read_only, Ordering::AcqRel) != is_read_only {
            tracing::warn!(is_read_only, "the disk passed store.disk_read_only_percent");
        }
    }

    /// Whether the last try to make a segment found no room.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }

    /// # Errors
    /// [`Error::Storage`] once poisoned.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.poison
            .get()
            .map_or(Ok(()), |text| Err(Error::Storage(text.clone())))
    }

    /// Whether messages are taken.
    ///
    /// # Errors
    /// [`Error::Storage`] once poisoned, [`Error::DiskFull`] when the disk is too full.
    pub(crate) fn check_admission(&self) -> Result<(), Error> {
        self.check()?;
        if self.is_read_only.load(Ordering::Acquire) {
            return Err(Error::DiskFull);
        }
        Ok(())
    }

    /// What the store can do now.
    pub(crate) fn state(&self) -> StoreHealth {
        if let Some(text) = self.poison.get() {
            StoreHealth::Failed(text.clone())
        } else if self.is_full() {
            StoreHealth::DiskFull
        } else if self.is_read_only.load(Ordering::Acquire) {
            StoreHealth::ReadOnly
        } else {
            StoreHealth::Healthy
        }
    }
}
