//! The leases of one queue by one group.

use super::{Hold, LeaseOutcome, LeaseSession, LeaseToken, Progress};
use crate::model::Timestamp;
use crate::queue::Settled;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who has which message of a queue, and what comes next.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The topic it is of; a topic created anew has other messages.
    topic: [u8; 16],
    settled: Settled,
    /// Nothing from here on was ever handed out.
    cursor: u64,
    /// Messages to hand out again, with how often they were handed out.
    returned: BTreeMap<u64, u32>,
    leased: BTreeMap<u64, Lease>,
    /// Of the leases that have one.
    deadlines: BTreeSet<(Timestamp, u64)>,
    /// What the consumer called the batch that is in flight, where order is kept.
    batch: Option<Arc<str>>,
    /// Somebody got nothing because of what is leased now.
    blocks: bool,
    /// The log does not say it yet.
    is_changed: bool,
}

/// A message that is out.
#[derive(Clone, Copy, Debug)]
struct Lease {
    token: LeaseToken,
    until: Until,
    /// The first time is 1.
    attempt: u32,
    /// Whether the attempt counts when it comes back.
    counts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    Time(Timestamp),
    End(LeaseSession),
}

/// How a message is handed out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handout {
    pub(crate) token: LeaseToken,
    pub(crate) hold: Hold,
    pub(crate) now: Timestamp,
}

impl Handout {
    fn until(&self) -> Until {
        match self.hold {
            Hold::Millis(millis) => Until::Time(self.now.plus_millis(millis)),
            Hold::Session(session) => Until::End(session),
        }
    }
}

impl Ledger {
    /// Goes on where the log says. What was out then is handed out again.
    pub(crate) fn new(topic: [u8; 16], progress: &Progress) -> Self {
        let mut ledger = Self {
            topic,
            settled: progress.settled.clone(),
            cursor: progress.cursor.max(progress.settled.floor()),
            returned: BTreeMap::new(),
            leased: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            batch: None,
            blocks: false,
            is_changed: false,
        };
        let attempts: BTreeMap<_, _> = progress.attempts.iter().copied().collect();
        let mut open = ledger.settled.next_open(0);
        while open < ledger.cursor {
            let attempt = attempts.get(&open).copied().unwrap_or(1);
            ledger.returned.insert(open, attempt);
            open = ledger.settled.next_open(open + 1);
        }
        ledger
    }

    /// What the log is to say.
    pub(crate) fn progress(&self) -> Progress {
        let leased = self.leased.iter().map(|(at, lease)| (*at, lease.attempt));
        let returned = self.returned.iter().map(|(at, attempt)| (*at, *attempt));
        let again = leased.chain(returned).filter(|(_, attempt)| *attempt > 1);
        let mut attempts: Vec<_> = again.collect();
        attempts.sort_unstable();
        Progress {
            settled: self.settled.clone(),
            cursor: self.cursor,
            attempts,
        }
    }

    pub(crate) const fn topic(&self) -> [u8; 16] {
        self.topic
    }

    pub(crate) const fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// The log says it now.
    pub(crate) const fn written(&mut self) {
        self.is_changed = false;
    }

    /// Whether the log says all there is to know.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_changed
            && self.leased.is_empty()
            && self.returned.is_empty()
            && self.cursor == self.settled.floor()
    }

    pub(crate) const fn floor(&self) -> u64 {
        self.settled.floor()
    }

    pub(crate) const fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Messages of a queue that ends at `end` that may be handed out.
    pub(crate) fn ready_count(&self, end: u64) -> u64 {
        let fresh = end.saturating_sub(self.cursor);
        fresh.saturating_add(self.returned.len() as u64)
    }

    /// Messages that are out.
    pub(crate) fn leased_count(&self) -> u64 {
        self.leased.len() as u64
    }

    /// Settles what of a queue that ends at `end` is not out; how many messages that were.
    pub(crate) fn settle_ready(&mut self, end: u64) -> u64 {
        let count = self.ready_count(end);
        for offset in std::mem::take(&mut self.returned).into_keys() {
            self.is_changed |= self.settled.insert(offset);
        }
        self.pass(end);
        count
    }

    pub(crate) fn has_leases(&self) -> bool {
        !self.leased.is_empty()
    }

    /// When the next lease ends by itself.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Messages that may be handed out for the first time.
    pub(crate) fn room(&self, per_queue_max: u32, span_max: u64) -> u64 {
        let held = self.leased.len().saturating_add(self.returned.len()) as u64;
        let span = self.cursor - self.settled.floor();
        u64::from(per_queue_max)
            .saturating_sub(held)
            .min(span_max.saturating_sub(span))
    }

    /// Ends the leases whose time is over.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        while let Some((deadline, offset)) = self.deadlines.first().copied() {
            if deadline > now {
                return;
            }
            self.come_back(offset);
        }
    }

    /// The first message to hand out again from `from` on, and how often it was.
    pub(crate) fn next_returned(&self, from: u64) -> Option<(u64, u32)> {
        let (offset, attempts) = self.returned.range(from..).next()?;
        Some((*offset, *attempts))
    }

    /// Whether the message was never handed out, nor settled.
    pub(crate) fn is_fresh(&self, offset: u64) -> bool {
        !self.settled.contains(offset)
            && !self.returned.contains_key(&offset)
            && !self.leased.contains_key(&offset)
    }

    /// Hands a message out; the attempt it is.
    pub(crate) fn hand_out(&mut self, offset: u64, handout: &Handout) -> u32 {
        let attempt = self.returned.remove(&offset).unwrap_or(0).saturating_add(1);
        self.is_changed = true;
        self.put_out(offset, attempt, handout);
        attempt
    }

    fn put_out(&mut self, offset: u64, attempt: u32, handout: &Handout) {
        self.forget_deadline(offset);
        let until = handout.until();
        if let Until::Time(deadline) = until {
            self.deadlines.insert((deadline, offset));
        }
        let lease = Lease {
            token: handout.token,
            until,
            attempt,
            counts: true,
        };
        self.leased.insert(offset, lease);
    }

    /// Everything before `next` was looked at: what was not handed out is not wanted.
    pub(crate) fn pass(&mut self, next: u64) {
        let mut at = self.cursor;
        if next <= at {
            return;
        }
        let leased = self.leased.range(at..next).map(|(held, _)| *held);
        let returned = self.returned.range(at..next).map(|(held, _)| *held);
        let held: BTreeSet<u64> = leased.chain(returned).collect();
        self.is_changed |= (held.len() as u64) < next - at;
        for held in held {
            self.settled.insert_range(at..held);
            at = held + 1;
        }
        self.settled.insert_range(at..next);
        self.cursor = next.max(self.settled.floor());
    }

    /// Names the batch that is in flight, where order is kept.
    pub(crate) fn name_batch(&mut self, batch: Option<Arc<str>>) {
        self.batch = batch;
    }

    /// The messages in flight as one batch of that name, in queue order, and the attempt each is.
    pub(crate) fn batch(&self, name: Option<&str>) -> Vec<(u64, u32)> {
        if name.is_none() || self.batch.as_deref() != name {
            return Vec::new();
        }
        let leased = self.leased.iter();
        leased.map(|(at, lease)| (*at, lease.attempt)).collect()
    }

    /// Hands the same attempt of a message out once more: its answer was lost.
    pub(crate) fn repeat(&mut self, offset: u64, attempt: u32, handout: &Handout) {
        self.put_out(offset, attempt, handout);
    }

    /// Somebody got nothing because of what is leased now.
    pub(crate) const fn note_blocked(&mut self) {
        self.blocks = true;
    }

    /// Whether somebody waits for a lease to end; said once.
    pub(crate) const fn take_blocked(&mut self) -> bool {
        std::mem::replace(&mut self.blocks, false)
    }

    /// A message is done with, whoever has it.
    pub(crate) fn settle(&mut self, offset: u64) {
        self.forget_deadline(offset);
        self.leased.remove(&offset);
        self.returned.remove(&offset);
        self.is_changed |= self.settled.insert(offset);
        self.cursor = self.cursor.max(self.settled.floor());
    }

    /// Whether the holder of `token` may say that it is done with a message.
    pub(crate) fn is_held(&self, offset: u64, token: LeaseToken, opened_at: Timestamp) -> bool {
        self.check(offset, token, opened_at).is_ok()
    }

    /// The holder of `token` is done with a message. One from an earlier life of this broker
    /// counts: that life told nobody that the lease was over.
    pub(crate) fn acknowledge(
        &mut self,
        offset: u64,
        token: LeaseToken,
        opened_at: Timestamp,
    ) -> LeaseOutcome {
        match self.check(offset, token, opened_at) {
            Ok(()) => {
                self.settle(offset);
                LeaseOutcome::Done
            }
            Err(outcome) => outcome,
        }
    }

    fn check(
        &self,
        offset: u64,
        token: LeaseToken,
        opened_at: Timestamp,
    ) -> Result<(), LeaseOutcome> {
        if self.settled.contains(offset) {
            return Err(LeaseOutcome::Settled);
        }
        match self.leased.get(&offset) {
            Some(lease) if lease.token == token => Ok(()),
            Some(_) => Err(LeaseOutcome::Stale),
            None if !self.returned.contains_key(&offset) && token.leased_at >= opened_at => {
                Err(LeaseOutcome::Unknown)
            }
            None => Ok(()),
        }
    }

    /// The holder of `token` keeps a message for as long as `handout` says, under its token;
    /// without `counts` the attempt is not counted when it comes back.
    pub(crate) fn extend(
        &mut self,
        offset: u64,
        token: LeaseToken,
        handout: &Handout,
        counts: bool,
    ) -> LeaseOutcome {
        let attempt = match self.held(offset, token) {
            Ok(lease) => lease.attempt,
            Err(outcome) => return outcome,
        };
        self.put_out(offset, attempt, handout);
        if let Some(lease) = self.leased.get_mut(&offset) {
            lease.counts = counts;
        }
        LeaseOutcome::Done
    }

    /// The holder of `token` gives a message back, to be handed out again at once.
    pub(crate) fn give_back(&mut self, offset: u64, token: LeaseToken) -> LeaseOutcome {
        match self.held(offset, token) {
            Ok(_) => {
                self.come_back(offset);
                LeaseOutcome::Done
            }
            Err(outcome) => outcome,
        }
    }

    /// Whether `token` holds the message; the attempt it is.
    pub(crate) fn attempt(&self, offset: u64, token: LeaseToken) -> Result<u32, LeaseOutcome> {
        self.held(offset, token).map(|lease| lease.attempt)
    }

    fn held(&self, offset: u64, token: LeaseToken) -> Result<Lease, LeaseOutcome> {
        if self.settled.contains(offset) {
            return Err(LeaseOutcome::Settled);
        }
        match self.leased.get(&offset) {
            Some(lease) if lease.token == token => Ok(*lease),
            Some(_) => Err(LeaseOutcome::Stale),
            None if self.returned.contains_key(&offset) => Err(LeaseOutcome::Stale),
            None => Err(LeaseOutcome::Unknown),
        }
    }

    /// All leases of a session come back; whether there were any.
    pub(crate) fn end_session(&mut self, session: LeaseSession) -> bool {
        let is_of = |lease: &Lease| lease.until == Until::End(session);
        let leased = self.leased.iter().filter(|(_, lease)| is_of(lease));
        let offsets: Vec<u64> = leased.map(|(at, _)| *at).collect();
        for offset in &offsets {
            self.come_back(*offset);
        }
        !offsets.is_empty()
    }

    /// Somebody says that the group goes on at `offset`: what is before it is settled; a step
    /// back ends all leases.
    pub(crate) fn commit(&mut self, offset: u64) {
        if offset < self.settled.floor() {
            *self = Self::new(self.topic, &Progress::at(offset));
        } else {
            self.settled.raise(offset);
            let floor = self.settled.floor();
            self.cursor = self.cursor.max(floor);
            self.returned = self.returned.split_off(&floor);
            let kept = self.leased.split_off(&floor);
            let gone = std::mem::replace(&mut self.leased, kept);
            for (offset, lease) in gone {
                if let Until::Time(deadline) = lease.until {
                    self.deadlines.remove(&(deadline, offset));
                }
            }
        }
        self.is_changed = true;
    }

    fn come_back(&mut self, offset: u64) {
        self.forget_deadline(offset);
        if let Some(lease) = self.leased.remove(&offset) {
            let attempt = lease.attempt - u32::from(!lease.counts);
            self.returned.insert(offset, attempt);
        }
    }

    fn forget_deadline(&mut self, offset: u64) {
        if let Some(lease) = self.leased.get(&offset)
            && let Until::Time(deadline) = lease.until
        {
            self.deadlines.remove(&(deadline, offset));
        }
    }
}
