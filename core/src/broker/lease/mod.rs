//! The other door out: messages one by one, each for one consumer of a group.

mod hand_out;
mod peek;
pub(super) mod relay;
mod settle;

pub use settle::DeadLetters;

use super::{MessageView, Topic};
use crate::filter::Filter;
use crate::leases::{GroupLeases, Hold, LeaseReceipt, LeaseSession, LeaseToken, Sleeper};
use crate::model::{GroupName, QueueId, QueueOffset, TopicName};
use crate::queue::{Queue, Waiter};
use crate::{Client, Error};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks that passed over as much as one may.
const BREATH: Duration = Duration::from_millis(1);

/// A queue to lease from.
#[derive(Clone, Debug)]
pub struct LeaseQueue {
    /// The topic.
    pub topic: Arc<Topic>,
    /// A queue of it.
    pub queue: QueueId,
    /// Where a group without progress starts.
    pub start: LeaseStart,
}

/// Where a group without progress starts in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStart {
    /// At the oldest message.
    Earliest,
    /// There, or at the oldest message if that is later.
    At(QueueOffset),
}

/// In which order a queue's messages are handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseOrder {
    /// What is returned first, then what is new, whatever else is in flight.
    Loose,
    /// Nothing while anything of the queue is in flight. The same `batch` gets what it was given
    /// before once more, if that is still in flight.
    Strict {
        /// The consumer's name for what it asks for.
        batch: Option<Arc<str>>,
    },
}

/// What a consumer of a group wants.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// The group.
    pub group: GroupName,
    /// In the order in which they are looked at.
    pub queues: Vec<LeaseQueue>,
    /// Most messages of all queues together: the consumer's credit.
    pub messages_max: u32,
    /// Most bytes, but always one message.
    pub bytes_max: usize,
    /// How long they are the consumer's.
    pub hold: Hold,
    /// Messages whose tag does not match are settled unseen: a group has one filter.
    pub filter: Option<Arc<Filter>>,
    /// The order of each queue.
    pub order: LeaseOrder,
    /// Where messages go that were handed out too often.
    pub give_up: Option<GiveUp>,
}

/// When a message is handed out no more.
#[derive(Clone, Debug)]
pub struct GiveUp {
    /// Times it is handed out at most.
    pub attempts_max: u32,
    /// Where it goes then.
    pub dead_letters: DeadLetters,
}

/// A message handed out.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Which of the request's queues it is of.
    pub at: usize,
    /// The message.
    pub message: MessageView,
    /// The first time is 1.
    pub attempt: u32,
}

/// A group's messages in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseCounts {
    /// May be handed out.
    pub ready: u64,
    /// Are out.
    pub leased: u64,
}

/// What a consumer was given.
#[derive(Clone, Debug)]
pub struct Leased {
    /// Queue by queue, in queue order within each.
    pub deliveries: Vec<Delivery>,
    /// Part of the receipts of all of them.
    pub token: LeaseToken,
    /// Messages of these queues that may be handed out later.
    pub rest: u64,
    /// There is more to look at than one call looks at.
    pub(crate) is_cut_short: bool,
}

impl Leased {
    /// The receipt of one of the deliveries.
    #[must_use]
    pub fn receipt(&self, request: &LeaseRequest, delivery: &Delivery) -> Option<LeaseReceipt> {
        let queue = request.queues.get(delivery.at)?;
        Some(LeaseReceipt {
            topic: queue.topic.name().clone(),
            queue: queue.queue,
            offset: delivery.message.offset,
            token: self.token,
        })
    }
}

impl Client {
    /// A session whose leases end with [`Client::end_session`].
    #[must_use]
    pub fn lease_session(&self) -> LeaseSession {
        self.shared.leases.new_session()
    }

    /// Hands out what is there now: returned messages first, then new ones, in queue order.
    ///
    /// # Errors
    /// When no queue gave anything, the first error of one; [`Error::Busy`] for a limit of leases.
    pub fn lease_now(&self, request: &LeaseRequest) -> Result<Leased, Error> {
        self.shared.check_running()?;
        let group = self.shared.leases.group(&request.group);
        self.lease_of(&group, request, &[])
    }

    /// As [`Client::lease_now`], for many consumers at once: the first message is the first
    /// taker's until its session ends, and so on. What the request says of holding, and of how
    /// many, is not looked at.
    ///
    /// # Errors
    /// As [`Client::lease_now`].
    pub fn deal(&self, request: &LeaseRequest, takers: &[LeaseSession]) -> Result<Leased, Error> {
        let (Some(first), Ok(count)) = (takers.first(), u32::try_from(takers.len())) else {
            return Err(Error::Invalid("nobody takes anything".to_owned()));
        };
        self.shared.check_running()?;
        let request = LeaseRequest {
            messages_max: count,
            hold: Hold::Session(*first),
            ..request.clone()
        };
        let group = self.shared.leases.group(&request.group);
        self.lease_of(&group, &request, takers)
    }

    /// What of a queue a group may be handed out, and what it has.
    ///
    /// # Errors
    /// The queue or its topic is not there, or [`Error::Busy`] for a limit of leases.
    pub fn lease_counts(
        &self,
        group: &GroupName,
        queue: &LeaseQueue,
    ) -> Result<LeaseCounts, Error> {
        let leases = self.shared.leases.group(group);
        let mut ledgers = leases.lock();
        let (ledger, range) = self.current_ledger(&mut ledgers, group, queue)?;
        Ok(LeaseCounts {
            ready: ledger.ready_count(range.end.get()),
            leased: ledger.leased_count(),
        })
    }

    /// Settles what of a queue nobody of the group has; how many messages that were.
    ///
    /// # Errors
    /// As [`Client::lease_counts`].
    pub fn settle_ready(&self, group: &GroupName, queue: &LeaseQueue) -> Result<u64, Error> {
        self.shared.check_running()?;
        let leases = self.shared.leases.group(group);
        let mut ledgers = leases.lock();
        let (ledger, range) = self.current_ledger(&mut ledgers, group, queue)?;
        let settled = ledger.settle_ready(range.end.get());
        if ledger.is_changed() {
            self.shared.leases.changes().note(group);
        }
        Ok(settled)
    }

    /// Hands out, and waits up to `wait` for something to hand out: a new message, one given back,
    /// a lease whose time is over. Cancel by dropping.
    ///
    /// # Errors
    /// As [`Client::lease_now`].
    pub async fn lease(&self, request: &LeaseRequest, wait: Duration) -> Result<Leased, Error> {
        let look = || {
            let leased = self.lease_now(request)?;
            let found = match (leased.deliveries.is_empty(), leased.is_cut_short) {
                (false, _) => Look::Found,
                (true, true) => Look::Again,
                (true, false) => Look::Nothing,
            };
            Ok((leased, found))
        };
        self.look_until(&request.group, &request.queues, wait, look)
            .await
    }

    /// Whether something could be handed out now. What a filter would pass over counts.
    ///
    /// # Errors
    /// As [`Client::lease_now`].
    pub fn is_leasable(&self, request: &LeaseRequest) -> Result<bool, Error> {
        self.shared.check_running()?;
        self.has_leasable(request)
    }

    /// Whether something could be handed out; waits up to `wait` until it could. What a filter
    /// would pass over counts.
    ///
    /// # Errors
    /// As [`Client::lease_now`].
    pub async fn lease_ready(&self, request: &LeaseRequest, wait: Duration) -> Result<bool, Error> {
        let look = || {
            let is_ready = self.is_leasable(request)?;
            let found = if is_ready { Look::Found } else { Look::Nothing };
            Ok((is_ready, found))
        };
        self.look_until(&request.group, &request.queues, wait, look)
            .await
    }

    /// Whether a group has progress in a queue.
    #[must_use]
    pub fn has_progress(&self, group: &GroupName, topic: &TopicName, queue: QueueId) -> bool {
        let state = self.shared.state.read();
        let topics = state.groups.get(group.as_str());
        topics
            .and_then(|topics| topics.get(topic.as_str()))
            .is_some_and(|queues| queues.contains_key(&queue.get()))
    }

    async fn look_until<T>(
        &self,
        group: &GroupName,
        queues: &[LeaseQueue],
        wait: Duration,
        mut look: impl FnMut() -> Result<(T, Look), Error>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + wait;
        loop {
            let watch = Watch::on(&self.shared.leases.group(group), queues);
            // What came between the last look and the registration is seen now.
            let (outcome, found) = look()?;
            let left = deadline.saturating_duration_since(Instant::now());
            match found {
                Look::Found => return Ok(outcome),
                _ if left.is_zero() => return Ok(outcome),
                Look::Again => {
                    // Others of the thread have their turn.
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
                Look::Nothing => {}
            }
            let nap = self.until_next_deadline(&watch.group, queues);
            let nap = nap.unwrap_or(left).min(left);
            let woken = watch.waiter.satisfied();
            // Whether it was woken or has slept enough, it looks again.
            let _ = tokio::time::timeout(nap, woken).await;
        }
    }

    /// How long until a lease of `queues` ends by itself; the group knows that somebody waits.
    fn until_next_deadline(&self, group: &GroupLeases, queues: &[LeaseQueue]) -> Option<Duration> {
        let mut ledgers = group.lock();
        let deadlines = queues.iter().filter_map(|queue| {
            let key = (queue.topic.name().clone(), queue.queue);
            ledgers.by_queue.get(&key)?.next_deadline()
        });
        let next = deadlines.min();
        ledgers.await_until(next);
        let now = self.shared.clock.now();
        next.map(|next| Duration::from_millis(next.millis_since(now)))
    }
}

/// What a look at the queues of a request found.
#[derive(Clone, Copy)]
enum Look {
    Found,
    Nothing,
    /// Not everything was looked at.
    Again,
}

/// Waits for the queues of a request and for the leases of its group while it lives.
struct Watch {
    waiter: Arc<Waiter>,
    group: Arc<GroupLeases>,
    queues: Vec<Arc<Queue>>,
    _sleeper: Sleeper,
}

impl Watch {
    fn on(group: &Arc<GroupLeases>, queues: &[LeaseQueue]) -> Self {
        let waiter = Waiter::new(1);
        let queues = queues.iter();
        let queues: Vec<_> = queues
            .filter_map(|wanted| wanted.topic.queue(wanted.queue).ok())
            .collect();
        for queue in &queues {
            queue.waiters.add(&waiter);
        }
        Self {
            _sleeper: Sleeper::new(group, &waiter),
            group: Arc::clone(group),
            waiter,
            queues,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for queue in &self.queues {
            queue.waiters.remove(&self.waiter);
        }
    }
}
