//! What all sessions of a broker share.

use super::Config;
use super::conversion::ConversionCache;
use super::keeper::Keeper;
use super::topics::Topics;
use crate::Error;
use crate::model::{Clock, Message, QueueId, TopicName, property};
use crate::queue::Queue;
use crate::record::Draft;
use crate::state::{Command, State};
use crate::store::{Facts, Pending, Store};
use bytes::Bytes;
use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use smallvec::SmallVec;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The broker's parts.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) config: Config,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<Store>,
    /// Held for writing while a command is logged and applied, so that both orders are one.
    pub(super) state: RwLock<State>,
    pub(super) state_topic: TopicName,
    pub(super) state_queue: Arc<Queue>,
    pub(super) topics: Topics,
    pub(super) cache: ConversionCache,
    pub(super) keeper: Mutex<Option<Keeper>>,
    /// Bytes handed to readers since mapped pages were last let go.
    pub(super) mapped_bytes: AtomicU64,
    /// The next producer id of the reserved block.
    pub(super) next_producer_id: Mutex<Option<i64>>,
    pub(super) is_stopping: AtomicBool,
    /// Locked while the directory is ours.
    pub(super) _lock: File,
}

impl Shared {
    /// # Errors
    /// [`Error::ShuttingDown`].
    pub(super) fn check_running(&self) -> Result<(), Error> {
        if self.is_stopping.load(Ordering::Acquire) {
            Err(Error::ShuttingDown)
        } else {
            Ok(())
        }
    }

    /// The state, to change it with [`Shared::log`].
    pub(super) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write()
    }

    /// Logs a command and applies it.
    ///
    /// # Errors
    /// [`Error::ShuttingDown`], or a failed store.
    pub(super) fn log(&self, state: &mut State, command: Command) -> Result<(), Error> {
        self.check_running()?;
        let json = serde_json::to_vec(&command)
            .map_err(|error| Error::Internal(format!("encoding a command failed: {error}")))?;
        let message = Message::new(Bytes::from(json), self.clock.now());
        let facts = Facts::of_message(&self.state_topic, &message);
        let draft =
            Draft::message(&self.state_topic, QueueId::new(0), message, &[]).map_err(|size| {
                Error::MessageTooLarge {
                    size,
                    limit: 32_767,
                }
            })?;
        let queue = Arc::clone(&self.state_queue);
        let pending = Pending {
            draft,
            facts,
            queue,
            also: SmallVec::new(),
        };
        let placed = self.store.append(vec![pending]).pop();
        let placed = placed.ok_or_else(|| Error::Internal("no outcome".to_owned()))??;
        state.apply(command, placed.end.get());
        Ok(())
    }

    /// Counts bytes handed to readers and has their pages let go now and then.
    pub(super) fn count_mapped(&self, bytes: u64) {
        let limit = self.config.store.mapped_bytes_max;
        if self.mapped_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > limit {
            self.mapped_bytes.store(0, Ordering::Relaxed);
            self.store
                .segments
                .all()
                .iter()
                .for_each(|segment| segment.release_pages());
        }
    }

    /// # Errors
    /// A failed store.
    pub(super) fn shutdown(&self) -> Result<(), Error> {
        if self.is_stopping.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // A command that is being logged ends first.
        drop(self.state.write());
        let sealed = self.store.seal();
        if let Some(keeper) = self.keeper.lock().take() {
            keeper.stop(&self.store);
        }
        sealed
    }
}

/// The name of the state's topic.
pub(super) fn state_topic() -> Result<TopicName, Error> {
    TopicName::new(property::STATE_TOPIC).map_err(|error| Error::Internal(error.to_string()))
}
