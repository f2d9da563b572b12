//! Steps 7 to 9: what is declared, and declared again.

use super::broker::Broker;
use super::client::{
    Argument, Client, close, due, exchange_named, publish, queue_named, short, table, text,
};
use gantry_amqp::codec::method::{basic, channel, exchange, queue};
use gantry_amqp::codec::{PropertyList, Value};

/// Durable, exclusive, auto-delete.
type Flags = (bool, bool, bool);

const DECLARE: (u16, u16) = (50, 10);
const DECLARE_EXCHANGE: (u16, u16) = (40, 10);

fn all_flags() -> Vec<Flags> {
    let both = [false, true];
    let pairs = both.iter().flat_map(|a| both.map(|b| (*a, b)));
    pairs.flat_map(|(a, b)| both.map(|c| (a, b, c))).collect()
}

fn flagged(name: &str, (durable, exclusive, auto_delete): Flags) -> queue::Declare {
    queue::Declare {
        durable,
        exclusive,
        auto_delete,
        ..queue_named(name)
    }
}

/// What RabbitMQ says of a queue declared again that is not exclusive.
fn expected(name: &str, current: Flags, again: Flags) -> Option<channel::Close> {
    let compared = [
        ("durable", current.0, again.0),
        ("auto_delete", current.2, again.2),
    ];
    let (what, current, again) = compared.into_iter().find(|(_, a, b)| a != b)?;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg '{what}' for queue '{name}' in vhost '/': \
         received '{again}' but current is '{current}'"
    );
    Some(close(406, &text, DECLARE))
}

#[test]
fn step_07_a_queue_declared_again_must_be_the_same() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let flags = || all_flags().into_iter().filter(|flags| !flags.1);
    for current in flags() {
        let name = broker.name("again");
        client.declare(1, flagged(&name, current));
        for again in flags() {
            match expected(&name, current, again) {
                None => assert_eq!(&*client.declare(1, flagged(&name, again)).queue, name),
                Some(refusal) => {
                    let refused = client.refused(1, flagged(&name, again));
                    assert_eq!(refused, refusal, "{current:?} {again:?}");
                }
            }
        }
        client.delete_queue(1, &name);
    }
}

#[test]
fn step_07_whether_an_exclusive_queue_is_durable_does_not_matter() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    for durable in [false, true] {
        let name = broker.name("again");
        client.declare(1, flagged(&name, (durable, true, false)));
        client.declare(1, flagged(&name, (!durable, true, false)));
    }
}

#[test]
fn step_07_an_exclusive_queue_is_not_declared_again_as_another() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    for is_exclusive in [false, true] {
        let name = broker.name("again");
        client.declare(1, flagged(&name, (false, is_exclusive, false)));
        let text = format!(
            "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost \
             '/'. It could be originally declared on another connection or the exclusive \
             property value does not match that of the original declaration."
        );
        let refused = client.refused(1, flagged(&name, (false, !is_exclusive, false)));
        assert_eq!(refused, close(405, &text, DECLARE));
    }
}

fn with_arguments(name: &str, arguments: &[Argument<'_>]) -> queue::Declare {
    queue::Declare {
        exclusive: true,
        arguments: table(arguments),
        ..queue_named(name)
    }
}

#[test]
fn step_07_the_width_of_an_argument_does_not_matter() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let name = broker.name("widths");
    let five = [
        Value::I8(5),
        Value::U8(5),
        Value::I16(5),
        Value::U16(5),
        Value::I32(5),
        Value::U32(5),
        Value::I64(5),
    ];
    for value in five {
        client.declare(1, with_arguments(&name, &[("x-max-length", value)]));
    }
    client.close();
}

#[test]
fn step_07_arguments_are_compared_and_named() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (with, without) = (broker.name("with"), broker.name("without"));
    client.private_queue_with(1, &with, &[("x-max-length", Value::I32(5))]);
    client.private_queue(1, &without);
    let inequivalent = |queue: &str, said: &str| {
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue '{queue}' in vhost \
             '/': {said}"
        );
        close(406, &text, DECLARE)
    };
    let six = with_arguments(&with, &[("x-max-length", Value::I32(6))]);
    let said = "received '6' but current is '5'";
    assert_eq!(client.refused(1, six), inequivalent(&with, said));
    let none = with_arguments(&with, &[]);
    let said = "received none but current is the value '5' of type 'signedint'";
    assert_eq!(client.refused(1, none), inequivalent(&with, said));
    let some = with_arguments(&without, &[("x-max-length", Value::I32(5))]);
    let said = "received the value '5' of type 'signedint' but current is none";
    assert_eq!(client.refused(1, some), inequivalent(&without, said));
    // What is unknown to the queue's type is not compared.
    client.declare(1, with_arguments(&without, &[("x-unknown", Value::I32(1))]));
    // The type that is the default may be said or not.
    client.declare(
        1,
        with_arguments(&without, &[("x-queue-type", text("classic"))]),
    );
}

#[test]
fn step_07_arguments_must_make_sense() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let name = broker.name("wrong");
    let wrong: &[(Argument<'_>, &str)] = &[
        (("x-message-ttl", Value::I32(-1)), "{value_negative,-1}"),
        (("x-expires", Value::I32(0)), "{value_zero,0}"),
        (
            ("x-max-priority", Value::I32(256)),
            "{max_value_exceeded,256}",
        ),
        (("x-max-length", Value::I32(-1)), "{value_negative,-1}"),
        (
            ("x-max-length-bytes", Value::I32(-1)),
            "{value_negative,-1}",
        ),
        (("x-overflow", text("nope")), "invalid_overflow"),
        (
            ("x-dead-letter-routing-key", text("k")),
            "routing_key_but_no_dlx_defined",
        ),
        (
            ("x-queue-type", text("foo")),
            "\"unsupported queue type 'foo'\"",
        ),
        (
            ("x-queue-mode", text("foo")),
            "\"unsupported queue mode 'foo'\"",
        ),
    ];
    for ((argument, value), said) in wrong {
        let refused = client.refused(1, with_arguments(&name, &[(argument, *value)]));
        let text = format!(
            "PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost '/': \
             {said}"
        );
        assert_eq!(refused, close(406, &text, DECLARE));
    }
}

#[test]
fn step_07_arguments_of_the_wrong_type_are_refused() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let name = broker.name("types");
    for argument in [
        "x-message-ttl",
        "x-expires",
        "x-max-length",
        "x-max-priority",
    ] {
        let refused = client.refused(1, with_arguments(&name, &[(argument, text("5"))]));
        let expected = format!(
            "PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost '/': \
             \"expected integer, got longstr\""
        );
        assert_eq!(refused, close(406, &expected, DECLARE));
    }
    let exchange = [("x-dead-letter-exchange", Value::I32(1))];
    let refused = client.refused(1, with_arguments(&name, &exchange));
    let expected = format!(
        "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in \
         queue '{name}' in vhost '/'"
    );
    assert_eq!(refused, close(406, &expected, DECLARE));
}

#[test]
fn step_07_an_exchange_declared_again_must_be_the_same() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let name = broker.name("again");
    let alternate = |to| table(&[("alternate-exchange", text(to))]);
    let first = exchange::Declare {
        arguments: alternate("one"),
        ..exchange_named(&name, "direct")
    };
    client.declare_exchange_with(1, first.clone());
    client.declare_exchange_with(1, first.clone());
    let same = exchange::Declare {
        arguments: table(&[("alternate-exchange", text("one")), ("x", Value::I32(1))]),
        ..first.clone()
    };
    client.declare_exchange_with(1, same);
    let changed: [(exchange::Declare, &str, &str, &str); 5] = [
        (
            exchange::Declare {
                kind: short("fanout"),
                ..first.clone()
            },
            "type",
            "fanout",
            "direct",
        ),
        (
            exchange::Declare {
                durable: true,
                ..first.clone()
            },
            "durable",
            "true",
            "false",
        ),
        (
            exchange::Declare {
                auto_delete: true,
                ..first.clone()
            },
            "auto_delete",
            "true",
            "false",
        ),
        (
            exchange::Declare {
                internal: true,
                ..first.clone()
            },
            "internal",
            "true",
            "false",
        ),
        (
            exchange::Declare {
                arguments: alternate("two"),
                ..first
            },
            "alternate-exchange",
            "two",
            "one",
        ),
    ];
    for (again, what, received, current) in changed {
        let expected = format!(
            "PRECONDITION_FAILED - inequivalent arg '{what}' for exchange '{name}' in vhost '/': \
             received '{received}' but current is '{current}'"
        );
        assert_eq!(
            client.refused(1, again),
            close(406, &expected, DECLARE_EXCHANGE)
        );
    }
    // A passive one looks at nothing but the name.
    let passive = exchange::Declare {
        passive: true,
        durable: true,
        ..exchange_named(&name, "nonsense")
    };
    client.declare_exchange_with(1, passive);
}

#[test]
fn step_07_exchanges_have_types_that_there_are() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.send(1, exchange_named(&broker.name("kind"), "steps-nonsense"));
    let refused = client.connection_close();
    let text = "COMMAND_INVALID - unknown exchange type 'steps-nonsense'";
    assert_eq!(refused, close(503, text, DECLARE_EXCHANGE));
}

#[test]
fn step_07_what_is_not_there_is_not_found() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let name = broker.name("missing");
    let queue = format!("NOT_FOUND - no queue '{name}' in vhost '/'");
    let exchange = format!("NOT_FOUND - no exchange '{name}' in vhost '/'");
    let passive = queue::Declare {
        passive: true,
        ..queue_named(&name)
    };
    assert_eq!(client.refused(1, passive), close(404, &queue, DECLARE));
    let passive = exchange::Declare {
        passive: true,
        ..exchange_named(&name, "direct")
    };
    assert_eq!(
        client.refused(1, passive),
        close(404, &exchange, DECLARE_EXCHANGE)
    );
    let both = queue::Bind {
        queue: short(&name),
        exchange: short(&name),
        ..queue::Bind::default()
    };
    assert_eq!(
        client.refused(1, both.clone()),
        close(404, &exchange, (50, 20))
    );
    let bind = queue::Bind {
        exchange: short("amq.direct"),
        ..both
    };
    assert_eq!(client.refused(1, bind), close(404, &queue, (50, 20)));
    let purge = queue::Purge {
        queue: short(&name),
        ..queue::Purge::default()
    };
    assert_eq!(client.refused(1, purge), close(404, &queue, (50, 30)));
    // Deleting and unbinding are content with what is not there.
    assert_eq!(client.delete_queue(1, &name), 0);
    let delete = exchange::Delete {
        exchange: short(&name),
        ..exchange::Delete::default()
    };
    due!(client.call(1, delete), ExchangeDeleteOk);
}

#[test]
fn step_07_deleting_may_depend_on_use() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (queue, exchange) = (broker.name("queue"), broker.name("exchange"));
    client.private_queue(1, &queue);
    client.fill(&queue, &["one", "two"]);
    let delete = queue::Delete {
        queue: short(&queue),
        ..queue::Delete::default()
    };
    let if_empty = queue::Delete {
        if_empty: true,
        ..delete.clone()
    };
    let text = format!("PRECONDITION_FAILED - queue '{queue}' in vhost '/' not empty");
    assert_eq!(client.refused(1, if_empty), close(406, &text, (50, 40)));
    client.open(2);
    client.prefetch(2, 1, false);
    client.consume(2, &queue, "t");
    client.message(2);
    let if_unused = queue::Delete {
        if_unused: true,
        ..delete
    };
    let text = format!("PRECONDITION_FAILED - queue '{queue}' in vhost '/' in use");
    assert_eq!(client.refused(1, if_unused), close(406, &text, (50, 40)));
    client.close_channel(2);
    client.declare_exchange(1, &exchange, "fanout");
    client.bind(1, &queue, &exchange, "");
    let if_unused = exchange::Delete {
        exchange: short(&exchange),
        if_unused: true,
        ..exchange::Delete::default()
    };
    let text = format!("PRECONDITION_FAILED - exchange '{exchange}' in vhost '/' in use");
    assert_eq!(
        client.refused(1, if_unused.clone()),
        close(406, &text, (40, 20))
    );
    assert_eq!(client.delete_queue(1, &queue), 2, "messages");
    due!(client.call(1, if_unused), ExchangeDeleteOk);
}

#[test]
fn step_07_ends_of_lines_are_no_part_of_names() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let name = broker.name("lines");
    let (first, last) = name.split_at(5);
    let declared = client.declare(1, queue_named(&format!("{first}\r\n{last}\n")));
    assert_eq!(&*declared.queue, name);
    assert_eq!(client.look(1, &name), (0, 0));
}

#[test]
fn step_07_auto_delete_goes_with_the_last_user() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (queue, exchange) = (broker.name("queue"), broker.name("exchange"));
    let declare = queue::Declare {
        auto_delete: true,
        ..queue_named(&queue)
    };
    client.declare(1, declare);
    let declare = exchange::Declare {
        auto_delete: true,
        ..exchange_named(&exchange, "fanout")
    };
    client.declare_exchange_with(1, declare);
    client.bind(1, &queue, &exchange, "");
    client.fill(&queue, &["one"]);
    assert_eq!(client.drain(1, &queue), ["one"], "asking is no use");
    client.consume(1, &queue, "t");
    let cancel = basic::Cancel {
        consumer_tag: short("t"),
        no_wait: false,
    };
    due!(client.call(1, cancel), BasicCancelOk);
    let passive = queue::Declare {
        passive: true,
        ..queue_named(&queue)
    };
    assert_eq!(client.refused(1, passive).reply_code, 404);
    let passive = exchange::Declare {
        passive: true,
        ..exchange_named(&exchange, "fanout")
    };
    assert_eq!(client.refused(1, passive).reply_code, 404);
}

#[test]
fn step_08_a_queue_without_a_name_gets_one() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let declare = || queue::Declare {
        exclusive: true,
        ..queue::Declare::default()
    };
    let one = client.declare(1, declare()).queue;
    let other = client.declare(1, declare()).queue;
    for name in [&one, &other] {
        let unique = name.strip_prefix("amq.gen-").unwrap();
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(
            unique.len() == 22 && unique.bytes().all(is_base64),
            "{name}"
        );
    }
    assert_ne!(one, other);
}

#[test]
fn step_08_a_name_from_the_server_is_refused_to_clients() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let declare = queue::Declare {
        exclusive: true,
        ..queue::Declare::default()
    };
    let name = client.declare(1, declare.clone()).queue;
    assert_eq!(client.look(1, &name), (0, 0));
    // Though the queue is there, and the same.
    let text = format!("ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'");
    let again = queue::Declare {
        queue: name,
        ..declare
    };
    assert_eq!(client.refused(1, again), close(403, &text, DECLARE));
}

#[test]
fn step_08_no_name_is_the_queue_last_declared_on_the_channel() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (queue, exchange) = (broker.name("last"), broker.name("exchange"));
    client.declare_exchange(1, &exchange, "direct");
    client.private_queue(1, &queue);
    // No key either: it is the queue's name.
    client.bind(1, "", &exchange, "");
    client.publish_with(
        1,
        publish(&exchange, &queue),
        PropertyList::default(),
        "one",
    );
    client.publish_with(
        1,
        publish(&exchange, ""),
        PropertyList::default(),
        "nowhere",
    );
    client.fill(&queue, &["two"]);
    assert_eq!(client.get(1, "").unwrap().text(), "one");
    let purge = client.call(1, queue::Purge::default());
    assert_eq!(due!(purge, QueuePurgeOk).message_count, 1);
    client.consume(1, "", "t");
    assert_eq!(client.look(1, &queue), (0, 1));
    let cancel = basic::Cancel {
        consumer_tag: short("t"),
        no_wait: false,
    };
    due!(client.call(1, cancel), BasicCancelOk);
    let deleted = client.call(1, queue::Delete::default());
    due!(deleted, QueueDeleteOk);
    let passive = queue::Declare {
        passive: true,
        ..queue_named(&queue)
    };
    assert_eq!(client.refused(1, passive).reply_code, 404);
}

#[test]
fn step_08_no_name_is_nothing_where_no_queue_was_declared() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    // That of another channel does not count.
    client.private_queue(1, &broker.name("other"));
    client.open(2);
    let none = "NOT_FOUND - no previously declared queue";
    let refused = client.refused(2, basic::Get::default());
    assert_eq!(refused, close(404, none, (60, 70)));
    let refused = client.refused(2, basic::Consume::default());
    assert_eq!(refused, close(404, none, (60, 20)));
    let refused = client.refused(2, queue::Purge::default());
    assert_eq!(refused, close(404, none, (50, 30)));
    let refused = client.refused(2, queue::Delete::default());
    assert_eq!(refused, close(404, none, (50, 40)));
    let bind = queue::Bind {
        exchange: short("amq.direct"),
        ..queue::Bind::default()
    };
    assert_eq!(client.refused(2, bind), close(404, none, (50, 20)));
    let passive = queue::Declare {
        passive: true,
        ..queue::Declare::default()
    };
    let text = "NOT_FOUND - no queue '' in vhost '/'";
    assert_eq!(client.refused(1, passive), close(404, text, DECLARE));
}

#[test]
fn step_09_an_exclusive_queue_is_locked_to_other_connections() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut owner = Client::with_channel(&broker);
    let name = broker.name("mine");
    owner.private_queue(1, &name);
    let mut other = Client::with_channel(&broker);
    let text = format!(
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost '/'. \
         It could be originally declared on another connection or the exclusive property value \
         does not match that of the original declaration."
    );
    let queue = short(&name);
    let exclusive = queue::Declare {
        exclusive: true,
        ..queue_named(&name)
    };
    assert_eq!(other.refused(1, exclusive), close(405, &text, DECLARE));
    let passive = queue::Declare {
        passive: true,
        ..queue_named(&name)
    };
    assert_eq!(other.refused(1, passive), close(405, &text, DECLARE));
    let consume = basic::Consume {
        queue: queue.clone(),
        ..basic::Consume::default()
    };
    assert_eq!(other.refused(1, consume), close(405, &text, (60, 20)));
    let get = basic::Get {
        queue: queue.clone(),
        ..basic::Get::default()
    };
    assert_eq!(other.refused(1, get), close(405, &text, (60, 70)));
    let bind = queue::Bind {
        queue: queue.clone(),
        exchange: short("amq.direct"),
        ..queue::Bind::default()
    };
    assert_eq!(other.refused(1, bind), close(405, &text, (50, 20)));
    let purge = queue::Purge {
        queue: queue.clone(),
        ..queue::Purge::default()
    };
    assert_eq!(other.refused(1, purge), close(405, &text, (50, 30)));
    let delete = queue::Delete {
        queue,
        ..queue::Delete::default()
    };
    assert_eq!(other.refused(1, delete), close(405, &text, (50, 40)));
    // To publish to it is open to all.
    other.fill(&name, &["one"]);
    assert_eq!(owner.drain(1, &name), ["one"]);
}

#[test]
fn step_09_an_exclusive_queue_is_gone_once_its_connection_is_closed() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let name = broker.name("mine");
    for _ in 0..20 {
        let mut client = Client::with_channel(&broker);
        client.private_queue(1, &name);
        assert_eq!(client.look(1, &name), (0, 0));
        client.fill(&name, &["left"]);
        client.close();
    }
}
