//! Queue locks of ordered consumption: within a group, one client at a time reads a queue.
//!
//! A lock lives 60 s (RocketMQ's `REBALANCE_LOCK_MAX_LIVE_TIME`) unless its holder takes it anew.
//! Nothing here checks that the queue exists: a client may lock before its topic does.

use crate::model::{GroupName, QueueId, Timestamp, TopicName};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// How long a lock lives after it was last taken.
const LOCK_MILLIS: u64 = 60_000;

/// One queue to lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LockedQueue {
    /// The topic.
    pub topic: TopicName,
    /// The queue.
    pub queue: QueueId,
}

#[derive(Debug)]
struct Lock {
    holder: Arc<str>,
    taken_at: Timestamp,
}

impl Lock {
    fn is_expired(&self, now: Timestamp) -> bool {
        now.millis_since(self.taken_at) > LOCK_MILLIS
    }
}

type GroupLocks = HashMap<LockedQueue, Lock>;

/// The locks of all groups.
#[derive(Debug)]
pub struct QueueLocks {
    groups: Mutex<HashMap<GroupName, GroupLocks>>,
    per_group_max: usize,
}

impl QueueLocks {
    /// No locks yet; a group holds at most `per_group_max`.
    #[must_use]
    pub fn new(per_group_max: usize) -> Self {
        Self {
            groups: Mutex::default(),
            per_group_max,
        }
    }

    /// Locks each of `queues` for `client`, or renews its lock. Answers in order: `false` where
    /// another client holds an unexpired lock, or the group's limit is reached.
    #[must_use]
    pub fn lock(
        &self,
        group: &GroupName,
        client: &str,
        queues: &[LockedQueue],
        now: Timestamp,
    ) -> Vec<bool> {
        let holder: Arc<str> = client.into();
        let mut groups = self.groups.lock();
        let locks = groups.entry(group.clone()).or_default();
        let take = |queue: &LockedQueue| {
            let has_room = locks.len() < self.per_group_max;
            if let Some(lock) = locks.get_mut(queue) {
                if *lock.holder != *holder && !lock.is_expired(now) {
                    return false;
                }
                lock.holder = Arc::clone(&holder);
                lock.taken_at = now;
            } else if has_room {
                let lock = Lock {
                    holder: Arc::clone(&holder),
                    taken_at: now,
                };
                locks.insert(queue.clone(), lock);
            } else {
                return false;
            }
            true
        };
        queues.iter().map(take).collect()
    }

    /// Gives up those of `queues` that `client` holds.
    pub fn unlock(&self, group: &GroupName, client: &str, queues: &[LockedQueue]) {
        let mut groups = self.groups.lock();
        let Some(locks) = groups.get_mut(group) else {
            return;
        };
        for queue in queues {
            if locks.get(queue).is_some_and(|lock| *lock.holder == *client) {
                locks.remove(queue);
            }
        }
        if locks.is_empty() {
            groups.remove(group);
        }
    }

    /// Whether a client of the group holds a queue.
    #[must_use]
    pub fn holds_any(&self, group: &str, now: Timestamp) -> bool {
        let groups = self.groups.lock();
        let locks = groups.get(group);
        locks.is_some_and(|locks| locks.values().any(|lock| !lock.is_expired(now)))
    }

    /// Forgets locks that have expired by `now`. They already hold nobody off; this frees them.
    pub fn expire(&self, now: Timestamp) {
        self.groups.lock().retain(|_, locks| {
            locks.retain(|_, lock| !lock.is_expired(now));
            !locks.is_empty()
        });
    }

    /// Locks kept, expired ones not yet forgotten included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.groups.lock().values().map(HashMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn queues(count: u32) -> Vec<LockedQueue> {
        let queue = |id| LockedQueue {
            topic: TopicName::new("T").unwrap(),
            queue: QueueId::new(id),
        };
        (0..count).map(queue).collect()
    }

    fn group() -> GroupName {
        GroupName::new("G").unwrap()
    }

    #[test]
    fn a_lock_keeps_others_out_until_60_s_after_it_was_last_taken() {
        let locks = QueueLocks::new(10);
        let queues = queues(2);
        let at = |seconds: u64| START.plus_millis(seconds * 1000);
        assert_eq!(locks.lock(&group(), "a", &queues[..1], START), [true]);
        assert_eq!(locks.lock(&group(), "b", &queues, at(1)), [false, true]);
        assert_eq!(locks.lock(&group(), "a", &queues, at(40)), [true, false]);
        assert_eq!(locks.lock(&group(), "b", &queues, at(90)), [false, true]);
        assert_eq!(locks.lock(&group(), "b", &queues[..1], at(101)), [true]);
    }

    #[test]
    fn only_the_holder_unlocks() {
        let locks = QueueLocks::new(10);
        let queues = queues(1);
        assert_eq!(locks.lock(&group(), "a", &queues, START), [true]);
        locks.unlock(&group(), "b", &queues);
        assert_eq!(locks.lock(&group(), "b", &queues, START), [false]);
        locks.unlock(&group(), "a", &queues);
        assert_eq!(locks.count(), 0);
        assert_eq!(locks.lock(&group(), "b", &queues, START), [true]);
    }

    #[test]
    fn groups_do_not_lock_each_other_out() {
        let locks = QueueLocks::new(10);
        let other = GroupName::new("H").unwrap();
        assert_eq!(locks.lock(&group(), "a", &queues(1), START), [true]);
        assert_eq!(locks.lock(&other, "b", &queues(1), START), [true]);
    }

    #[test]
    fn a_group_holds_no_more_locks_than_its_limit() {
        let locks = QueueLocks::new(2);
        let answer = locks.lock(&group(), "a", &queues(3), START);
        assert_eq!(answer, [true, true, false]);
        locks.expire(START.plus_millis(LOCK_MILLIS));
        assert_eq!(locks.count(), 2);
        locks.expire(START.plus_millis(LOCK_MILLIS + 1));
        assert_eq!(locks.count(), 0);
    }
}
