//! Step 33: delayed exchanges, as their plugin describes them.

use super::broker::Broker;
use super::client::{
    Client, close, consume, exchange_named, publish, queue_named, table, text, texts,
};
use compat_tests::process::now;
use gantry_amqp::codec::method::{basic, exchange, queue};
use gantry_amqp::codec::{PropertyList, Table, Value};
use std::time::Duration;

/// Long enough for what is not delayed.
const A_WHILE: Duration = Duration::from_millis(500);

fn delayed(name: &str, kind: &str) -> exchange::Declare {
    exchange::Declare {
        durable: true,
        arguments: table(&[("x-delayed-type", text(kind))]),
        ..exchange_named(name, "x-delayed-message")
    }
}

/// A client whose channel 1 consumes from a queue of its own what a delayed exchange routes with
/// the key `k`.
fn with_exchange(broker: &Broker) -> (Client, String) {
    let mut client = Client::with_channel(broker);
    let (exchange, queue) = (broker.name("exchange"), broker.name("queue"));
    client.declare_exchange_with(1, delayed(&exchange, "direct"));
    client.private_queue(1, &queue);
    client.bind(1, &queue, &exchange, "k");
    client.consume_with(
        1,
        basic::Consume {
            no_ack: true,
            ..consume(&queue, "t")
        },
    );
    (client, exchange)
}

fn publish_in(client: &mut Client, exchange: &str, delay: Option<Value<'_>>, text: &str) {
    let headers: Option<Table> = delay.map(|delay| table(&[("x-delay", delay)]));
    let properties = PropertyList {
        headers: headers.as_ref().map(Table::view),
        delivery_mode: Some(2),
        ..PropertyList::default()
    };
    client.publish_with(1, publish(exchange, "k"), properties, text);
}

#[test]
fn step_33_a_message_comes_when_its_delay_is_over() {
    let test = "step_33_a_message_comes_when_its_delay_is_over";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let (mut client, exchange) = with_exchange(&broker);
    let began = now();
    publish_in(&mut client, &exchange, Some(Value::I32(1_000)), "late");
    publish_in(&mut client, &exchange, Some(Value::I64(500)), "soon");
    publish_in(&mut client, &exchange, None, "now");
    let message = client.message(1);
    assert_eq!((message.text(), message.header("x-delay")), ("now", None));
    for (expected, delay) in [("soon", 500), ("late", 1_000)] {
        let message = client.message(1);
        assert_eq!(message.text(), expected);
        assert_eq!(message.origin(), (exchange.as_str(), "k"));
        // The sign says that it was delayed, and that it is not to be once more.
        let said = message.header("x-delay").and_then(Value::integer);
        assert_eq!(said, Some(-delay));
        let took = began.elapsed();
        // Clocks of milliseconds have them begin up to one early.
        let delay = Duration::from_millis(delay.unsigned_abs() - 1);
        assert!(
            (delay..delay + Duration::from_secs(2)).contains(&took),
            "{took:?}"
        );
    }
}

#[test]
fn step_33_what_was_delayed_or_need_not_be_comes_at_once() {
    let test = "step_33_what_was_delayed_or_need_not_be_comes_at_once";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let (mut client, exchange) = with_exchange(&broker);
    for delay in [Value::I32(-5_000), Value::I32(0)] {
        let began = now();
        publish_in(&mut client, &exchange, Some(delay), "x");
        client.message(1);
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}

#[test]
fn step_33_equal_delays_keep_their_order() {
    let test = "step_33_equal_delays_keep_their_order";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let (mut client, exchange) = with_exchange(&broker);
    let bodies: Vec<String> = (0..100).map(|at| at.to_string()).collect();
    for body in &bodies {
        publish_in(&mut client, &exchange, Some(Value::I32(300)), body);
    }
    assert_eq!(texts(&client.messages(1, 100)), bodies);
}

#[test]
fn step_33_a_delay_of_more_than_32_bits_is_one() {
    let test = "step_33_a_delay_of_more_than_32_bits_is_one";
    let settings = ["timers.delay_ms_max=8589934592"];
    let Some(broker) = Broker::start_unless_peer_with(test, &settings) else {
        return;
    };
    let (mut client, exchange) = with_exchange(&broker);
    client.confirm_select(1);
    publish_in(
        &mut client,
        &exchange,
        Some(Value::I64((1 << 32) + 10)),
        "x",
    );
    client.confirmed(1, 1);
    assert!(client.message_within(1, A_WHILE).is_none());
}

#[test]
fn step_33_a_deleted_exchange_delivers_nothing_more() {
    let test = "step_33_a_deleted_exchange_delivers_nothing_more";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let (mut client, exchange) = with_exchange(&broker);
    publish_in(&mut client, &exchange, Some(Value::I32(200)), "x");
    let delete = exchange::Delete {
        exchange: super::client::short(&exchange),
        ..exchange::Delete::default()
    };
    super::client::due!(client.call(1, delete), ExchangeDeleteOk);
    assert!(client.message_within(1, 2 * A_WHILE).is_none());
}

#[test]
fn step_33_routes_are_those_of_its_type_when_it_is_due() {
    let test = "step_33_routes_are_those_of_its_type_when_it_is_due";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (exchange, queue) = (broker.name("exchange"), broker.name("queue"));
    client.declare_exchange_with(1, delayed(&exchange, "topic"));
    client.private_queue(1, &queue);
    publish_in(&mut client, &exchange, Some(Value::I32(600)), "x");
    client.bind(1, &queue, &exchange, "#");
    client.consume(1, &queue, "t");
    assert_eq!(client.message(1).text(), "x");
}

#[test]
fn step_33_it_needs_a_type_that_there_is() {
    let test = "step_33_it_needs_a_type_that_there_is";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let name = broker.name("exchange");
    let refused = client.refused(1, exchange_named(&name, "x-delayed-message"));
    assert_eq!(refused.reply_code, 406, "{refused:?}");
    client.send(1, delayed(&name, "nonsense"));
    let text = "COMMAND_INVALID - unknown exchange type 'nonsense'";
    assert_eq!(client.connection_close(), close(503, text, (40, 10)));
}

#[test]
fn step_33_what_waits_outlives_a_restart() {
    let test = "step_33_what_waits_outlives_a_restart";
    let Some(mut broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (exchange, queue) = (broker.name("exchange"), broker.name("queue"));
    client.declare_exchange_with(1, delayed(&exchange, "direct"));
    client.declare(
        1,
        queue::Declare {
            durable: true,
            ..queue_named(&queue)
        },
    );
    client.bind(1, &queue, &exchange, "k");
    client.confirm_select(1);
    let began = now();
    publish_in(&mut client, &exchange, Some(Value::I32(3_000)), "x");
    client.confirmed(1, 1);
    broker.restart();
    let mut client = Client::with_channel(&broker);
    client.consume(1, &queue, "t");
    assert_eq!(client.message(1).text(), "x");
    assert!(began.elapsed() >= Duration::from_secs(3));
}
