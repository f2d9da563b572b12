//! Messages that go to the log together: all that a connection publishes before anything else.

use super::Routed;
use crate::channel::Outcomes;
use crate::codec::method::basic;
use crate::codec::{Content, ContentMethod, FrameMax, ReplyCode, ShortString, write_content};
use crate::consuming::{Replies, Taken};
use crate::fault::Fault;
use crate::message::Delivered;
use crate::output::Output;
use gantry_core::vhosts::{DeadLetter, WorkQueue};
use gantry_core::{Client, Consumed, Durability, Error, ProduceItem, Receipt};
use std::sync::Arc;

/// Messages in the order they were published.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    items: Vec<ProduceItem>,
    entries: Vec<Entry>,
    queues: Vec<Arc<WorkQueue>>,
    /// Of queues that may refuse messages, how many are on their way to them.
    counted: Vec<(Arc<WorkQueue>, u64)>,
    letters: Vec<DeadLetter>,
    /// What is done with by it.
    consumed: Vec<Consumed>,
}

#[derive(Debug)]
struct Entry {
    channel: u16,
    /// What its confirm names, where its channel wants any.
    tag: Option<u64>,
    items: usize,
    is_refused: bool,
    reply: Option<(ShortString, Delivered)>,
    is_unrouted: bool,
    /// Whose publisher wants it back if it goes nowhere.
    mandatory: Option<Box<Mandatory>>,
}

/// A mandatory message.
#[derive(Debug)]
struct Mandatory {
    method: basic::Publish,
    content: Content,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// Of messages whose channels want to know.
    pub(crate) outcomes: Outcomes,
    /// Of the last message that is not yet as durable as it is to be; those before it are when it
    /// is.
    pub(crate) last: Option<Receipt>,
    /// Channels that did not want to know of what was not kept, and what is wrong.
    pub(crate) failed: Vec<(u16, Fault)>,
}

impl Batch {
    pub(crate) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a message; `tag` is what its confirm names.
    pub(crate) fn put(
        &mut self,
        channel: u16,
        tag: Option<u64>,
        (method, content): (basic::Publish, Content),
        routed: Routed,
    ) {
        let Routed {
            items,
            queues,
            is_unrouted,
            is_refused,
            letters,
            reply,
        } = routed;
        let is_mandatory = method.mandatory;
        self.entries.push(Entry {
            channel,
            tag,
            items: items.len(),
            is_refused,
            reply,
            is_unrouted,
            mandatory: is_mandatory.then(|| Box::new(Mandatory { method, content })),
        });
        self.items.extend(items);
        self.letters.extend(letters);
        for queue in queues {
            if queue.rules().may_refuse() {
                self.count(&queue);
            }
            if !self
                .queues
                .last()
                .is_some_and(|last| Arc::ptr_eq(last, &queue))
            {
                self.queues.push(queue);
            }
        }
    }

    /// A transaction's messages are done with once all before is in the log, and only then. What
    /// goes nowhere says nothing of it.
    pub(crate) fn consume(&mut self, taken: &Taken) {
        if let Some(by) = self.items.len().checked_sub(1) {
            let leases = taken.iter().filter_map(|(_, sent)| sent.lease());
            self.consumed
                .extend(leases.map(|(queue, receipt)| Consumed {
                    queue: Arc::clone(queue),
                    receipt: receipt.clone(),
                    by,
                }));
        }
    }

    /// How many messages are on their way to a queue that may refuse some.
    pub(crate) fn count_for(&self, queue: &Arc<WorkQueue>) -> u64 {
        let mut counted = self.counted.iter();
        let known = counted.find(|(known, _)| Arc::ptr_eq(known, queue));
        known.map_or(0, |(_, count)| *count)
    }

    fn count(&mut self, queue: &Arc<WorkQueue>) {
        let mut counted = self.counted.iter_mut();
        match counted.find(|(known, _)| Arc::ptr_eq(known, queue)) {
            Some((_, count)) => *count += 1,
            None => self.counted.push((Arc::clone(queue), 1)),
        }
    }

    /// Writes all of it to the log, sends back what went nowhere, and lets messages come to those
    /// who consume.
    pub(crate) fn store(
        &mut self,
        (client, replies): (&Client, &Replies),
        limit: FrameMax,
        out: &mut impl Output,
    ) -> Stored {
        let items = std::mem::take(&mut self.items);
        let consumed = std::mem::take(&mut self.consumed);
        let mut receipts = client
            .produce_consuming(items, &consumed, Durability::Configured)
            .into_iter();
        let mut stored = Stored::default();
        for mut entry in self.entries.drain(..) {
            let receipt = last_of(receipts.by_ref().take(entry.items));
            let has_gone = matches!(receipt, Some(Err(Error::TopicNotFound(_))));
            if let Some(mandatory) = &entry.mandatory
                && (entry.is_unrouted || has_gone)
            {
                mandatory.write(entry.channel, limit, out);
            }
            if let Some((address, answer)) = entry.reply.take() {
                replies.send(&address, answer);
            }
            stored.put(&entry, receipt);
        }
        self.counted.clear();
        self.bury(client);
        client.dispatch_all(std::mem::take(&mut self.queues));
        stored
    }

    fn bury(&mut self, client: &Client) {
        if !self.letters.is_empty()
            && let Err(error) = client.refuse(std::mem::take(&mut self.letters))
        {
            tracing::warn!(%error, "dead letters of refused messages are not kept");
        }
    }
}

/// The outcome of a message that may be several records: that of the last, or the first failure.
fn last_of(
    receipts: impl Iterator<Item = Result<Receipt, Error>>,
) -> Option<Result<Receipt, Error>> {
    receipts.reduce(|before, next| before.and(next))
}

impl Stored {
    fn put(&mut self, entry: &Entry, receipt: Option<Result<Receipt, Error>>) {
        let Entry { channel, tag, .. } = *entry;
        // A queue that has gone meanwhile has taken it with it.
        let receipt = receipt.filter(|receipt| !matches!(receipt, Err(Error::TopicNotFound(_))));
        let is_kept = !entry.is_refused && !matches!(receipt, Some(Err(_)));
        match (tag, receipt) {
            (None, Some(Err(error))) => self.failed.push((channel, error.into())),
            (Some(_), Some(Err(error))) => {
                tracing::warn!(%error, "a message is not kept");
            }
            (_, Some(Ok(receipt))) if !receipt.is_durable() => self.last = Some(receipt),
            _ => {}
        }
        if let Some(tag) = tag {
            self.outcomes.put(channel, tag, is_kept);
        }
    }
}

impl Mandatory {
    fn write(&self, channel: u16, limit: FrameMax, out: &mut impl Output) {
        let method = basic::Return {
            reply_code: ReplyCode::NoRoute.number(),
            reply_text: ShortString::from_static(ReplyCode::NoRoute.name()),
            exchange: self.method.exchange.clone(),
            routing_key: self.method.routing_key.clone(),
        };
        let Content { properties, body } = &self.content;
        let method = ContentMethod::Return(&method);
        // They came in a frame of this connection.
        let _fits = write_content(channel, limit, method, properties, body, out);
    }
}
