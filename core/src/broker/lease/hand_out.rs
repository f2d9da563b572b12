//! Which messages a request gets, under the lock of its group.

use super::{Delivery, LeaseOrder, LeaseQueue, LeaseRequest, LeaseStart, Leased};
use crate::broker::{FetchQueue, MessageView};
use crate::filter::Filter;
use crate::leases::{
    GroupLeases, Handout, Hold, LeaseSession, Ledger, LedgerKey, Ledgers, Progress,
};
use crate::model::{GroupName, OffsetRange, QueueOffset};
use crate::record::RecordView;
use crate::state::{Command, LeaseChange};
use crate::{Client, Error};
use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Looks at a queue one call takes; each passes over as much as one fetch does.
const LOOKS_MAX: u32 = 8;
/// Dead letters one call writes.
const BURIALS_MAX: u32 = 32;

/// What a request may still be given.
struct Grant<'a> {
    request: &'a LeaseRequest,
    /// The sessions that get one message each, in this order; of none the request says whose they
    /// are.
    takers: &'a [LeaseSession],
    handout: Handout,
    messages_left: u32,
    bytes_left: usize,
    deliveries: Vec<Delivery>,
    burials_left: u32,
    is_cut_short: bool,
    error: Option<Error>,
}

impl Grant<'_> {
    fn is_used_up(&self) -> bool {
        self.messages_left == 0 || (self.bytes_left == 0 && !self.deliveries.is_empty())
    }

    /// How the next message is handed out.
    fn handout(&self) -> Handout {
        let taker = self.takers.get(self.deliveries.len());
        let hold = taker.map_or(self.handout.hold, |taker| Hold::Session(*taker));
        Handout {
            hold,
            ..self.handout
        }
    }

    /// Takes a message when there is room for it.
    fn take(&mut self, at: usize, message: MessageView, attempt: u32) {
        self.messages_left = self.messages_left.saturating_sub(1);
        self.bytes_left = self.bytes_left.saturating_sub(message.bytes.len());
        self.deliveries.push(Delivery {
            at,
            message,
            attempt,
        });
    }

    fn fits(&self, message: &MessageView) -> bool {
        self.deliveries.is_empty() || message.bytes.len() <= self.bytes_left
    }

    fn note(&mut self, error: Error) {
        tracing::debug!(%error, "leasing from a queue failed");
        self.error.get_or_insert(error);
    }
}

impl Client {
    pub(super) fn lease_of(
        &self,
        group: &GroupLeases,
        request: &LeaseRequest,
        takers: &[LeaseSession],
    ) -> Result<Leased, Error> {
        let now = self.shared.clock.now();
        let engine = &self.shared.leases;
        let handout = Handout {
            token: engine.token(now),
            hold: request.hold,
            now,
        };
        let mut grant = Grant {
            request,
            takers,
            handout,
            messages_left: request.messages_max,
            bytes_left: request.bytes_max,
            deliveries: Vec::new(),
            burials_left: BURIALS_MAX,
            is_cut_short: false,
            error: None,
        };
        let own = match request.hold {
            Hold::Session(session) => Some(session),
            Hold::Millis(_) => None,
        };
        let sessions: BTreeSet<LeaseSession> = takers.iter().copied().chain(own).collect();
        for session in sessions {
            engine.enter_session(session, &request.group);
        }
        let mut ledgers = group.lock();
        let mut rest = 0;
        for (at, queue) in request.queues.iter().enumerate() {
            match self.lease_queue(&mut ledgers, &mut grant, at, queue) {
                Ok(more) => rest += more,
                Err(error) => grant.note(error),
            }
        }
        if let Hold::Millis(millis) = request.hold
            && !grant.deliveries.is_empty()
            && ledgers.sleeps_over(now.plus_millis(millis))
        {
            group.wake(&mut ledgers);
        }
        match grant.error {
            Some(error) if grant.deliveries.is_empty() => Err(error),
            _ => Ok(Leased {
                deliveries: grant.deliveries,
                token: handout.token,
                rest,
                is_cut_short: grant.is_cut_short,
            }),
        }
    }

    /// Hands out of one queue; how many messages are left for later.
    fn lease_queue(
        &self,
        ledgers: &mut Ledgers,
        grant: &mut Grant<'_>,
        at: usize,
        queue: &LeaseQueue,
    ) -> Result<u64, Error> {
        let group = &grant.request.group;
        let (ledger, range) = self.current_ledger(ledgers, group, queue)?;
        match &grant.request.order {
            LeaseOrder::Strict { batch } if ledger.has_leases() => {
                self.repeat_batch(ledger, grant, at, queue, batch.as_deref())?;
            }
            order => {
                self.hand_out_returned(ledger, grant, at, queue)?;
                self.hand_out_fresh(ledger, grant, at, queue)?;
                if let LeaseOrder::Strict { batch } = order {
                    ledger.name_batch(batch.clone());
                }
            }
        }
        if ledger.is_changed() {
            self.shared.leases.changes().note(group);
        }
        Ok(ledger.ready_count(range.end.get()))
    }

    /// The ledger as it stands now, and what the queue holds.
    pub(in crate::broker) fn current_ledger<'a>(
        &self,
        ledgers: &'a mut Ledgers,
        group: &GroupName,
        queue: &LeaseQueue,
    ) -> Result<(&'a mut Ledger, OffsetRange), Error> {
        let range = self.offset_range(&queue.topic, queue.queue)?;
        let ledger = self.ledger(ledgers, group, queue, Some(range))?;
        let ledger = ledger.ok_or_else(|| Error::Internal("no ledger".to_owned()))?;
        ledger.expire(self.shared.clock.now());
        let floor = ledger.floor();
        if floor < range.start.get() {
            ledger.commit(range.start.get());
        } else if floor > range.end.get() {
            // Somebody committed what the queue never had.
            ledger.commit(range.end.get());
        }
        Ok((ledger, range))
    }

    /// The ledger, as the log has it if it is not in memory. A group without progress gets it
    /// with `range`, and none without.
    pub(super) fn ledger<'a>(
        &self,
        ledgers: &'a mut Ledgers,
        group: &GroupName,
        queue: &LeaseQueue,
        range: Option<OffsetRange>,
    ) -> Result<Option<&'a mut Ledger>, Error> {
        let key: LedgerKey = (queue.topic.name().clone(), queue.queue);
        let topic = queue.topic.uuid();
        if ledgers
            .by_queue
            .get(&key)
            .is_some_and(|ledger| ledger.topic() != topic)
        {
            ledgers.by_queue.remove(&key);
            self.shared.leases.release_ledgers(1);
        }
        match ledgers.by_queue.entry(key) {
            Entry::Occupied(known) => Ok(Some(known.into_mut())),
            Entry::Vacant(place) => {
                let progress = match (self.kept_progress(group, queue), range) {
                    (Some(progress), _) => progress,
                    (None, Some(range)) => self.begin(group, queue, range)?,
                    (None, None) => return Ok(None),
                };
                self.shared.leases.admit_ledger()?;
                Ok(Some(place.insert(Box::new(Ledger::new(topic, &progress)))))
            }
        }
    }

    fn kept_progress(&self, group: &GroupName, queue: &LeaseQueue) -> Option<Progress> {
        let (topic, id) = (queue.topic.name().as_str(), queue.queue.get());
        let state = self.shared.state.read();
        state.progress_of(group.as_str(), topic, id)
    }

    /// Notes where a group starts before it gets anything: a restart must not start it elsewhere.
    fn begin(
        &self,
        group: &GroupName,
        queue: &LeaseQueue,
        range: OffsetRange,
    ) -> Result<Progress, Error> {
        let start = match queue.start {
            LeaseStart::Earliest => range.start,
            LeaseStart::At(offset) => offset.max(range.start).min(range.end),
        };
        let progress = Progress::at(start.get());
        let change = LeaseChange {
            topic: queue.topic.name().as_str().to_owned(),
            queue: queue.queue.get(),
            progress: progress.clone(),
        };
        let command = Command::LeaseProgress {
            group: group.as_str().to_owned(),
            committed_at: self.shared.clock.now().millis(),
            queues: vec![change],
        };
        let mut state = self.shared.state_mut();
        self.shared.log(&mut state, command)?;
        Ok(progress)
    }

    /// Answers a request for a batch that is in flight already; any other gets nothing.
    fn repeat_batch(
        &self,
        ledger: &mut Ledger,
        grant: &mut Grant<'_>,
        at: usize,
        queue: &LeaseQueue,
        batch: Option<&str>,
    ) -> Result<(), Error> {
        let batch = ledger.batch(batch);
        if batch.is_empty() {
            ledger.note_blocked();
        }
        for (offset, attempt) in batch {
            if grant.is_used_up() {
                break;
            }
            if let Some(message) = self.leased_message(queue, offset)? {
                ledger.repeat(offset, attempt, &grant.handout());
                grant.take(at, message, attempt);
            }
        }
        Ok(())
    }

    fn hand_out_returned(
        &self,
        ledger: &mut Ledger,
        grant: &mut Grant<'_>,
        at: usize,
        queue: &LeaseQueue,
    ) -> Result<(), Error> {
        let mut from = 0;
        while !grant.is_used_up() {
            let Some((offset, attempts)) = ledger.next_returned(from) else {
                return Ok(());
            };
            from = offset + 1;
            let message = match self.leased_message(queue, offset) {
                Ok(Some(message)) => message,
                Ok(None) => {
                    ledger.settle(offset);
                    continue;
                }
                Err(error @ Error::Damaged(_)) => {
                    grant.note(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            match &grant.request.give_up {
                Some(give_up) if attempts >= give_up.attempts_max => {
                    if grant.burials_left == 0 {
                        grant.is_cut_short = true;
                        return Ok(());
                    }
                    grant.burials_left -= 1;
                    let group = &grant.request.group;
                    self.bury(group, queue, &message, attempts, &give_up.dead_letters)?;
                    ledger.settle(offset);
                }
                _ if grant.fits(&message) => {
                    let attempt = ledger.hand_out(offset, &grant.handout());
                    grant.take(at, message, attempt);
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    fn hand_out_fresh(
        &self,
        ledger: &mut Ledger,
        grant: &mut Grant<'_>,
        at: usize,
        queue: &LeaseQueue,
    ) -> Result<(), Error> {
        let limits = self.shared.leases.config();
        for _ in 0..LOOKS_MAX {
            if grant.is_used_up() {
                return Ok(());
            }
            let room = if grant.takers.is_empty() {
                ledger.room(limits.per_queue_max, limits.span_max)
            } else {
                // What nobody acknowledges may lie as far behind as it likes.
                ledger.room(limits.unacknowledged_max, u64::MAX)
            };
            if room == 0 {
                ledger.note_blocked();
                return Ok(());
            }
            let messages_max = grant
                .messages_left
                .min(u32::try_from(room).unwrap_or(u32::MAX));
            let cursor = ledger.cursor();
            let next = self.look(ledger, grant, at, queue, messages_max)?;
            ledger.pass(next);
            if next == cursor {
                return Ok(());
            }
        }
        grant.is_cut_short = true;
        Ok(())
    }

    /// Hands out what stands from the cursor on; where to go on.
    fn look(
        &self,
        ledger: &mut Ledger,
        grant: &mut Grant<'_>,
        at: usize,
        queue: &LeaseQueue,
        messages_max: u32,
    ) -> Result<u64, Error> {
        let limits = (messages_max, grant.bytes_left);
        let filter = grant.request.filter.as_ref();
        let (views, next) = self.read_queue(queue, ledger.cursor(), limits, filter)?;
        for view in views {
            if !ledger.is_fresh(view.offset.get()) {
                continue;
            }
            if !grant.fits(&view) {
                grant.bytes_left = 0;
                return Ok(view.offset.get());
            }
            let attempt = ledger.hand_out(view.offset.get(), &grant.handout());
            grant.take(at, view, attempt);
        }
        Ok(next.get())
    }

    /// Messages of a queue from an offset on, and where to go on.
    pub(in crate::broker) fn read_queue(
        &self,
        queue: &LeaseQueue,
        from: u64,
        (messages_max, bytes_max): (u32, usize),
        filter: Option<&Arc<Filter>>,
    ) -> Result<(Vec<MessageView>, QueueOffset), Error> {
        let offset = QueueOffset::new(from);
        let wanted = FetchQueue {
            topic: Arc::clone(&queue.topic),
            queue: queue.queue,
            offset,
            bytes_max,
            messages_max,
            filter: filter.cloned(),
        };
        let fetched = self.fetch_now(&[wanted], bytes_max).pop();
        let fetched = fetched.ok_or_else(|| Error::Internal("no outcome".to_owned()))??;
        self.messages(&fetched, offset, messages_max, filter.map(Arc::as_ref))
    }

    /// One message of a queue; none when nothing a consumer could read stands there any more.
    pub(in crate::broker) fn leased_message(
        &self,
        queue: &LeaseQueue,
        offset: u64,
    ) -> Result<Option<MessageView>, Error> {
        let (views, _) = match self.read_queue(queue, offset, (1, 1), None) {
            Err(Error::OffsetOutOfRange { .. }) => return Ok(None),
            outcome => outcome?,
        };
        let mut views = views.into_iter();
        let view = views.find(|view| view.offset.get() == offset);
        Ok(view.filter(|view| RecordView::parse(&view.bytes).is_ok()))
    }

    /// Whether something could be handed out now.
    pub(super) fn has_leasable(&self, request: &LeaseRequest) -> Result<bool, Error> {
        let group = self.shared.leases.group(&request.group);
        let mut ledgers = group.lock();
        let is_strict = request.order != LeaseOrder::Loose;
        for queue in &request.queues {
            let (ledger, range) = self.current_ledger(&mut ledgers, &request.group, queue)?;
            if is_strict && ledger.has_leases() {
                ledger.note_blocked();
            } else if ledger.ready_count(range.end.get()) > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
