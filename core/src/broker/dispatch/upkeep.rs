//! What queues do by themselves: messages expire, make room, return too often; queues expire.

use super::burial::Dead;
use super::{BATCH, LeaseRequest, dealt, lease_queues};
use crate::broker::MessageView;
use crate::leases::LeaseSession;
use crate::model::Timestamp;
use crate::record::RecordView;
use crate::vhosts::{Dealt, Death, WorkQueue};
use crate::{Client, Error};
use std::sync::Arc;
use std::time::Duration;

/// How long after a failure a queue is looked at again.
const RETRY_MS: u64 = 1_000;
/// How long nobody looks when there is nothing to look at.
const LONG_NAP_MS: u64 = 3_600_000;

/// Whether a message that may not live at all may be handed out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// The first time, at once.
    FirstTime,
    /// It may not.
    WhenDue,
}

impl Client {
    /// Looks after queues whose messages expire, or that do, for ever. To be run once, on any
    /// runtime, as long as they are served.
    pub async fn run_work_queues(&self) {
        for host in self.virtual_hosts() {
            for queue in host.queues() {
                self.note_use(&queue);
                if !self.is_done_with(&queue) {
                    // Of those that are there already nobody knows.
                    queue.expect_mortals();
                    self.look_after(&queue);
                }
            }
        }
        let alarms = &self.shared.vhosts.alarms;
        loop {
            let now = self.shared.clock.now();
            while let Some(queue) = alarms.take(now) {
                if let Some(queue) = queue.upgrade() {
                    self.look_after(&queue);
                }
            }
            let nap = alarms.next().map(|next| next.millis_since(now));
            let nap = Duration::from_millis(nap.unwrap_or(LONG_NAP_MS));
            // Whether it is time or an earlier time was set, it looks again.
            let _ = tokio::time::timeout(nap, alarms.earlier()).await;
        }
    }

    /// Whether everything in a queue is settled, as far as the log says.
    fn is_done_with(&self, queue: &WorkQueue) -> bool {
        let name = queue.topic().name();
        let state = self.shared.state.read();
        let mut queues = lease_queues(queue).map(|of| of.queue);
        queues.all(|id| {
            let progress = state.progress_of(name.as_str(), name.as_str(), id.get());
            let floor = progress.map_or(0, |progress| progress.settled.floor());
            let range = self.offset_range(queue.topic(), id);
            range.is_ok_and(|range| range.end.get() <= floor.max(range.start.get()))
        })
    }

    /// Somebody uses a queue, which therefore does not expire.
    pub fn note_use(&self, queue: &Arc<WorkQueue>) {
        if queue.rules().expires_ms.is_some() {
            queue.note_use(self.shared.clock.now());
            if let Some(at) = queue.expires_at() {
                self.set_alarm(queue, at);
            }
        }
    }

    fn look_after(&self, queue: &Arc<WorkQueue>) {
        queue.note_alarm();
        let now = self.shared.clock.now();
        if let Some(at) = queue.expires_at() {
            if at <= now {
                self.expire(queue);
            } else if queue.consumer_count() == 0 {
                self.set_alarm(queue, at);
            }
        }
        if let Err(error) = self.dispatch(queue) {
            tracing::warn!(%error, queue = &**queue.name(), "a queue cannot be looked after");
            self.set_alarm(queue, now.plus_millis(RETRY_MS));
        }
    }

    fn expire(&self, queue: &Arc<WorkQueue>) {
        let Some(host) = self.virtual_host(queue.vhost()) else {
            return;
        };
        if let Err(error) = self.delete_expired(&host, queue) {
            tracing::warn!(%error, queue = &**queue.name(), "a queue does not expire");
            let again = self.shared.clock.now().plus_millis(RETRY_MS);
            self.set_alarm(queue, again);
        }
    }

    fn set_alarm(&self, queue: &Arc<WorkQueue>, at: Timestamp) {
        if queue.wants_alarm(at) {
            self.shared.vhosts.alarms.set(queue, at);
        }
    }

    /// Takes out of a queue what its rules do not let stay, and has it looked at again when the
    /// next message's time is over. The queue is locked.
    pub(super) fn keep_rules(
        &self,
        queue: &Arc<WorkQueue>,
        request: &LeaseRequest,
        dead: &mut Dead,
    ) -> Result<(), Error> {
        if queue.rules().drops_head() {
            self.make_room(queue, request, dead)?;
        }
        if queue.has_mortals() {
            for of in &request.queues {
                let request = LeaseRequest {
                    queues: vec![of.clone()],
                    messages_max: u32::try_from(BATCH).unwrap_or(u32::MAX),
                    ..request.clone()
                };
                self.expire_heads(queue, &request, dead)?;
            }
        }
        Ok(())
    }

    /// Whether a queue has as much ready as it may, when `more` messages come before.
    #[must_use]
    pub fn is_full(&self, queue: &WorkQueue, more: u64) -> bool {
        let rules = queue.rules();
        let has_too_many = rules.ready_max.is_some_and(|limit| {
            let ready = self.queue_counts(queue).map_or(0, |counts| counts.ready);
            ready.saturating_add(more) >= limit
        });
        has_too_many
            || rules.ready_bytes_max.is_some_and(|limit| {
                let ready = self.ready_bytes(queue);
                ready.is_ok_and(|ready| ready >= limit)
            })
    }

    fn make_room(
        &self,
        queue: &Arc<WorkQueue>,
        request: &LeaseRequest,
        dead: &mut Dead,
    ) -> Result<(), Error> {
        loop {
            let count = self.surplus(queue)?;
            if count == 0 || self.take_dead(queue, request, count, Death::MaxLength, dead)? == 0 {
                return Ok(());
            }
        }
    }

    /// How many of the first messages are to go at least, so that those who stay are fewer or
    /// smaller; at most a batch.
    fn surplus(&self, queue: &WorkQueue) -> Result<usize, Error> {
        let rules = queue.rules();
        if let Some(limit) = rules.ready_max {
            let surplus = self.queue_counts(queue)?.ready.saturating_sub(limit);
            if surplus > 0 {
                return Ok(usize::try_from(surplus).unwrap_or(BATCH).min(BATCH));
            }
        }
        match rules.ready_bytes_max {
            Some(limit) if self.ready_bytes(queue)? > limit => Ok(1),
            _ => Ok(0),
        }
    }

    /// Takes the messages out of one of its topic's queues whose time is over: only those before
    /// which none is left.
    fn expire_heads(
        &self,
        queue: &Arc<WorkQueue>,
        request: &LeaseRequest,
        dead: &mut Dead,
    ) -> Result<(), Error> {
        let now = self.shared.clock.now();
        loop {
            let mut count = 0;
            for (_, head) in self.peek(request)? {
                let expiry = self.mortality(queue, &head).map(|mortal| mortal.expiry());
                if expiry.is_some_and(|at| at <= now) {
                    count += 1;
                    continue;
                }
                if let Some(at) = expiry {
                    self.set_alarm(queue, at);
                }
                break;
            }
            if count == 0 || self.take_dead(queue, request, count, Death::Expired, dead)? == 0 {
                return Ok(());
            }
        }
    }

    /// Takes the first `count` messages; how many there were.
    fn take_dead(
        &self,
        queue: &Arc<WorkQueue>,
        request: &LeaseRequest,
        count: usize,
        death: Death,
        dead: &mut Dead,
    ) -> Result<usize, Error> {
        let nobody = self.lease_session();
        let takers: Vec<LeaseSession> = vec![nobody; count];
        let leased = self.deal(request, &takers);
        self.shared.leases.leave_session(nobody);
        let leased = leased?;
        for delivery in &leased.deliveries {
            if let Some(dealt) = dealt(&leased, request, delivery) {
                dead.put(queue, dealt, death);
            }
        }
        Ok(leased.deliveries.len())
    }

    /// Why a message that is to be handed out must not be.
    pub(super) fn death_of(
        &self,
        queue: &WorkQueue,
        dealt: &Dealt,
        patience: Patience,
    ) -> Option<Death> {
        let rules = queue.rules();
        if rules
            .returns_max
            .is_some_and(|limit| dealt.attempt > limit.saturating_add(1))
        {
            return Some(Death::DeliveryLimit);
        }
        if !queue.has_mortals() {
            return None;
        }
        let mortal = self.mortality(queue, &dealt.message)?;
        let (now, expiry) = (self.shared.clock.now(), mortal.expiry());
        let is_over = if patience == Patience::FirstTime && dealt.attempt == 1 {
            expiry < now && mortal.life_ms > 0
        } else {
            expiry <= now
        };
        is_over.then_some(Death::Expired)
    }

    /// How long a message may be in a queue, if not for ever.
    fn mortality(&self, queue: &WorkQueue, message: &MessageView) -> Option<Mortality> {
        let record = RecordView::parse(&message.bytes).ok()?;
        let protocol = self.shared.vhosts.queue_protocol.get();
        let own = protocol.and_then(|protocol| protocol.life_ms(&record));
        let stored_at = record.stored_at();
        let life_ms = own.into_iter().chain(queue.rules().life_ms(stored_at));
        Some(Mortality {
            stored_at,
            life_ms: life_ms.min()?,
        })
    }
}

/// A message's time in a queue.
#[derive(Clone, Copy)]
struct Mortality {
    stored_at: Timestamp,
    life_ms: u64,
}

impl Mortality {
    fn expiry(self) -> Timestamp {
        self.stored_at.plus_millis(self.life_ms)
    }
}
