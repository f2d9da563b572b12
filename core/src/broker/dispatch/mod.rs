//! Messages of work queues on their way to consumers, by whichever thread made them possible.

mod burial;
mod ready_bytes;
mod upkeep;

use super::lease::{
    Delivery, LeaseCounts, LeaseOrder, LeaseQueue, LeaseRequest, LeaseStart, Leased,
};
use crate::leases::{Hold, LeaseReceipt, LeaseSession};
use crate::model::QueueId;
use crate::vhosts::{Consumer, Dealt, QueueProtocol, TopologyError, WorkQueue};
use crate::{Client, Error};
use burial::Dead;
use std::sync::Arc;
use upkeep::Patience;

/// Messages of one call that are on nobody's way yet.
const BATCH: usize = 256;
/// Bytes of them, roughly.
const BATCH_BYTES: usize = 4 << 20;

impl Client {
    /// Whose queues they are from now on; the first to say so counts.
    pub fn set_queue_protocol(&self, protocol: Arc<dyn QueueProtocol>) {
        let _first = self.shared.vhosts.queue_protocol.set(protocol);
    }

    /// Lets somebody consume from a queue once it is dispatched.
    ///
    /// # Errors
    /// [`TopologyError::ExclusiveUse`].
    pub fn consume(
        &self,
        queue: &Arc<WorkQueue>,
        consumer: Arc<Consumer>,
    ) -> Result<(), TopologyError> {
        self.note_use(queue);
        if queue.consumers().add(consumer) {
            Ok(())
        } else {
            Err(TopologyError::ExclusiveUse(Arc::clone(queue.name())))
        }
    }

    /// Lets a consumer get no more; what it was given stays its session's. Whether it was one.
    ///
    /// # Errors
    /// As [`Client::dispatch`]: another's turn may have come.
    pub fn stop_consuming(
        &self,
        queue: &Arc<WorkQueue>,
        consumer: &Arc<Consumer>,
    ) -> Result<bool, Error> {
        let was_there = queue.consumers().remove(consumer);
        self.note_use(queue);
        self.dispatch(queue)?;
        Ok(was_there)
    }

    /// Ends consumers with their session: what they were given returns to its place before
    /// anybody else's turn comes, also to `others`, queues it had messages of without consuming.
    ///
    /// # Errors
    /// As [`Client::dispatch`]; all of it has ended nevertheless.
    pub fn end_consumers(
        &self,
        session: LeaseSession,
        consumers: &[(Arc<WorkQueue>, Arc<Consumer>)],
        others: &[Arc<WorkQueue>],
    ) -> Result<(), Error> {
        for (queue, consumer) in consumers {
            let mut all = queue.consumers();
            all.remove(consumer);
            self.return_all(queue.group(), session);
            self.note_use(queue);
        }
        self.end_session(session);
        let queues = consumers.iter().map(|(queue, _)| queue);
        let dispatched = queues.chain(others).map(|queue| self.dispatch(queue));
        dispatched.fold(Ok(()), Result::and)
    }

    /// Hands out what is ready to those who have credit, in turn, and does with the rest what the
    /// queue's rules say. To be called after messages were produced or given back, and after
    /// credit or room was given.
    ///
    /// # Errors
    /// A failed store; who calls next tries again.
    pub fn dispatch(&self, queue: &Arc<WorkQueue>) -> Result<(), Error> {
        let mut dead = Dead::default();
        self.serve(queue, &mut dead)?;
        // Nearly always nobody has died.
        self.bury_all(dead)
    }

    /// Dispatches each of them once. What fails is logged: who calls next tries again.
    pub fn dispatch_all(&self, mut queues: Vec<Arc<WorkQueue>>) {
        queues.sort_unstable_by_key(Arc::as_ptr);
        queues.dedup_by(|one, other| Arc::ptr_eq(one, other));
        for queue in queues {
            if let Err(error) = self.dispatch(&queue) {
                tracing::warn!(%error, queue = &**queue.name(), "messages are not handed out");
            }
        }
    }

    /// Looks after one queue. Those who have died in it are taken out of it, and left to be buried
    /// when its lock is not held any more.
    fn serve(&self, queue: &Arc<WorkQueue>, dead: &mut Dead) -> Result<(), Error> {
        if queue.rules().is_stream() {
            // Its consumers read it themselves.
            return Ok(());
        }
        let mut consumers = queue.consumers();
        if consumers.count() == 0 && !queue.needs_upkeep() {
            return Ok(());
        }
        let request = request(queue);
        while consumers.count() > 0 {
            let ready = self.queue_counts(queue)?.ready;
            let ready = usize::try_from(ready).unwrap_or(BATCH).min(BATCH);
            let takers = consumers.take_turns(ready);
            if takers.is_empty() {
                break;
            }
            let sessions: Vec<_> = takers.iter().map(|taker| taker.session).collect();
            let leased = self.deal(&request, &sessions);
            let count = leased.as_ref().map_or(0, |leased| leased.deliveries.len());
            for unserved in takers.iter().skip(count) {
                unserved.give_turn_back();
            }
            self.deliver(queue, &request, leased?, &takers, dead)?;
            if count < sessions.len() {
                break;
            }
        }
        self.keep_rules(queue, &request, dead)
    }

    /// What of a queue is ready, and what is on its way. In a stream everything is ready, what it
    /// has of others' offsets without messages included.
    ///
    /// # Errors
    /// The queue is gone, or a limit of leases.
    pub fn queue_counts(&self, queue: &WorkQueue) -> Result<LeaseCounts, Error> {
        let mut sum = LeaseCounts::default();
        if queue.rules().is_stream() {
            let range = self.offset_range(queue.topic(), QueueId::new(0))?;
            sum.ready = range.start.distance_to(range.end);
            return Ok(sum);
        }
        for of in lease_queues(queue) {
            let counts = self.lease_counts(queue.group(), &of)?;
            sum.ready += counts.ready;
            sum.leased += counts.leased;
        }
        Ok(sum)
    }

    /// Takes what is ready out of a queue; how many messages that were.
    ///
    /// # Errors
    /// As [`Client::queue_counts`].
    pub fn purge_queue(&self, queue: &WorkQueue) -> Result<u64, Error> {
        let queues = lease_queues(queue);
        let settled = queues.map(|of| self.settle_ready(queue.group(), &of));
        settled.sum()
    }

    /// Hands out one message of a queue to who asks for it, if any is ready.
    ///
    /// # Errors
    /// The queue is gone, or a failed store.
    pub fn take_one(
        &self,
        queue: &Arc<WorkQueue>,
        session: LeaseSession,
    ) -> Result<Option<Dealt>, Error> {
        self.note_use(queue);
        if queue.has_mortals() {
            self.dispatch(queue)?;
        }
        let request = request(queue);
        loop {
            let leased = self.deal(&request, &[session])?;
            let first = leased.deliveries.first();
            let Some(dealt) = first.and_then(|first| dealt(&leased, &request, first)) else {
                return Ok(None);
            };
            let Some(death) = self.death_of(queue, &dealt, Patience::WhenDue) else {
                if queue.has_mortals() {
                    // What is first now may be over, or will be.
                    self.dispatch(queue)?;
                }
                return Ok(Some(dealt));
            };
            let mut dead = Dead::default();
            dead.put(queue, dealt, death);
            self.bury_all(dead)?;
        }
    }

    fn deliver(
        &self,
        queue: &Arc<WorkQueue>,
        request: &LeaseRequest,
        leased: Leased,
        takers: &[Arc<Consumer>],
        dead: &mut Dead,
    ) -> Result<(), Error> {
        let mut done: Vec<LeaseReceipt> = Vec::new();
        let mut runs: Vec<(&Arc<Consumer>, Vec<Dealt>)> = Vec::new();
        for (delivery, taker) in leased.deliveries.iter().zip(takers) {
            let Some(dealt) = dealt(&leased, request, delivery) else {
                continue;
            };
            if let Some(death) = self.death_of(queue, &dealt, Patience::FirstTime) {
                taker.give_turn_back();
                dead.put(queue, dealt, death);
                continue;
            }
            if taker.is_unacknowledged {
                done.push(dealt.receipt.clone());
            }
            // Consumers of one session have one order between them.
            let mut before = runs.iter_mut().rev();
            match before.find(|(known, _)| known.session == taker.session) {
                Some((known, run)) if Arc::ptr_eq(known, taker) => run.push(dealt),
                _ => runs.push((taker, vec![dealt])),
            }
        }
        for (taker, run) in runs {
            taker.mailbox.deliver(run);
        }
        if !done.is_empty() {
            self.ack(queue.group(), &done)?;
        }
        Ok(())
    }
}

/// The queues of a work queue's topic, the greatest priority first.
fn lease_queues(queue: &WorkQueue) -> impl Iterator<Item = LeaseQueue> {
    let count = queue.topic().queue_count();
    let ids = (0..count).rev().map(QueueId::new);
    ids.map(|id| lease_queue(queue, id))
}

fn lease_queue(queue: &WorkQueue, id: QueueId) -> LeaseQueue {
    LeaseQueue {
        topic: Arc::clone(queue.topic()),
        queue: id,
        start: LeaseStart::Earliest,
    }
}

/// What of a queue is ready.
fn request(queue: &WorkQueue) -> LeaseRequest {
    LeaseRequest {
        group: queue.group().clone(),
        queues: lease_queues(queue).collect(),
        messages_max: 0,
        bytes_max: BATCH_BYTES,
        hold: Hold::Millis(0),
        filter: None,
        order: LeaseOrder::Loose,
        give_up: None,
    }
}

/// A delivery as who takes it gets it.
fn dealt(leased: &Leased, request: &LeaseRequest, delivery: &Delivery) -> Option<Dealt> {
    Some(Dealt {
        message: delivery.message.clone(),
        attempt: delivery.attempt,
        receipt: leased.receipt(request, delivery)?,
    })
}
