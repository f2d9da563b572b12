//! Messages that have died in a queue: their dead letters say as well that they are done with.

use crate::broker::produce::is_gone;
use crate::broker::{Consumed, Durability, ProduceItem};
use crate::leases::LeaseReceipt;
use crate::vhosts::{DeadLetter, Dealt, Death, WorkQueue};
use crate::{Client, Error};
use std::collections::VecDeque;
use std::sync::Arc;

type Corpse = (Dealt, Death);

/// Those taken out of their queues and not buried yet, and queues that dead letters came to.
#[derive(Debug, Default)]
pub(super) struct Dead {
    by_queue: VecDeque<(Arc<WorkQueue>, Vec<Corpse>)>,
    reached: Vec<Arc<WorkQueue>>,
}

impl Dead {
    pub(super) fn put(&mut self, queue: &Arc<WorkQueue>, dealt: Dealt, death: Death) {
        match self.by_queue.back_mut() {
            Some((last, dead)) if Arc::ptr_eq(last, queue) => dead.push((dealt, death)),
            _ => self
                .by_queue
                .push_back((Arc::clone(queue), vec![(dealt, death)])),
        }
    }
}

impl Client {
    /// Messages that consumers have are not for any consumer any more: they go to the queue's
    /// exchange for dead letters, and are done with.
    ///
    /// # Errors
    /// A failed store; they are then as before.
    pub fn bury_taken(
        &self,
        queue: &Arc<WorkQueue>,
        receipts: &[LeaseReceipt],
        death: Death,
    ) -> Result<(), Error> {
        if queue.rules().dead_letters.is_none() {
            self.ack(queue.group(), receipts)?;
            return Ok(());
        }
        let mut dead = Dead::default();
        for receipt in receipts {
            let of = super::lease_queue(queue, receipt.queue);
            if let Some(message) = self.leased_message(&of, receipt.offset.get())? {
                let dealt = Dealt {
                    message,
                    attempt: 1,
                    receipt: receipt.clone(),
                };
                dead.put(queue, dealt, death);
            }
        }
        self.bury_all(dead)
    }

    /// Makes dead letters of messages that a queue does not take.
    ///
    /// # Errors
    /// A failed store.
    pub fn refuse(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        let mut dead = Dead::default();
        self.produce_letters(letters, None, &mut dead)?;
        self.bury_all(dead)
    }

    /// Buries all of them, and looks after the queues that dead letters come to: others may die
    /// there.
    pub(super) fn bury_all(&self, mut dead: Dead) -> Result<(), Error> {
        while let Some(next) = self.bury_next(&mut dead)? {
            self.serve(&next, &mut dead)?;
        }
        Ok(())
    }

    /// Buries all who died in one queue, if any; else the next queue that dead letters came to.
    fn bury_next(&self, dead: &mut Dead) -> Result<Option<Arc<WorkQueue>>, Error> {
        while let Some((queue, those)) = dead.by_queue.pop_front() {
            let receipts: Vec<_> = those
                .iter()
                .map(|(dealt, _)| dealt.receipt.clone())
                .collect();
            let letters = self.letters_of(&queue, those);
            if let Err(error) = self.produce_letters(letters, Some((&queue, &receipts)), dead) {
                self.give_back(queue.group(), &receipts)?;
                return Err(error);
            }
            // Those that no letter was made of, too.
            self.ack(queue.group(), &receipts)?;
        }
        Ok(dead.reached.pop())
    }

    fn letters_of(&self, queue: &WorkQueue, those: Vec<Corpse>) -> Vec<DeadLetter> {
        let vhosts = &self.shared.vhosts;
        let (Some(protocol), Some(host), Some(_)) = (
            vhosts.queue_protocol.get(),
            vhosts.get(queue.vhost()),
            &queue.rules().dead_letters,
        ) else {
            return Vec::new();
        };
        let now = self.shared.clock.now();
        those
            .into_iter()
            .map(|(dealt, death)| protocol.dead_letter(&host, queue, &dealt.message, death, now))
            .collect()
    }

    /// Produces letters, which are of messages of a queue, one of each, if of any.
    fn produce_letters(
        &self,
        letters: Vec<DeadLetter>,
        of: Option<(&Arc<WorkQueue>, &[LeaseReceipt])>,
        dead: &mut Dead,
    ) -> Result<(), Error> {
        let mut items: Vec<ProduceItem> = Vec::with_capacity(letters.len());
        let mut consumed = Vec::new();
        for (at, letter) in letters.into_iter().enumerate() {
            let has_items = !letter.items.is_empty();
            items.extend(letter.items);
            if let Some((queue, receipts)) = of
                && let Some(receipt) = receipts.get(at).filter(|_| has_items)
            {
                consumed.push(Consumed {
                    queue: Arc::clone(queue),
                    receipt: receipt.clone(),
                    // Where it is more than one record, it is the last.
                    by: items.len().saturating_sub(1),
                });
            }
            for queue in letter.queues {
                if !dead.reached.iter().any(|known| Arc::ptr_eq(known, &queue)) {
                    dead.reached.push(queue);
                }
            }
        }
        for outcome in self.produce_consuming(items, &consumed, Durability::Appended) {
            match outcome {
                // Its queue has gone meanwhile, and it with it.
                Err(error) if !is_gone(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
