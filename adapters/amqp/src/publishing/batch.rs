//! Messages that go to the log together: all that a connection publishes before anything else.

use super::Routed;
use crate::channel::Outcomes;
use crate::codec::method::basic;
use crate::codec::{Content, ContentMethod, FrameMax, ReplyCode, ShortString, write_content};
use crate::fault::Fault;
use crate::output::Output;
use gantry_core::vhosts::WorkQueue;
use gantry_core::{Client, Durability, Error, ProduceItem, Receipt};
use std::sync::Arc;

/// Messages in the order they were published.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    items: Vec<ProduceItem>,
    entries: Vec<Entry>,
    queues: Vec<Arc<WorkQueue>>,
}

#[derive(Debug)]
struct Entry {
    channel: u16,
    /// What its confirm names, where its channel wants any.
    tag: Option<u64>,
    has_item: bool,
    /// Where it went nowhere, and its publisher wants it back.
    unrouted: Option<Box<Unrouted>>,
}

/// A mandatory message.
#[derive(Debug)]
struct Unrouted {
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
        let Routed { item, queues } = routed;
        let is_unrouted = method.mandatory && queues.is_empty();
        self.entries.push(Entry {
            channel,
            tag,
            has_item: item.is_some(),
            unrouted: is_unrouted.then(|| Box::new(Unrouted { method, content })),
        });
        self.items.extend(item);
        for queue in queues {
            if !self
                .queues
                .last()
                .is_some_and(|last| Arc::ptr_eq(last, &queue))
            {
                self.queues.push(queue);
            }
        }
    }

    /// Writes all of it to the log, sends back what went nowhere, and lets messages come to those
    /// who consume.
    pub(crate) fn store(
        &mut self,
        client: &Client,
        limit: FrameMax,
        out: &mut impl Output,
    ) -> Stored {
        let items = std::mem::take(&mut self.items);
        let mut receipts = client.produce(items, Durability::Configured).into_iter();
        let mut stored = Stored::default();
        for entry in self.entries.drain(..) {
            let receipt = if entry.has_item {
                receipts.next()
            } else {
                None
            };
            if let Some(unrouted) = entry.unrouted {
                unrouted.write(entry.channel, limit, out);
            }
            stored.put(entry.channel, entry.tag, receipt);
        }
        self.dispatch(client);
        stored
    }

    fn dispatch(&mut self, client: &Client) {
        self.queues.sort_unstable_by_key(Arc::as_ptr);
        self.queues.dedup_by(|one, other| Arc::ptr_eq(one, other));
        for queue in self.queues.drain(..) {
            if let Err(error) = client.dispatch(&queue) {
                // Whoever acknowledges or publishes next tries again.
                tracing::warn!(%error, queue = &**queue.name(), "messages are not handed out");
            }
        }
    }
}

impl Stored {
    fn put(&mut self, channel: u16, tag: Option<u64>, receipt: Option<Result<Receipt, Error>>) {
        let is_kept = !matches!(receipt, Some(Err(_)));
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

impl Unrouted {
    fn write(self, channel: u16, limit: FrameMax, out: &mut impl Output) {
        let method = basic::Return {
            reply_code: ReplyCode::NoRoute.number(),
            reply_text: ShortString::from_static(ReplyCode::NoRoute.name()),
            exchange: self.method.exchange,
            routing_key: self.method.routing_key,
        };
        let Content { properties, body } = &self.content;
        let method = ContentMethod::Return(&method);
        // They came in a frame of this connection.
        let _fits = write_content(channel, limit, method, properties, body, out);
    }
}
