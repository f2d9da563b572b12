//! Steps 27, 29 and 30: how long a queue is, how often a message is tried, and which goes first.

use super::broker::Broker;
use super::client::{
    Argument, Client, consume, due, mandatory, publish, short, table, text, texts,
};
use super::wire::{Heard, Message};
use gantry_amqp::codec::method::{basic, queue};
use gantry_amqp::codec::{PropertyList, ServerMethod, Value};

/// A client whose channel 1 confirms, and a queue of its own.
fn with_queue(broker: &Broker, arguments: &[Argument<'_>]) -> (Client, String) {
    let mut client = Client::with_channel(broker);
    let queue = broker.name("queue");
    client.private_queue_with(1, &queue, arguments);
    client.confirm_select(1);
    (client, queue)
}

/// Whether the next confirm is for a message that was taken.
fn is_taken(client: &mut Client) -> bool {
    match client.hear(1) {
        ServerMethod::BasicAck(_) => true,
        ServerMethod::BasicNack(_) => false,
        other => panic!("{other:?} is no confirm"),
    }
}

fn first_death(message: &Message) -> (&str, &str) {
    let header = |name| message.header(name).and_then(Value::text).unwrap();
    (
        header("x-first-death-reason"),
        header("x-first-death-queue"),
    )
}

#[test]
fn step_27_the_oldest_make_room() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[("x-max-length", Value::I32(3))]);
    for text in ["a", "b", "c", "d", "e"] {
        client.publish(1, &queue, text);
    }
    client.confirmed(1, 5);
    assert_eq!(client.drain(1, &queue), ["c", "d", "e"]);
}

#[test]
fn step_27_only_what_is_ready_counts() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[("x-max-length", Value::I32(2))]);
    client.publish(1, &queue, "a");
    client.publish(1, &queue, "b");
    client.confirmed(1, 2);
    let out = client.get(1, &queue).unwrap();
    for text in ["c", "d"] {
        client.publish(1, &queue, text);
        assert!(is_taken(&mut client));
    }
    assert_eq!(client.look(1, &queue).0, 2, "c and d");
    // What comes back makes room of itself.
    client.requeue(1, out.tag());
    assert_eq!(client.drain(1, &queue), ["c", "d"]);
}

#[test]
fn step_27_bytes_are_those_of_bodies() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[("x-max-length-bytes", Value::I32(10))]);
    for text in ["aaaa", "bbbb", "cccc", "dd"] {
        client.publish(1, &queue, text);
    }
    client.confirmed(1, 4);
    assert_eq!(client.drain(1, &queue), ["bbbb", "cccc", "dd"]);
}

#[test]
fn step_27_what_makes_room_is_a_dead_letter() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let dead = broker.name("dead");
    let arguments = [
        ("x-max-length", Value::I32(1)),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&dead)),
    ];
    let (mut client, queue) = with_queue(&broker, &arguments);
    client.private_queue(1, &dead);
    client.publish(1, &queue, "a");
    client.publish(1, &queue, "b");
    client.confirmed(1, 2);
    client.consume(1, &dead, "dead");
    let message = client.message(1);
    assert_eq!(message.text(), "a");
    assert_eq!(first_death(&message), ("maxlen", &*queue));
    assert_eq!(client.drain(1, &queue), ["b"]);
}

#[test]
fn step_27_new_messages_may_be_rejected_instead() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let arguments = [
        ("x-max-length", Value::I32(1)),
        ("x-overflow", text("reject-publish")),
    ];
    let (mut client, queue) = with_queue(&broker, &arguments);
    client.publish(1, &queue, "a");
    assert!(is_taken(&mut client));
    // A mandatory one is not sent back either.
    client.publish_with(1, mandatory("", &queue), PropertyList::default(), "b");
    assert!(!is_taken(&mut client));
    assert_eq!(client.drain(1, &queue), ["a"]);
    client.publish(1, &queue, "c");
    assert!(is_taken(&mut client));
    assert_eq!(client.drain(1, &queue), ["c"]);
}

#[test]
fn step_27_the_nack_of_a_full_queue_is_rabbitmqs() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let arguments = [
        ("x-max-length", Value::I32(0)),
        ("x-overflow", text("reject-publish")),
    ];
    let (mut client, queue) = with_queue(&broker, &arguments);
    client.publish(1, &queue, "a");
    let nack = due!(client.hear(1), BasicNack);
    let expected = basic::Nack {
        delivery_tag: 1,
        multiple: true,
        requeue: true,
    };
    assert_eq!(nack, expected);
}

#[test]
fn step_27_one_full_queue_of_several_refuses_the_message_as_such() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let arguments = [
        ("x-max-length", Value::I32(0)),
        ("x-overflow", text("reject-publish")),
    ];
    let (mut client, full) = with_queue(&broker, &arguments);
    let (other, exchange) = (broker.name("other"), broker.name("exchange"));
    client.private_queue(1, &other);
    client.declare_exchange(1, &exchange, "fanout");
    client.bind(1, &full, &exchange, "");
    client.bind(1, &other, &exchange, "");
    client.publish_with(1, publish(&exchange, ""), PropertyList::default(), "x");
    assert!(!is_taken(&mut client));
    assert_eq!(client.drain(1, &full), [""; 0]);
    assert_eq!(client.drain(1, &other), ["x"]);
}

#[test]
fn step_27_rejected_messages_may_be_dead_letters() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let dead = broker.name("dead");
    let arguments = [
        ("x-max-length", Value::I32(1)),
        ("x-overflow", text("reject-publish-dlx")),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&dead)),
    ];
    let (mut client, queue) = with_queue(&broker, &arguments);
    client.private_queue(1, &dead);
    client.publish(1, &queue, "a");
    assert!(is_taken(&mut client));
    client.publish(1, &queue, "b");
    assert!(!is_taken(&mut client));
    client.consume(1, &dead, "dead");
    let message = client.message(1);
    assert_eq!(message.text(), "b");
    assert_eq!(first_death(&message), ("maxlen", &*queue));
    assert_eq!(client.drain(1, &queue), ["a"]);
}

#[test]
fn step_29_a_message_is_tried_as_often_as_is_allowed() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (queue, dead) = (broker.name("queue"), broker.name("dead"));
    client.private_queue(1, &dead);
    let arguments = table(&[
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", Value::I32(2)),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&dead)),
    ]);
    let declare = queue::Declare {
        queue: short(&queue),
        durable: true,
        arguments,
        ..queue::Declare::default()
    };
    client.declare(1, declare);
    client.consume_with(
        1,
        basic::Consume {
            no_ack: true,
            ..consume(&dead, "dead")
        },
    );
    client.open(2);
    client.consume(2, &queue, "t");
    client.fill_behind(&queue, &["x"]);
    for count in 0..3 {
        let message = client.message(2);
        let counted = message.header("x-delivery-count").and_then(Value::integer);
        // RabbitMQ says it from the first time on, though it need not.
        assert_eq!(counted.unwrap_or(0), count);
        assert_eq!(message.redelivered(), count > 0);
        client.requeue(2, message.tag());
    }
    let message = client.message(1);
    assert_eq!(first_death(&message), ("delivery_limit", &*queue));
}

fn with_priority(priority: Option<u8>) -> PropertyList<'static> {
    PropertyList {
        priority,
        ..PropertyList::default()
    }
}

const PRIORITIES: [(&str, Option<u8>); 7] = [
    ("none", None),
    ("five", Some(5)),
    ("ten", Some(10)),
    ("zero", Some(0)),
    ("twenty", Some(20)),
    ("five again", Some(5)),
    ("one", Some(1)),
];
/// Those above the queue's highest count as the highest, and none is 0.
const IN_ORDER: [&str; 7] = ["ten", "twenty", "five", "five again", "one", "none", "zero"];

#[test]
fn step_30_higher_priorities_go_first_and_equal_ones_in_their_order() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[("x-max-priority", Value::I32(10))]);
    for (text, priority) in PRIORITIES {
        client.publish_with(1, publish("", &queue), with_priority(priority), text);
    }
    client.confirmed(1, 7);
    let messages: Vec<_> = (0..7).map(|_| client.get(1, &queue).unwrap()).collect();
    assert_eq!(texts(&messages), IN_ORDER);
    // What goes back goes back to its place.
    for at in [4, 0, 2] {
        client.requeue(1, messages[at].tag());
    }
    let again: Vec<_> = (0..3).map(|_| client.get(1, &queue).unwrap()).collect();
    assert_eq!(texts(&again), ["ten", "five", "one"]);
    assert!(again.iter().all(Message::redelivered));
}

#[test]
fn step_30_a_consumer_gets_the_highest_that_is_there_when_it_may() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[("x-max-priority", Value::I32(10))]);
    client.open(2);
    client.prefetch(2, 1, false);
    client.consume(2, &queue, "t");
    client.publish_with(1, publish("", &queue), with_priority(Some(1)), "first");
    let heard = [client.wire.hear(), client.wire.hear()];
    assert!(
        heard
            .iter()
            .any(|heard| matches!(heard, Heard::Message(2, _))),
        "{heard:?}"
    );
    client.fill_behind_with(&queue, &PRIORITIES);
    let mut tag = 1;
    for expected in IN_ORDER {
        client.ack(2, tag);
        let message = client.message(2);
        assert_eq!(message.text(), expected);
        tag = message.tag();
    }
}

#[test]
fn step_30_without_priorities_the_property_is_only_kept() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut client, queue) = with_queue(&broker, &[]);
    for (text, priority) in PRIORITIES {
        client.publish_with(1, publish("", &queue), with_priority(priority), text);
    }
    client.confirmed(1, 7);
    for (text, priority) in PRIORITIES {
        let message = client.get(1, &queue).unwrap();
        assert_eq!(message.text(), text);
        assert_eq!(message.properties.list().unwrap().priority, priority);
    }
}
