//! What live streams have out, so that an answer that comes on any connection makes room in the
//! stream that waits for it.

use gantry_core::model::{GroupName, QueueId, QueueOffset};
use gantry_core::{LeaseReceipt, LeaseToken};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::Notify;

/// All of it, by what was handed out together: a token is of one stream.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    by_token: Mutex<HashMap<LeaseToken, Arc<Held>>>,
}

/// What one stream has out.
#[derive(Debug)]
pub(crate) struct Held {
    group: GroupName,
    messages: Mutex<BTreeSet<Message>>,
    /// There is room for more.
    freed: Notify,
}

type Message = (LeaseToken, QueueId, QueueOffset);

impl Outstanding {
    /// A stream sends these, and they wait for an answer.
    pub(crate) fn note<'a>(
        &self,
        held: &Arc<Held>,
        receipts: impl IntoIterator<Item = &'a LeaseReceipt>,
    ) {
        let mut by_token = self.by_token.lock();
        let mut messages = held.messages.lock();
        for receipt in receipts {
            messages.insert(message(receipt));
            let known = by_token.entry(receipt.token);
            known.or_insert_with(|| Arc::clone(held));
        }
    }

    /// A client of `group` has answered these.
    pub(crate) fn answered<'a>(
        &self,
        group: &GroupName,
        receipts: impl IntoIterator<Item = &'a LeaseReceipt>,
    ) {
        let mut by_token = self.by_token.lock();
        if by_token.is_empty() {
            return;
        }
        for receipt in receipts {
            let Some(held) = by_token.get(&receipt.token) else {
                continue;
            };
            if held.group == *group && held.remove(receipt) {
                by_token.remove(&receipt.token);
            }
        }
    }

    /// The stream has ended.
    pub(crate) fn forget(&self, held: &Held) {
        let mut by_token = self.by_token.lock();
        for (token, _, _) in std::mem::take(&mut *held.messages.lock()) {
            by_token.remove(&token);
        }
    }
}

impl Held {
    pub(crate) fn new(group: GroupName) -> Arc<Self> {
        Arc::new(Self {
            group,
            messages: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Messages that wait for an answer.
    pub(crate) fn count(&self) -> usize {
        self.messages.lock().len()
    }

    /// Resolves once one was answered since this last resolved.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Whether it was the last of its token.
    fn remove(&self, receipt: &LeaseReceipt) -> bool {
        let mut messages = self.messages.lock();
        if !messages.remove(&message(receipt)) {
            return false;
        }
        self.freed.notify_one();
        let from = (receipt.token, QueueId::new(0), QueueOffset::ZERO);
        let next = messages.range(from..).next();
        next.is_none_or(|(token, _, _)| *token != receipt.token)
    }
}

fn message(receipt: &LeaseReceipt) -> Message {
    (receipt.token, receipt.queue, receipt.offset)
}
