//! Steps 21 to 25: what goes back to a queue, and whose turn it is.

use super::broker::Broker;
use super::client::{Client, Terms, close, consume, due, queue_named, short, table, texts};
use super::wire::{Heard, Message};
use gantry_amqp::codec::method::{basic, queue};
use gantry_amqp::codec::{ServerMethod, Value};
use std::time::Duration;

const LETTERS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A client with a channel 1, and a queue that others may use as well with these messages.
fn with_queue(broker: &Broker, messages: &[&str]) -> (Client, String) {
    with_queue_of(broker, messages, queue::Declare::default())
}

fn with_queue_of(broker: &Broker, messages: &[&str], of: queue::Declare) -> (Client, String) {
    let mut client = Client::with_channel(broker);
    let name = broker.name("queue");
    client.declare(
        1,
        queue::Declare {
            queue: short(&name),
            ..of
        },
    );
    client.fill(&name, messages);
    (client, name)
}

/// All messages of a queue and whether each was delivered before.
fn left(client: &mut Client, queue: &str) -> Vec<(String, bool)> {
    let mut left = Vec::new();
    while let Some(message) = client.get_with(1, queue, true) {
        left.push((message.text().to_owned(), message.redelivered()));
    }
    left
}

fn expected(texts: &[&str], redelivered: usize) -> Vec<(String, bool)> {
    let texts = texts.iter().enumerate();
    texts
        .map(|(at, text)| ((*text).to_owned(), at < redelivered))
        .collect()
}

#[test]
fn step_21_what_is_requeued_goes_where_it_was() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    client.prefetch(1, 4, false);
    client.consume(1, &queue, "t");
    let messages = client.messages(1, 4);
    let cancel = basic::Cancel {
        consumer_tag: short("t"),
        no_wait: false,
    };
    due!(client.call(1, cancel), BasicCancelOk);
    // Out of their order.
    for at in [2, 0, 3, 1] {
        client.requeue(1, messages[at].tag());
    }
    assert_eq!(left(&mut client, &queue), expected(&LETTERS, 4));
}

#[test]
fn step_21_several_at_once_keep_their_order() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    for _ in 0..4 {
        client.get(1, &queue).unwrap();
    }
    client.ack(1, 2);
    client.send(
        1,
        basic::Nack {
            delivery_tag: 0,
            multiple: true,
            requeue: true,
        },
    );
    let rest = ["a", "c", "d", "e", "f"];
    assert_eq!(left(&mut client, &queue), expected(&rest, 3));
}

#[test]
fn step_21_recover_delivers_again_behind_its_answer() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &["a", "b"]);
    client.consume(1, &queue, "t");
    client.messages(1, 2);
    due!(
        client.call(1, basic::Recover { requeue: true }),
        BasicRecoverOk
    );
    let again = client.messages(1, 2);
    assert_eq!(texts(&again), ["a", "b"]);
    assert_eq!((again[0].tag(), again[1].tag()), (3, 4));
    assert!(again.iter().all(Message::redelivered));
    client.send(1, basic::RecoverAsync { requeue: true });
    let again = client.messages(1, 2);
    assert_eq!(texts(&again), ["a", "b"]);
    client.send(1, basic::Recover { requeue: false });
    let said = "NOT_IMPLEMENTED - requeue=false";
    assert_eq!(client.connection_close(), close(540, said, (60, 110)));
}

#[test]
fn step_21_a_closed_channel_gives_back_what_it_has() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    client.open(2);
    client.prefetch(2, 3, false);
    client.consume(2, &queue, "t");
    client.messages(2, 3);
    client.get(2, &queue).unwrap();
    let cancel = basic::Cancel {
        consumer_tag: short("t"),
        no_wait: false,
    };
    due!(client.call(2, cancel), BasicCancelOk);
    client.ack(2, 2);
    client.close_channel(2);
    let rest = ["a", "c", "d", "e", "f"];
    client.counts(1, &queue, (5, 0));
    assert_eq!(left(&mut client, &queue), expected(&rest, 3));
}

#[test]
fn step_21_a_lost_connection_gives_back_what_it_has() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    let mut lost = Client::with_channel(&broker);
    lost.prefetch(1, 4, false);
    lost.consume(1, &queue, "t");
    lost.messages(1, 4);
    lost.ack(1, 1);
    // In the place of what it has acknowledged.
    lost.messages(1, 1);
    client.consume(1, &queue, "next");
    let mut taken = client.messages(1, 1);
    assert_eq!(taken[0].text(), "f");
    drop(lost);
    taken.extend(client.messages(1, 4));
    assert_eq!(texts(&taken), ["f", "b", "c", "d", "e"]);
    let redelivered: Vec<bool> = taken.iter().map(Message::redelivered).collect();
    assert_eq!(redelivered, [false, true, true, true, true]);
}

#[test]
fn step_21_a_rejected_message_is_gone() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &["a", "b", "c"]);
    for _ in 0..3 {
        client.get(1, &queue).unwrap();
    }
    client.reject(1, 1);
    client.send(
        1,
        basic::Reject {
            delivery_tag: 2,
            requeue: true,
        },
    );
    client.send(
        1,
        basic::Nack {
            delivery_tag: 3,
            multiple: false,
            requeue: false,
        },
    );
    assert_eq!(left(&mut client, &queue), expected(&["b"], 1));
}

#[test]
fn step_22_each_message_asked_for_tells_how_many_are_left() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &["a", "b", "c"]);
    let first = client.get(1, &queue).unwrap();
    assert_eq!(
        (first.left(), first.tag(), first.redelivered()),
        (2, 1, false)
    );
    assert_eq!(first.origin(), ("", queue.as_str()));
    assert_eq!(client.get_with(1, &queue, true).unwrap().left(), 1);
    assert_eq!(client.look(1, &queue), (1, 0), "ready, that is");
    client.requeue(1, 1);
    let again = client.get(1, &queue).unwrap();
    assert_eq!(
        (again.text(), again.left(), again.redelivered()),
        ("a", 1, true)
    );
    // Deliveries and messages asked for are counted together: a message without a tag of its own
    // to acknowledge has one too.
    assert_eq!(again.tag(), 3);
    client.get(1, &queue).unwrap();
    assert!(client.get(1, &queue).is_none());
}

#[test]
fn step_22_consumers_leave_what_is_beyond_their_limit_to_others() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &LETTERS);
    client.prefetch(1, 2, false);
    client.consume(1, &queue, "t");
    client.messages(1, 2);
    let got = client.get(1, &queue).unwrap();
    assert_eq!((got.text(), got.tag(), got.left()), ("c", 3, 3));
    // It does not count to the limit, and the consumer goes on behind it.
    client.ack(1, 1);
    assert_eq!(client.message(1).text(), "d");
    assert_eq!(client.look(1, &queue), (2, 1));
}

#[test]
fn step_23_an_exclusive_consumer_is_alone() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[]);
    let mut other = Client::with_channel(&broker);
    let exclusive = || basic::Consume {
        exclusive: true,
        ..consume(&queue, "e")
    };
    let said = format!("ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use");
    let in_use = close(403, &said, (60, 20));
    client.consume(1, &queue, "t");
    assert_eq!(other.refused(1, exclusive()), in_use);
    client.close_channel(1);
    client.open(1);
    other.consume_with(1, exclusive());
    assert_eq!(client.refused(1, consume(&queue, "t")), in_use);
    assert_eq!(client.refused(1, exclusive()), in_use);
    // To ask for a message is not to consume.
    assert!(client.get(1, &queue).is_none());
    other.close_channel(1);
    client.consume(1, &queue, "t");
}

fn single_active() -> queue::Declare {
    queue::Declare {
        arguments: table(&[("x-single-active-consumer", Value::Bool(true))]),
        ..queue::Declare::default()
    }
}

#[test]
fn step_23_the_next_consumer_follows_one_that_is_cancelled() {
    let test = "step_23_the_next_consumer_follows_one_that_is_cancelled";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let (mut client, queue) = with_queue_of(&broker, &["a", "b", "c"], single_active());
    for channel in 2..=4 {
        client.open(channel);
        client.prefetch(channel, 1, false);
        client.consume(channel, &queue, &format!("c{channel}"));
        if channel == 2 {
            assert_eq!(client.message(2).text(), "a");
        }
    }
    assert_eq!(client.look(1, &queue), (2, 3));
    client.ack(2, 1);
    assert_eq!(client.message(2).text(), "b");
    // Its messages stay its own when it is cancelled.
    client.send(
        2,
        basic::Cancel {
            consumer_tag: short("c2"),
            no_wait: false,
        },
    );
    let mut heard = [client.wire.hear(), client.wire.hear()];
    heard.sort_by_key(|heard| matches!(heard, Heard::Message(..)));
    assert!(matches!(
        &heard[0],
        Heard::Method(2, ServerMethod::BasicCancelOk(_))
    ));
    let Heard::Message(3, message) = &heard[1] else {
        panic!("{heard:?}");
    };
    assert_eq!(message.text(), "c");
    // They go back when the channel does.
    client.send(
        3,
        basic::Ack {
            delivery_tag: 1,
            multiple: false,
        },
    );
    client.close_channel(2);
    let next = client.message(3);
    assert_eq!((next.text(), next.redelivered()), ("b", true));
    assert_eq!(client.look(1, &queue), (0, 2));
}

#[test]
fn step_23_one_consumer_is_active() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue_of(&broker, &["a", "b", "c"], single_active());
    for channel in 2..=4 {
        client.open(channel);
        client.prefetch(channel, 1, false);
        client.consume(channel, &queue, "t");
        if channel == 2 {
            assert_eq!(client.message(2).text(), "a");
        }
    }
    for (tag, text) in [(1, "b"), (2, "c")] {
        client.ack(2, tag);
        assert_eq!(client.message(2).text(), text);
    }
    assert_eq!(client.look(1, &queue), (0, 3));
    client.close_channel(2);
    let next = client.message(3);
    assert_eq!((next.text(), next.redelivered()), ("c", true));
    client.publish(1, &queue, "d");
    client.ack(3, 1);
    assert_eq!(client.message(3).text(), "d");
}

#[test]
fn step_23_a_lost_connection_hands_over() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue_of(&broker, &["a", "b"], single_active());
    let mut lost = Client::with_channel(&broker);
    lost.prefetch(1, 1, false);
    lost.consume(1, &queue, "first");
    lost.message(1);
    client.consume(1, &queue, "second");
    assert_eq!(client.look(1, &queue), (1, 2));
    drop(lost);
    let messages = client.messages(1, 2);
    assert_eq!(texts(&messages), ["a", "b"]);
    assert!(messages[0].redelivered() && !messages[1].redelivered());
}

#[test]
fn step_23_an_exclusive_consumer_has_no_place_where_one_is_active() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue_of(&broker, &["a"], single_active());
    let exclusive = basic::Consume {
        exclusive: true,
        ..consume(&queue, "e")
    };
    let said = format!("ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use");
    assert_eq!(client.refused(1, exclusive), close(403, &said, (60, 20)));
    // A classic queue's messages may be asked for.
    client.open(2);
    client.consume(2, &queue, "t");
    assert_eq!(client.message(2).text(), "a");
    client.requeue(2, 1);
    assert_eq!(client.message(2).text(), "a");
    assert!(client.get(1, &queue).is_none());
}

fn with_priority(queue: &str, tag: &str, priority: i32) -> basic::Consume {
    basic::Consume {
        arguments: table(&[("x-priority", Value::I32(priority))]),
        ..consume(queue, tag)
    }
}

#[test]
fn step_24_consumers_take_turns() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[]);
    for tag in ["one", "two", "three"] {
        client.consume(1, &queue, tag);
    }
    let messages = consumed_in_turns(&mut client, &queue);
    for tag in ["one", "two", "three"] {
        let count = messages
            .iter()
            .filter(|message| message.consumer() == tag)
            .count();
        assert_eq!(count, 100, "{tag}");
    }
}

/// 300 messages for the consumers on channel 1, which they get in their order.
fn consumed_in_turns(client: &mut Client, queue: &str) -> Vec<Message> {
    let bodies: Vec<String> = (0..300).map(|at| at.to_string()).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    client.fill_behind(queue, &bodies);
    let messages = client.messages(1, 300);
    for one in &messages {
        let own = messages
            .iter()
            .filter(|message| message.consumer() == one.consumer());
        let numbers: Vec<u32> = own.map(|message| message.text().parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
    messages
}

#[test]
fn step_24_turns_are_in_the_order_of_the_queue() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[]);
    for tag in ["one", "two", "three"] {
        client.consume(1, &queue, tag);
    }
    let messages = consumed_in_turns(&mut client, &queue);
    for turns in messages.chunks(3) {
        let tags: Vec<_> = turns.iter().map(Message::consumer).collect();
        let first: Vec<_> = messages[..3].iter().map(Message::consumer).collect();
        assert_eq!(tags, first);
    }
    let numbers: Vec<usize> = messages
        .iter()
        .map(|message| message.text().parse().unwrap())
        .collect();
    assert_eq!(numbers, (0..300).collect::<Vec<_>>());
}

#[test]
fn step_24_a_higher_priority_takes_all_that_it_may() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[]);
    client.prefetch(1, 2, false);
    client.consume_with(1, with_priority(&queue, "low", -1));
    client.consume(1, &queue, "none");
    client.consume_with(1, with_priority(&queue, "high", 10));
    client.fill_behind(&queue, &LETTERS);
    let messages = client.messages(1, 6);
    let tags: Vec<_> = messages
        .iter()
        .map(|message| message.consumer().to_owned())
        .collect();
    assert_eq!(tags, ["high", "high", "none", "none", "low", "low"]);
    assert_eq!(texts(&messages), LETTERS);
    client.ack(1, messages[5].tag());
    client.ack(1, messages[0].tag());
    client.open(2);
    client.publish(2, &queue, "next");
    assert_eq!(client.message(1).consumer(), "high");
    client.publish(2, &queue, "last");
    assert_eq!(client.message(1).consumer(), "low");
}

#[test]
fn step_25_consumers_are_told_that_their_queue_is_deleted() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &["a"]);
    let mut consumer = Client::with_channel(&broker);
    consumer.consume(1, &queue, "t");
    consumer.message(1);
    assert_eq!(client.delete_queue(1, &queue), 0);
    let cancel = due!(consumer.hear(1), BasicCancel);
    assert_eq!((&*cancel.consumer_tag, cancel.no_wait), ("t", true));
    // What it has is acknowledged into nowhere, and the channel goes on.
    consumer.ack(1, 1);
    let cancel = basic::Cancel {
        consumer_tag: short("t"),
        no_wait: false,
    };
    due!(consumer.call(1, cancel), BasicCancelOk);
    consumer.declare(
        1,
        queue::Declare {
            exclusive: true,
            ..queue_named(&queue)
        },
    );
    consumer.consume(1, &queue, "t");
    consumer.close();
}

#[test]
fn step_25_clients_without_the_capability_are_told_nothing() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[]);
    let terms = Terms {
        capabilities: &["basic.nack"],
        ..Terms::default()
    };
    let mut consumer = Client::connect_as(&broker, &terms);
    consumer.open(1);
    consumer.consume(1, &queue, "t");
    client.delete_queue(1, &queue);
    let heard = consumer.wire.hear_within(Duration::from_millis(300));
    assert!(heard.is_none(), "{heard:?}");
    due!(consumer.call(1, basic::Qos::default()), BasicQosOk);
}
