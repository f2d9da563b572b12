//! One queue's messages that pass a filter, as a native reader wants them.

use super::fetch::Watch;
use super::{FetchQueue, Fetched, MessageView};
use crate::filter::Expression;
use crate::model::{OffsetRange, QueueOffset};
use crate::{Client, Error};
use std::time::Duration;
use tokio::time::Instant;

/// Messages looked at together when most may be filtered out.
const CHUNK: u32 = 32;

/// Messages of one queue.
#[derive(Clone, Debug)]
pub struct Selected {
    /// In queue order.
    pub messages: Vec<MessageView>,
    /// Where to go on reading: after the last message, and after those that do not match.
    pub next_offset: QueueOffset,
    /// What the queue holds now.
    pub range: OffsetRange,
}

/// What one read may still look at.
struct Budget {
    messages: u32,
    bytes: usize,
}

impl Client {
    /// Compiles an SQL92 expression within the limits of the configuration.
    ///
    /// # Errors
    /// [`Error::Invalid`] says what is wrong and where.
    pub fn expression(&self, text: &str) -> Result<Expression, Error> {
        Expression::compile(text, &self.shared.config.filter)
            .map_err(|error| Error::Invalid(error.to_string()))
    }

    /// The messages of one queue that pass its filter, as many as are wanted and there now. What
    /// does not match is passed over until the filter section's limits: then there may be none
    /// although `next_offset` is below the queue's end.
    ///
    /// # Errors
    /// As [`Client::fetch_now`], and [`Error::Storage`] when a stored record does not parse.
    pub fn select_now(&self, wanted: &FetchQueue) -> Result<Selected, Error> {
        let mut queue = wanted.clone();
        let first = self.fetch_one(&queue)?;
        let mut selected = Selected {
            messages: Vec::new(),
            next_offset: wanted.offset,
            range: first.range,
        };
        let limits = &self.shared.config.filter;
        let mut budget = Budget {
            messages: limits.messages_scanned_max,
            bytes: limits.bytes_scanned_max,
        };
        let mut fetched = Ok(first);
        loop {
            let Ok(chunk) = fetched else {
                // What stands before it is served; who goes on from there hears of it.
                return Ok(selected);
            };
            let is_full = match self.take(&chunk, wanted, &mut selected) {
                Err(_) if selected.next_offset > wanted.offset => return Ok(selected),
                taken => taken?,
            };
            let has_more =
                queue.offset < selected.next_offset && selected.next_offset < selected.range.end;
            // An index that passed over all it may has no record either.
            let is_spent = chunk.records.is_empty() || !budget.spend(&chunk);
            if is_full || !has_more || is_spent || wanted.filter.is_none() {
                return Ok(selected);
            }
            queue.offset = selected.next_offset;
            queue.messages_max = wanted.messages_max.max(CHUNK).min(budget.messages);
            fetched = self.fetch_one(&queue);
        }
    }

    /// As [`Client::select_now`], but waits up to `wait` while the queue has nothing that matches.
    /// Messages that come and do not match are passed over meanwhile. Cancel by dropping.
    ///
    /// # Errors
    /// As [`Client::select_now`].
    pub async fn select(&self, mut wanted: FetchQueue, wait: Duration) -> Result<Selected, Error> {
        let deadline = Instant::now() + wait;
        loop {
            let watch = Watch::on(std::slice::from_ref(&wanted), 1);
            // What came between the last look and the registration is seen now.
            let selected = self.select_now(&wanted)?;
            let is_at_end = selected.next_offset >= selected.range.end;
            let is_waiting = selected.messages.is_empty() && is_at_end;
            if !is_waiting || self.shared.check_running().is_err() {
                return Ok(selected);
            }
            wanted.offset = selected.next_offset;
            if tokio::time::timeout_at(deadline, watch.waiter.satisfied())
                .await
                .is_err()
            {
                return self.select_now(&wanted);
            }
        }
    }

    fn fetch_one(&self, queue: &FetchQueue) -> Result<Fetched, Error> {
        let fetched = self.fetch_now(std::slice::from_ref(queue), queue.bytes_max);
        let none = || Err(Error::Internal("a fetch without an outcome".to_owned()));
        fetched.into_iter().next().unwrap_or_else(none)
    }

    /// Adds what matches of `fetched`; whether no more is wanted.
    fn take(
        &self,
        fetched: &Fetched,
        wanted: &FetchQueue,
        selected: &mut Selected,
    ) -> Result<bool, Error> {
        let filter = wanted.filter.as_deref();
        let taken = u32::try_from(selected.messages.len()).unwrap_or(u32::MAX);
        let missing = wanted.messages_max.max(1).saturating_sub(taken);
        let (views, next) = self.messages(fetched, selected.next_offset, missing, filter)?;
        let bytes: usize = selected.messages.iter().map(|view| view.bytes.len()).sum();
        let mut room = wanted.bytes_max.saturating_sub(bytes);
        for view in views {
            // A record of a batch may be far larger as a message than it was in the batch.
            if view.bytes.len() > room && !selected.messages.is_empty() {
                selected.next_offset = view.offset;
                return Ok(true);
            }
            room = room.saturating_sub(view.bytes.len());
            selected.messages.push(view);
        }
        selected.next_offset = next;
        selected.range = fetched.range;
        let count = u32::try_from(selected.messages.len()).unwrap_or(u32::MAX);
        Ok(count >= wanted.messages_max || room == 0)
    }
}

impl Budget {
    /// Counts what was looked at; whether there is some left.
    fn spend(&mut self, fetched: &Fetched) -> bool {
        for record in &fetched.records {
            self.messages = self.messages.saturating_sub(record.count);
            self.bytes = self.bytes.saturating_sub(record.bytes.len());
        }
        self.messages > 0 && self.bytes > 0
    }
}
