//! Step 34: streams, and where their consumers begin.

use super::broker::{Broker, is_peer};
use super::client::{
    Argument, Client, close, consume, due, exchange_named, publish, queue_named, short, table,
    text, texts,
};
use super::wire::{Message, PATIENCE};
use compat_tests::process::now;
use gantry_amqp::codec::method::{basic, channel, queue};
use gantry_amqp::codec::table::ArrayBuilder;
use gantry_amqp::codec::{PropertyList, ServerMethod, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DECLARE: (u16, u16) = (50, 10);
const CONSUME: (u16, u16) = (60, 20);
/// Long enough for a message that is not to come.
const SILENCE: Duration = Duration::from_millis(300);
const LETTERS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn stream_with(name: &str, arguments: &[Argument<'_>]) -> queue::Declare {
    let mut all = vec![("x-queue-type", text("stream"))];
    all.extend_from_slice(arguments);
    queue::Declare {
        durable: true,
        arguments: table(&all),
        ..queue_named(name)
    }
}

/// A client with a channel 1 of limit 10, and a stream with these messages.
fn with_stream(broker: &Broker, messages: &[&str]) -> (Client, String) {
    let mut client = Client::with_channel(broker);
    let stream = broker.name("stream");
    client.declare(1, stream_with(&stream, &[]));
    // Each in a chunk of its own: RabbitMQ delivers whole ones, beyond any limit.
    for message in messages {
        client.fill(&stream, &[message]);
    }
    client.prefetch(1, 10, false);
    (client, stream)
}

/// Declares a stream on channel 1 of a broker that has just been started: a RabbitMQ serves its
/// streams some time after it serves its clients.
fn declare_in_time(client: &mut Client, stream: &str) {
    let deadline = now() + PATIENCE;
    loop {
        match client.call(1, stream_with(stream, &[])) {
            ServerMethod::QueueDeclareOk(_) => return,
            ServerMethod::ChannelClose(_) if is_peer() && now() < deadline => {
                client.send(1, channel::CloseOk {});
                client.open(1);
            }
            other => panic!("{other:?} instead of queue.declare-ok"),
        }
    }
}

fn consume_from(stream: &str, tag: &str, offset: Value<'_>) -> basic::Consume {
    consume_with(stream, tag, &[("x-stream-offset", offset)])
}

fn consume_with(stream: &str, tag: &str, arguments: &[Argument<'_>]) -> basic::Consume {
    basic::Consume {
        arguments: table(arguments),
        ..consume(stream, tag)
    }
}

fn cancel(client: &mut Client, channel: u16, tag: &str) {
    let cancel = basic::Cancel {
        consumer_tag: short(tag),
        no_wait: false,
    };
    due!(client.call(channel, cancel), BasicCancelOk);
}

fn offset(message: &Message) -> i64 {
    match message.header("x-stream-offset") {
        Some(Value::I64(offset)) => offset,
        other => panic!("{other:?} is no offset"),
    }
}

/// What a consumer that begins at `offset` gets of `count` messages, and then it gets no more.
fn read(client: &mut Client, stream: &str, offset: Value<'_>, count: usize) -> Vec<(i64, String)> {
    client.consume_with(1, consume_from(stream, "reader", offset));
    let messages = client.messages(1, count);
    assert!(client.message_within(1, SILENCE).is_none());
    cancel(client, 1, "reader");
    let places = messages.iter().map(|message| {
        assert!(!message.redelivered());
        (self::offset(message), message.text().to_owned())
    });
    places.collect()
}

fn lettered(from: usize) -> Vec<(i64, String)> {
    let letters = LETTERS.iter().enumerate().skip(from);
    letters
        .map(|(at, letter)| (at as i64, (*letter).to_owned()))
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "what a client asks for is the time of the machine"
)]
fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

#[test]
fn step_34_what_a_stream_cannot_be_is_refused() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let name = broker.name("stream");
    let what = format!("queue '{name}' in vhost '/'");
    let properties = [
        ("non-durable", (false, false, false)),
        ("exclusive-owner", (true, true, false)),
        ("auto-delete", (true, false, true)),
    ];
    for (property, (durable, exclusive, auto_delete)) in properties {
        let declare = queue::Declare {
            durable,
            exclusive,
            auto_delete,
            ..stream_with(&name, &[])
        };
        let reason = format!("PRECONDITION_FAILED - invalid property '{property}' for {what}");
        let refused = client.refused(1, declare);
        assert_eq!(refused, close(406, &reason, DECLARE));
    }
    let refused = client.refused(1, stream_with("", &[]));
    let reason = "PRECONDITION_FAILED - Cannot declare a server-named queue for type \
                  rabbit_stream_queue";
    assert_eq!(refused, close(406, reason, DECLARE));
    let foreign = [
        ("x-single-active-consumer", Value::Bool(true)),
        ("x-message-ttl", Value::I32(1)),
        ("x-expires", Value::I32(1_000)),
        ("x-dead-letter-exchange", text("x")),
        ("x-dead-letter-routing-key", text("k")),
        ("x-max-length", Value::I32(1)),
        ("x-overflow", text("drop-head")),
        ("x-max-priority", Value::I32(4)),
        ("x-delivery-limit", Value::I32(4)),
        ("x-queue-mode", text("lazy")),
        ("x-queue-version", Value::I32(1)),
        ("x-max-in-memory-length", Value::I32(1)),
        ("x-quorum-initial-group-size", Value::I32(1)),
        ("x-dead-letter-strategy", text("at-most-once")),
    ];
    for argument in foreign {
        let refused = client.refused(1, stream_with(&name, &[argument]));
        let reason = format!(
            "PRECONDITION_FAILED - invalid arg '{}' for {what} of queue type rabbit_stream_queue",
            argument.0
        );
        assert_eq!(refused, close(406, &reason, DECLARE));
    }
}

#[test]
fn step_34_arguments_have_to_make_sense() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let name = broker.name("stream");
    let wrong = [
        ("x-max-age", text("7x"), "invalid_max_age"),
        ("x-max-age", text("7"), "invalid_max_age"),
        ("x-max-age", text("0D"), "invalid_max_age"),
        ("x-max-age", Value::I32(7), "{unacceptable_type,signedint}"),
        ("x-max-length-bytes", Value::I32(-1), "{value_negative,-1}"),
        (
            "x-stream-max-segment-size-bytes",
            text("x"),
            "\"expected integer, got longstr\"",
        ),
        ("x-initial-cluster-size", Value::I32(0), "{value_zero,0}"),
        (
            "x-queue-leader-locator",
            text("bogus"),
            "invalid_queue_locator_arg",
        ),
    ];
    for (argument, value, why) in wrong {
        let refused = client.refused(1, stream_with(&name, &[(argument, value)]));
        let reason = format!(
            "PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost '/': {why}"
        );
        assert_eq!(refused, close(406, &reason, DECLARE));
    }
    let too_large = ("x-stream-max-segment-size-bytes", Value::I64(3_000_000_001));
    let refused = client.refused(1, stream_with(&name, &[too_large]));
    let reason = "PRECONDITION_FAILED - Exceeded max value for x-stream-max-segment-size-bytes";
    assert_eq!(refused, close(406, reason, DECLARE));
    let all = [
        ("x-max-age", text("7D")),
        ("x-max-length-bytes", Value::I64(1 << 30)),
        ("x-stream-max-segment-size-bytes", Value::I32(1_000_000)),
        ("x-initial-cluster-size", Value::I32(1)),
        ("x-queue-leader-locator", text("client-local")),
        ("x-unknown", text("kept")),
    ];
    let declared = client.declare(1, stream_with(&name, &all));
    assert_eq!((declared.message_count, declared.consumer_count), (0, 0));
}

#[test]
fn step_34_a_stream_is_declared_again_as_it_is() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let name = broker.name("stream");
    let first = [
        ("x-max-age", text("7D")),
        ("x-initial-cluster-size", Value::I32(1)),
        ("x-queue-leader-locator", text("client-local")),
    ];
    client.declare(1, stream_with(&name, &first));
    client.declare(1, stream_with(&name, &first));
    assert_eq!(client.look(1, &name), (0, 0));
    let others = [
        (0, text("8D"), "received '8D' but current is '7D'"),
        (1, Value::I32(2), "received '2' but current is '1'"),
        (
            2,
            text("balanced"),
            "received 'balanced' but current is 'client-local'",
        ),
    ];
    for (at, value, why) in others {
        let mut changed = first;
        changed[at].1 = value;
        let refused = client.refused(1, stream_with(&name, &changed));
        let reason = format!(
            "PRECONDITION_FAILED - inequivalent arg '{}' for queue '{name}' in vhost '/': {why}",
            first[at].0
        );
        assert_eq!(refused, close(406, &reason, DECLARE));
    }
    let classic = queue::Declare {
        durable: true,
        ..queue_named(&name)
    };
    assert_eq!(client.refused(1, classic).reply_code, 406);
}

#[test]
fn step_34_offsets_in_all_forms() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &LETTERS);
    let everything = lettered(0);
    assert_eq!(read(&mut client, &stream, text("first"), 5), everything);
    assert_eq!(read(&mut client, &stream, text("last"), 1), lettered(4));
    assert_eq!(read(&mut client, &stream, text("next"), 0), []);
    assert_eq!(read(&mut client, &stream, Value::I32(0), 5), everything);
    assert_eq!(read(&mut client, &stream, Value::I64(3), 2), lettered(3));
    assert_eq!(read(&mut client, &stream, Value::I16(-1), 5), everything);
    assert_eq!(read(&mut client, &stream, Value::I32(5), 0), []);
    assert_eq!(read(&mut client, &stream, text("5m"), 5), everything);
    assert_eq!(read(&mut client, &stream, text("7D"), 5), everything);
    let hour_ago = Value::Timestamp(seconds_since_1970() - 3_600);
    assert_eq!(read(&mut client, &stream, hour_ago, 5), everything);
    let hour_ahead = Value::Timestamp(seconds_since_1970() + 3_600);
    assert_eq!(read(&mut client, &stream, hour_ahead, 0), []);
    // Without a word it is what comes next.
    client.consume(1, &stream, "next");
    client.fill_behind(&stream, &["f"]);
    let next = client.message(1);
    assert_eq!((offset(&next), next.text()), (5, "f"));
}

#[test]
fn step_34_an_offset_that_is_not_there_yet_is_waited_for() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &["a"]);
    client.consume_with(1, consume_from(&stream, "t", Value::I32(3)));
    client.fill_behind(&stream, &["b", "c", "d", "e"]);
    let messages = client.messages(1, 2);
    assert_eq!(texts(&messages), ["d", "e"]);
    assert_eq!(offset(&messages[0]), 3);
}

#[test]
fn step_34_a_text_that_is_no_offset_is_refused() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &["a"]);
    let refused = client.refused(1, consume_from(&stream, "t", text("3")));
    let reason = format!(
        "PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue '{stream}' in vhost '/': \
         {{invalid_stream_offset_arg,{{longstr,<<\"3\">>}}}}"
    );
    assert_eq!(refused, close(406, &reason, CONSUME));
    client.prefetch(1, 10, false);
    let priority = consume_with(&stream, "t", &[("x-priority", Value::I32(1))]);
    let refused = client.refused(1, priority);
    let reason = format!(
        "PRECONDITION_FAILED - invalid arg 'x-priority' for queue '{stream}' in vhost '/' of \
         queue type rabbit_stream_queue"
    );
    assert_eq!(refused, close(406, &reason, CONSUME));
}

#[test]
fn step_34_other_words_for_an_offset_are_refused_with_a_reason() {
    let name = "step_34_other_words_for_an_offset_are_refused_with_a_reason";
    let Some(broker) = Broker::start_unless_peer(name) else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &["a"]);
    let wrong = [text("bogus"), text(""), Value::Bool(true), Value::Void];
    for value in wrong {
        let refused = client.refused(1, consume_from(&stream, "t", value));
        assert_eq!(refused.reply_code, 406, "{value:?}: {refused:?}");
        client.prefetch(1, 10, false);
    }
}

#[test]
fn step_34_a_consumer_needs_a_limit_and_acknowledges() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &["a"]);
    let what = format!("queue '{stream}' in vhost '/'");
    client.open(2);
    let refused = client.refused(2, consume(&stream, "t"));
    let reason = format!("PRECONDITION_FAILED - consumer prefetch count is not set for '{what}'");
    assert_eq!(refused, close(406, &reason, CONSUME));
    // That of the channel is none of the consumer's.
    client.prefetch(2, 10, true);
    let refused = client.refused(2, consume(&stream, "t"));
    assert_eq!(refused, close(406, &reason, CONSUME));
    let mut other = Client::with_channel(&broker);
    other.prefetch(1, 10, false);
    other.prefetch(1, 10, true);
    other.send(1, consume(&stream, "t"));
    let reason = format!("NOT_IMPLEMENTED - {what} does not support global qos");
    assert_eq!(other.connection_close(), close(540, &reason, CONSUME));
    let careless = basic::Consume {
        no_ack: true,
        ..consume(&stream, "t")
    };
    client.send(1, careless);
    let reason = format!(
        "NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queues {what}"
    );
    assert_eq!(client.connection_close(), close(540, &reason, CONSUME));
}

#[test]
fn step_34_an_acknowledgement_makes_room_and_takes_nothing_out() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &LETTERS);
    client.prefetch(1, 2, false);
    client.consume_with(1, consume_from(&stream, "t", text("first")));
    assert_eq!(texts(&client.messages(1, 2)), ["a", "b"]);
    assert!(client.message_within(1, SILENCE).is_none());
    client.ack(1, 1);
    assert_eq!(client.message(1).text(), "c");
    client.ack_with(1, 3, true);
    assert_eq!(texts(&client.messages(1, 2)), ["d", "e"]);
    client.ack_with(1, 0, true);
    client.close_channel(1);
    client.open(1);
    client.prefetch(1, 10, false);
    assert_eq!(read(&mut client, &stream, text("first"), 5), lettered(0));
}

#[test]
fn step_34_everybody_reads_all_of_it_in_its_own_time() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &LETTERS);
    let mut other = Client::with_channel(&broker);
    other.prefetch(1, 10, false);
    client.prefetch(1, 1, false);
    let alone = basic::Consume {
        // Which is nothing to a stream.
        exclusive: true,
        ..consume_from(&stream, "slow", text("first"))
    };
    client.consume_with(1, alone);
    other.consume_with(1, consume_from(&stream, "late", Value::I32(3)));
    assert_eq!(client.message(1).text(), "a");
    assert_eq!(texts(&other.messages(1, 2)), ["d", "e"]);
    client.fill_behind(&stream, &["f"]);
    assert_eq!(other.message(1).text(), "f");
    for (tag, letter) in (1..).zip(["b", "c", "d", "e", "f"]) {
        client.ack(1, tag);
        assert_eq!(client.message(1).text(), letter);
    }
    // Nor does a connection that ends give anything back.
    client.close();
    assert!(other.message_within(1, SILENCE).is_none());
    assert_eq!(read(&mut other, &stream, Value::I32(4), 2).len(), 2);
}

/// What ends a connection whose channel 1 consumes a stream with a message from the first on.
fn ends(broker: &Broker, end: impl FnOnce(&mut Client, &str)) -> (String, (u16, u16)) {
    let (mut client, stream) = with_stream(broker, &["a"]);
    client.consume_with(1, consume_from(&stream, "t", text("first")));
    assert_eq!(client.message(1).tag(), 1);
    end(&mut client, &stream);
    let close = client.connection_close();
    assert_eq!(close.reply_code, 540, "{close:?}");
    let what = format!(" queue '{stream}' in vhost '/'");
    let reason = close.reply_text.as_str().strip_suffix(&what).unwrap();
    (reason.to_owned(), (close.class_id, close.method_id))
}

#[test]
fn step_34_messages_are_not_asked_for_given_back_or_purged() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let refusal = |what: &str| format!("NOT_IMPLEMENTED - {what} not supported by stream queues");
    let got = ends(&broker, |client, stream| {
        let get = basic::Get {
            queue: short(stream),
            ..basic::Get::default()
        };
        client.send(1, get);
    });
    assert_eq!(got, (refusal("basic.get"), (60, 70)));
    let purged = ends(&broker, |client, stream| {
        let purge = queue::Purge {
            queue: short(stream),
            ..queue::Purge::default()
        };
        client.send(1, purge);
    });
    assert_eq!(purged, (refusal("queue.purge"), (50, 30)));
    let given_up = refusal("basic.nack and basic.reject");
    let requeued = ends(&broker, |client, _| client.requeue(1, 1));
    assert_eq!(requeued.0, given_up);
    let rejected = ends(&broker, |client, _| client.reject(1, 1));
    assert_eq!(rejected.0, given_up);
}

#[test]
fn step_34_what_is_recovered_does_not_come_again() {
    let name = "step_34_what_is_recovered_does_not_come_again";
    let Some(broker) = Broker::start_unless_peer(name) else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &LETTERS[..2]);
    client.prefetch(1, 2, false);
    client.consume_with(1, consume_from(&stream, "t", text("first")));
    assert_eq!(texts(&client.messages(1, 2)), ["a", "b"]);
    let answer = client.call(1, basic::Recover { requeue: true });
    due!(answer, BasicRecoverOk);
    client.fill_behind(&stream, &["c"]);
    // They still take their room.
    assert!(client.message_within(1, SILENCE).is_none());
    client.ack(1, 1);
    assert_eq!(client.message(1).text(), "c");
}

#[test]
fn step_34_exchanges_route_to_a_stream() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &[]);
    let exchange = broker.name("exchange");
    let declared = client.call(1, exchange_named(&exchange, "topic"));
    due!(declared, ExchangeDeclareOk);
    let bind = queue::Bind {
        queue: short(&stream),
        exchange: short(&exchange),
        routing_key: short("in.#"),
        ..queue::Bind::default()
    };
    due!(client.call(1, bind), QueueBindOk);
    client.open(2);
    client.confirm_select(2);
    for key in ["in.1", "out.2", "in.3"] {
        let none = PropertyList::default();
        client.publish_with(2, publish(&exchange, key), none, key);
    }
    client.confirmed(2, 3);
    client.consume_with(1, consume_from(&stream, "t", text("first")));
    let messages = client.messages(1, 2);
    for (at, (message, key)) in messages.iter().zip(["in.1", "in.3"]).enumerate() {
        assert_eq!(message.text(), key);
        assert_eq!(message.origin(), (exchange.as_str(), key));
        assert_eq!(offset(message), at as i64);
    }
}

#[test]
fn step_34_a_streams_consumers_are_told_that_it_is_gone() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &["a"]);
    client.consume_with(1, consume_from(&stream, "t", text("first")));
    assert_eq!(client.message(1).text(), "a");
    let mut other = Client::with_channel(&broker);
    other.delete_queue(1, &stream);
    let cancelled = due!(client.hear(1), BasicCancel);
    assert_eq!(cancelled.consumer_tag.as_str(), "t");
    // One of the same name begins anew.
    client.declare(1, stream_with(&stream, &[]));
    client.fill(&stream, &["b"]);
    let anew = read(&mut client, &stream, text("first"), 1);
    assert_eq!(anew, [(0, "b".to_owned())]);
}

#[test]
fn step_34_a_stream_outlives_a_restart() {
    let Some(mut broker) = Broker::start_own(&[], &[]) else {
        return;
    };
    let (client, stream) = with_stream(&broker, &LETTERS);
    client.close();
    broker.restart();
    let mut client = Client::with_channel(&broker);
    declare_in_time(&mut client, &stream);
    client.prefetch(1, 10, false);
    assert_eq!(read(&mut client, &stream, Value::I32(2), 3), lettered(2));
    client.consume(1, &stream, "t");
    client.fill_behind(&stream, &["f"]);
    let next = client.message(1);
    assert_eq!((offset(&next), next.text()), (5, "f"));
}

#[test]
fn step_34_a_consumer_that_does_not_read_holds_nobody_up() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &[]);
    // More than sockets and buffers hold.
    let large = "x".repeat(1 << 20);
    let messages = vec![large.as_str(); 24];
    client.fill(&stream, &messages);
    let mut stalled = Client::with_channel(&broker);
    stalled.prefetch(1, 1_000, false);
    stalled.consume_with(1, consume_from(&stream, "stalled", text("first")));
    client.prefetch(1, 1_000, false);
    let begun = now();
    client.consume_with(1, consume_from(&stream, "t", text("first")));
    assert_eq!(client.messages(1, 24).len(), 24);
    assert!(begun.elapsed() < Duration::from_secs(20));
    // And it goes on where it was.
    let all = stalled.messages(1, 24);
    let offsets: Vec<_> = all.iter().map(offset).collect();
    assert_eq!(offsets, (0..24).collect::<Vec<_>>());
}

#[test]
fn step_34_filters_are_exact() {
    let name = "step_34_filters_are_exact";
    let Some(broker) = Broker::start_unless_peer(name) else {
        return;
    };
    let (mut client, stream) = with_stream(&broker, &[]);
    client.open(2);
    client.confirm_select(2);
    let filtered = ["emea", "amer", "", "emea", "apac"];
    for (value, body) in filtered.iter().zip(LETTERS) {
        let headers = table(&[("x-stream-filter-value", text(value))]);
        let list = PropertyList {
            headers: (!value.is_empty()).then(|| headers.view()),
            ..PropertyList::default()
        };
        client.publish_with(2, publish("", &stream), list, body);
    }
    client.confirmed(2, 5);
    let mut several = ArrayBuilder::new();
    several.push(text("emea")).push(text("apac"));
    let several = Value::Array(several.view());
    let cases: [(Value<'_>, bool, &[&str]); 4] = [
        (text("emea"), false, &["a", "d"]),
        (text("emea"), true, &["a", "c", "d"]),
        (several, false, &["a", "d", "e"]),
        (text("nobody"), false, &[]),
    ];
    for (filter, unfiltered, expected) in cases {
        let arguments = [
            ("x-stream-offset", text("first")),
            ("x-stream-filter", filter),
            ("x-stream-match-unfiltered", Value::Bool(unfiltered)),
        ];
        client.consume_with(1, consume_with(&stream, "t", &arguments));
        assert_eq!(texts(&client.messages(1, expected.len())), expected);
        assert!(client.message_within(1, SILENCE).is_none());
        cancel(&mut client, 1, "t");
    }
    let wrong = [("x-stream-filter", Value::I32(1))];
    let refused = client.refused(1, consume_with(&stream, "t", &wrong));
    assert_eq!(refused.reply_code, 406);
    let too_small = ("x-stream-filter-size-bytes", Value::I32(15));
    let other = broker.name("other");
    let refused = client.refused(1, stream_with(&other, &[too_small]));
    assert_eq!(refused.reply_code, 406);
    let fitting = ("x-stream-filter-size-bytes", Value::I32(16));
    client.declare(1, stream_with(&other, &[fitting]));
}
