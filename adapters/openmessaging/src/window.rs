//! Messages whose producers named their ids: one that is sent again within the window is not
//! appended again.

use crate::produce::Sent;
use gantry_core::model::{Timestamp, TopicName};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

type Key = (TopicName, Arc<str>);

/// The newest ids, with where their messages went.
#[derive(Debug)]
pub(crate) struct Window {
    seen: Mutex<Seen>,
    ids_max: usize,
    window_ms: u64,
    opened_at: Timestamp,
}

#[derive(Debug, Default)]
struct Seen {
    /// `None` while the message is being sent.
    by_id: HashMap<Key, Option<Sent>>,
    order: VecDeque<(Timestamp, Key)>,
}

/// What is known of an id.
#[derive(Debug)]
pub(crate) enum Claim<'a> {
    /// Nothing: its message is to be sent.
    New(Claimed<'a>),
    /// Its message was sent.
    Sent(Sent),
    /// Its message is being sent.
    Sending,
}

/// An id whose message is being sent; forgotten when that fails.
#[derive(Debug)]
pub(crate) struct Claimed<'a> {
    window: &'a Window,
    key: Key,
    sent: Option<Sent>,
}

impl Window {
    pub(crate) fn new(ids_max: usize, window_ms: u64, opened_at: Timestamp) -> Self {
        Self {
            seen: Mutex::default(),
            ids_max,
            window_ms,
            opened_at,
        }
    }

    /// Whether ids of before this start may be within the window: the log knows those.
    pub(crate) fn reaches_before_start(&self, now: Timestamp) -> bool {
        now.millis_since(self.opened_at) < self.window_ms
    }

    /// When the window began.
    pub(crate) const fn begin(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.millis().saturating_sub_unsigned(self.window_ms))
    }

    pub(crate) fn claim(&self, topic: &TopicName, id: &str, now: Timestamp) -> Claim<'_> {
        let key = (topic.clone(), Arc::from(id));
        let mut seen = self.seen.lock();
        seen.forget(self.ids_max, self.begin(now));
        match seen.by_id.get(&key) {
            Some(Some(sent)) => return Claim::Sent(sent.clone()),
            Some(None) => return Claim::Sending,
            None => {}
        }
        seen.by_id.insert(key.clone(), None);
        seen.order.push_back((now, key.clone()));
        drop(seen);
        Claim::New(Claimed {
            window: self,
            key,
            sent: None,
        })
    }
}

impl Seen {
    /// Lets go of what is too old or too much.
    fn forget(&mut self, ids_max: usize, begin: Timestamp) {
        while let Some((at, key)) = self.order.front()
            && (*at < begin || self.order.len() >= ids_max.max(1))
        {
            self.by_id.remove(key);
            self.order.pop_front();
        }
    }
}

impl Claimed<'_> {
    /// The message was sent.
    pub(crate) fn done(mut self, sent: &Sent) {
        self.sent = Some(sent.clone());
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        let mut seen = self.window.seen.lock();
        match self.sent.take() {
            Some(sent) => {
                if let Some(entry) = seen.by_id.get_mut(&self.key) {
                    *entry = Some(sent);
                }
            }
            // Its place in the order goes with its time: at worst a later claim goes with it.
            None => drop(seen.by_id.remove(&self.key)),
        }
    }
}
