//! Steps 18 to 20: how many messages are out, what is acknowledged, and the end of a consumer.

use super::broker::Broker;
use super::client::{Client, Terms, close, consume, due, short, texts};
use super::wire::Heard;
use gantry_amqp::codec::method::{basic, channel};
use gantry_amqp::codec::{ServerMethod, Value};

const LETTERS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// A client with a channel 1 and a queue of its own with these messages.
fn with_queue(broker: &Broker, messages: &[&str]) -> (Client, String) {
    let mut client = Client::with_channel(broker);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    client.fill(&queue, messages);
    (client, queue)
}

fn cancel(tag: &str) -> basic::Cancel {
    basic::Cancel {
        consumer_tag: short(tag),
        no_wait: false,
    }
}

#[test]
fn step_18_without_a_limit_everything_is_delivered_in_order() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    client.consume(1, &queue, "t");
    let messages = client.messages(1, 8);
    assert_eq!(texts(&messages), LETTERS);
    for (tag, message) in (1..).zip(&messages) {
        assert_eq!((message.tag(), message.redelivered()), (tag, false));
        assert_eq!(message.consumer(), "t");
        assert_eq!(message.origin(), ("", queue.as_str()));
    }
    assert_eq!(client.look(1, &queue), (0, 1));
}

#[test]
fn step_18_a_consumers_limit_is_its_own_and_for_later_consumers() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    client.prefetch(1, 2, false);
    client.consume(1, &queue, "two");
    assert_eq!(texts(&client.messages(1, 2)), ["a", "b"]);
    client.prefetch(1, 3, false);
    // That of the one before stays.
    assert_eq!(client.look(1, &queue), (6, 1));
    client.consume(1, &queue, "three");
    let more = client.messages(1, 3);
    assert!(more.iter().all(|message| message.consumer() == "three"));
    assert_eq!(texts(&more), ["c", "d", "e"]);
    assert_eq!(client.look(1, &queue), (3, 2));
    client.ack(1, 1);
    let next = client.message(1);
    assert_eq!((next.consumer(), next.text()), ("two", "f"));
    client.ack_with(1, 5, true);
    let mut last = texts(&client.messages(1, 2)).join("");
    last.push(' ');
    assert_eq!(last.trim(), "gh");
}

#[test]
fn step_18_a_channels_limit_is_for_all_its_consumers_at_once() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    client.prefetch(1, 3, true);
    client.consume(1, &queue, "one");
    assert_eq!(texts(&client.messages(1, 3)), ["a", "b", "c"]);
    client.consume(1, &queue, "two");
    assert_eq!(client.look(1, &queue), (5, 2));
    // A new one counts at once.
    client.prefetch(1, 5, true);
    assert_eq!(texts(&client.messages(1, 2)), ["d", "e"]);
    assert_eq!(client.look(1, &queue), (3, 2));
    client.ack(1, 1);
    assert_eq!(client.message(1).text(), "f");
    client.prefetch(1, 0, true);
    assert_eq!(texts(&client.messages(1, 2)), ["g", "h"]);
}

#[test]
fn step_18_both_limits_hold() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    client.prefetch(1, 2, false);
    client.prefetch(1, 3, true);
    client.consume(1, &queue, "one");
    assert_eq!(texts(&client.messages(1, 2)), ["a", "b"]);
    client.consume(1, &queue, "two");
    assert_eq!(client.message(1).text(), "c");
    assert_eq!(client.look(1, &queue), (5, 2));
    client.ack_with(1, 2, true);
    let more = client.messages(1, 2);
    assert_eq!(texts(&more), ["d", "e"]);
    assert_eq!(client.look(1, &queue), (3, 2));
}

#[test]
fn step_18_messages_asked_for_and_not_acknowledged_ones_do_not_count() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    client.prefetch(1, 1, true);
    for letter in ["a", "b", "c"] {
        assert_eq!(client.get(1, &queue).unwrap().text(), letter);
    }
    client.consume(1, &queue, "t");
    assert_eq!(client.message(1).text(), "d");
    assert_eq!(client.look(1, &queue), (4, 1));
    client.open(2);
    client.prefetch(2, 1, false);
    let no_ack = basic::Consume {
        no_ack: true,
        ..consume(&queue, "n")
    };
    client.consume_with(2, no_ack);
    assert_eq!(texts(&client.messages(2, 4)), ["e", "f", "g", "h"]);
    client.close_channel(2);
    assert_eq!(client.look(1, &queue), (0, 1), "they are gone");
}

#[test]
fn step_18_bytes_are_not_limited() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.send(
        1,
        basic::Qos {
            prefetch_size: 5,
            ..basic::Qos::default()
        },
    );
    let said = "NOT_IMPLEMENTED - prefetch_size!=0 (5)";
    assert_eq!(client.connection_close(), close(540, said, (60, 10)));
}

#[test]
fn step_19_tag_0_is_every_tag() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    // Nothing is out yet.
    client.ack_with(1, 0, true);
    client.send(
        1,
        basic::Nack {
            delivery_tag: 0,
            multiple: true,
            requeue: true,
        },
    );
    client.prefetch(1, 4, false);
    client.consume(1, &queue, "t");
    client.messages(1, 4);
    client.ack_with(1, 0, true);
    assert_eq!(texts(&client.messages(1, 4)), ["e", "f", "g", "h"]);
    client.close_channel(1);
    client.open(1);
    assert_eq!(client.drain(1, &queue), ["e", "f", "g", "h"]);
}

#[test]
fn step_19_multiple_is_up_to_the_tag() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    client.consume(1, &queue, "t");
    client.messages(1, 8);
    client.ack(1, 6);
    client.ack_with(1, 3, true);
    client.send(
        1,
        basic::Nack {
            delivery_tag: 5,
            multiple: true,
            requeue: false,
        },
    );
    client.close_channel(1);
    client.open(1);
    assert_eq!(client.drain(1, &queue), ["g", "h"]);
}

#[test]
fn step_19_unknown_tags_close_the_channel() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &["a", "b"]);
    let unknown = |tag: u64, method| {
        let said = format!("PRECONDITION_FAILED - unknown delivery tag {tag}");
        close(406, &said, (60, method))
    };
    let ack = |delivery_tag, multiple| basic::Ack {
        delivery_tag,
        multiple,
    };
    let nack = |delivery_tag, multiple| basic::Nack {
        delivery_tag,
        multiple,
        requeue: true,
    };
    assert_eq!(client.refused(1, ack(1, false)), unknown(1, 80));
    assert_eq!(client.refused(1, ack(0, false)), unknown(0, 80));
    assert_eq!(client.refused(1, nack(0, false)), unknown(0, 120));
    assert_eq!(client.refused(1, nack(7, true)), unknown(7, 120));
    let reject = basic::Reject {
        delivery_tag: 9,
        requeue: true,
    };
    assert_eq!(client.refused(1, reject), unknown(9, 90));
    client.get(1, &queue).unwrap();
    assert_eq!(
        client.refused(1, ack(2, true)),
        unknown(2, 80),
        "above the last"
    );
    client.get(1, &queue).unwrap();
    client.ack(1, 1);
    assert_eq!(client.refused(1, ack(1, false)), unknown(1, 80), "twice");
    assert_eq!(client.drain(1, &queue), ["b"]);
}

#[test]
fn step_19_tags_are_a_channels_own() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &["a", "b"]);
    client.open(2);
    assert_eq!(client.get(1, &queue).unwrap().tag(), 1);
    assert_eq!(client.get(2, &queue).unwrap().tag(), 1);
    client.ack(2, 1);
    let refused = client.refused(
        2,
        basic::Ack {
            delivery_tag: 1,
            multiple: false,
        },
    );
    assert_eq!(refused.reply_code, 406);
    client.ack(1, 1);
    client.counts(1, &queue, (0, 0));
}

#[test]
fn step_20_a_cancelled_consumer_leaves_its_messages_with_the_channel() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    client.prefetch(1, 3, false);
    client.consume(1, &queue, "t");
    client.messages(1, 3);
    assert_eq!(
        &*due!(client.call(1, cancel("t")), BasicCancelOk).consumer_tag,
        "t"
    );
    assert_eq!(client.look(1, &queue), (5, 0));
    client.ack(1, 1);
    client.requeue(1, 2);
    client.counts(1, &queue, (6, 0));
    client.close_channel(1);
    client.open(1);
    assert_eq!(client.drain(1, &queue), ["b", "c", "d", "e", "f", "g", "h"]);
}

#[test]
fn step_20_nothing_is_delivered_behind_the_answer() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[]);
    client.open(2);
    client.confirm_select(2);
    let mut delivered = 0;
    const ROUNDS: u64 = 20;
    for round in 1..=ROUNDS {
        let no_ack = basic::Consume {
            no_ack: true,
            ..consume(&queue, "t")
        };
        client.consume_with(1, no_ack);
        for _ in 0..10 {
            client.publish(2, &queue, "x");
        }
        client.send(1, cancel("t"));
        let (mut is_cancelled, mut confirmed) = (false, (round - 1) * 10);
        while !is_cancelled || confirmed < round * 10 {
            match client.wire.hear() {
                Heard::Message(1, _) => {
                    assert!(!is_cancelled);
                    delivered += 1;
                }
                Heard::Method(1, ServerMethod::BasicCancelOk(_)) => is_cancelled = true,
                Heard::Method(2, ServerMethod::BasicAck(ack)) if ack.multiple => {
                    confirmed = confirmed.max(ack.delivery_tag);
                }
                Heard::Method(2, ServerMethod::BasicAck(_)) => confirmed += 1,
                other => panic!("{other:?}"),
            }
        }
        delivered += client.drain(1, &queue).len() as u64;
    }
    assert_eq!(delivered, ROUNDS * 10, "once each");
}

#[test]
fn step_20_what_is_no_consumer_is_cancelled_all_the_same() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let answer = client.call(1, cancel("nobody"));
    assert_eq!(&*due!(answer, BasicCancelOk).consumer_tag, "nobody");
    let silent = basic::Cancel {
        no_wait: true,
        ..cancel("nobody")
    };
    client.send(1, silent);
    due!(client.call(1, basic::Qos::default()), BasicQosOk);
}

#[test]
fn step_20_consumers_are_told_apart_by_their_tags() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[]);
    for _ in 0..2 {
        let answer = client.call(1, consume(&queue, ""));
        let tag = due!(answer, BasicConsumeOk).consumer_tag;
        assert!(tag.starts_with("amq.ctag-"), "{tag}");
    }
    client.open(2);
    client.consume(1, &queue, "t");
    client.consume(2, &queue, "t");
    assert_eq!(client.look(1, &queue).1, 4);
    client.send(1, consume(&queue, "t"));
    let said = "NOT_ALLOWED - attempt to reuse consumer tag 't'";
    assert_eq!(client.connection_close(), close(530, said, (60, 20)));
}

#[test]
fn step_20_the_last_consumer_takes_an_auto_delete_queue_with_it() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::connect_as(&broker, &Terms::default());
    client.open(1);
    client.open(2);
    let queue = broker.name("auto");
    let declare = || gantry_amqp::codec::method::queue::Declare {
        auto_delete: true,
        ..super::client::queue_named(&queue)
    };
    client.declare(1, declare());
    client.consume(1, &queue, "one");
    client.consume(2, &queue, "two");
    due!(client.call(1, cancel("one")), BasicCancelOk);
    assert_eq!(client.look(1, &queue), (0, 1));
    client.close_channel(2);
    let passive = gantry_amqp::codec::method::queue::Declare {
        passive: true,
        ..declare()
    };
    assert_eq!(client.refused(1, passive).reply_code, 404);
}

/// How long an acknowledgement may take, in milliseconds.
const PATIENCE_MS: u64 = 300;

fn late() -> channel::Close {
    let text = format!(
        "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: \
         {PATIENCE_MS} ms. This timeout value can be configured, see consumers doc guide to learn \
         more"
    );
    close(406, &text, (0, 0))
}

#[test]
fn step_19_an_acknowledgement_that_does_not_come_closes_the_channel() {
    let own = format!("amqp.protocol.consumer_timeout_ms={PATIENCE_MS}");
    let peers = format!("consumer_timeout = {PATIENCE_MS}");
    let Some(broker) = Broker::start_own(&[&own], &[&peers]) else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &["a", "b"]);
    client.consume(1, &queue, "t");
    let messages = client.messages(1, 2);
    client.ack(1, messages[0].tag());
    assert_eq!(client.channel_close(1), late());
    // One that was asked for is waited for no longer.
    client.open(1);
    let got = client.get(1, &queue).unwrap();
    assert_eq!((got.text(), got.redelivered()), ("b", true));
    assert_eq!(client.channel_close(1), late());
    client.open(1);
    assert_eq!(client.drain(1, &queue), ["b"]);
}

#[test]
fn step_19_a_queue_has_a_patience_of_its_own() {
    let test = "step_19_a_queue_has_a_patience_of_its_own";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("queue");
    let patience = Value::I64(PATIENCE_MS.cast_signed());
    client.private_queue_with(1, &queue, &[("x-consumer-timeout", patience)]);
    client.fill(&queue, &["a"]);
    client.consume(1, &queue, "t");
    assert_eq!(client.message(1).text(), "a");
    assert_eq!(client.channel_close(1), late());
}
