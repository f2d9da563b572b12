//! Who consumes from a work queue, and whose turn it is.

use crate::broker::MessageView;
use crate::leases::{LeaseReceipt, LeaseSession};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// How many messages may be on their way to somebody, and not acknowledged.
#[derive(Debug)]
pub struct Credit {
    limit: AtomicI64,
    /// Below 0 while more are on their way than a limit that was lowered.
    left: AtomicI64,
}

impl Credit {
    /// Far more than there are messages.
    const UNLIMITED: i64 = 1 << 61;

    /// Of so many messages; `None` is no limit.
    #[must_use]
    pub fn of(limit: Option<u32>) -> Arc<Self> {
        let limit = limit.map_or(Self::UNLIMITED, i64::from);
        Arc::new(Self {
            limit: limit.into(),
            left: limit.into(),
        })
    }

    /// How many at most; `None` is no limit.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        u32::try_from(self.limit.load(Ordering::Acquire)).ok()
    }

    /// Limits to so many from now on; those on their way count.
    pub fn limit_to(&self, limit: Option<u32>) {
        let limit = limit.map_or(Self::UNLIMITED, i64::from);
        let before = self.limit.swap(limit, Ordering::AcqRel);
        self.left.fetch_add(limit - before, Ordering::AcqRel);
    }

    fn is_left(&self) -> bool {
        self.left.load(Ordering::Acquire) > 0
    }

    /// How many more may be on their way.
    fn left(&self) -> u32 {
        let left = self.left.load(Ordering::Acquire).max(0);
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// So many messages more may be on their way.
    pub fn give(&self, count: u32) {
        self.left.fetch_add(count.into(), Ordering::AcqRel);
    }

    /// Takes so many, whether they are there or not.
    pub fn charge(&self, count: u32) {
        self.left.fetch_sub(count.into(), Ordering::AcqRel);
    }

    /// Takes one, if there is one.
    pub fn take(&self) -> bool {
        let less = |left: i64| (left > 0).then(|| left - 1);
        let taken = self
            .left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        taken.is_ok()
    }
}

/// A message on its way to a consumer.
#[derive(Clone, Debug)]
pub struct Dealt {
    /// The message.
    pub message: MessageView,
    /// How often it was handed out, this time included.
    pub attempt: u32,
    /// What to acknowledge it with. Of a consumer that does not acknowledge it is done already.
    pub receipt: LeaseReceipt,
}

/// Where a consumer's messages go. Called while the queue is locked: it keeps what it is given,
/// wakes whoever sends it, and does nothing else.
pub trait Mailbox: Send + Sync + fmt::Debug {
    /// Takes messages, in the queue's order.
    fn deliver(&self, messages: Vec<Dealt>);
    /// There will be no more: the queue is gone.
    fn cancel(&self);
}

/// A consumer of a work queue.
#[derive(Debug)]
pub struct Consumer {
    /// With which its messages return.
    pub session: LeaseSession,
    /// Those of the greatest priority get everything as long as they have credit.
    pub priority: i32,
    /// Its messages are done when they are sent, and only take room.
    pub is_unacknowledged: bool,
    /// For messages until they are acknowledged: the consumer's own, and what it shares with
    /// others. Of one that does not acknowledge, those that stop it as long as nothing is left.
    pub credits: Vec<Arc<Credit>>,
    /// For messages until they are sent, so that a slow peer's do not pile up.
    pub room: Arc<Credit>,
    /// Nobody else may consume from the queue.
    pub is_exclusive: bool,
    /// Where its messages go.
    pub mailbox: Arc<dyn Mailbox>,
}

impl Consumer {
    /// Takes room and credit for a message, or nothing.
    fn take_turn(&self) -> bool {
        if !self.room.take() {
            return false;
        }
        let may_have = if self.is_unacknowledged {
            // They count against nobody's limit, and a full one stops them.
            self.credits.iter().all(|credit| credit.is_left())
        } else {
            self.take_credit()
        };
        if may_have {
            return true;
        }
        self.room.give(1);
        false
    }

    /// How many messages it may have now.
    #[must_use]
    pub fn credit_left(&self) -> u32 {
        let credits = self.credits.iter();
        let left = credits.map(|credit| credit.left()).min();
        left.unwrap_or(u32::MAX)
    }

    /// Takes of every credit, or of none; whether it did.
    pub fn take_credit(&self) -> bool {
        for (at, credit) in self.credits.iter().enumerate() {
            if !credit.take() {
                for taken in self.credits.iter().take(at) {
                    taken.give(1);
                }
                return false;
            }
        }
        true
    }

    /// No message came when its turn was.
    pub(crate) fn give_turn_back(&self) {
        self.room.give(1);
        self.give_credit(1);
    }

    /// So many of its messages are done with.
    pub fn give_credit(&self, count: u32) {
        if !self.is_unacknowledged {
            self.credits.iter().for_each(|credit| credit.give(count));
        }
    }
}

/// Those of one queue.
#[derive(Debug)]
pub(crate) struct Consumers {
    /// Only the first of those with the greatest priority gets anything.
    is_single_active: bool,
    /// By priority, the greatest first; whose turn is next is in front.
    turns: BTreeMap<Reverse<i32>, VecDeque<Arc<Consumer>>>,
    count: usize,
}

impl Consumers {
    pub(crate) const fn new(is_single_active: bool) -> Self {
        Self {
            is_single_active,
            turns: BTreeMap::new(),
            count: 0,
        }
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Takes one more, unless one of them wants to be alone; whether it did.
    pub(crate) fn add(&mut self, consumer: Arc<Consumer>) -> bool {
        let all = self.turns.values().flatten();
        let is_taken = all.into_iter().any(|known| known.is_exclusive);
        let is_shared = self.is_single_active || self.count > 0;
        if is_taken || (consumer.is_exclusive && is_shared) {
            return false;
        }
        let equals = self.turns.entry(Reverse(consumer.priority)).or_default();
        equals.push_back(consumer);
        self.count += 1;
        true
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, consumer: &Arc<Consumer>) -> bool {
        let Some(equals) = self.turns.get_mut(&Reverse(consumer.priority)) else {
            return false;
        };
        let Some(at) = equals.iter().position(|known| Arc::ptr_eq(known, consumer)) else {
            return false;
        };
        equals.remove(at);
        if equals.is_empty() {
            self.turns.remove(&Reverse(consumer.priority));
        }
        self.count -= 1;
        true
    }

    /// All of them, who are consumers no more.
    pub(crate) fn take_all(&mut self) -> Vec<Arc<Consumer>> {
        self.count = 0;
        let turns = std::mem::take(&mut self.turns);
        turns.into_values().flatten().collect()
    }

    /// Whose turn the next messages are, up to `count`; room and credit are taken for each.
    pub(crate) fn take_turns(&mut self, count: usize) -> Vec<Arc<Consumer>> {
        let mut takers = Vec::with_capacity(count.min(64));
        while takers.len() < count {
            match self.next() {
                Some(taker) => takers.push(taker),
                None => break,
            }
        }
        takers
    }

    fn next(&mut self) -> Option<Arc<Consumer>> {
        if self.is_single_active {
            let active = self.turns.values().next()?.front()?;
            return active.take_turn().then(|| Arc::clone(active));
        }
        self.turns.values_mut().find_map(|equals| {
            let at = equals.iter().position(|one| one.take_turn())?;
            let taker = equals.remove(at)?;
            equals.push_back(Arc::clone(&taker));
            Some(taker)
        })
    }
}
