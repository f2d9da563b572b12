//! All classic groups, shared by the worker threads, with the callers that wait and the one task
//! that makes time pass. No call blocks or waits but for the futures it returns.

use super::config::ClassicConfig;
use super::deadlines::Deadlines;
use super::description::GroupDescription;
use super::group::Group;
use super::member::MemberId;
use super::messages::{
    Answers, GroupError, Identity, JoinRequest, Joined, SyncRequest, Synced, Ticket,
};
use crate::model::{GroupName, Timestamp};
use dashmap::{DashMap, Entry};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

/// Used where a deadline is further away than the clock can count.
const LONGEST_SLEEP: Duration = Duration::from_secs(86_400);

/// Keeps the groups. Time is counted from its making, so a wall clock that is set does not
/// expire anybody.
#[derive(Debug)]
pub struct Coordinator {
    config: ClassicConfig,
    epoch: Instant,
    groups: DashMap<GroupName, Slot>,
    deadlines: Mutex<Deadlines>,
    /// The first deadline has become an earlier one.
    earlier: Notify,
    stopped: AtomicBool,
}

/// A group and who waits for it.
#[derive(Debug)]
struct Slot {
    group: Group,
    tickets: u64,
    joins: HashMap<Ticket, oneshot::Sender<Result<Joined, GroupError>>>,
    syncs: HashMap<Ticket, oneshot::Sender<Result<Synced, GroupError>>>,
    /// Where it stands in the deadlines.
    scheduled: Option<Timestamp>,
}

impl Coordinator {
    /// A coordinator without groups. Members expire only while [`Self::expire_members`] runs.
    #[must_use]
    pub fn new(config: ClassicConfig) -> Self {
        Self {
            config,
            epoch: Instant::now(),
            groups: DashMap::new(),
            deadlines: Mutex::default(),
            earlier: Notify::new(),
            stopped: AtomicBool::new(false),
        }
    }

    /// A member joins; the future resolves when the rebalance is complete. Dropping it takes
    /// nothing back.
    ///
    /// # Errors
    /// The future's, any [`GroupError`] but [`GroupError::GroupNotEmpty`].
    pub fn join(
        &self,
        name: &GroupName,
        request: &JoinRequest,
    ) -> impl Future<Output = Result<Joined, GroupError>> + Send + use<> {
        let opened = self.open(name, request.member_id.is_none());
        let receiver = opened.map(|mut slot| {
            let (sender, receiver) = oneshot::channel();
            let ticket = slot.next_ticket();
            slot.joins.insert(ticket, sender);
            let prefix = request.instance_id.as_ref().unwrap_or(&request.client_id);
            let fresh_id = MemberId::generate(prefix);
            let mut answers = Answers::default();
            slot.group
                .join(request, &fresh_id, ticket, self.now(), &mut answers);
            self.settle(name, &mut slot, answers);
            receiver
        });
        // A group that never had a member was opened for a request that was refused.
        self.groups.remove_if(name, |_, slot| {
            slot.group.is_deserted() && slot.group.generation() == 0
        });
        async move { receiver?.await.unwrap_or(Err(GroupError::Stopped)) }
    }

    /// A member asks for its part; the future resolves when the leader has brought it.
    ///
    /// # Errors
    /// The future's: the member is not of this generation, or the group rebalances.
    pub fn sync(
        &self,
        name: &GroupName,
        request: SyncRequest,
    ) -> impl Future<Output = Result<Synced, GroupError>> + Send + use<> {
        let receiver = self.with(name, |slot| {
            let (sender, receiver) = oneshot::channel();
            let ticket = slot.next_ticket();
            slot.syncs.insert(ticket, sender);
            let mut answers = Answers::default();
            slot.group.sync(request, ticket, self.now(), &mut answers);
            self.settle(name, slot, answers);
            receiver
        });
        async move {
            let receiver = receiver.ok_or(GroupError::UnknownMember)?;
            receiver.await.unwrap_or(Err(GroupError::Stopped))
        }
    }

    /// A member is alive.
    ///
    /// # Errors
    /// It is not of this generation, or has to join again.
    pub fn heartbeat(
        &self,
        name: &GroupName,
        identity: &Identity,
        generation: i32,
    ) -> Result<(), GroupError> {
        // A heartbeat moves a deadline only back, so nothing is scheduled anew.
        let now = self.now();
        self.with(name, |slot| slot.group.heartbeat(identity, generation, now))
            .unwrap_or(Err(GroupError::UnknownMember))
    }

    /// Members leave; one verdict each, in the same order. `None`: no such group.
    pub fn leave(
        &self,
        name: &GroupName,
        leavers: &[Identity],
    ) -> Option<Vec<Result<(), GroupError>>> {
        self.with(name, |slot| {
            let mut answers = Answers::default();
            let verdicts = slot.group.leave(leavers, self.now(), &mut answers);
            self.settle(name, slot, answers);
            verdicts
        })
    }

    /// Commits progress for a member, or for one who is none while nobody is. The group does not
    /// change between the check and the end of `commit`, so a member that lost its place cannot
    /// overwrite its successor's progress. `None`: no such group, and nothing was done.
    ///
    /// # Errors
    /// Why it may not.
    pub fn commit<T>(
        &self,
        name: &GroupName,
        identity: &Identity,
        generation: i32,
        commit: impl FnOnce() -> T,
    ) -> Option<Result<T, GroupError>> {
        let now = self.now();
        self.with(name, |slot| {
            slot.group
                .may_commit(identity, generation, now)
                .map(|()| commit())
        })
    }

    /// A group as it is now. `None`: not known, though it may have committed offsets.
    #[must_use]
    pub fn describe(&self, name: &GroupName) -> Option<GroupDescription> {
        self.groups.get(name).map(|slot| slot.group.describe())
    }

    /// All groups known, in no order, each seen through `view`.
    pub fn list<T>(&self, view: impl Fn(&GroupName, &Group) -> T) -> Vec<T> {
        self.groups
            .iter()
            .map(|entry| view(entry.key(), &entry.value().group))
            .collect()
    }

    /// Forgets a group without members; says whether it was known.
    ///
    /// # Errors
    /// [`GroupError::GroupNotEmpty`].
    pub fn delete(&self, name: &GroupName) -> Result<bool, GroupError> {
        let Entry::Occupied(entry) = self.groups.entry(name.clone()) else {
            return Ok(false);
        };
        if !entry.get().group.is_deserted() {
            return Err(GroupError::GroupNotEmpty);
        }
        entry.remove();
        Ok(true)
    }

    /// Makes time pass for all groups; never returns. Run it once, on any runtime.
    pub async fn expire_members(&self) {
        loop {
            let woken = self.earlier.notified();
            let first = self.deadlines.lock().first();
            match first {
                None => woken.await,
                Some(due) => {
                    if timeout_at(self.instant(due), woken).await.is_err() {
                        self.expire_due();
                    }
                }
            }
        }
    }

    /// Refuses new members and lets go of everybody who waits. For a graceful stop.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.groups.clear();
    }

    fn expire_due(&self) {
        let now = self.now();
        // The guard must not live on while the group is locked: calls lock the group first.
        let next = || self.deadlines.lock().pop_due(now);
        while let Some(name) = next() {
            let Entry::Occupied(mut entry) = self.groups.entry(name.clone()) else {
                continue;
            };
            let slot = entry.get_mut();
            slot.scheduled = None;
            if slot.group.is_dead(now) {
                entry.remove();
                continue;
            }
            let mut answers = Answers::default();
            slot.group.expire(now, &mut answers);
            self.settle(&name, slot, answers);
        }
    }

    fn open(
        &self,
        name: &GroupName,
        may_create: bool,
    ) -> Result<dashmap::mapref::one::RefMut<'_, GroupName, Slot>, GroupError> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(GroupError::Stopped);
        }
        if let Some(slot) = self.groups.get_mut(name) {
            return Ok(slot);
        }
        if !may_create {
            return Err(GroupError::UnknownMember);
        }
        if self.groups.len() >= self.config.groups_max {
            return Err(GroupError::TooManyGroups);
        }
        let now = self.now();
        Ok(self
            .groups
            .entry(name.clone())
            .or_insert_with(|| Slot::new(self.config, now)))
    }

    fn with<T>(&self, name: &GroupName, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.groups.get_mut(name).map(|mut slot| act(&mut slot))
    }

    /// Hands out the answers and sees to it that the group is looked at in time.
    fn settle(&self, name: &GroupName, slot: &mut Slot, answers: Answers) {
        // Who has gone away does not hear the answer; its session will end.
        for (ticket, answer) in answers.joins {
            let _ = slot.joins.remove(&ticket).map(|sender| sender.send(answer));
        }
        for (ticket, answer) in answers.syncs {
            let _ = slot.syncs.remove(&ticket).map(|sender| sender.send(answer));
        }
        let Some(next) = slot.group.next_deadline() else {
            return;
        };
        if slot.scheduled.is_none_or(|scheduled| next < scheduled) {
            let is_first = self.deadlines.lock().advance(name, slot.scheduled, next);
            slot.scheduled = Some(next);
            if is_first {
                self.earlier.notify_one();
            }
        }
    }

    fn now(&self) -> Timestamp {
        let millis = self.epoch.elapsed().as_millis();
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    fn instant(&self, time: Timestamp) -> Instant {
        let millis = u64::try_from(time.millis()).unwrap_or(0);
        let since_epoch = Duration::from_millis(millis);
        self.epoch
            .checked_add(since_epoch)
            .unwrap_or_else(|| Instant::now() + LONGEST_SLEEP)
    }
}

impl Slot {
    fn new(config: ClassicConfig, now: Timestamp) -> Self {
        Self {
            group: Group::new(config, now),
            tickets: 0,
            joins: HashMap::new(),
            syncs: HashMap::new(),
            scheduled: None,
        }
    }

    const fn next_ticket(&mut self) -> Ticket {
        self.tickets = self.tickets.wrapping_add(1);
        Ticket::new(self.tickets)
    }
}
