//! What a channel has sent and not heard of.

use super::streams::Streamed;
use crate::codec::ReplyCode;
use crate::fault::Fault;
use gantry_core::LeaseReceipt;
use gantry_core::vhosts::{Consumer, WorkQueue};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Messages with their delivery tags.
pub type Taken = Vec<(u64, Unsettled)>;

/// A message that was sent.
#[derive(Clone, Debug)]
pub enum Unsettled {
    /// It is in nobody else's hands until it is heard of.
    Leased(Leased),
    /// It is a stream's, where it stays.
    Streamed(Streamed),
}

/// A message that was taken out of its queue.
#[derive(Clone, Debug)]
pub struct Leased {
    pub(super) queue: Arc<WorkQueue>,
    pub(super) receipt: LeaseReceipt,
    /// The first time is 1.
    pub(super) attempt: u32,
    /// Whose credit it takes; nobody's that was asked for by `basic.get`.
    pub(super) consumer: Option<Arc<Consumer>>,
    /// When it was sent, since the connection was accepted.
    pub(super) sent_at: Duration,
}

impl Unsettled {
    /// The lease of what was taken out of a queue, and that queue.
    pub(crate) const fn lease(&self) -> Option<(&Arc<WorkQueue>, &LeaseReceipt)> {
        match self {
            Self::Leased(sent) => Some((&sent.queue, &sent.receipt)),
            Self::Streamed(_) => None,
        }
    }

    /// How long its acknowledgement may take, where the queue does not say for `default`, and when
    /// that time is over. A stream's message is kept from nobody, and may take as long as it does.
    fn due(&self, default: Option<Duration>) -> Option<(Duration, Duration)> {
        let Self::Leased(sent) = self else {
            return None;
        };
        let patience = match sent.queue.rules().consumer_timeout_ms {
            None => default,
            Some(0) => None,
            Some(millis) => Some(Duration::from_millis(millis)),
        };
        patience.map(|patience| (patience, sent.sent_at.saturating_add(patience)))
    }
}

/// Those of a channel, by delivery tag.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    last_tag: u64,
    open: BTreeMap<u64, Unsettled>,
    /// How long an acknowledgement may take, where the queue does not say.
    patience: Option<Duration>,
    /// When the next one may be late; it may have been given by then.
    next_look: Option<Duration>,
}

impl Deliveries {
    /// The next tag: 1 is the first.
    pub(super) const fn next_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// How many there were.
    pub(super) const fn last_tag(&self) -> u64 {
        self.last_tag
    }

    pub(super) fn patient_for(patience: Option<Duration>) -> Self {
        Self {
            patience,
            ..Self::default()
        }
    }

    /// Waits for what becomes of a message that was sent.
    pub(super) fn put(&mut self, tag: u64, sent: Unsettled) {
        let due = sent.due(self.patience).map(|(_, due)| due);
        self.next_look = sooner(self.next_look, due);
        self.open.insert(tag, sent);
    }

    /// When to look for late acknowledgements.
    pub(super) const fn next_look(&self) -> Option<Duration> {
        self.next_look
    }

    /// How long it may have taken to acknowledge a message, when it has taken longer.
    pub(super) fn overdue(&mut self, now: Duration) -> Option<Duration> {
        if self.next_look.is_none_or(|look| now < look) {
            return None;
        }
        self.next_look = None;
        let mut next = None;
        for sent in self.open.values() {
            let Some((patience, due)) = sent.due(self.patience) else {
                continue;
            };
            if due <= now {
                return Some(patience);
            }
            next = sooner(next, Some(due));
        }
        self.next_look = next;
        None
    }

    /// Takes the message of a tag, or with `multiple` all up to it; 0 means all there are.
    ///
    /// # Errors
    /// There is none of that tag.
    pub(super) fn take(&mut self, tag: u64, multiple: bool) -> Result<Taken, Fault> {
        if !multiple {
            let sent = self.open.remove(&tag);
            return Ok(vec![(tag, sent.ok_or_else(|| unknown(tag))?)]);
        }
        if tag == 0 {
            return Ok(self.take_all());
        }
        if !self.open.contains_key(&tag) {
            return Err(unknown(tag));
        }
        let mut rest = self.open.split_off(&tag);
        let mut taken = std::mem::take(&mut self.open);
        if let Some(sent) = rest.remove(&tag) {
            taken.insert(tag, sent);
        }
        self.open = rest;
        Ok(taken.into_iter().collect())
    }

    pub(super) fn take_all(&mut self) -> Taken {
        std::mem::take(&mut self.open).into_iter().collect()
    }

    /// Nothing has become of what was taken.
    pub(super) fn put_back(&mut self, taken: Taken) {
        for (tag, sent) in taken {
            self.put(tag, sent);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// The queues that messages are of, each once.
    pub(super) fn queues(&self) -> Vec<Arc<WorkQueue>> {
        let mut queues: Vec<Arc<WorkQueue>> = Vec::new();
        for sent in self.open.values() {
            let Unsettled::Leased(sent) = sent else {
                continue;
            };
            if !queues.iter().any(|known| Arc::ptr_eq(known, &sent.queue)) {
                queues.push(Arc::clone(&sent.queue));
            }
        }
        queues
    }
}

/// The earlier of two moments that may never come.
pub(crate) fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    [one, other].into_iter().flatten().min()
}

fn unknown(tag: u64) -> Fault {
    let text = format!("unknown delivery tag {tag}");
    Fault::new(ReplyCode::PreconditionFailed, text)
}
