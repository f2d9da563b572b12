//! A client that says one thing at a time and expects the answer next.

use super::broker::{Broker, is_peer};
use super::wire::{Heard, Message, PATIENCE, Wire};
use bytes::{Bytes, BytesMut};
use compat_tests::process::now;
use gantry_amqp::codec::method::{basic, channel, confirm, connection, exchange, queue};
use gantry_amqp::codec::table::TableBuilder;
use gantry_amqp::codec::{
    ClientMethod, ContentMethod, FrameMax, Properties, PropertyList, SUPPORTED, ServerMethod,
    ShortString, Table, Value, write_content,
};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// The answer, when it is of the kind that is due.
macro_rules! due {
    ($method:expr, $variant:ident) => {
        match $method {
            gantry_amqp::codec::ServerMethod::$variant(method) => method,
            other => panic!("{other:?} instead of {}", stringify!($variant)),
        }
    };
}
pub(crate) use due;

/// What clients of our day can do.
pub const CAPABILITIES: &[&str] = &[
    "publisher_confirms",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "authentication_failure_close",
];

/// How a client introduces itself.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    pub capabilities: &'a [&'a str],
    pub mechanism: &'a str,
    pub response: &'a [u8],
    pub channel_max: u16,
    pub frame_max: u32,
    pub heartbeat: u16,
    pub virtual_host: &'a str,
}

impl Default for Terms<'_> {
    fn default() -> Self {
        Self {
            capabilities: CAPABILITIES,
            mechanism: "PLAIN",
            response: b"\0guest\0guest",
            channel_max: 2047,
            frame_max: 131_072,
            heartbeat: 0,
            virtual_host: "/",
        }
    }
}

pub struct Client {
    pub wire: Wire,
    frame_max: FrameMax,
    /// Heard of other channels while something else was waited for.
    aside: VecDeque<Heard>,
}

impl Client {
    /// An open connection.
    pub fn connect(broker: &Broker) -> Self {
        Self::connect_as(broker, &Terms::default())
    }

    /// An open connection on `terms`.
    pub fn connect_as(broker: &Broker, terms: &Terms<'_>) -> Self {
        let mut client = Self::tuned(broker, terms);
        due!(client.hear(0), ConnectionOpenOk);
        client
    }

    /// An open connection with a channel 1.
    pub fn with_channel(broker: &Broker) -> Self {
        let mut client = Self::connect(broker);
        client.open(1);
        client
    }

    /// A connection whose client has said `connection.open`.
    pub fn tuned(broker: &Broker, terms: &Terms<'_>) -> Self {
        let mut client = Self::introduced(broker, terms);
        due!(client.hear(0), ConnectionTune);
        let tune = connection::TuneOk {
            channel_max: terms.channel_max,
            frame_max: terms.frame_max,
            heartbeat: terms.heartbeat,
        };
        client.send(0, tune);
        client.frame_max = FrameMax::new(terms.frame_max);
        let open = connection::Open {
            virtual_host: short(terms.virtual_host),
            ..connection::Open::default()
        };
        client.send(0, open);
        client
    }

    /// A connection whose client has said `connection.start-ok`.
    pub fn introduced(broker: &Broker, terms: &Terms<'_>) -> Self {
        let (mut client, _) = Self::greeted(broker);
        let mut capabilities = TableBuilder::new();
        for name in terms.capabilities {
            capabilities.put(name, Value::Bool(true));
        }
        let capabilities = capabilities.build();
        let start = connection::StartOk {
            client_properties: table(&[("capabilities", Value::Table(capabilities.view()))]),
            mechanism: short(terms.mechanism),
            response: Bytes::copy_from_slice(terms.response),
            locale: short("en_US"),
        };
        client.send(0, start);
        client
    }

    /// A connection whose client has said which protocol it speaks, and what it was told.
    pub fn greeted(broker: &Broker) -> (Self, connection::Start) {
        let mut wire = Wire::dial(&broker.address());
        wire.put(&SUPPORTED);
        let mut client = Self {
            wire,
            frame_max: FrameMax::BEFORE_TUNE,
            aside: VecDeque::new(),
        };
        let start = due!(client.hear(0), ConnectionStart);
        (client, start)
    }

    pub fn send(&mut self, channel: u16, method: impl Into<ClientMethod>) {
        self.wire.send(channel, method);
    }

    /// The next method, of `channel`; heartbeats are not looked at.
    pub fn hear(&mut self, channel: u16) -> ServerMethod {
        match self.next() {
            Heard::Method(number, method) if number == channel => method,
            other => panic!("{other:?} instead of a method of channel {channel}"),
        }
    }

    /// The next message, of `channel`.
    pub fn message(&mut self, channel: u16) -> Message {
        match self.next() {
            Heard::Message(number, message) if number == channel => message,
            other => panic!("{other:?} instead of a message of channel {channel}"),
        }
    }

    /// The next of `count` messages.
    pub fn messages(&mut self, channel: u16, count: usize) -> Vec<Message> {
        (0..count).map(|_| self.message(channel)).collect()
    }

    /// The next message of `channel`, if one comes within `time`.
    pub fn message_within(&mut self, channel: u16, time: Duration) -> Option<Message> {
        let heard = self.aside.pop_front();
        match heard.or_else(|| self.wire.hear_within(time))? {
            Heard::Message(number, message) if number == channel => Some(message),
            other => panic!("{other:?} instead of a message of channel {channel}"),
        }
    }

    fn next(&mut self) -> Heard {
        if let Some(heard) = self.aside.pop_front() {
            return heard;
        }
        loop {
            match self.wire.hear() {
                Heard::Heartbeat => {}
                heard => return heard,
            }
        }
    }

    /// Says `method` and hears the answer.
    pub fn call(&mut self, channel: u16, method: impl Into<ClientMethod>) -> ServerMethod {
        self.send(channel, method);
        self.hear(channel)
    }

    pub fn open(&mut self, channel: u16) {
        let answer = self.call(channel, channel::Open::default());
        due!(answer, ChannelOpenOk);
    }

    /// Why the server closes `channel`; it is told that this was heard.
    pub fn channel_close(&mut self, channel: u16) -> channel::Close {
        let close = due!(self.hear(channel), ChannelClose);
        self.send(channel, channel::CloseOk {});
        close
    }

    /// Why the server refuses `method`. The channel is open again afterwards.
    pub fn refused(&mut self, channel: u16, method: impl Into<ClientMethod>) -> channel::Close {
        self.send(channel, method);
        let close = self.channel_close(channel);
        self.open(channel);
        close
    }

    /// Why the server closes the connection, which it then does.
    pub fn connection_close(mut self) -> channel::Close {
        let close = due!(self.hear(0), ConnectionClose);
        self.send(0, connection::CloseOk {});
        self.end();
        close.into()
    }

    /// The stream ends next.
    pub fn end(&mut self) {
        match self.next() {
            Heard::End => {}
            other => panic!("{other:?} instead of the end"),
        }
    }

    /// Closes the connection, whatever comes before the server has heard of it.
    pub fn close(mut self) {
        let close = connection::Close {
            reply_code: 200,
            reply_text: short("OK"),
            ..connection::Close::default()
        };
        self.send(0, close);
        while !matches!(
            self.next(),
            Heard::Method(0, ServerMethod::ConnectionCloseOk(_))
        ) {}
    }

    /// Closes a channel, whatever comes before the server has heard of it.
    pub fn close_channel(&mut self, channel: u16) {
        let close = channel::Close {
            reply_code: 200,
            reply_text: short("OK"),
            ..channel::Close::default()
        };
        self.send(channel, close);
        loop {
            match self.wire.hear() {
                Heard::Method(number, ServerMethod::ChannelCloseOk(_)) if number == channel => {
                    return;
                }
                Heard::Message(number, _) if number == channel => {}
                Heard::Message(number, message) => {
                    self.aside.push_back(Heard::Message(number, message));
                }
                other => panic!("{other:?} instead of channel.close-ok"),
            }
        }
    }

    pub fn declare(&mut self, channel: u16, declare: queue::Declare) -> queue::DeclareOk {
        due!(self.call(channel, declare), QueueDeclareOk)
    }

    /// Declares a queue that only this connection has.
    pub fn private_queue(&mut self, channel: u16, name: &str) {
        self.private_queue_with(channel, name, &[]);
    }

    /// As [`Client::private_queue`], with arguments.
    pub fn private_queue_with(&mut self, channel: u16, name: &str, arguments: &[Argument<'_>]) {
        let declare = queue::Declare {
            exclusive: true,
            arguments: table(arguments),
            ..queue_named(name)
        };
        self.declare(channel, declare);
    }

    /// What is ready in a queue, and how many consumers it has. What the queue has sent before
    /// comes before the answer.
    pub fn look(&mut self, channel: u16, name: &str) -> (u32, u32) {
        let declare = queue::Declare {
            passive: true,
            ..queue_named(name)
        };
        let ok = self.declare(channel, declare);
        (ok.message_count, ok.consumer_count)
    }

    /// As [`Client::look`], once what was acknowledged and requeued before has been done: RabbitMQ
    /// may count before it does that, a gantry may not.
    pub fn counts(&mut self, channel: u16, name: &str, expected: (u32, u32)) {
        let deadline = now() + PATIENCE;
        while is_peer() && self.look(channel, name) != expected && now() < deadline {}
        assert_eq!(self.look(channel, name), expected);
    }

    pub fn declare_exchange(&mut self, channel: u16, name: &str, kind: &str) {
        self.declare_exchange_with(channel, exchange_named(name, kind));
    }

    pub fn declare_exchange_with(&mut self, channel: u16, declare: exchange::Declare) {
        let answer = self.call(channel, declare);
        due!(answer, ExchangeDeclareOk);
    }

    pub fn bind(&mut self, channel: u16, queue: &str, exchange: &str, key: &str) {
        self.bind_with(channel, queue, exchange, key, &[]);
    }

    pub fn bind_with(
        &mut self,
        channel: u16,
        queue: &str,
        exchange: &str,
        key: &str,
        arguments: &[Argument<'_>],
    ) {
        let bind = queue::Bind {
            queue: short(queue),
            exchange: short(exchange),
            routing_key: short(key),
            arguments: table(arguments),
            ..queue::Bind::default()
        };
        let answer = self.call(channel, bind);
        due!(answer, QueueBindOk);
    }

    pub fn bind_exchange(&mut self, channel: u16, destination: &str, source: &str, key: &str) {
        let bind = exchange::Bind {
            destination: short(destination),
            source: short(source),
            routing_key: short(key),
            ..exchange::Bind::default()
        };
        let answer = self.call(channel, bind);
        due!(answer, ExchangeBindOk);
    }

    /// Publishes a text to a queue.
    pub fn publish(&mut self, channel: u16, queue: &str, text: &str) {
        self.publish_with(channel, publish("", queue), PropertyList::default(), text);
    }

    pub fn publish_with(
        &mut self,
        channel: u16,
        publish: basic::Publish,
        properties: PropertyList<'_>,
        text: &str,
    ) {
        let body = Bytes::copy_from_slice(text.as_bytes());
        self.publish_raw(channel, publish, &properties.encode(), &body);
    }

    pub fn publish_raw(
        &mut self,
        channel: u16,
        publish: basic::Publish,
        properties: &Properties,
        body: &Bytes,
    ) {
        let mut out = BytesMut::new();
        let method = ContentMethod::Publish(&publish);
        write_content(channel, self.frame_max, method, properties, body, &mut out).unwrap();
        self.wire.put(&out);
    }

    pub fn confirm_select(&mut self, channel: u16) {
        let answer = self.call(channel, confirm::Select { no_wait: false });
        due!(answer, ConfirmSelectOk);
    }

    /// Waits until everything up to the publish `last` is confirmed, and nothing else comes.
    pub fn confirmed(&mut self, channel: u16, last: u64) {
        let mut outstanding = Outstanding::up_to(last);
        while !outstanding.is_empty() {
            let ack = due!(self.hear(channel), BasicAck);
            outstanding.note(&ack);
        }
    }

    /// Hears that the publish `tag` is confirmed, alone.
    pub fn confirmed_after(&mut self, channel: u16, tag: u64) {
        let ack = due!(self.hear(channel), BasicAck);
        assert_eq!((ack.delivery_tag, ack.multiple), (tag, false));
    }

    /// Publishes texts to a queue, and returns once they are in it. The channel is one of
    /// confirms, and nothing else is published there.
    pub fn fill(&mut self, queue: &str, texts: &[&str]) {
        /// No test uses it for anything else.
        const CHANNEL: u16 = 1_000;
        self.open(CHANNEL);
        self.confirm_select(CHANNEL);
        for text in texts {
            self.publish(CHANNEL, queue, text);
        }
        self.confirmed(CHANNEL, texts.len() as u64);
        self.close_channel(CHANNEL);
    }

    /// Publishes texts to a queue whose consumers are on this connection.
    pub fn fill_behind(&mut self, queue: &str, texts: &[&str]) {
        const CHANNEL: u16 = 1_001;
        self.open(CHANNEL);
        for text in texts {
            self.publish(CHANNEL, queue, text);
        }
    }

    /// Publishes texts with priorities to a queue whose consumers are on this connection, and
    /// returns once they are in it. None of them may be delivered before.
    pub fn fill_behind_with(&mut self, queue: &str, texts: &[(&str, Option<u8>)]) {
        const CHANNEL: u16 = 1_002;
        self.open(CHANNEL);
        self.confirm_select(CHANNEL);
        for (text, priority) in texts {
            let properties = PropertyList {
                priority: *priority,
                ..PropertyList::default()
            };
            self.publish_with(CHANNEL, publish("", queue), properties, text);
        }
        self.confirmed(CHANNEL, texts.len() as u64);
    }

    /// Takes a message of a queue, and keeps it.
    pub fn get(&mut self, channel: u16, queue: &str) -> Option<Message> {
        self.get_with(channel, queue, false)
    }

    pub fn get_with(&mut self, channel: u16, queue: &str, no_ack: bool) -> Option<Message> {
        let get = basic::Get {
            queue: short(queue),
            no_ack,
            ..basic::Get::default()
        };
        self.send(channel, get);
        match self.next() {
            Heard::Message(number, message) if number == channel => Some(message),
            Heard::Method(number, ServerMethod::BasicGetEmpty(_)) if number == channel => None,
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// Takes all messages of a queue for good.
    pub fn drain(&mut self, channel: u16, queue: &str) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(message) = self.get_with(channel, queue, true) {
            texts.push(message.text().to_owned());
        }
        texts
    }

    pub fn consume(&mut self, channel: u16, queue: &str, tag: &str) {
        self.consume_with(channel, consume(queue, tag));
    }

    pub fn consume_with(&mut self, channel: u16, consume: basic::Consume) {
        let answer = self.call(channel, consume);
        due!(answer, BasicConsumeOk);
    }

    /// Sets how many messages may be out: of each later consumer, or of the channel.
    pub fn prefetch(&mut self, channel: u16, count: u16, global: bool) {
        let qos = basic::Qos {
            prefetch_count: count,
            global,
            ..basic::Qos::default()
        };
        let answer = self.call(channel, qos);
        due!(answer, BasicQosOk);
    }

    pub fn ack(&mut self, channel: u16, tag: u64) {
        self.ack_with(channel, tag, false);
    }

    pub fn ack_with(&mut self, channel: u16, delivery_tag: u64, multiple: bool) {
        let ack = basic::Ack {
            delivery_tag,
            multiple,
        };
        self.send(channel, ack);
    }

    pub fn requeue(&mut self, channel: u16, delivery_tag: u64) {
        let nack = basic::Nack {
            delivery_tag,
            multiple: false,
            requeue: true,
        };
        self.send(channel, nack);
    }

    /// Has a message rejected for good.
    pub fn reject(&mut self, channel: u16, delivery_tag: u64) {
        let reject = basic::Reject {
            delivery_tag,
            requeue: false,
        };
        self.send(channel, reject);
    }

    pub fn delete_queue(&mut self, channel: u16, name: &str) -> u32 {
        let delete = queue::Delete {
            queue: short(name),
            ..queue::Delete::default()
        };
        due!(self.call(channel, delete), QueueDeleteOk).message_count
    }
}

/// Publishes that are not confirmed.
pub struct Outstanding(BTreeSet<u64>);

impl Outstanding {
    pub fn up_to(last: u64) -> Self {
        Self((1..=last).collect())
    }

    /// Takes note of a confirm, which is for something that was not confirmed before.
    pub fn note(&mut self, ack: &basic::Ack) {
        let tag = ack.delivery_tag;
        assert!(self.0.remove(&tag), "{ack:?} is for none of {:?}", self.0);
        self.0.retain(|each| !ack.multiple || *each > tag);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A name and a value of a table.
pub type Argument<'a> = (&'a str, Value<'a>);

pub fn short(text: &str) -> ShortString {
    ShortString::try_from(text).unwrap()
}

pub fn table(fields: &[Argument<'_>]) -> Table {
    let mut table = TableBuilder::new();
    for (name, value) in fields {
        table.put(name, *value);
    }
    table.build()
}

pub fn text(text: &str) -> Value<'_> {
    Value::LongString(text.as_bytes())
}

/// A close that the method `(class, method)` led to.
pub fn close(reply_code: u16, reply_text: &str, method: (u16, u16)) -> channel::Close {
    channel::Close {
        reply_code,
        reply_text: short(reply_text),
        class_id: method.0,
        method_id: method.1,
    }
}

pub fn queue_named(name: &str) -> queue::Declare {
    queue::Declare {
        queue: short(name),
        ..queue::Declare::default()
    }
}

pub fn exchange_named(name: &str, kind: &str) -> exchange::Declare {
    exchange::Declare {
        exchange: short(name),
        kind: short(kind),
        ..exchange::Declare::default()
    }
}

pub fn publish(exchange: &str, key: &str) -> basic::Publish {
    basic::Publish {
        exchange: short(exchange),
        routing_key: short(key),
        ..basic::Publish::default()
    }
}

pub fn mandatory(exchange: &str, key: &str) -> basic::Publish {
    basic::Publish {
        mandatory: true,
        ..publish(exchange, key)
    }
}

pub fn consume(queue: &str, tag: &str) -> basic::Consume {
    basic::Consume {
        queue: short(queue),
        consumer_tag: short(tag),
        ..basic::Consume::default()
    }
}

pub fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(Message::text).collect()
}
