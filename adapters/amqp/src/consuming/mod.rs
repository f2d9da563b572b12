//! The consuming half of a channel: consumers, deliveries and what is said of them.

mod outbox;
mod replies;
mod stream_filter;
mod stream_offset;
mod streaming;
mod streams;
#[cfg(test)]
mod tests;
mod unsettled;

pub use outbox::{Letter, LetterContent, Outbox};
pub use replies::{REPLY_TO, Replies, is_reply_address};

use crate::Output;
use crate::codec::method::basic;
use crate::codec::{ContentMethod, FrameMax, ReplyCode, ShortString, Value, write_content};
use crate::fault::Fault;
use crate::ledger::{Asked, Ledger, NO_LOCAL};
use crate::message::Delivered;
use crate::registry::OpenConsumer;
use crate::topology::{Named, describe, fault, integer, made_up_name, type_name};
use bytes::Bytes;
use gantry_core::record::RecordView;
use gantry_core::vhosts::{Consumer, Credit, Dealt, Death, VirtualHost, WorkQueue};
use gantry_core::{Client, LeaseReceipt, LeaseSession};
use outbox::Slot;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use streams::StreamReader;
pub use streams::Streamed;
use tokio::time::Instant;
use unsettled::Deliveries;
pub(crate) use unsettled::sooner;
pub use unsettled::{Leased, Taken, Unsettled};

/// What RabbitMQ calls consumers that do not name themselves.
const TAG_PREFIX: &str = "amq.ctag-";
/// Bytes of a message that count as another one.
const ROOM_BYTES: usize = 4096;

/// What the channels of a connection share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// As whom core is asked.
    pub client: Client,
    /// The connection's.
    pub host: Arc<VirtualHost>,
    /// Where other threads put what is to be written.
    pub outbox: Arc<Outbox>,
    /// For messages in the outbox.
    pub room: Arc<Credit>,
    /// All connections' addresses for answers.
    pub replies: Arc<Replies>,
    /// Longest frame the client takes.
    pub frame_max: FrameMax,
    /// Whether the client wants to know that a consumer's queue is gone.
    pub takes_cancel: bool,
    /// Where it is noted what has no effect.
    pub ledger: Arc<Ledger>,
    /// How long an acknowledgement may take, where the queue does not say.
    pub patience: Option<Duration>,
    /// When the connection was accepted, from where moments are counted.
    pub accepted_at: Instant,
}

/// A channel's consumers and deliveries.
#[derive(Debug)]
pub struct Consuming {
    shared: Shared,
    channel: u16,
    /// With which its messages return.
    session: LeaseSession,
    consumers: BTreeMap<ShortString, (Arc<WorkQueue>, Arc<Consumer>)>,
    /// Of those of streams, how far they are.
    readers: BTreeMap<ShortString, StreamReader>,
    deliveries: Deliveries,
    /// Of later consumers.
    prefetch: Option<u32>,
    /// Of all consumers together.
    credit: Arc<Credit>,
    /// Whether that was ever a limit.
    is_limited: bool,
    /// Who consumes answers, and at which address.
    reply_consumer: Option<(ShortString, ShortString)>,
    /// How often all were dispatched.
    turns: AtomicUsize,
}

impl Consuming {
    /// Of a channel just opened.
    #[must_use]
    pub fn new(shared: Shared, channel: u16) -> Self {
        Self {
            session: shared.client.lease_session(),
            deliveries: Deliveries::patient_for(shared.patience),
            shared,
            channel,
            consumers: BTreeMap::new(),
            readers: BTreeMap::new(),
            prefetch: None,
            credit: Credit::of(None),
            is_limited: false,
            reply_consumer: None,
            turns: AtomicUsize::new(0),
        }
    }

    /// How many consumers there are.
    #[must_use]
    pub fn consumer_count(&self) -> usize {
        self.consumers.len()
    }

    /// Limits of its next consumers, each and all together.
    #[must_use]
    pub fn limits(&self) -> (Option<u32>, Option<u32>) {
        (self.prefetch, self.credit.limit())
    }

    /// How many messages were sent.
    #[must_use]
    pub const fn delivered_count(&self) -> u64 {
        self.deliveries.last_tag()
    }

    /// Its consumers, as operators see them.
    #[must_use]
    pub fn describe_consumers(&self) -> Vec<OpenConsumer> {
        let consumers = self.consumers.iter();
        let described = consumers.map(|(tag, (queue, consumer))| OpenConsumer {
            tag: tag.as_str().to_owned(),
            queue: Arc::clone(queue.name()),
            is_unacknowledged: consumer.is_unacknowledged,
            is_exclusive: consumer.is_exclusive,
            priority: consumer.priority,
            prefetch: consumer.credits.first().and_then(|credit| credit.limit()),
        });
        described.collect()
    }

    /// How many messages were sent and not heard of.
    #[must_use]
    pub fn unsettled_count(&self) -> usize {
        self.deliveries.count()
    }

    fn now(&self) -> Duration {
        self.shared.accepted_at.elapsed()
    }

    /// When to call [`Consuming::expire`].
    #[must_use]
    pub const fn next_look(&self) -> Option<Duration> {
        self.deliveries.next_look()
    }

    /// Looks for acknowledgements that are late.
    ///
    /// # Errors
    /// There is one, a channel's fault.
    pub fn expire(&mut self, now: Duration) -> Result<(), Fault> {
        let Some(patience) = self.deliveries.overdue(now) else {
            return Ok(());
        };
        let text = format!(
            "delivery acknowledgement on channel {} timed out. Timeout value used: {} ms. This \
             timeout value can be configured, see consumers doc guide to learn more",
            self.channel,
            patience.as_millis()
        );
        Err(Fault::new(ReplyCode::PreconditionFailed, text))
    }

    /// `basic.qos`
    ///
    /// # Errors
    /// A connection's fault.
    pub fn limit(&mut self, method: &basic::Qos) -> Result<(), Fault> {
        if method.prefetch_size != 0 {
            let text = format!("prefetch_size!=0 ({})", method.prefetch_size);
            return Err(Fault::new(ReplyCode::NotImplemented, text));
        }
        let limit = (method.prefetch_count > 0).then_some(u32::from(method.prefetch_count));
        if !method.global {
            self.prefetch = limit;
            return Ok(());
        }
        self.credit.limit_to(limit);
        self.is_limited = true;
        self.dispatch_all()
    }

    /// `basic.consume`; the consumer's tag. [`Consuming::begin`] lets messages come, once the
    /// client has been told.
    ///
    /// # Errors
    /// A channel's or a connection's fault.
    pub fn consume(
        &mut self,
        method: &basic::Consume,
        queue: Arc<WorkQueue>,
    ) -> Result<ShortString, Fault> {
        if queue.rules().is_stream() {
            return self.consume_stream(method, queue);
        }
        if queue.rules().is_quorum {
            self.check_global_limit(&queue)?;
        }
        let tag = self.new_tag(method)?;
        let priority = self.priority(method, &queue)?;
        let own = (!method.no_ack).then(|| Credit::of(self.prefetch));
        let credits = own.into_iter().chain([Arc::clone(&self.credit)]).collect();
        let consumer = Arc::new(Consumer {
            session: self.session,
            priority,
            is_unacknowledged: method.no_ack,
            credits,
            room: Arc::clone(&self.shared.room),
            is_exclusive: method.exclusive,
            mailbox: Arc::new(self.slot(&tag)),
        });
        let added = self.shared.client.consume(&queue, Arc::clone(&consumer));
        added.map_err(|error| fault(&self.shared.host, Named::Queue(queue.name()), error))?;
        self.consumers.insert(tag.clone(), (queue, consumer));
        self.note_ignored(method);
        Ok(tag)
    }

    /// Counts what a consumer is granted without effect.
    fn note_ignored(&self, method: &basic::Consume) {
        let (ledger, arguments) = (&self.shared.ledger, method.arguments.view());
        ledger.note_table(Asked::ConsumerArgument, arguments);
        if method.no_local {
            ledger.note(Asked::Method, NO_LOCAL);
        }
    }

    /// # Errors
    /// The channel has a limit for all its consumers, which only classic queues know.
    fn check_global_limit(&self, queue: &WorkQueue) -> Result<(), Fault> {
        if !self.is_limited {
            return Ok(());
        }
        let what = describe(&self.shared.host, Named::Queue(queue.name()));
        let text = format!("{what} does not support global qos");
        Err(Fault::new(ReplyCode::NotImplemented, text))
    }

    /// The way of a consumer's messages.
    fn slot(&self, tag: &ShortString) -> Slot {
        Slot {
            outbox: Arc::clone(&self.shared.outbox),
            room: Arc::clone(&self.shared.room),
            channel: self.channel,
            consumer_tag: tag.clone(),
        }
    }

    /// `basic.consume` of [`REPLY_TO`]; the consumer's tag.
    ///
    /// # Errors
    /// A channel's or a connection's fault.
    pub fn consume_replies(&mut self, method: &basic::Consume) -> Result<ShortString, Fault> {
        let refuse = |text| Err(Fault::new(ReplyCode::PreconditionFailed, text));
        let tag = self.new_tag(method)?;
        if self.reply_consumer.is_some() {
            return refuse("reply consumer already set");
        }
        if !method.no_ack {
            return refuse("reply consumer cannot acknowledge");
        }
        let address = self.shared.replies.open(&self.shared, self.channel, &tag);
        self.reply_consumer = Some((tag.clone(), address));
        Ok(tag)
    }

    /// Where answers to what the channel publishes are to go, if somebody consumes them.
    #[must_use]
    pub fn reply_address(&self) -> Option<&ShortString> {
        self.reply_consumer.as_ref().map(|(_, address)| address)
    }

    /// What the arguments say, of which RabbitMQ knows three.
    fn priority(&self, method: &basic::Consume, queue: &WorkQueue) -> Result<i32, Fault> {
        let arguments = method.arguments.view();
        let what = describe(&self.shared.host, Named::Queue(queue.name()));
        let refuse = |name: &str, why: String| {
            let text = format!("invalid arg '{name}' for {what}{why}");
            Err(Fault::new(ReplyCode::PreconditionFailed, text))
        };
        if arguments.get("x-stream-offset").is_some() {
            let why = " of queue type rabbit_classic_queue";
            return refuse("x-stream-offset", why.to_owned());
        }
        if let Some(value) = arguments.get("x-cancel-on-ha-failover")
            && !matches!(value, Value::Bool(_))
        {
            let why = format!(": {{unacceptable_type,{}}}", type_name(value));
            return refuse("x-cancel-on-ha-failover", why);
        }
        let Some(value) = arguments.get("x-priority") else {
            return Ok(0);
        };
        match integer(value) {
            Ok(number) => {
                let most = i64::from(i32::MAX);
                Ok(i32::try_from(number.clamp(-most, most)).unwrap_or(0))
            }
            Err(why) => refuse("x-priority", format!(": {why}")),
        }
    }

    fn new_tag(&self, method: &basic::Consume) -> Result<ShortString, Fault> {
        let tag = match method.consumer_tag.as_str() {
            "" => ShortString::cut(&made_up_name(&self.shared.client, TAG_PREFIX)),
            _ => method.consumer_tag.clone(),
        };
        let consumes_replies = self.consumes_replies_as(&tag);
        if consumes_replies || self.consumers.contains_key(&tag) {
            let text = format!("attempt to reuse consumer tag '{tag}'");
            return Err(Fault::new(ReplyCode::NotAllowed, text));
        }
        Ok(tag)
    }

    fn consumes_replies_as(&self, tag: &ShortString) -> bool {
        let known = self.reply_consumer.as_ref();
        known.is_some_and(|(known, _)| known == tag)
    }

    fn stop_replies(&mut self) {
        if let Some((_, address)) = self.reply_consumer.take() {
            self.shared.replies.close(&address);
        }
    }

    /// Lets messages come to a new consumer.
    ///
    /// # Errors
    /// A failed store.
    pub fn begin(&self, tag: &ShortString) -> Result<(), Fault> {
        if let Some(reader) = self.readers.get(tag) {
            reader.bell().ring();
            return Ok(());
        }
        match self.consumers.get(tag) {
            Some((queue, _)) => Ok(self.shared.client.dispatch(queue)?),
            None => Ok(()),
        }
    }

    /// `basic.cancel`: nothing more comes for the consumer. What it was sent stays the channel's;
    /// what waits in the outbox is to be written before [`Consuming::forget`] and the answer.
    ///
    /// # Errors
    /// A failed store.
    pub fn stop(&mut self, tag: &ShortString) -> Result<(), Fault> {
        self.readers.remove(tag);
        if let Some((queue, consumer)) = self.consumers.get(tag) {
            self.shared.client.stop_consuming(queue, consumer)?;
        }
        Ok(())
    }

    /// The consumer is one no more. Its queue may go with it.
    ///
    /// # Errors
    /// A failed store.
    pub fn forget(&mut self, tag: &ShortString) -> Result<(), Fault> {
        if self.consumes_replies_as(tag) {
            self.stop_replies();
        }
        match self.consumers.remove(tag) {
            Some((queue, _)) => self.delete_if_abandoned(&queue),
            None => Ok(()),
        }
    }

    /// Deletes a queue that goes with its last consumer, once that has gone.
    fn delete_if_abandoned(&self, queue: &WorkQueue) -> Result<(), Fault> {
        let Shared { client, host, .. } = &self.shared;
        if queue.spec().is_auto_delete && queue.consumer_count() == 0 {
            client
                .delete_abandoned(host, queue)
                .map_err(|error| fault(host, Named::Queue(queue.name()), error))?;
        }
        Ok(())
    }

    /// Writes what another thread has for a consumer.
    ///
    /// # Errors
    /// A failed store.
    pub fn write(&mut self, letter: Letter, out: &mut impl Output) -> Result<(), Fault> {
        let Letter {
            consumer_tag,
            content,
            ..
        } = letter;
        self.shared.room.give(room_of(&content));
        let messages = match content {
            LetterContent::Messages(messages) => messages,
            LetterContent::Reply(answer) => return self.write_reply(consumer_tag, &answer, out),
            LetterContent::Readable => return self.write_stream(&consumer_tag, out),
            LetterContent::Cancelled => {
                self.consumers.remove(&consumer_tag);
                self.readers.remove(&consumer_tag);
                if !self.shared.takes_cancel {
                    return Ok(());
                }
                let method = basic::Cancel {
                    consumer_tag,
                    no_wait: true,
                };
                crate::codec::ServerMethod::from(method).encode(self.channel, out.head());
                return Ok(());
            }
        };
        let Some((queue, consumer)) = self.consumers.get(&consumer_tag).cloned() else {
            // Its session has ended, and they are back in their queue.
            return Ok(());
        };
        let sent_at = self.now();
        for dealt in messages {
            let delivery_tag = self.deliveries.next_tag();
            let (delivered, method) = deliver(&queue, &consumer_tag, delivery_tag, &dealt);
            let method = ContentMethod::Deliver(&method);
            self.write_content(method, &delivered, out)?;
            if !consumer.is_unacknowledged {
                let sent = Leased {
                    queue: Arc::clone(&queue),
                    receipt: dealt.receipt,
                    attempt: dealt.attempt,
                    consumer: Some(Arc::clone(&consumer)),
                    sent_at,
                };
                self.deliveries.put(delivery_tag, Unsettled::Leased(sent));
            }
        }
        Ok(self.shared.client.dispatch(&queue)?)
    }

    fn write_reply(
        &mut self,
        consumer_tag: ShortString,
        answer: &Delivered,
        out: &mut impl Output,
    ) -> Result<(), Fault> {
        if !self.consumes_replies_as(&consumer_tag) {
            return Ok(());
        }
        let method = basic::Deliver {
            consumer_tag,
            delivery_tag: self.deliveries.next_tag(),
            redelivered: false,
            exchange: text(&answer.exchange),
            routing_key: text(&answer.routing_key),
        };
        self.write_content(ContentMethod::Deliver(&method), answer, out)
    }

    /// `basic.get`: writes a message, or that there is none.
    ///
    /// # Errors
    /// A failed store.
    pub fn get(
        &mut self,
        method: &basic::Get,
        queue: &Arc<WorkQueue>,
        out: &mut impl Output,
    ) -> Result<(), Fault> {
        let client = &self.shared.client;
        let Some(dealt) = client.take_one(queue, self.session)? else {
            let empty = basic::GetEmpty::default();
            crate::codec::ServerMethod::from(empty).encode(self.channel, out.head());
            return Ok(());
        };
        let left = client.queue_counts(queue)?.ready;
        let delivery_tag = self.deliveries.next_tag();
        let nobody = ShortString::default();
        let (delivered, deliver) = deliver(queue, &nobody, delivery_tag, &dealt);
        let got = basic::GetOk {
            delivery_tag,
            redelivered: deliver.redelivered,
            exchange: deliver.exchange,
            routing_key: deliver.routing_key,
            message_count: u32::try_from(left).unwrap_or(u32::MAX),
        };
        self.write_content(ContentMethod::GetOk(&got), &delivered, out)?;
        let sent = Unsettled::Leased(Leased {
            queue: Arc::clone(queue),
            receipt: dealt.receipt,
            attempt: dealt.attempt,
            consumer: None,
            sent_at: self.now(),
        });
        if method.no_ack {
            return self.settle(vec![(delivery_tag, sent)]);
        }
        self.deliveries.put(delivery_tag, sent);
        Ok(())
    }

    /// Takes the message of a tag, or with `multiple` all up to it, for [`Consuming::settle`],
    /// [`Consuming::requeue`] or [`Consuming::put_back`].
    ///
    /// # Errors
    /// A channel's fault.
    pub fn take(&mut self, tag: u64, multiple: bool) -> Result<Taken, Fault> {
        self.deliveries.take(tag, multiple)
    }

    /// They are unacknowledged as before.
    pub fn put_back(&mut self, taken: Taken) {
        self.deliveries.put_back(taken);
    }

    /// They are done with.
    ///
    /// # Errors
    /// A failed store.
    pub fn settle(&self, taken: Taken) -> Result<(), Fault> {
        self.say(taken, |queue, receipts| {
            self.shared.client.ack(queue.group(), receipts).map(drop)
        })
    }

    /// They are not wanted: dead letters, where their queue has an exchange for them.
    ///
    /// # Errors
    /// A failed store.
    pub fn reject(&self, taken: Taken) -> Result<(), Fault> {
        self.say(taken, |queue, receipts| {
            let client = &self.shared.client;
            client.bury_taken(queue, receipts, Death::Rejected)
        })
    }

    /// They return to their places.
    ///
    /// # Errors
    /// A failed store.
    pub fn requeue(&self, taken: Taken) -> Result<(), Fault> {
        let may_return = |(_, sent): &(u64, Unsettled)| match sent {
            Unsettled::Leased(sent) => {
                let limit = sent.queue.rules().returns_max;
                limit.is_none_or(|limit| sent.attempt <= limit)
            }
            Unsettled::Streamed(_) => true,
        };
        let client = &self.shared.client;
        let (returning, dying): (Taken, Taken) = taken.into_iter().partition(may_return);
        self.say(dying, |queue, receipts| {
            client.bury_taken(queue, receipts, Death::DeliveryLimit)
        })?;
        self.say(returning, |queue, receipts| {
            client.give_back(queue.group(), receipts).map(drop)
        })
    }

    /// `basic.recover`: everything returns to its place, but for streams' messages, which have
    /// never left theirs and are still to be acknowledged.
    ///
    /// # Errors
    /// A connection's fault.
    pub fn recover(&mut self, requeue: bool) -> Result<(), Fault> {
        if !requeue {
            return Err(Fault::new(ReplyCode::NotImplemented, "requeue=false"));
        }
        let is_streamed = |(_, sent): &(u64, Unsettled)| matches!(sent, Unsettled::Streamed(_));
        let taken = self.deliveries.take_all();
        let (streamed, returning): (Taken, Taken) = taken.into_iter().partition(is_streamed);
        self.deliveries.put_back(streamed);
        self.requeue(returning)
    }

    /// Ends with its channel: everything returns to its place before anybody else's turn comes.
    ///
    /// # Errors
    /// A failed store; it has ended nevertheless.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.stop_replies();
        self.readers.clear();
        let consumers = std::mem::take(&mut self.consumers);
        let consumers: Vec<_> = consumers.into_values().collect();
        let queues = self.deliveries.queues();
        self.deliveries.take_all();
        let client = &self.shared.client;
        let ended = client.end_consumers(self.session, &consumers, &queues);
        let deleted = consumers
            .iter()
            .map(|(queue, _)| self.delete_if_abandoned(queue))
            .fold(Ok(()), Result::and);
        ended?;
        deleted
    }

    /// Lets go of what another thread has for a channel that has ended.
    pub fn discard(room: &Credit, letter: &Letter) {
        room.give(room_of(&letter.content));
    }

    /// Says the same of all messages, a queue's together, and gives their credit back.
    fn say(
        &self,
        taken: Taken,
        say: impl Fn(&Arc<WorkQueue>, &[LeaseReceipt]) -> Result<(), gantry_core::Error>,
    ) -> Result<(), Fault> {
        if taken.is_empty() {
            return Ok(());
        }
        let mut runs: Vec<(Arc<WorkQueue>, Vec<LeaseReceipt>)> = Vec::new();
        let mut consumers = Vec::with_capacity(taken.len());
        for (_, sent) in taken {
            let sent = match sent {
                Unsettled::Leased(sent) => sent,
                Unsettled::Streamed(sent) => {
                    sent.give_back();
                    continue;
                }
            };
            consumers.extend(sent.consumer);
            let mut known = runs.iter_mut();
            match known.find(|(queue, _)| Arc::ptr_eq(queue, &sent.queue)) {
                Some((_, receipts)) => receipts.push(sent.receipt),
                None => runs.push((sent.queue, vec![sent.receipt])),
            }
        }
        let said = runs
            .iter()
            .map(|(queue, receipts)| say(queue, receipts))
            .fold(Ok(()), Result::and);
        for consumer in consumers {
            consumer.give_credit(1);
        }
        said?;
        if self.is_limited {
            // Messages of other queues may come as well.
            self.dispatch_all()?;
        }
        for (queue, _) in &runs {
            if !self.is_limited || !self.consumes(queue) {
                self.shared.client.dispatch(queue)?;
            }
        }
        Ok(())
    }

    fn consumes(&self, queue: &Arc<WorkQueue>) -> bool {
        let mut queues = self.consumers.values();
        queues.any(|(known, _)| Arc::ptr_eq(known, queue))
    }

    /// Lets messages come to all consumers, each time another one first: they share what there is.
    fn dispatch_all(&self) -> Result<(), Fault> {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let first = turn.checked_rem(self.consumers.len()).unwrap_or(0);
        let queues = self.consumers.values().map(|(queue, _)| queue);
        for queue in queues.clone().skip(first).chain(queues.take(first)) {
            self.shared.client.dispatch(queue)?;
        }
        Ok(())
    }

    fn write_content(
        &self,
        method: ContentMethod<'_>,
        delivered: &Delivered,
        out: &mut impl Output,
    ) -> Result<(), Fault> {
        let (limit, properties) = (self.shared.frame_max, &delivered.properties);
        let written = write_content(
            self.channel,
            limit,
            method,
            properties,
            &delivered.body,
            out,
        );
        written.map_err(|error| Fault::new(ReplyCode::ResourceError, error))
    }
}

/// What a letter takes of a connection's room: one for each message, and one more for every full
/// 4 KiB of it.
fn room_of(content: &LetterContent) -> u32 {
    let one = |bytes| room_beyond_one(bytes).saturating_add(1);
    match content {
        LetterContent::Messages(messages) => {
            let each = messages.iter().map(|dealt| one(dealt.message.bytes.len()));
            each.fold(0, u32::saturating_add)
        }
        LetterContent::Reply(answer) => one(answer.body.len()),
        LetterContent::Readable | LetterContent::Cancelled => 0,
    }
}

fn room_beyond_one(bytes: usize) -> u32 {
    u32::try_from(bytes / ROOM_BYTES).unwrap_or(u32::MAX)
}

fn text(bytes: &Bytes) -> ShortString {
    ShortString::cut(&String::from_utf8_lossy(bytes))
}

/// A stored message as AMQP's clients get it.
fn delivered_of_record(bytes: &Bytes) -> Delivered {
    match RecordView::parse(bytes) {
        Ok(record) => Delivered::of(&record.to_message(), record.topic()),
        // Core hands out records only.
        Err(_) => Delivered::default(),
    }
}

/// A queue's message as AMQP's clients get it.
pub(crate) fn delivered_of(queue: &WorkQueue, dealt: &Dealt) -> Delivered {
    let mut delivered = delivered_of_record(&dealt.message.bytes);
    if queue.rules().is_quorum {
        delivered.count_returns(dealt.attempt.saturating_sub(1));
    }
    delivered
}

/// A message as it is delivered.
fn deliver(
    queue: &WorkQueue,
    consumer_tag: &ShortString,
    tag: u64,
    dealt: &Dealt,
) -> (Delivered, basic::Deliver) {
    let delivered = delivered_of(queue, dealt);
    let method = basic::Deliver {
        consumer_tag: consumer_tag.clone(),
        delivery_tag: tag,
        redelivered: dealt.attempt > 1,
        exchange: text(&delivered.exchange),
        routing_key: text(&delivered.routing_key),
    };
    (delivered, method)
}
