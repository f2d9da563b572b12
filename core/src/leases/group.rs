//! One group's ledgers, and who waits for them.

use super::{LeaseSession, Ledger};
use crate::model::{QueueId, Timestamp, TopicName};
use crate::queue::{Waiter, Waiters};
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A queue in a group's ledgers.
pub(crate) type LedgerKey = (TopicName, QueueId);

/// A group that leases.
#[derive(Debug, Default)]
pub(crate) struct GroupLeases {
    ledgers: Mutex<Ledgers>,
    waiters: Waiters,
}

/// The ledgers of a group, under one lock.
#[derive(Debug, Default)]
pub(crate) struct Ledgers {
    /// Most groups have one: in place, each would have room for eleven.
    pub(crate) by_queue: BTreeMap<LedgerKey, Box<Ledger>>,
    /// The latest time at which one of those who wait looks again by itself.
    awaited: Option<Timestamp>,
}

impl Ledgers {
    /// Somebody is going to wait, and looks again by itself at `until` (`None`: never).
    pub(crate) fn await_until(&mut self, until: Option<Timestamp>) {
        let until = until.unwrap_or(Timestamp::from_millis(i64::MAX));
        self.awaited = self.awaited.max(Some(until));
    }

    /// Whether somebody would sleep over `deadline`.
    pub(crate) fn sleeps_over(&self, deadline: Timestamp) -> bool {
        self.awaited.is_some_and(|awaited| deadline < awaited)
    }

    /// Ends the leases of a session; whether there were any.
    pub(crate) fn end_session(&mut self, session: LeaseSession) -> bool {
        let ended = |any, ledger: &mut Box<Ledger>| ledger.end_session(session) | any;
        self.by_queue.values_mut().fold(false, ended)
    }
}

impl GroupLeases {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Ledgers> {
        self.ledgers.lock()
    }

    /// Has everybody who waits look again.
    pub(crate) fn wake(&self, ledgers: &mut Ledgers) {
        ledgers.awaited = None;
        self.waiters.wake_all();
    }
}

/// Waits for a group's ledgers for as long as it lives.
pub(crate) struct Sleeper {
    group: Arc<GroupLeases>,
    waiter: Arc<Waiter>,
}

impl Sleeper {
    pub(crate) fn new(group: &Arc<GroupLeases>, waiter: &Arc<Waiter>) -> Self {
        group.waiters.add(waiter);
        Self {
            group: Arc::clone(group),
            waiter: Arc::clone(waiter),
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.group.waiters.remove(&self.waiter);
    }
}
