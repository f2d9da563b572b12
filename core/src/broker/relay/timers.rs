//! The relay of messages that wait for their time.

use super::Next;
use super::route::bound_of;
use super::settle::Outcome;
use crate::Error;
use crate::broker::Client;
use crate::broker::shared::Shared;
use crate::index::Entry;
use crate::model::{QueueId, QueueOffset, Timestamp, property};
use crate::queue::Queue;
use crate::record::RecordView;
use crate::timers::{Window, due_of, look_at};
use std::sync::Arc;

/// Messages delivered with one write.
const BATCH: usize = 256;
/// Bytes of one write, roughly.
const BATCH_BYTES: usize = 4 << 20;
/// Index entries looked at before the clock is looked at again.
const ENTRIES: usize = 8_192;
/// After what could not be appended, in milliseconds.
const RETRY_MS: u64 = 1_000;

/// What waits in the timer topic.
#[derive(Debug)]
pub(crate) struct TimerRelay {
    window: Window,
    window_entries_max: usize,
    /// Entries before it were looked at.
    cursor: u64,
    refill: Option<Refill>,
}

/// A new window that is being filled from the index.
#[derive(Debug)]
struct Refill {
    window: Window,
    cursor: u64,
}

/// What is to happen to a waiting message that seemed due.
enum Look {
    Deliver(Box<Outcome>, usize),
    /// It is due later than the index could say.
    Later(Timestamp),
    /// Its topic is no more.
    Drop,
    /// It cannot be read now.
    Stuck(Error),
}

impl TimerRelay {
    pub(super) fn new(window_entries_max: usize) -> Self {
        Self {
            window: Window::new(window_entries_max),
            window_entries_max,
            cursor: 0,
            refill: None,
        }
    }

    /// Delivers some of what is due, and looks at some of what is new.
    pub(super) fn step(&mut self, shared: &Arc<Shared>) -> Next {
        let topic = shared.topics.by_name(property::TIMER_TOPIC);
        let Some(Ok(queue)) = topic.map(|topic| topic.queue(QueueId::new(0))) else {
            return Next::Woken;
        };
        let now = shared.clock.now();
        if shared.store.health.check_admission().is_err() {
            return Next::At(now.plus_millis(RETRY_MS));
        }
        let is_behind = self.follow(shared, &queue) | self.fill(shared, &queue, now);
        let has_delivered = self.deliver(shared, &queue, now);
        match self.window.next_due() {
            _ if is_behind || has_delivered => Next::Now,
            Some(due) => Next::At(due),
            None => Next::Woken,
        }
    }

    /// Takes new messages into the window; whether there are more.
    fn follow(&mut self, shared: &Shared, queue: &Queue) -> bool {
        let (window, refill) = (&mut self.window, &mut self.refill);
        let cursor = self.cursor;
        self.cursor = scan(shared, queue, cursor, |due, offset| {
            window.offer(due, offset);
            if let Some(refill) = refill {
                refill.window.offer(due, offset);
            }
        });
        self.cursor - cursor.min(self.cursor) >= ENTRIES as u64
    }

    /// Looks for messages that did not fit the window; whether there is more to look at.
    fn fill(&mut self, shared: &Shared, queue: &Queue, now: Timestamp) -> bool {
        if self.refill.is_none() && self.window.wants_refill(now) {
            self.refill = Some(Refill {
                window: Window::new(self.window_entries_max),
                cursor: 0,
            });
        }
        let Some(mut refill) = self.refill.take() else {
            return false;
        };
        let window = &mut refill.window;
        let before = refill.cursor;
        let end = self.cursor;
        refill.cursor = scan(shared, queue, before, |due, offset| {
            // The others were offered as they came.
            if offset < end {
                window.offer(due, offset);
            }
        });
        if refill.cursor >= end || refill.cursor == before {
            self.window = refill.window;
            return false;
        }
        self.refill = Some(refill);
        true
    }

    /// Delivers some of what is due; whether there may be more.
    fn deliver(&mut self, shared: &Arc<Shared>, queue: &Arc<Queue>, now: Timestamp) -> bool {
        let client = Client {
            shared: Arc::clone(shared),
        };
        let _settling = shared.settling.lock();
        let (mut outcomes, mut dropped) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        while outcomes.len() < BATCH && bytes < BATCH_BYTES {
            let Some(offset) = self.window.pop_due(now) else {
                break;
            };
            if shared.state.read().is_settled(queue.number(), offset) {
                continue;
            }
            match look(&client, queue, offset, now) {
                Look::Deliver(outcome, size) => {
                    bytes += size;
                    outcomes.push(*outcome);
                }
                Look::Later(due) => self.window.offer(due, offset),
                Look::Drop => dropped.push(offset),
                Look::Stuck(error) => {
                    tracing::error!(%error, offset, "a delayed message cannot be delivered now");
                    self.window.offer(now.plus_millis(RETRY_MS), offset);
                }
            }
        }
        let has_some = !outcomes.is_empty() || !dropped.is_empty();
        for (offset, outcome) in shared.append_outcomes(queue, outcomes) {
            match outcome {
                Ok(_) => {}
                Err(Error::TopicNotFound(_)) => dropped.push(offset),
                Err(error) => {
                    tracing::warn!(%error, offset, "a delayed message waits on");
                    self.window.offer(now.plus_millis(RETRY_MS), offset);
                }
            }
        }
        if !dropped.is_empty() {
            let count = dropped.len();
            tracing::warn!(
                count,
                "delayed messages of topics that are no more are dropped"
            );
        }
        if let Err(error) = shared.drop_waiting(queue, dropped) {
            tracing::warn!(%error, "delayed messages could not be dropped");
        }
        has_some
    }
}

/// Hands over messages from `cursor` on that wait: when to look at each, and its offset. Where to
/// go on, which is `cursor` when there are no more.
fn scan(shared: &Shared, queue: &Queue, cursor: u64, mut take: impl FnMut(Timestamp, u64)) -> u64 {
    let end = queue.range(shared.store.appended()).end.get();
    let state = shared.state.read();
    let settled = state.settled.get(&queue.number());
    let from = settled.map_or(cursor, |settled| settled.next_open(cursor));
    if from >= end {
        return from.min(end).max(cursor);
    }
    let (mut at, mut left) = (from, ENTRIES);
    shared
        .store
        .entries(queue, QueueOffset::new(from), |entry| {
            if left == 0 || entry.base.get() >= end {
                return false;
            }
            left -= 1;
            at = entry.end().get();
            if !settled.is_some_and(|settled| settled.contains(entry.base.get())) {
                take(look_at(entry.tag, entry.stored_at), entry.base.get());
            }
            true
        });
    if left == 0 {
        // Or all of the index would be mapped until the keeper's next round.
        shared.store.stretches.release_pages();
    }
    at
}

/// Looks at the record of a message whose time seems to have come.
fn look(client: &Client, queue: &Queue, offset: u64, now: Timestamp) -> Look {
    let Some(entry) = entry_at(client, queue, offset) else {
        // What has no entry any more is not kept.
        return Look::Drop;
    };
    let stored = match client.stored(&entry) {
        Ok(stored) => stored,
        Err(error) => return Look::Stuck(error),
    };
    let record = match RecordView::parse(&stored.bytes) {
        Ok(record) => record,
        Err(error) => return Look::Stuck(Error::Storage(error.to_string())),
    };
    let message = record.to_message();
    let due = due_of(&message.properties);
    if due > now {
        return Look::Later(due);
    }
    let Some((topic, id)) = bound_of(client, &message) else {
        return Look::Drop;
    };
    let size = stored.bytes.len();
    match Outcome::new(&client.shared, &topic, id, message, queue, offset) {
        Ok(outcome) => Look::Deliver(Box::new(outcome), size),
        Err(Error::TopicNotFound(_)) => Look::Drop,
        Err(error) => Look::Stuck(error),
    }
}

/// The entry of the record at `offset` of a queue.
pub(super) fn entry_at(client: &Client, queue: &Queue, offset: u64) -> Option<Entry> {
    let mut found = None;
    let wanted = QueueOffset::new(offset);
    client.shared.store.entries(queue, wanted, |entry| {
        found = (entry.base == wanted).then_some(entry);
        false
    });
    found
}
