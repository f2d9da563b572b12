//! Step 10: names and exchanges that are the server's own.

use super::broker::Broker;
use super::client::{Client, close, due, exchange_named, queue_named, short};
use gantry_amqp::codec::method::{exchange, queue};

const DECLARE_EXCHANGE: (u16, u16) = (40, 10);
const DELETE_EXCHANGE: (u16, u16) = (40, 20);

#[test]
fn step_10_names_of_the_server_are_refused() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let name = "amq.steps-not-ours";
    let text = |what: &str| {
        format!("ACCESS_REFUSED - {what} name '{name}' contains reserved prefix 'amq.*'")
    };
    let refused = client.refused(1, queue_named(name));
    assert_eq!(refused, close(403, &text("queue"), (50, 10)));
    let refused = client.refused(1, exchange_named(name, "direct"));
    assert_eq!(refused, close(403, &text("exchange"), DECLARE_EXCHANGE));
    let passive = queue::Declare {
        passive: true,
        ..queue_named(name)
    };
    let missing = format!("NOT_FOUND - no queue '{name}' in vhost '/'");
    assert_eq!(client.refused(1, passive), close(404, &missing, (50, 10)));
    let passive = exchange::Declare {
        passive: true,
        ..exchange_named(name, "direct")
    };
    let missing = format!("NOT_FOUND - no exchange '{name}' in vhost '/'");
    assert_eq!(
        client.refused(1, passive),
        close(404, &missing, DECLARE_EXCHANGE)
    );
}

#[test]
fn step_10_exchanges_of_the_server_are_there() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    for (name, kind) in [
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.topic", "topic"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
    ] {
        let same = exchange::Declare {
            durable: true,
            ..exchange_named(name, kind)
        };
        client.declare_exchange_with(1, same);
        let delete = exchange::Delete {
            exchange: short(name),
            ..exchange::Delete::default()
        };
        let text = format!(
            "ACCESS_REFUSED - deletion of system exchange '{name}' in vhost '/' not allowed"
        );
        assert_eq!(
            client.refused(1, delete),
            close(403, &text, DELETE_EXCHANGE)
        );
    }
    let missing = "amq.steps-not-there";
    let delete = exchange::Delete {
        exchange: short(missing),
        ..exchange::Delete::default()
    };
    assert_eq!(client.refused(1, delete).reply_code, 403);
    let other = exchange_named("amq.direct", "direct");
    let text = "PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'amq.direct' in \
                vhost '/': received 'false' but current is 'true'";
    assert_eq!(client.refused(1, other), close(406, text, DECLARE_EXCHANGE));
}

#[test]
fn step_10_the_default_exchange_is_not_to_be_touched() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    let text = "ACCESS_REFUSED - operation not permitted on the default exchange";
    for passive in [false, true] {
        let declare = exchange::Declare {
            passive,
            ..exchange_named("", "direct")
        };
        assert_eq!(
            client.refused(1, declare),
            close(403, text, DECLARE_EXCHANGE)
        );
    }
    let delete = exchange::Delete::default();
    assert_eq!(client.refused(1, delete), close(403, text, DELETE_EXCHANGE));
    let bind = queue::Bind {
        queue: short(&queue),
        ..queue::Bind::default()
    };
    assert_eq!(client.refused(1, bind), close(403, text, (50, 20)));
    let unbind = queue::Unbind {
        queue: short(&queue),
        ..queue::Unbind::default()
    };
    assert_eq!(client.refused(1, unbind), close(403, text, (50, 50)));
    let bind = exchange::Bind {
        destination: short("amq.fanout"),
        ..exchange::Bind::default()
    };
    assert_eq!(client.refused(1, bind), close(403, text, (40, 30)));
    client.fill(&queue, &["one"]);
    assert_eq!(
        client.drain(1, &queue),
        ["one"],
        "every queue is bound to it by its name"
    );
}

#[test]
fn step_10_a_binding_between_exchanges_is_undone_with_its_own_answer() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (from, to) = (broker.name("from"), broker.name("to"));
    client.declare_exchange(1, &from, "fanout");
    client.declare_exchange(1, &to, "fanout");
    client.bind_exchange(1, &to, &from, "");
    let unbind = exchange::Unbind {
        destination: short(&to),
        source: short(&from),
        ..exchange::Unbind::default()
    };
    due!(client.call(1, unbind.clone()), ExchangeUnbindOk);
    due!(client.call(1, unbind), ExchangeUnbindOk);
}
