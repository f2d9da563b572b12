//! Steps 35, 36 and 39: a server that has no room, a secret that changes, and what outlives a
//! restart.

use super::broker::Broker;
use super::client::{Client, Terms, due, exchange_named, mandatory, publish, queue_named, short};
use super::wire::Heard;
use bytes::Bytes;
use gantry_amqp::codec::method::{basic, connection, exchange, queue};
use gantry_amqp::codec::{PropertyList, ServerMethod};
use std::time::Duration;

/// A broker that has no room for messages.
fn start_full() -> Option<Broker> {
    Broker::start_own(
        &["store.disk_read_only_percent=1"],
        &["vm_memory_high_watermark.absolute = 1MB"],
    )
}

#[test]
fn step_35_a_publisher_is_told_at_its_first_message() {
    let Some(broker) = start_full() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    // Who does not publish is served.
    client.private_queue(1, "queue");
    client.consume(1, "queue", "t");
    client.publish(1, "queue", "x");
    let blocked = due!(client.hear(0), ConnectionBlocked);
    assert!(blocked.reason.starts_with("low on "), "{blocked:?}");
    let heard = client.wire.hear_within(Duration::from_millis(300));
    assert!(heard.is_none(), "{heard:?}");
    // Others still get through.
    let mut other = Client::with_channel(&broker);
    other.private_queue(1, "other");
    other.close();
}

#[test]
fn step_35_a_publisher_without_the_capability_is_only_held_back() {
    let Some(broker) = start_full() else {
        return;
    };
    let terms = Terms {
        capabilities: &["basic.nack"],
        ..Terms::default()
    };
    let mut client = Client::connect_as(&broker, &terms);
    client.open(1);
    client.confirm_select(1);
    client.publish(1, "nowhere", "x");
    let heard = client.wire.hear_within(Duration::from_millis(500));
    assert!(heard.is_none(), "{heard:?}");
}

#[test]
fn step_36_a_new_secret_is_taken() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let update = connection::UpdateSecret {
        new_secret: Bytes::from_static(b"guest"),
        reason: short("it was old"),
    };
    for _ in 0..2 {
        due!(client.call(0, update.clone()), ConnectionUpdateSecretOk);
    }
    due!(client.call(1, basic::Qos::default()), BasicQosOk);
}

fn with_mode(mode: u8) -> PropertyList<'static> {
    PropertyList {
        delivery_mode: Some(mode),
        ..PropertyList::default()
    }
}

/// A durable and a transient queue, each with a persistent and a transient message, and a durable
/// and a transient exchange with bindings to both; their names.
fn build(broker: &Broker) -> [String; 4] {
    let names = ["durable", "transient", "exchange", "passing"].map(|role| broker.name(role));
    let [durable, transient, lasting, passing] = &names;
    let mut client = Client::with_channel(broker);
    client.declare(
        1,
        queue::Declare {
            durable: true,
            ..queue_named(durable)
        },
    );
    client.declare(1, queue_named(transient));
    let lasts = exchange::Declare {
        durable: true,
        ..exchange_named(lasting, "direct")
    };
    client.declare_exchange_with(1, lasts);
    client.declare_exchange(1, passing, "direct");
    for exchange in [lasting, passing] {
        for queue in [durable, transient] {
            client.bind(1, queue, exchange, "k");
        }
    }
    client.confirm_select(1);
    for queue in [durable, transient] {
        client.publish_with(1, publish("", queue), with_mode(2), "persistent");
        client.publish_with(1, publish("", queue), with_mode(1), "transient");
    }
    client.confirmed(1, 4);
    names
}

#[test]
fn step_39_durable_things_and_persistent_messages_outlive_a_restart() {
    let Some(mut broker) = Broker::start_own(&[], &[]) else {
        return;
    };
    let [durable, transient, lasting, passing] = build(&broker);
    broker.restart();
    let mut client = Client::with_channel(&broker);
    let missing = |name| queue::Declare {
        passive: true,
        ..queue_named(name)
    };
    assert_eq!(client.refused(1, missing(&transient)).reply_code, 404);
    let gone = exchange::Declare {
        passive: true,
        ..exchange_named(&passing, "direct")
    };
    assert_eq!(client.refused(1, gone).reply_code, 404);
    let there = exchange::Declare {
        passive: true,
        ..exchange_named(&lasting, "direct")
    };
    client.declare_exchange_with(1, there);
    // The binding between what is durable lasts.
    client.confirm_select(1);
    client.publish_with(1, mandatory(&lasting, "k"), with_mode(2), "routed");
    client.confirmed(1, 1);
    let message = client.get(1, &durable).unwrap();
    assert_eq!(
        (
            message.text(),
            message.properties.list().unwrap().delivery_mode
        ),
        ("persistent", Some(2))
    );
    let rest = client.drain(1, &durable);
    assert_eq!(rest.last().map(String::as_str), Some("routed"));
}

#[test]
fn step_39_what_was_acknowledged_stays_away_and_what_was_not_comes_again() {
    let Some(mut broker) = Broker::start_own(&[], &[]) else {
        return;
    };
    let queue = broker.name("queue");
    let mut client = Client::with_channel(&broker);
    client.declare(
        1,
        queue::Declare {
            durable: true,
            ..queue_named(&queue)
        },
    );
    client.confirm_select(1);
    for text in ["a", "b", "c", "d"] {
        client.publish_with(1, publish("", &queue), with_mode(2), text);
    }
    client.confirmed(1, 4);
    client.open(2);
    for _ in 0..3 {
        client.get(2, &queue).unwrap();
    }
    client.ack(2, 2);
    // Behind the acknowledgement.
    client.close_channel(2);
    assert_eq!(client.get_with(1, &queue, true).unwrap().text(), "a");
    broker.restart();
    let mut client = Client::with_channel(&broker);
    assert_eq!(client.drain(1, &queue), ["c", "d"]);
}

#[test]
fn step_39_clients_are_told_of_the_shutdown() {
    let Some(mut broker) = Broker::start_own(&[], &[]) else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    broker.stop();
    match client.wire.hear() {
        Heard::Method(0, ServerMethod::ConnectionClose(close)) => {
            assert_eq!(close.reply_code, 320);
            let said =
                "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
            assert_eq!(&*close.reply_text, said);
        }
        other => panic!("{other:?}"),
    }
}
