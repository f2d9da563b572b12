//! Messages of work queues on their way to consumers, by whichever thread made them possible.

use super::lease::{LeaseCounts, LeaseOrder, LeaseQueue, LeaseRequest, LeaseStart, Leased};
use crate::leases::{Hold, LeaseReceipt, LeaseSession};
use crate::model::QueueId;
use crate::vhosts::{Consumer, Dealt, TopologyError, WorkQueue};
use crate::{Client, Error};
use std::sync::Arc;

/// Messages of one call that are on nobody's way yet.
const BATCH: usize = 256;
/// Bytes of them, roughly.
const BATCH_BYTES: usize = 4 << 20;

impl Client {
    /// Lets somebody consume from a queue once it is dispatched.
    ///
    /// # Errors
    /// [`TopologyError::ExclusiveUse`].
    pub fn consume(&self, queue: &WorkQueue, consumer: Arc<Consumer>) -> Result<(), TopologyError> {
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
        queue: &WorkQueue,
        consumer: &Arc<Consumer>,
    ) -> Result<bool, Error> {
        let was_there = queue.consumers().remove(consumer);
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
        }
        self.end_session(session);
        let queues = consumers.iter().map(|(queue, _)| queue);
        let dispatched = queues.chain(others).map(|queue| self.dispatch(queue));
        dispatched.fold(Ok(()), Result::and)
    }

    /// Hands out what is ready to those who have credit, in turn. To be called after messages were
    /// produced or given back, and after credit or room was given.
    ///
    /// # Errors
    /// A failed store; who calls next tries again.
    pub fn dispatch(&self, queue: &WorkQueue) -> Result<(), Error> {
        let mut consumers = queue.consumers();
        while consumers.count() > 0 {
            let request = request(queue);
            let ready = self.queue_counts(queue)?.ready;
            let ready = usize::try_from(ready).unwrap_or(BATCH).min(BATCH);
            let takers = consumers.take_turns(ready);
            if takers.is_empty() {
                return Ok(());
            }
            let sessions: Vec<_> = takers.iter().map(|taker| taker.session).collect();
            let leased = self.deal(&request, &sessions);
            let count = leased.as_ref().map_or(0, |leased| leased.deliveries.len());
            for unserved in takers.iter().skip(count) {
                unserved.give_turn_back();
            }
            let leased = leased?;
            self.deliver(queue, &request, leased, &takers)?;
            if count < sessions.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What of a queue is ready, and what is on its way.
    ///
    /// # Errors
    /// The queue is gone, or a limit of leases.
    pub fn queue_counts(&self, queue: &WorkQueue) -> Result<LeaseCounts, Error> {
        self.lease_counts(queue.group(), &lease_queue(queue))
    }

    /// Takes what is ready out of a queue; how many messages that were.
    ///
    /// # Errors
    /// As [`Client::queue_counts`].
    pub fn purge_queue(&self, queue: &WorkQueue) -> Result<u64, Error> {
        self.settle_ready(queue.group(), &lease_queue(queue))
    }

    /// Hands out one message of a queue to who asks for it, if any is ready.
    ///
    /// # Errors
    /// The queue is gone, or a failed store.
    pub fn take_one(
        &self,
        queue: &WorkQueue,
        session: LeaseSession,
    ) -> Result<Option<Dealt>, Error> {
        let request = request(queue);
        let leased = self.deal(&request, &[session])?;
        let Some(delivery) = leased.deliveries.first() else {
            return Ok(None);
        };
        let receipt = leased.receipt(&request, delivery);
        Ok(receipt.map(|receipt| Dealt {
            message: delivery.message.clone(),
            attempt: delivery.attempt,
            receipt,
        }))
    }

    fn deliver(
        &self,
        queue: &WorkQueue,
        request: &LeaseRequest,
        leased: Leased,
        takers: &[Arc<Consumer>],
    ) -> Result<(), Error> {
        let mut done: Vec<LeaseReceipt> = Vec::new();
        let mut runs: Vec<(&Arc<Consumer>, Vec<Dealt>)> = Vec::new();
        for (delivery, taker) in leased.deliveries.iter().zip(takers) {
            let Some(receipt) = leased.receipt(request, delivery) else {
                continue;
            };
            if taker.is_unacknowledged {
                done.push(receipt.clone());
            }
            let dealt = Dealt {
                message: delivery.message.clone(),
                attempt: delivery.attempt,
                receipt,
            };
            match runs.iter_mut().find(|(known, _)| Arc::ptr_eq(known, taker)) {
                Some((_, run)) => run.push(dealt),
                None => runs.push((taker, vec![dealt])),
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

fn lease_queue(queue: &WorkQueue) -> LeaseQueue {
    LeaseQueue {
        topic: Arc::clone(queue.topic()),
        queue: QueueId::new(0),
        start: LeaseStart::Earliest,
    }
}

/// What of a queue is ready.
fn request(queue: &WorkQueue) -> LeaseRequest {
    LeaseRequest {
        group: queue.group().clone(),
        queues: vec![lease_queue(queue)],
        messages_max: 0,
        bytes_max: BATCH_BYTES,
        hold: Hold::Millis(0),
        filter: None,
        order: LeaseOrder::Loose,
        give_up: None,
    }
}
