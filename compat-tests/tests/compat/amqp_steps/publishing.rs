//! Steps 14 to 17: what is published, returned, confirmed and committed.

use super::broker::Broker;
use super::client::{Client, close, due, exchange_named, mandatory, publish, short, table, text};
use super::wire::Message;
use bytes::{BufMut as _, BytesMut};
use gantry_amqp::codec::method::{basic, channel, confirm, exchange, queue, tx};
use gantry_amqp::codec::{PropertyList, ServerMethod};

const PUBLISH: (u16, u16) = (60, 40);

/// What the server says to a message, as which it closes the channel.
fn refusal(client: &mut Client, publish: basic::Publish, properties: PropertyList<'_>) -> String {
    client.publish_with(1, publish, properties, "x");
    let refused = client.channel_close(1);
    client.open(1);
    assert_eq!(
        (refused.class_id, refused.method_id),
        PUBLISH,
        "{refused:?}"
    );
    let codes = [
        (403, "ACCESS_REFUSED"),
        (404, "NOT_FOUND"),
        (406, "PRECONDITION_FAILED"),
    ];
    let code = codes
        .iter()
        .find(|(_, name)| refused.reply_text.starts_with(name));
    assert_eq!(code.map(|(code, _)| *code), Some(refused.reply_code));
    refused.reply_text.to_string()
}

#[test]
fn step_14_exchanges_must_be_there_and_not_internal() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (missing, internal) = (broker.name("missing"), broker.name("internal"));
    let declare = exchange::Declare {
        internal: true,
        ..exchange_named(&internal, "fanout")
    };
    client.declare_exchange_with(1, declare);
    let none = PropertyList::default();
    let said = refusal(&mut client, publish(&missing, ""), none);
    assert_eq!(
        said,
        format!("NOT_FOUND - no exchange '{missing}' in vhost '/'")
    );
    let said = refusal(&mut client, publish(&internal, ""), none);
    let expected =
        format!("ACCESS_REFUSED - cannot publish to internal exchange '{internal}' in vhost '/'");
    assert_eq!(said, expected);
    // The exchange comes before the properties.
    let wrong = PropertyList {
        expiration: Some(b"abc"),
        ..none
    };
    let said = refusal(&mut client, publish(&missing, ""), wrong);
    assert!(said.starts_with("NOT_FOUND"), "{said}");
}

#[test]
fn step_14_expirations_are_whole_milliseconds_of_ten_years() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    let wrong = [
        ("abc", "no_integer"),
        ("", "no_integer"),
        ("1.5", "{leftover_string,\".5\"}"),
        ("-1", "{value_negative,-1}"),
        ("315360000001", "{value_too_large,315360000001}"),
    ];
    for (expiration, why) in wrong {
        let properties = PropertyList {
            expiration: Some(expiration.as_bytes()),
            ..PropertyList::default()
        };
        let said = refusal(&mut client, publish("", &queue), properties);
        let expected = format!("PRECONDITION_FAILED - invalid expiration '{expiration}': {why}");
        assert_eq!(said, expected);
    }
    client.confirm_select(1);
    for expiration in ["+600000", "600000", "315360000000"] {
        let properties = PropertyList {
            expiration: Some(expiration.as_bytes()),
            ..PropertyList::default()
        };
        client.publish_with(1, publish("", &queue), properties, expiration);
    }
    client.confirmed(1, 3);
    assert_eq!(client.drain(1, &queue).len(), 3);
}

#[test]
fn step_14_a_user_id_is_the_users_own() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    for user in ["root", ""] {
        let properties = PropertyList {
            user_id: Some(user.as_bytes()),
            ..PropertyList::default()
        };
        let said = refusal(&mut client, publish("", &queue), properties);
        let expected = format!(
            "PRECONDITION_FAILED - user_id property set to '{user}' but authenticated user was \
             'guest'"
        );
        assert_eq!(said, expected);
    }
    let properties = PropertyList {
        user_id: Some(b"guest"),
        ..PropertyList::default()
    };
    client.confirm_select(1);
    client.publish_with(1, publish("", &queue), properties, "mine");
    client.confirmed(1, 1);
    let message = client.get(1, &queue).unwrap();
    assert_eq!(message.properties, properties.encode());
}

#[test]
fn step_14_there_are_two_delivery_modes() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let properties = PropertyList {
        delivery_mode: Some(7),
        ..PropertyList::default()
    };
    let said = refusal(&mut client, publish("", "q"), properties);
    let expected = "PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,7}";
    assert_eq!(said, expected);
}

#[test]
fn step_14_nobody_delivers_immediately() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let immediate = basic::Publish {
        immediate: true,
        ..publish("amq.steps-missing", "q")
    };
    client.publish_with(1, immediate, PropertyList::default(), "x");
    let said = "NOT_IMPLEMENTED - immediate=true";
    assert_eq!(client.connection_close(), close(540, said, PUBLISH));
}

#[test]
fn step_14_a_message_beyond_the_limit_is_refused_by_its_header() {
    let test = "step_14_a_message_beyond_the_limit_is_refused_by_its_header";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let size: u64 = 1 << 30;
    client.send(1, publish("", "q"));
    let mut header = BytesMut::new();
    header.put_slice(&[2, 0, 1, 0, 0, 0, 14, 0, 60, 0, 0]);
    header.put_u64(size);
    header.put_slice(&[0, 0, 0xCE]);
    client.wire.put(&header);
    let refused = due!(client.hear(1), ChannelClose);
    assert_eq!(refused.reply_code, 406);
    let said =
        format!("PRECONDITION_FAILED - message size {size} is larger than configured max size ");
    assert!(refused.reply_text.starts_with(&said), "{refused:?}");
    // Some of the body was on its way.
    client.wire.put(&[3, 0, 1, 0, 0, 0, 1, b'x', 0xCE]);
    client.send(1, channel::CloseOk {});
    client.open(1);
    client.close();
}

#[test]
fn step_14_properties_and_bodies_come_back_byte_for_byte() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    let headers = table(&[("x", text("y")), ("x", text("twice"))]);
    let properties = PropertyList {
        content_type: Some(b"text/plain"),
        content_encoding: Some(b"identity"),
        headers: Some(headers.view()),
        delivery_mode: Some(1),
        priority: Some(200),
        correlation_id: Some(b"c"),
        reply_to: Some(b"r"),
        expiration: Some(b"600000"),
        message_id: Some(b"\xFF not text"),
        timestamp: Some(u64::MAX),
        kind: Some(b"t"),
        user_id: Some(b"guest"),
        app_id: Some(b"a"),
        cluster_id: Some(b"c"),
    };
    client.confirm_select(1);
    let large = "x".repeat(300_000);
    for body in ["", "small", &large] {
        client.publish_with(1, publish("", &queue), properties, body);
    }
    client.confirmed(1, 3);
    for body in ["", "small", &large] {
        let message = client.get(1, &queue).unwrap();
        assert_eq!(message.properties, properties.encode());
        assert_eq!(message.body, body);
    }
}

fn returned(message: &Message) -> &basic::Return {
    match &message.method {
        ServerMethod::BasicReturn(returned) => returned,
        other => panic!("{other:?} instead of a return"),
    }
}

#[test]
fn step_15_a_mandatory_message_without_a_queue_comes_back_before_it_is_confirmed() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.confirm_select(1);
    let properties = PropertyList {
        message_id: Some(b"id"),
        ..PropertyList::default()
    };
    client.publish_with(
        1,
        mandatory("amq.direct", "steps-nowhere"),
        properties,
        "body",
    );
    let message = client.message(1);
    let expected = basic::Return {
        reply_code: 312,
        reply_text: short("NO_ROUTE"),
        exchange: short("amq.direct"),
        routing_key: short("steps-nowhere"),
    };
    assert_eq!(returned(&message), &expected);
    assert_eq!(message.properties, properties.encode());
    assert_eq!(message.text(), "body");
    let ack = due!(client.hear(1), BasicAck);
    assert_eq!((ack.delivery_tag, ack.multiple), (1, false));
}

#[test]
fn step_15_other_messages_are_confirmed_without_a_word() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    client.confirm_select(1);
    client.publish(1, "steps-nowhere", "dropped");
    client.publish_with(1, mandatory("", &queue), PropertyList::default(), "kept");
    client.confirmed(1, 2);
    assert_eq!(client.drain(1, &queue), ["kept"]);
}

#[test]
fn step_15_in_a_transaction_it_comes_back_at_the_commit() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    due!(client.call(1, tx::Select {}), TxSelectOk);
    client.publish_with(
        1,
        mandatory("", "steps-nowhere"),
        PropertyList::default(),
        "x",
    );
    due!(client.call(1, basic::Qos::default()), BasicQosOk);
    client.send(1, tx::Commit {});
    assert_eq!(returned(&client.message(1)).reply_code, 312);
    due!(client.hear(1), TxCommitOk);
}

#[test]
fn step_16_confirms_count_from_the_select_and_cover_every_message_once() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    client.publish(1, &queue, "before");
    client.confirm_select(1);
    const COUNT: usize = 2_000;
    for at in 0..COUNT {
        client.publish(1, &queue, &at.to_string());
    }
    client.confirmed(1, COUNT as u64);
    assert_eq!(client.look(1, &queue).0 as usize, COUNT + 1);
}

#[test]
fn step_16_each_channel_counts_its_own() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.open(2);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    for channel in [1, 2] {
        client.confirm_select(channel);
        // Again is no fault.
        client.confirm_select(channel);
        client.publish(channel, &queue, "x");
        client.confirmed(channel, 1);
    }
    let select = confirm::Select { no_wait: true };
    client.open(3);
    client.send(3, select);
    client.publish(3, &queue, "x");
    client.confirmed(3, 1);
}

#[test]
fn step_16_what_was_confirmed_is_there() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queues = ["one", "two", "three"].map(|role| broker.name(role));
    let exchange = broker.name("exchange");
    client.declare_exchange(1, &exchange, "fanout");
    for queue in &queues {
        client.private_queue(1, queue);
        client.bind(1, queue, &exchange, "");
    }
    client.confirm_select(1);
    for count in 1..=50 {
        client.publish_with(1, publish(&exchange, ""), PropertyList::default(), "x");
        let ack = due!(client.hear(1), BasicAck);
        assert_eq!(ack.delivery_tag, count);
        for queue in &queues {
            assert_eq!(u64::from(client.look(1, queue).0), count);
        }
    }
}

#[test]
fn step_17_a_transaction_publishes_and_acknowledges_at_its_commit() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (from, to) = (broker.name("from"), broker.name("to"));
    client.private_queue(1, &from);
    client.private_queue(1, &to);
    client.fill(&from, &["one", "two", "three"]);
    client.open(2);
    due!(client.call(2, tx::Select {}), TxSelectOk);
    let taken: Vec<_> = (0..3).map(|_| client.get(2, &from).unwrap()).collect();
    client.ack(2, taken[0].tag());
    client.requeue(2, taken[1].tag());
    client.publish(2, &to, "done");
    due!(client.call(2, basic::Qos::default()), BasicQosOk);
    assert_eq!((client.look(1, &from).0, client.look(1, &to).0), (0, 0));
    due!(client.call(2, tx::Commit {}), TxCommitOk);
    assert_eq!((client.look(1, &from).0, client.look(1, &to).0), (1, 1));
    // The third is not acknowledged, and the first is gone.
    client.close_channel(2);
    assert_eq!(client.drain(1, &from), ["two", "three"]);
    assert_eq!(client.drain(1, &to), ["done"]);
}

#[test]
fn step_17_a_rollback_forgets_both_and_the_tags_may_be_acknowledged_again() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (from, to) = (broker.name("from"), broker.name("to"));
    client.private_queue(1, &from);
    client.private_queue(1, &to);
    client.fill(&from, &["one", "two"]);
    due!(client.call(1, tx::Select {}), TxSelectOk);
    let one = client.get(1, &from).unwrap().tag();
    let two = client.get(1, &from).unwrap().tag();
    client.ack_with(1, two, true);
    client.publish(1, &to, "never");
    due!(client.call(1, tx::Rollback {}), TxRollbackOk);
    client.ack(1, one);
    client.publish(1, &to, "now");
    due!(client.call(1, tx::Commit {}), TxCommitOk);
    assert_eq!(client.drain(1, &to), ["now"]);
    client.close_channel(1);
    client.open(1);
    assert_eq!(client.drain(1, &from), ["two"]);
}

#[test]
fn step_17_a_closed_channel_rolls_its_transaction_back() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    client.fill(&queue, &["kept"]);
    client.open(2);
    due!(client.call(2, tx::Select {}), TxSelectOk);
    let tag = client.get(2, &queue).unwrap().tag();
    client.ack(2, tag);
    client.publish(2, &queue, "never");
    client.close_channel(2);
    assert_eq!(client.drain(1, &queue), ["kept"]);
}

#[test]
fn step_17_transactions_and_confirms_exclude_each_other() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let none = "PRECONDITION_FAILED - channel is not transactional";
    assert_eq!(client.refused(1, tx::Commit {}), close(406, none, (90, 20)));
    assert_eq!(
        client.refused(1, tx::Rollback {}),
        close(406, none, (90, 30))
    );
    for _ in 0..2 {
        due!(client.call(1, tx::Select {}), TxSelectOk);
    }
    let said = "PRECONDITION_FAILED - cannot switch from tx to confirm mode";
    for no_wait in [true, false] {
        let refused = client.refused(1, confirm::Select { no_wait });
        assert_eq!(refused, close(406, said, (85, 10)));
        due!(client.call(1, tx::Select {}), TxSelectOk);
    }
    client.open(2);
    client.confirm_select(2);
    let said = "PRECONDITION_FAILED - cannot switch from confirm to tx mode";
    assert_eq!(client.refused(2, tx::Select {}), close(406, said, (90, 10)));
}

#[test]
fn step_17_what_is_wrong_in_a_transaction_is_told_at_once() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    due!(client.call(1, tx::Select {}), TxSelectOk);
    let missing = broker.name("missing");
    let said = refusal(&mut client, publish(&missing, ""), PropertyList::default());
    assert!(said.starts_with("NOT_FOUND"), "{said}");
    due!(client.call(1, tx::Select {}), TxSelectOk);
    client.ack(1, 5);
    let said = "PRECONDITION_FAILED - unknown delivery tag 5";
    assert_eq!(client.channel_close(1), close(406, said, (60, 80)));
}

#[test]
fn step_17_later_methods_see_what_was_published_before_on_the_channel() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    for round in 0..50 {
        for _ in 0..20 {
            client.publish(1, &queue, "x");
        }
        let purge = queue::Purge {
            queue: short(&queue),
            ..queue::Purge::default()
        };
        let purged = due!(client.call(1, purge), QueuePurgeOk).message_count;
        assert_eq!(purged, 20, "{round}");
    }
    client.publish(1, &queue, "x");
    assert_eq!(client.delete_queue(1, &queue), 1);
}
