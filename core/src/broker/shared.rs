//! What all sessions of a broker share.

use super::Config;
use super::conversion::ConversionCache;
use super::keeper::Keeper;
use super::relay::{Checks, Signal};
use super::topics::Topics;
use crate::Error;
use crate::leases::LeaseEngine;
use crate::model::{Clock, Message, PhysicalOffset, QueueId, TopicName, property};
use crate::queue::{Producers, Queue};
use crate::record::Draft;
use crate::state::{Bounds, Command, PackedState, State, Whole};
use crate::store::{Facts, FlushMode, Pending, Store};
use crate::traffic::Traffic;
use crate::vhosts::VirtualHosts;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use smallvec::SmallVec;
use std::any::Any;
use std::collections::BTreeMap;
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
    /// A virtual host's lock is taken before the state's.
    pub(super) vhosts: VirtualHosts,
    /// What was produced to all topics.
    pub(super) produced: Traffic,
    pub(super) refused: AtomicU64,
    /// A group's lock is taken before the state's.
    pub(super) leases: LeaseEngine,
    pub(super) cache: ConversionCache,
    pub(super) keeper: Mutex<Option<Keeper>>,
    /// How often messages were forgotten by name or place: a topic deleted, a start raised.
    pub(super) deaths: AtomicU64,
    pub(super) retention: Mutex<RetentionStatus>,
    /// The next producer id of the reserved block.
    pub(super) next_producer_id: Mutex<Option<i64>>,
    pub(super) is_stopping: AtomicBool,
    /// Held by whoever gives waiting records their outcome, until it is noted. Taken before
    /// `state`, never after.
    pub(super) settling: Mutex<()>,
    /// Wakes the relay.
    pub(super) relay: Arc<Signal>,
    /// What producers are to be asked.
    pub(super) checks: Checks,
    /// Locked while the directory is ours.
    pub(super) _lock: Box<dyn Any + Send + Sync>,
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

    /// Logs a command and applies it; the end of its record, for [`Shared::settle`].
    ///
    /// # Errors
    /// [`Error::ShuttingDown`], or a failed store.
    pub(super) fn log(&self, state: &mut State, command: Command) -> Result<PhysicalOffset, Error> {
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
            ahead: Vec::new(),
        };
        crash_point!("state.before_append");
        let placed = self.store.append(vec![pending]).pop();
        crash_point!("state.before_apply");
        let placed = placed.ok_or_else(|| Error::Internal("no outcome".to_owned()))??;
        state.apply(command, placed.end.get());
        Ok(placed.end)
    }

    /// Returns once the record that ends at `end` is as safe as the broker is configured to have
    /// what it acknowledges. Blocks for a flush with `store.flush: sync`: for what is rare, and
    /// not with the state locked.
    ///
    /// # Errors
    /// [`Error::Storage`] when the flush fails.
    pub(super) fn settle(&self, end: PhysicalOffset) -> Result<(), Error> {
        match self.config.store.flush {
            FlushMode::Async => Ok(()),
            FlushMode::Sync => self.store.flusher.flush_through(end.get()),
        }
    }

    /// Logs the whole state as it is when the log before `log_start` has gone and queues begin
    /// where `bounds` say.
    ///
    /// # Errors
    /// [`Error::ShuttingDown`], or a failed store.
    pub(super) fn checkpoint(
        &self,
        log_start: PhysicalOffset,
        bounds: &BTreeMap<u32, Bounds>,
    ) -> Result<(), Error> {
        let _settling = self.settling.lock();
        let mut state = self.state.write();
        let mut next = state.clone();
        next.log_start = log_start.get();
        for (number, bounds) in bounds {
            let known = next.bounds.entry(*number).or_default();
            known.start = known.start.max(bounds.start);
            known.main = known.main.max(bounds.main);
        }
        let whole = Whole {
            state: next,
            producers: self.producers(),
        };
        let packed = PackedState::of(&whole)
            .map_err(|error| Error::Internal(format!("packing the state failed: {error}")))?;
        self.log(&mut state, Command::Checkpoint { state: packed })?;
        Ok(())
    }

    /// What queues remember of idempotent producers, by queue number.
    pub(super) fn producers(&self) -> BTreeMap<u32, Producers> {
        let now = self.clock.now();
        let mut producers = BTreeMap::new();
        for topic in self.topics.all() {
            for queue in topic.queues().iter() {
                let mut known = queue.producers.lock();
                known.expire(now);
                if !known.is_empty() {
                    producers.insert(queue.number(), known.clone());
                }
            }
        }
        producers
    }

    /// How often messages were forgotten by name or place.
    pub(super) fn deaths(&self) -> u64 {
        self.deaths.load(Ordering::Acquire)
    }

    /// Counts that messages were forgotten by name or place.
    pub(super) fn count_death(&self) {
        self.deaths.fetch_add(1, Ordering::AcqRel);
    }

    /// Says what keeps old segments.
    pub(super) fn set_retention_status(&self, status: RetentionStatus) {
        let mut known = self.retention.lock();
        if *known != status && status.pinned_bytes > 0 {
            let (bytes, topics) = (status.pinned_bytes, &status.pinned_by);
            tracing::warn!(
                bytes,
                ?topics,
                "old segments are kept for the topics that want them"
            );
        }
        *known = status;
    }

    /// # Errors
    /// A failed store.
    pub(super) fn shutdown(&self) -> Result<(), Error> {
        self.write_lease_progress();
        if self.is_stopping.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // A command that is being logged ends first.
        drop(self.state.write());
        self.relay.stop();
        let sealed = self.store.seal();
        crash_point!("shutdown.before_stop");
        if let Some(keeper) = self.keeper.lock().take() {
            keeper.stop(&self.store);
        }
        sealed
    }
}

/// Why old segments are still there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionStatus {
    /// Bytes of segments whose time has come, and of which too much is still wanted.
    pub pinned_bytes: u64,
    /// The topics that want it, in order of name.
    pub pinned_by: Vec<String>,
}

/// The name of the state's topic.
pub(super) fn state_topic() -> Result<TopicName, Error> {
    TopicName::new(property::STATE_TOPIC).map_err(|error| Error::Internal(error.to_string()))
}
