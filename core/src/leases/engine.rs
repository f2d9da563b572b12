//! All groups that lease.

use super::{GroupLeases, LeaseConfig, LeaseSession, LeaseToken};
use crate::Error;
use crate::model::{GroupName, Timestamp};
use dashmap::DashMap;
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Every group's leases.
#[derive(Debug)]
pub(crate) struct LeaseEngine {
    config: LeaseConfig,
    /// Tokens from before are of an earlier life.
    opened_at: Timestamp,
    groups: DashMap<GroupName, Arc<GroupLeases>>,
    /// Ledgers of all groups.
    ledgers: AtomicUsize,
    next_serial: AtomicU32,
    next_session: AtomicU64,
    /// In which groups a session holds leases.
    sessions: Mutex<BTreeMap<LeaseSession, BTreeSet<GroupName>>>,
    changes: Arc<ChangeSignal>,
}

impl LeaseEngine {
    pub(crate) fn new(config: LeaseConfig, now: Timestamp) -> Self {
        Self {
            config,
            opened_at: now,
            groups: DashMap::new(),
            ledgers: 0.into(),
            next_serial: 0.into(),
            next_session: 0.into(),
            sessions: Mutex::default(),
            changes: Arc::default(),
        }
    }

    pub(crate) const fn config(&self) -> &LeaseConfig {
        &self.config
    }

    pub(crate) const fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// The group, if any of its queues is in memory.
    pub(crate) fn known(&self, group: &GroupName) -> Option<Arc<GroupLeases>> {
        self.groups.get(group).map(|group| Arc::clone(&group))
    }

    /// The group.
    pub(crate) fn group(&self, group: &GroupName) -> Arc<GroupLeases> {
        match self.known(group) {
            Some(known) => known,
            None => Arc::clone(&self.groups.entry(group.clone()).or_default()),
        }
    }

    /// Lets a group go of which nothing is in memory and that nobody uses.
    pub(crate) fn forget_if_empty(&self, group: &GroupName) {
        self.groups.remove_if(group, |_, group| {
            Arc::strong_count(group) == 1 && group.lock().by_queue.is_empty()
        });
    }

    /// Takes room for one more ledger.
    ///
    /// # Errors
    /// [`Error::Busy`].
    pub(crate) fn admit_ledger(&self) -> Result<(), Error> {
        if self.ledgers.fetch_add(1, Ordering::Relaxed) < self.config.queues_max {
            return Ok(());
        }
        self.release_ledgers(1);
        Err(Error::Busy("leases.queues_max"))
    }

    /// Gives the room of ledgers back.
    pub(crate) fn release_ledgers(&self, count: usize) {
        self.ledgers.fetch_sub(count, Ordering::Relaxed);
    }

    /// A token nobody has had.
    pub(crate) fn token(&self, now: Timestamp) -> LeaseToken {
        let serial = self.next_serial.fetch_add(1, Ordering::Relaxed);
        LeaseToken {
            leased_at: now,
            serial: serial % LeaseToken::SERIALS,
        }
    }

    pub(crate) fn new_session(&self) -> LeaseSession {
        LeaseSession(self.next_session.fetch_add(1, Ordering::Relaxed))
    }

    /// Notes that a session has leases in a group.
    pub(crate) fn enter_session(&self, session: LeaseSession, group: &GroupName) {
        let mut sessions = self.sessions.lock();
        let groups = sessions.entry(session).or_default();
        if !groups.contains(group) {
            groups.insert(group.clone());
        }
    }

    /// Forgets a session; the groups it had leases in.
    pub(crate) fn leave_session(&self, session: LeaseSession) -> BTreeSet<GroupName> {
        self.sessions.lock().remove(&session).unwrap_or_default()
    }

    pub(crate) const fn changes(&self) -> &Arc<ChangeSignal> {
        &self.changes
    }
}

impl Drop for LeaseEngine {
    fn drop(&mut self) {
        self.changes.stop();
    }
}

/// Groups whose progress is not in the log yet, and who writes it.
#[derive(Debug, Default)]
pub(crate) struct ChangeSignal {
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    groups: BTreeSet<GroupName>,
    is_stopped: bool,
}

impl ChangeSignal {
    /// A group has progress to write.
    pub(crate) fn note(&self, group: &GroupName) {
        let mut pending = self.pending.lock();
        if !pending.groups.contains(group) {
            pending.groups.insert(group.clone());
            self.changed.notify_all();
        }
    }

    /// The groups noted since this was last asked.
    pub(crate) fn take(&self) -> BTreeSet<GroupName> {
        std::mem::take(&mut self.pending.lock().groups)
    }

    /// Blocks until there is something to write and `interval` has passed; `false` to stop.
    pub(crate) fn wait(&self, interval: Duration) -> bool {
        let mut pending = self.pending.lock();
        let is_quiet = |pending: &mut Pending| pending.groups.is_empty() && !pending.is_stopped;
        self.changed.wait_while(&mut pending, is_quiet);
        let goes_on = |pending: &mut Pending| !pending.is_stopped;
        self.changed.wait_while_for(&mut pending, goes_on, interval);
        !pending.is_stopped
    }

    /// Ends [`ChangeSignal::wait`] for good.
    pub(crate) fn stop(&self) {
        self.pending.lock().is_stopped = true;
        self.changed.notify_all();
    }
}
