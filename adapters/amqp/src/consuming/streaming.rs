//! What a channel does with consumers of streams.

use super::stream_filter::StreamFilter;
use super::stream_offset::StreamOffset;
use super::streams::StreamReader;
use super::{Consuming, Taken, Unsettled, text};
use crate::Output;
use crate::codec::method::basic;
use crate::codec::{ContentMethod, ReplyCode, ShortString};
use crate::fault::Fault;
use crate::topology::{Named, describe, fault};
use gantry_core::vhosts::{Consumer, Credit, WorkQueue};
use std::sync::Arc;

/// Arguments of consumers that streams do not take.
const NOT_OF_STREAMS: [&str; 2] = ["x-priority", "x-cancel-on-ha-failover"];
const OFFSET: &str = "x-stream-offset";

impl Consuming {
    /// `basic.consume` of a stream; the consumer's tag. That it wants to be alone is nothing to a
    /// stream.
    ///
    /// # Errors
    /// A channel's or a connection's fault.
    pub(super) fn consume_stream(
        &mut self,
        method: &basic::Consume,
        queue: Arc<WorkQueue>,
    ) -> Result<ShortString, Fault> {
        let tag = self.new_tag(method)?;
        let (offset, filter) = self.stream_arguments(method, &queue)?;
        let what = describe(&self.shared.host, Named::Queue(queue.name()));
        if method.no_ack {
            let text = format!("automatic acknowledgement not supported by stream queues {what}");
            return Err(Fault::new(ReplyCode::NotImplemented, text));
        }
        if self.prefetch.is_none() {
            let text = format!("consumer prefetch count is not set for '{what}'");
            return Err(Fault::new(ReplyCode::PreconditionFailed, text));
        }
        self.check_global_limit(&queue)?;
        let slot = self.slot(&tag);
        let consumer = Arc::new(Consumer {
            session: self.session,
            priority: 0,
            is_unacknowledged: false,
            credits: vec![Credit::of(self.prefetch)],
            room: Arc::clone(&self.shared.room),
            is_exclusive: false,
            mailbox: Arc::new(slot.clone()),
        });
        let client = &self.shared.client;
        let start = offset.find(client, queue.topic())?;
        let ends = (Arc::clone(&queue), Arc::clone(&consumer));
        let reader = StreamReader::new(client, ends, start, filter, slot)?;
        let added = client.consume(&queue, Arc::clone(&consumer));
        added.map_err(|error| fault(&self.shared.host, Named::Queue(queue.name()), error))?;
        self.readers.insert(tag.clone(), reader);
        self.consumers.insert(tag.clone(), (queue, consumer));
        self.note_ignored(method);
        Ok(tag)
    }

    /// Where a consumer begins, and what it wants.
    fn stream_arguments(
        &self,
        method: &basic::Consume,
        queue: &WorkQueue,
    ) -> Result<(StreamOffset, Option<StreamFilter>), Fault> {
        let arguments = method.arguments.view();
        let what = describe(&self.shared.host, Named::Queue(queue.name()));
        let refuse = |name: &str, why: &str| {
            let text = format!("invalid arg '{name}' for {what}{why}");
            Fault::new(ReplyCode::PreconditionFailed, text)
        };
        let mut foreign = NOT_OF_STREAMS.iter();
        if let Some(name) = foreign.find(|name| arguments.get(name).is_some()) {
            return Err(refuse(name, " of queue type rabbit_stream_queue"));
        }
        let offset = match arguments.get(OFFSET) {
            None => StreamOffset::default(),
            Some(value) => StreamOffset::of(value, self.shared.client.now())
                .map_err(|why| refuse(OFFSET, &format!(": {why}")))?,
        };
        let filter = StreamFilter::of(arguments);
        let filter = filter.map_err(|(name, why)| refuse(name, &format!(": {why}")))?;
        Ok((offset, filter))
    }

    /// Writes what a consumer may have of its stream now.
    ///
    /// # Errors
    /// What core says of the log.
    pub(super) fn write_stream(
        &mut self,
        consumer_tag: &ShortString,
        out: &mut impl Output,
    ) -> Result<(), Fault> {
        let Some(reader) = self.readers.get_mut(consumer_tag) else {
            // It was cancelled meanwhile.
            return Ok(());
        };
        let turn = reader.take_turn(&self.shared.client)?;
        let streamed = reader.streamed();
        for delivered in turn {
            let delivery_tag = self.deliveries.next_tag();
            let method = basic::Deliver {
                consumer_tag: consumer_tag.clone(),
                delivery_tag,
                redelivered: false,
                exchange: text(&delivered.exchange),
                routing_key: text(&delivered.routing_key),
            };
            self.write_content(ContentMethod::Deliver(&method), &delivered, out)?;
            let sent = Unsettled::Streamed(streamed.clone());
            self.deliveries.put(delivery_tag, sent);
        }
        Ok(())
    }

    /// # Errors
    /// One of them is a stream's, where nothing returns and nothing dies.
    pub fn check_may_give_up(&self, taken: &Taken) -> Result<(), Fault> {
        let mut streamed = taken.iter().filter_map(|(_, sent)| match sent {
            Unsettled::Streamed(streamed) => Some(streamed),
            Unsettled::Leased(_) => None,
        });
        let Some(streamed) = streamed.next() else {
            return Ok(());
        };
        let what = describe(&self.shared.host, Named::Queue(streamed.queue_name()));
        let text = format!("basic.nack and basic.reject not supported by stream queues {what}");
        Err(Fault::new(ReplyCode::NotImplemented, text))
    }
}
