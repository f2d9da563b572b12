//! Sends the messages of one callback. It leases no more than it has room to send, so that a slow
//! receiver has its messages wait in the log.

use super::Standing;
use super::delivery::Verdict;
use crate::error::Refusal;
use crate::receive::{Received, Wanted};
use crate::server::OpenMessaging;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use gantry_core::{Hold, LeaseOutcome, LeaseRequest};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, sleep_until};

/// What a lease lasts longer than its request may take, in milliseconds.
const LEASE_MARGIN_MS: u64 = 10_000;
/// How often the destination is looked at anew: it may have more queues, or be there again.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);
/// After so many failures in a row all messages wait, and not only those that failed.
const FAILURES_MAX: u32 = 5;

pub(super) struct Pusher {
    server: Arc<OpenMessaging>,
    standing: Arc<Standing>,
    /// Of a batch that failed: each is sent alone, to find out which it was.
    alone: VecDeque<Received>,
    /// Nothing is sent before.
    resume_at: Instant,
    /// When a failure was counted last: those that were under way by then were the same one.
    failed_at: Instant,
}

/// Messages on their way.
struct Load {
    messages: Vec<Received>,
    began: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Pusher {
    pub(super) fn new(server: Arc<OpenMessaging>, standing: Arc<Standing>) -> Self {
        Self {
            server,
            standing,
            alone: VecDeque::new(),
            resume_at: Instant::now(),
            failed_at: Instant::now(),
        }
    }

    /// Sends until `stop`, and then waits for the answers to what is under way.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let (server, standing) = (Arc::clone(&self.server), Arc::clone(&self.standing));
        let room = usize::try_from(standing.callback.concurrency.max(1)).unwrap_or(1);
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break,
                Some((load, verdict)) = under_way.next(), if !under_way.is_empty() => {
                    self.settle(load, verdict);
                }
                taken = self.take(), if under_way.len() < room => match taken {
                    Ok(None) => {}
                    Ok(Some(load)) => {
                        self.resume_at = self.resume_at.max(Instant::now() + self.spacing());
                        let (server, standing) = (&server, &standing);
                        under_way.push(async move {
                            let verdict = server.deliver(standing, &load.messages).await;
                            (load, verdict)
                        });
                    }
                    Err(refusal) => {
                        self.standing.course.lock().last_error = Some(refusal.detail().to_owned());
                        self.pause(LOOK_INTERVAL);
                    }
                },
            }
        }
        while let Some((load, verdict)) = under_way.next().await {
            self.settle(load, verdict);
        }
        self.give_back();
    }

    fn spacing(&self) -> Duration {
        self.standing.callback.spacing()
    }

    /// Waits for messages and for room to send them, and leases them. Cancel by dropping: nothing
    /// is leased before the last wait.
    async fn take(&mut self) -> Result<Option<Load>, Refusal> {
        sleep_until(self.resume_at).await;
        if self.alone.is_empty() {
            let request = self.lease_request(&self.wanted()?);
            let client = &self.server.client;
            if !client.lease_ready(&request, LOOK_INTERVAL).await? {
                return Ok(None);
            }
        }
        let requests = Arc::clone(&self.server.callbacks.requests);
        let Ok(permit) = requests.acquire_owned().await else {
            return Ok(None);
        };
        if self.standing.is_over.load(Ordering::Relaxed) {
            // Whoever ended it may delete the group: it must not come back.
            return std::future::pending().await;
        }
        let messages = match self.next_alone()? {
            Some(message) => vec![message],
            None => self.lease(&self.wanted()?)?,
        };
        let load = Load {
            messages,
            began: Instant::now(),
            _permit: permit,
        };
        Ok((!load.messages.is_empty()).then_some(load))
    }

    fn wanted(&self) -> Result<Wanted, Refusal> {
        let callback = &self.standing.callback;
        let none = || Refusal::parameter(format!("{} is no destination", callback.topic));
        let topic = callback.topic().ok_or_else(none)?;
        let (kind, text) = (callback.filter_type.as_deref(), callback.filter.as_deref());
        Ok(Wanted {
            consumer: self.standing.consumer.clone(),
            source: self.server.topic(&topic)?,
            max: callback.batch_max.max(1),
            bytes_max: self.server.config.receive_bytes_max,
            wait: Duration::ZERO,
            hold: Hold::Millis(self.hold_ms()),
            filter: self.server.filter(kind, text)?,
        })
    }

    fn hold_ms(&self) -> u64 {
        let timeout = self.standing.callback.timeout_millis;
        timeout.saturating_add(LEASE_MARGIN_MS)
    }

    fn lease_request(&self, wanted: &Wanted) -> LeaseRequest {
        let mut request = self.server.lease_request(wanted);
        if let Some(give_up) = &mut request.give_up {
            give_up.attempts_max = self.standing.callback.retry.attempts_max.max(1);
        }
        request
    }

    fn lease(&self, wanted: &Wanted) -> Result<Vec<Received>, Refusal> {
        let request = self.lease_request(wanted);
        self.server.lease(&request)
    }

    /// The next message that is to be sent alone, its lease begun anew.
    fn next_alone(&mut self) -> Result<Option<Received>, Refusal> {
        let hold = Hold::Millis(self.hold_ms());
        while let Some(mut message) = self.alone.pop_front() {
            let (client, group) = (&self.server.client, &self.standing.consumer);
            let (outcome, token) = client.extend(group, &message.receipt, hold, true)?;
            if outcome == LeaseOutcome::Done {
                message.receipt.token = token;
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Does with messages what their receiver said.
    fn settle(&mut self, load: Load, verdict: Verdict) {
        let count = u64::try_from(load.messages.len()).unwrap_or(u64::MAX);
        let settled = match verdict {
            Verdict::Taken => self.taken(&load.messages, count),
            Verdict::Later(why, after) => {
                let wait = self.pause_for(&load, &why, after);
                self.put_off(&load.messages, wait, false)
            }
            Verdict::Refused(why) => self.refused(load, &why),
        };
        if let Err(error) = settled {
            let group = &self.standing.consumer;
            tracing::debug!(detail = error.detail(), %group, "a callback's messages come again");
        }
    }

    fn taken(&self, messages: &[Received], count: u64) -> Result<(), Refusal> {
        let receipts: Vec<_> = messages.iter().map(|one| one.receipt.clone()).collect();
        self.server.client.ack(&self.standing.consumer, &receipts)?;
        let figures = &self.server.callbacks.figures;
        figures.delivered.fetch_add(count, Ordering::Relaxed);
        let mut course = self.standing.course.lock();
        course.delivered += count;
        course.failures_in_a_row = 0;
        Ok(())
    }

    fn refused(&mut self, load: Load, why: &str) -> Result<(), Refusal> {
        let failures = self.failed(&load, why);
        let messages = load.messages;
        if failures > FAILURES_MAX {
            self.pause(self.backoff(failures - FAILURES_MAX));
        }
        if messages.len() > 1 {
            self.alone.extend(messages);
            return Ok(());
        }
        let attempts_max = self.standing.callback.retry.attempts_max;
        for message in &messages {
            let letters = self.server.dead_letters(&self.standing.consumer);
            match letters {
                Some(letters) if message.attempt >= attempts_max => {
                    let (client, group) = (&self.server.client, &self.standing.consumer);
                    client.dead_letter(group, &message.receipt, &letters)?;
                    let figures = &self.server.callbacks.figures;
                    figures.dead_lettered.fetch_add(1, Ordering::Relaxed);
                    self.standing.course.lock().dead_lettered += 1;
                }
                _ => {
                    let wait = self.backoff(message.attempt);
                    self.put_off(std::slice::from_ref(message), wait, true)?;
                }
            }
        }
        Ok(())
    }

    /// Has messages handed out again after `wait`.
    fn put_off(&self, messages: &[Received], wait: Duration, counts: bool) -> Result<(), Refusal> {
        let wait = Hold::Millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let (client, group) = (&self.server.client, &self.standing.consumer);
        for message in messages {
            client.extend(group, &message.receipt, wait, counts)?;
        }
        Ok(())
    }

    /// Nothing is sent for a while, as long as was said or longer with each failure; how long.
    fn pause_for(&mut self, load: &Load, why: &str, after: Option<Duration>) -> Duration {
        let failures = self.failed(load, why);
        let limit = Duration::from_millis(self.server.config.callbacks.retry_ms_max);
        let wait = after.map_or_else(|| self.backoff(failures), |after| after.min(limit));
        self.pause(wait);
        wait
    }

    fn pause(&mut self, wait: Duration) {
        self.resume_at = self.resume_at.max(Instant::now() + wait);
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let until = self.server.clock.now().plus_millis(wait);
        let mut course = self.standing.course.lock();
        course.paused_until = course.paused_until.max(Some(until));
    }

    /// Notes a failure; how many there were since something was taken.
    fn failed(&mut self, load: &Load, why: &str) -> u32 {
        let figures = &self.server.callbacks.figures;
        figures.failed.fetch_add(1, Ordering::Relaxed);
        let mut course = self.standing.course.lock();
        course.failed += 1;
        if load.began >= self.failed_at {
            self.failed_at = Instant::now();
            course.failures_in_a_row = course.failures_in_a_row.saturating_add(1);
        }
        course.last_error = Some(why.to_owned());
        course.failures_in_a_row
    }

    fn backoff(&self, nth: u32) -> Duration {
        Duration::from_millis(self.standing.callback.retry.backoff(nth))
    }

    fn give_back(&self) {
        let receipts: Vec<_> = self.alone.iter().map(|one| one.receipt.clone()).collect();
        let group = &self.standing.consumer;
        if let Err(error) = self.server.client.give_back(group, &receipts) {
            tracing::debug!(%error, %group, "a callback's messages come when their time is over");
        }
    }
}
