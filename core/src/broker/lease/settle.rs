//! What consumers say of what they were given.

use super::{LeaseQueue, LeaseStart};
use crate::broker::consumed::Note;
use crate::broker::doors::Doors;
use crate::broker::{Durability, MessageView, Payload, ProduceItem};
use crate::leases::{GroupLeases, Handout, Hold, LeaseOutcome, LeaseReceipt, LeaseSession};
use crate::leases::{LeaseToken, Ledger, Ledgers};
use crate::model::{GroupName, Message, Properties, QueueId, TopicName, TopicSpec};
use crate::record::RecordView;
use crate::{Client, Error};
use std::sync::Arc;

/// Where messages go that a group gives up.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    /// Created with one queue when it is missing.
    pub topic: TopicName,
    /// Makes of the message's properties, and the topic it is of, those of the dead letter. The
    /// broker's own are not among them.
    pub properties: fn(&RecordView, &TopicName) -> Properties,
}

impl Client {
    /// Settles messages, each with its own outcome: the group wants them no more.
    ///
    /// # Errors
    /// [`Error::ShuttingDown`].
    pub fn ack(
        &self,
        group: &GroupName,
        receipts: &[LeaseReceipt],
    ) -> Result<Vec<LeaseOutcome>, Error> {
        self.shared.check_running()?;
        let leases = self.shared.leases.group(group);
        let opened_at = self.shared.leases.opened_at();
        let mut ledgers = leases.lock();
        let mut outcomes = Vec::with_capacity(receipts.len());
        for receipt in receipts {
            let outcome = self.with_ledger(&mut ledgers, group, receipt, |ledger| {
                let offset = receipt.offset.get();
                ledger.acknowledge(offset, receipt.token, opened_at)
            })?;
            outcomes.push(outcome);
        }
        self.after_settling(group, &leases, &mut ledgers, receipts);
        Ok(outcomes)
    }

    /// Keeps a message for as long as `hold` says, counted from now, under the token returned.
    /// Without `counts` the attempt will not count when the time is over.
    ///
    /// # Errors
    /// [`Error::ShuttingDown`].
    pub fn extend(
        &self,
        group: &GroupName,
        receipt: &LeaseReceipt,
        hold: Hold,
        counts: bool,
    ) -> Result<(LeaseOutcome, LeaseToken), Error> {
        self.shared.check_running()?;
        let now = self.shared.clock.now();
        let token = self.shared.leases.token(now);
        let handout = Handout { token, hold, now };
        if let Hold::Session(session) = hold {
            self.shared.leases.enter_session(session, group);
        }
        let leases = self.shared.leases.group(group);
        let mut ledgers = leases.lock();
        let outcome = self.with_ledger(&mut ledgers, group, receipt, |ledger| {
            ledger.extend(receipt.offset.get(), receipt.token, &handout, counts)
        })?;
        if let Hold::Millis(millis) = hold
            && ledgers.sleeps_over(now.plus_millis(millis))
        {
            leases.wake(&mut ledgers);
        }
        Ok((outcome, token))
    }

    /// Gives messages back, each with its own outcome, to be handed out again at once.
    ///
    /// # Errors
    /// [`Error::ShuttingDown`].
    pub fn give_back(
        &self,
        group: &GroupName,
        receipts: &[LeaseReceipt],
    ) -> Result<Vec<LeaseOutcome>, Error> {
        self.shared.check_running()?;
        let leases = self.shared.leases.group(group);
        let mut ledgers = leases.lock();
        let mut outcomes = Vec::with_capacity(receipts.len());
        for receipt in receipts {
            let outcome = self.with_ledger(&mut ledgers, group, receipt, |ledger| {
                ledger.give_back(receipt.offset.get(), receipt.token)
            })?;
            outcomes.push(outcome);
        }
        leases.wake(&mut ledgers);
        Ok(outcomes)
    }

    /// Writes a message to the dead letters and settles it, as one.
    ///
    /// # Errors
    /// What producing the dead letter says; the message is then leased as before.
    pub fn dead_letter(
        &self,
        group: &GroupName,
        receipt: &LeaseReceipt,
        dead_letters: &DeadLetters,
    ) -> Result<LeaseOutcome, Error> {
        self.shared.check_running()?;
        let Some(queue) = self.lease_queue_of(receipt) else {
            return Ok(LeaseOutcome::Unknown);
        };
        let leases = self.shared.leases.group(group);
        let mut ledgers = leases.lock();
        let mut attempts = 0;
        let held = self.with_ledger(&mut ledgers, group, receipt, |ledger| {
            match ledger.attempt(receipt.offset.get(), receipt.token) {
                Ok(attempt) => {
                    attempts = attempt;
                    LeaseOutcome::Done
                }
                Err(outcome) => outcome,
            }
        })?;
        if held != LeaseOutcome::Done {
            return Ok(held);
        }
        if let Some(message) = self.leased_message(&queue, receipt.offset.get())? {
            self.bury(group, &queue, &message, attempts, dead_letters)?;
        }
        let outcome = self.with_ledger(&mut ledgers, group, receipt, |ledger| {
            ledger.settle(receipt.offset.get());
            LeaseOutcome::Done
        });
        self.after_settling(group, &leases, &mut ledgers, [receipt]);
        outcome
    }

    /// Gives everything back that a session holds, to be handed out again at once and in order.
    pub fn end_session(&self, session: LeaseSession) {
        for group in self.shared.leases.leave_session(session) {
            self.return_all(&group, session);
        }
    }

    /// Gives back what a session holds of a group's messages.
    pub(in crate::broker) fn return_all(&self, group: &GroupName, session: LeaseSession) {
        if let Some(leases) = self.shared.leases.known(group) {
            let mut ledgers = leases.lock();
            if ledgers.end_session(session) {
                leases.wake(&mut ledgers);
            }
        }
    }

    /// Writes a message to the dead letters, and that the group is done with it. The caller holds
    /// the group's leases, and settles it there.
    pub(super) fn bury(
        &self,
        group: &GroupName,
        of: &LeaseQueue,
        message: &MessageView,
        attempts: u32,
        dead_letters: &DeadLetters,
    ) -> Result<(), Error> {
        let record = RecordView::parse(&message.bytes);
        let record = record.map_err(|error| Error::Storage(error.to_string()))?;
        let to = match self.topic(dead_letters.topic.as_str()) {
            Some(known) => known,
            None => match self.create_topic(&dead_letters.topic, TopicSpec::with_queues(1)) {
                Err(Error::AlreadyExists(name)) => self
                    .topic(name.as_str())
                    .ok_or(Error::TopicNotFound(name))?,
                outcome => outcome?,
            },
        };
        let offset = message.offset.get();
        let note = Note {
            group: group.clone(),
            queue: of.topic.queue(of.queue)?,
            offsets: offset..=offset,
            by: 0,
        };
        let message = Message {
            properties: (dead_letters.properties)(&record, of.topic.name()),
            reconsume_times: i32::try_from(attempts).unwrap_or(i32::MAX),
            ..record.to_message()
        };
        let item = ProduceItem {
            topic: to,
            queue: QueueId::new(0),
            payload: Payload::Message(message),
            also: Vec::new(),
        };
        let doors = Doors::new(Durability::Appended, Some(&self.shared));
        let (mut outcomes, _) = self.produce_noting(doors, vec![item], vec![note]);
        let outcome = outcomes.pop();
        outcome.ok_or_else(|| Error::Internal("no outcome".to_owned()))??;
        Ok(())
    }

    fn lease_queue_of(&self, receipt: &LeaseReceipt) -> Option<LeaseQueue> {
        Some(LeaseQueue {
            topic: self.topic(receipt.topic.as_str())?,
            queue: receipt.queue,
            start: LeaseStart::Earliest,
        })
    }

    /// Does something to the ledger a receipt is of; [`LeaseOutcome::Unknown`] when there is none.
    fn with_ledger(
        &self,
        ledgers: &mut Ledgers,
        group: &GroupName,
        receipt: &LeaseReceipt,
        change: impl FnOnce(&mut Ledger) -> LeaseOutcome,
    ) -> Result<LeaseOutcome, Error> {
        let Some(queue) = self.lease_queue_of(receipt) else {
            return Ok(LeaseOutcome::Unknown);
        };
        let range = match self.offset_range(&queue.topic, queue.queue) {
            Ok(range) => range,
            Err(Error::QueueNotFound { .. } | Error::TopicNotFound(_)) => {
                return Ok(LeaseOutcome::Unknown);
            }
            Err(error) => return Err(error),
        };
        if receipt.offset >= range.end {
            return Ok(LeaseOutcome::Unknown);
        }
        let ledger = self.ledger(ledgers, group, &queue, None)?;
        Ok(ledger.map_or(LeaseOutcome::Unknown, change))
    }

    /// Has the log told, and those who were kept waiting.
    pub(in crate::broker) fn after_settling<'a>(
        &self,
        group: &GroupName,
        leases: &Arc<GroupLeases>,
        ledgers: &mut Ledgers,
        receipts: impl IntoIterator<Item = &'a LeaseReceipt>,
    ) {
        let (mut is_changed, mut is_awaited) = (false, false);
        for receipt in receipts {
            let key = (receipt.topic.clone(), receipt.queue);
            if let Some(ledger) = ledgers.by_queue.get_mut(&key) {
                is_changed |= ledger.is_changed();
                is_awaited |= ledger.take_blocked();
            }
        }
        if is_changed {
            self.shared.leases.changes().note(group);
        }
        if is_awaited {
            leases.wake(ledgers);
        }
    }
}
