//! What every client can do with the server.

use super::session::{Kind, Refusal, Session, body, body_of, numbers, properties};
use compat_tests::gantry::Gantry;
use compat_tests::process::now;
use serde_json::{Value, json};
use std::time::Duration;

/// A test of each of these with a client.
macro_rules! can {
    ($kind:expr; $($what:ident),* $(,)?) => {$(
        #[test]
        fn $what() {
            if $kind.is_ready() {
                super::$what($kind);
            }
        }
    )*};
}

/// What they all can.
macro_rules! can_what_all_can {
    ($kind:expr) => {
        can! { $kind;
            a_queue_is_declared_counted_and_deleted,
            a_refusal_closes_the_channel_alone,
            every_publish_is_confirmed_and_in_order,
            an_unroutable_mandatory_message_is_returned_and_confirmed,
            prefetch_limits_what_is_on_its_way,
            requeued_messages_come_again_in_order,
            what_is_acknowledged_does_not_come_again,
            a_cancelled_consumer_gets_no_more,
            properties_come_back_unchanged,
            a_large_body_comes_back_unchanged,
            a_client_connects_again_after_a_crash,
            an_idle_connection_lives_by_heartbeats,
            a_killed_clients_messages_return_at_once,
            exclusive_queues_end_with_their_connection,
            a_stream_is_read_from_where_its_consumer_says,
        }
    };
}

/// It does not tell its user that a consumer is cancelled, and lets nobody acknowledge twice.
mod aio_pika {
    use super::Kind;
    can_what_all_can!(Kind::AioPika);
    can! { Kind::AioPika;
        a_connection_comes_back_by_itself,
        transactions_publish_together,
    }
}

/// It has no transactions.
mod amqplib {
    use super::Kind;
    can_what_all_can!(Kind::Amqplib);
    can!(Kind::Amqplib; a_consumer_is_told_that_its_queue_is_gone);
}

mod go {
    use super::Kind;
    can_what_all_can!(Kind::Go);
    can! { Kind::Go;
    a_consumer_is_told_that_its_queue_is_gone,
    transactions_acknowledge_with_what_they_publish,
        transactions_publish_together,
    }
}

mod java {
    use super::Kind;
    can_what_all_can!(Kind::Java);
    can! { Kind::Java;
    a_connection_comes_back_by_itself,
    a_consumer_is_told_that_its_queue_is_gone,
    transactions_acknowledge_with_what_they_publish,
        transactions_publish_together,
    }
}

mod lapin {
    use super::Kind;
    can_what_all_can!(Kind::Lapin);
    can! { Kind::Lapin;
    a_consumer_is_told_that_its_queue_is_gone,
    transactions_acknowledge_with_what_they_publish,
        transactions_publish_together,
    }
}

mod pika {
    use super::Kind;
    can_what_all_can!(Kind::Pika);
    can! { Kind::Pika;
    a_consumer_is_told_that_its_queue_is_gone,
    transactions_acknowledge_with_what_they_publish,
        transactions_publish_together,
    }
}

/// A server, and a client of `kind` whose channel confirms.
fn pair(kind: Kind) -> (Gantry, Session) {
    let gantry = Gantry::start(&[]).unwrap();
    let session = Session::confirming(kind, &gantry);
    (gantry, session)
}

fn a_queue_is_declared_counted_and_deleted(kind: Kind) {
    let (_gantry, mut client) = pair(kind);
    client.tell("declare-exchange", &["name=x", "durable=true"]);
    let declared = client.tell("declare-queue", &["name=q", "durable=true"]);
    assert_eq!(declared.text("name"), Some("q"));
    client.tell("bind", &["queue=q", "exchange=x", "key=k"]);
    client.tell("publish", &["exchange=x", "key=k", "count=3"]);
    assert_eq!(client.counts("q"), (3, 0));
    let got = client.tell("get", &["queue=q", "auto_ack=true"]);
    assert_eq!(body_of(&got), "0");
    assert_eq!(got.number("left"), Some(2));
    assert_eq!(got.flag("redelivered"), Some(false));
    assert_eq!(
        (got.text("exchange"), got.text("key")),
        (Some("x"), Some("k"))
    );
    client.tell("unbind", &["queue=q", "exchange=x", "key=k"]);
    client.tell("publish", &["exchange=x", "key=k", "count=1"]);
    assert_eq!(client.counts("q"), (2, 0));
    assert_eq!(
        client.tell("purge", &["queue=q"]).number("messages"),
        Some(2)
    );
    assert_eq!(client.tell("get", &["queue=q"]).name(), "empty");
    client.tell("publish", &["key=q", "count=4"]);
    let deleted = client.tell("delete-queue", &["name=q"]);
    assert_eq!(deleted.number("messages"), Some(4));
    let refusal = client.refused("declare-queue", &["name=q", "passive=true"]);
    assert_eq!((refusal.scope.as_str(), refusal.code), ("channel", 404));
    assert_eq!(refusal.text, "NOT_FOUND - no queue 'q' in vhost '/'");
}

fn a_refusal_closes_the_channel_alone(kind: Kind) {
    let (_gantry, mut client) = pair(kind);
    client.tell("declare-queue", &["name=q", "durable=true"]);
    client.tell("open", &["channel=other"]);
    let refusal = client.refused("declare-queue", &["channel=other", "name=q"]);
    let expected = Refusal {
        scope: "channel".to_owned(),
        code: 406,
        text: "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': \
               received 'false' but current is 'true'"
            .to_owned(),
    };
    assert_eq!(refusal, expected);
    client.tell("publish", &["key=q", "count=1"]);
    client.tell("open", &["channel=other"]);
    let other = ["name=q", "passive=true", "channel=other"];
    assert_eq!(
        client.tell("declare-queue", &other).number("messages"),
        Some(1)
    );
}

fn every_publish_is_confirmed_and_in_order(kind: Kind) {
    let (_gantry, mut client) = pair(kind);
    client.tell("declare-queue", &["name=q", "durable=true"]);
    let persistent = properties(&json!({"delivery_mode": 2}));
    let confirmed = client.tell("publish", &["key=q", "count=500", &persistent]);
    assert_eq!(confirmed.number("count"), Some(500));
    assert_eq!(client.counts("q"), (500, 0));
    client.tell("consume", &["queue=q", "auto_ack=true"]);
    assert_eq!(client.bodies(500), numbers(500));
}

fn an_unroutable_mandatory_message_is_returned_and_confirmed(kind: Kind) {
    let (_gantry, mut client) = pair(kind);
    client.tell("declare-exchange", &["name=x", "type=topic"]);
    let mark = properties(&json!({"message_id": "m", "headers": {"a": 1}}));
    let publish = [
        "exchange=x",
        "key=no.body",
        "mandatory=true",
        &body("lost"),
        &mark,
    ];
    let confirmed = client.tell("publish", &publish);
    assert_eq!(confirmed.number("count"), Some(1));
    let returned = client.next("returned");
    assert_eq!(returned.number("code"), Some(312));
    assert_eq!(returned.text("text"), Some("NO_ROUTE"));
    assert_eq!(returned.text("exchange"), Some("x"));
    assert_eq!(returned.text("key"), Some("no.body"));
    assert_eq!(body_of(&returned), "lost");
    let kept = returned.value("properties").unwrap();
    assert_eq!(kept["message_id"], "m");
    assert_eq!(kept["headers"], json!({"a": 1}));
    // What can be routed is not returned, nor what need not be.
    client.tell("declare-queue", &["name=q"]);
    client.tell("publish", &["key=q", "mandatory=true", "count=1"]);
    client.tell("publish", &["exchange=x", "key=no.body", "count=1"]);
    assert_eq!(client.counts("q"), (1, 0));
    assert_eq!(client.unread("returned"), 0);
}

fn prefetch_limits_what_is_on_its_way(kind: Kind) {
    let (_gantry, mut client) = pair(kind);
    client.tell("declare-queue", &["name=q", "durable=true"]);
    client.tell("publish", &["key=q", "count=10"]);
    client.tell("qos", &["prefetch=3"]);
    client.tell("consume", &["queue=q"]);
    let first = client.deliveries(3);
    assert_eq!(client.counts("q"), (7, 1));
    client.tell("ack", &[&format!("delivery={}", first[1].2)]);
    assert_eq!(client.bodies(1), ["3"]);
    assert_eq!(client.counts("q"), (6, 1));
    client.tell(
        "ack",
        &["multiple=true", &format!("delivery={}", first[2].2)],
    );
    assert_eq!(client.bodies(2), ["4", "5"]);
    assert_eq!(client.counts("q"), (4, 1));
    assert_eq!(client.unread("received"), 0);
}

fn requeued_messages_come_again_in_order(kind: Kind) {
    let (_gantry, mut client) = pair(kind);
    client.tell("declare-queue", &["name=q", "durable=true"]);
    client.tell("publish", &["key=q", "count=6"]);
    client.tell("qos", &["prefetch=4"]);
    client.tell("consume", &["queue=q"]);
    let first = client.deliveries(4);
    assert!(first.iter().all(|(_, redelivered, _)| !redelivered));
    let delivery = |at: usize| format!("delivery={}", first[at].2);
    // One in the middle comes before all that have not been delivered.
    client.tell("nack", &[&delivery(1), "requeue=true"]);
    let (again, redelivered, number) = client.deliveries(1).remove(0);
    assert_eq!((again.as_str(), redelivered), ("1", true));
    // All that there are, in the order they had.
    let last = format!("delivery={number}");
    client.tell("nack", &[&last, "multiple=true", "requeue=true"]);
    let again = client.deliveries(4);
    let bodies: Vec<_> = again.iter().map(|(body, ..)| body.as_str()).collect();
    assert_eq!(bodies, ["0", "1", "2", "3"]);
    assert!(again.iter().all(|(_, redelivered, _)| *redelivered));
    // And what is refused for good is gone.
    let refused = format!("delivery={}", again[0].2);
    client.tell("reject", &[&refused, "requeue=false"]);
    assert_eq!(client.bodies(1), ["4"]);
    let requeued = format!("delivery={}", again[1].2);
    client.tell("reject", &[&requeued, "requeue=true"]);
    assert_eq!(client.deliveries(1)[0].0, "1");
    client.tell("recover", &[]);
    let recovered = client.deliveries(4);
    let bodies: Vec<_> = recovered.iter().map(|(body, ..)| body.as_str()).collect();
    assert_eq!(bodies, ["1", "2", "3", "4"]);
}

fn what_is_acknowledged_does_not_come_again(kind: Kind) {
    let (gantry, mut client) = pair(kind);
    client.tell("declare-queue", &["name=q", "durable=true"]);
    client.tell("publish", &["key=q", "count=5"]);
    client.tell("consume", &["queue=q"]);
    let all = client.deliveries(5);
    client.tell("ack", &[&format!("delivery={}", all[0].2)]);
    client.tell("ack", &[&format!("delivery={}", all[3].2)]);
    client.tell("disconnect", &[]);
    client.connect(&gantry);
    client.tell("open", &[]);
    client.tell("consume", &["queue=q"]);
    let again = client.deliveries(3);
    let bodies: Vec<_> = again.iter().map(|(body, ..)| body.as_str()).collect();
    assert_eq!(bodies, ["1", "2", "4"]);
    assert!(again.iter().all(|(_, redelivered, _)| *redelivered));
    assert_eq!(client.counts("q"), (0, 1));
    // The same acknowledgement again is a mistake.
    client.tell(
        "ack",
        &["multiple=true", &format!("delivery={}", again[2].2)],
    );
    assert_eq!(client.counts("q"), (0, 1));
}

fn a_cancelled_consumer_gets_no_more(kind: Kind) {
    let (_gantry, mut client) = pair(kind);
    client.tell("declare-queue", &["name=q", "durable=true"]);
    client.tell("consume", &["queue=q", "tag=first"]);
    client.tell("publish", &["key=q", "count=2"]);
    let taken = client.deliveries(2);
    client.tell("cancel", &["tag=first"]);
    client.tell("publish", &["key=q", "count=3"]);
    assert_eq!(client.counts("q"), (3, 0));
    // What it has is still its channel's.
    client.tell("ack", &[&format!("delivery={}", taken[1].2)]);
    client.tell(
        "nack",
        &[&format!("delivery={}", taken[0].2), "requeue=true"],
    );
    assert_eq!(client.unread("received"), 0);
    client.tell("consume", &["queue=q", "tag=second", "auto_ack=true"]);
    assert_eq!(client.bodies(4), ["0", "0", "1", "2"]);
}

fn a_consumer_is_told_that_its_queue_is_gone(kind: Kind) {
    let (gantry, mut client) = pair(kind);
    client.tell("declare-queue", &["name=q", "durable=true"]);
    client.tell("consume", &["queue=q", "tag=mine"]);
    let mut other = Session::confirming(Kind::Lapin, &gantry);
    other.tell("delete-queue", &["name=q"]);
    assert_eq!(client.next("cancelled").text("tag"), Some("mine"));
    // The channel goes on.
    client.tell("declare-queue", &["name=q"]);
}

fn transactions_publish_together(kind: Kind) {
    let gantry = Gantry::start(&[]).unwrap();
    let mut client = Session::with_channel(kind, &gantry, "mode=transaction");
    let mut other = Session::confirming(Kind::Lapin, &gantry);
    client.tell("declare-queue", &["name=out", "durable=true"]);
    client.tell("publish", &["key=out", "count=2"]);
    client.tell("rollback", &[]);
    assert_eq!(other.counts("out"), (0, 0));
    client.tell("publish", &["key=out", "count=3"]);
    assert_eq!(other.counts("out"), (0, 0));
    client.tell("commit", &[]);
    assert_eq!(other.counts("out"), (3, 0));
    // What is not committed ends with the channel.
    client.tell("publish", &["key=out", "count=1"]);
    client.tell("disconnect", &[]);
    assert_eq!(other.counts("out"), (3, 0));
}

fn transactions_acknowledge_with_what_they_publish(kind: Kind) {
    let gantry = Gantry::start(&[]).unwrap();
    let mut client = Session::with_channel(kind, &gantry, "mode=transaction");
    let mut other = Session::confirming(Kind::Lapin, &gantry);
    client.tell("declare-queue", &["name=in", "durable=true"]);
    client.tell("declare-queue", &["name=out", "durable=true"]);
    other.tell("publish", &["key=in", "count=3"]);
    client.tell("consume", &["queue=in"]);
    let taken = client.deliveries(3);
    let work = |client: &mut Session| {
        client.tell("publish", &["key=out", "count=1"]);
        client.tell(
            "ack",
            &[&format!("delivery={}", taken[1].2), "multiple=true"],
        );
    };
    work(&mut client);
    client.tell("rollback", &[]);
    // What was acknowledged is not, and may be again.
    work(&mut client);
    client.tell("commit", &[]);
    client.tell("ack", &[&format!("delivery={}", taken[2].2)]);
    client.tell("disconnect", &[]);
    assert_eq!(other.counts("out"), (1, 0));
    other.tell("consume", &["queue=in"]);
    assert_eq!(other.deliveries(1)[0].0, "2");
    assert_eq!(other.counts("in"), (0, 1));
}

/// Headers of every type that `kind` can send.
fn headers(kind: Kind) -> Value {
    let mut headers = json!({
        "text": "schön",
        "empty": "",
        "small": 7,
        "negative": -70_000,
        "large": 1_i64 << 40,
        "yes": true,
        "no": false,
        "nothing": null,
        "bytes": {"!bytes": "AAH/gA=="},
        "time": {"!time": 1_700_000_000},
        "price": {"!decimal": [2, 31_415]},
        "list": [1, "two", [true], {"three": 3}],
        "table": {"inner": {"deep": "down"}},
    });
    // pika has no way to send one.
    if kind != Kind::Pika {
        headers["double"] = json!(-0.125);
    }
    headers
}

fn properties_come_back_unchanged(kind: Kind) {
    let (gantry, mut client) = pair(kind);
    client.tell("declare-queue", &["name=q", "durable=true"]);
    let all = json!({
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "headers": headers(kind),
        "delivery_mode": 2,
        "priority": 9,
        "correlation_id": "correlation",
        "reply_to": "replies",
        "expiration": "60000000",
        "message_id": "message",
        "timestamp": 1_700_000_001,
        "type": "greeting",
        "user_id": "guest",
        "app_id": "tests",
    });
    client.tell(
        "publish",
        &["key=q", &body([0, 255, 13, 10]), &properties(&all)],
    );
    client.tell("publish", &["key=q", &body("")]);
    client.tell("get", &["queue=q"]);
    let mut other = Session::confirming(Kind::Lapin, &gantry);
    client.tell("recover", &[]);
    client.tell("consume", &["queue=q"]);
    let (full, bare) = (client.next("received"), client.next("received"));
    assert_eq!(full.bytes("value"), Some(vec![0, 255, 13, 10]));
    assert_eq!(full.value("properties"), Some(&all));
    assert_eq!(bare.bytes("value"), Some(Vec::new()));
    // And another client sees the same.
    client.tell("disconnect", &[]);
    let seen = other.tell("get", &["queue=q"]);
    assert_eq!(seen.value("properties"), Some(&all));
}

fn a_large_body_comes_back_unchanged(kind: Kind) {
    let (_gantry, mut client) = pair(kind);
    client.tell("declare-queue", &["name=q", "durable=true"]);
    // Of every length around a frame's there is one.
    let large: Vec<u8> = (0..1 << 20)
        .map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let frame = 131_072 - 8;
    let lengths = [large.len(), frame - 1, frame, frame + 1];
    for length in lengths {
        client.tell("publish", &["key=q", &body(&large[..length])]);
    }
    client.tell("consume", &["queue=q", "auto_ack=true"]);
    for length in lengths {
        let received = client.next("received").bytes("value").unwrap();
        assert!(received == large[..length], "{length} bytes");
    }
}

fn a_client_connects_again_after_a_crash(kind: Kind) {
    let (mut gantry, mut client) = pair(kind);
    client.tell(
        "declare-exchange",
        &["name=x", "type=topic", "durable=true"],
    );
    client.tell("declare-queue", &["name=kept", "durable=true"]);
    client.tell("bind", &["queue=kept", "exchange=x", "key=a.#"]);
    let persistent = properties(&json!({"delivery_mode": 2}));
    client.tell(
        "publish",
        &["exchange=x", "key=a.b", "count=5", &persistent],
    );
    client.tell("consume", &["queue=kept"]);
    client.deliveries(5);
    gantry.kill().unwrap();
    assert_eq!(client.closed().scope, "connection");
    gantry.restart().unwrap();
    client.connect(&gantry);
    client.tell("open", &["mode=confirm"]);
    client.tell("publish", &["exchange=x", "key=a", "count=1", &persistent]);
    client.tell("consume", &["queue=kept"]);
    let again = client.bodies(6);
    assert_eq!(again, ["0", "1", "2", "3", "4", "0"]);
}

/// With its exclusive queue, its bindings and its consumer.
fn a_connection_comes_back_by_itself(kind: Kind) {
    let mut gantry = Gantry::start(&[]).unwrap();
    let mut client = Session::start(kind);
    let address = format!("amqp={}", gantry.amqp().unwrap());
    client.tell("connect", &[&address, "recovery=true"]);
    client.tell("open", &["mode=confirm"]);
    client.tell("declare-exchange", &["name=x", "type=fanout"]);
    client.tell("declare-queue", &["name=mine", "exclusive=true"]);
    client.tell("bind", &["queue=mine", "exchange=x"]);
    client.tell("consume", &["queue=mine", "auto_ack=true"]);
    gantry.kill().unwrap();
    gantry.restart().unwrap();
    client.next("recovered");
    let mut other = Session::confirming(Kind::Lapin, &gantry);
    other.tell("publish", &["exchange=x", "count=2"]);
    assert_eq!(client.bodies(2), ["0", "1"]);
    client.tell("publish", &["exchange=x", &body("mine")]);
    assert_eq!(client.bodies(1), ["mine"]);
}

fn an_idle_connection_lives_by_heartbeats(kind: Kind) {
    let gantry = Gantry::start(&[]).unwrap();
    let mut client = Session::start(kind);
    let address = format!("amqp={}", gantry.amqp().unwrap());
    client.tell("connect", &[&address, "heartbeat=1"]);
    client.tell("open", &["mode=confirm"]);
    client.tell("declare-queue", &["name=q"]);
    client.tell("consume", &["queue=q", "auto_ack=true"]);
    // Either side would be dead to the other after two seconds of silence.
    assert!(client.is_silent_for(Duration::from_secs(4)));
    client.tell("publish", &["key=q", "count=1"]);
    assert_eq!(client.bodies(1), ["0"]);
}

fn a_killed_clients_messages_return_at_once(kind: Kind) {
    let (gantry, mut victim) = pair(kind);
    victim.tell("declare-queue", &["name=q", "durable=true"]);
    victim.tell("publish", &["key=q", "count=20"]);
    victim.tell("consume", &["queue=q"]);
    let taken = victim.deliveries(20);
    victim.tell("ack", &[&format!("delivery={}", taken[2].2)]);
    assert_eq!(victim.counts("q"), (0, 1));
    let mut heir = Session::confirming(Kind::Lapin, &gantry);
    heir.tell("consume", &["queue=q"]);
    assert_eq!(heir.counts("q"), (0, 2));
    let killed = now();
    victim.kill();
    let inherited = heir.deliveries(19);
    assert!(
        killed.elapsed() < Duration::from_secs(5),
        "{:?}",
        killed.elapsed()
    );
    let mut expected = numbers(20);
    expected.remove(2);
    let bodies: Vec<_> = inherited.iter().map(|(body, ..)| body.clone()).collect();
    assert_eq!(bodies, expected);
    assert!(inherited.iter().all(|(_, redelivered, _)| *redelivered));
    assert_eq!(heir.counts("q"), (0, 1));
}

fn exclusive_queues_end_with_their_connection(kind: Kind) {
    let (gantry, mut owner) = pair(kind);
    let declared = owner.tell("declare-queue", &["exclusive=true"]);
    let name = declared.text("name").unwrap().to_owned();
    assert!(name.starts_with("amq.gen-"), "{name}");
    owner.tell("publish", &[&format!("key={name}"), "count=1"]);
    let passive = [&format!("name={name}"), "passive=true"];
    let mut other = Session::confirming(Kind::Lapin, &gantry);
    let refusal = other.refused("declare-queue", &passive);
    assert_eq!((refusal.scope.as_str(), refusal.code), ("channel", 405));
    owner.tell("disconnect", &[]);
    other.tell("open", &[]);
    let refusal = other.refused("declare-queue", &passive);
    assert_eq!((refusal.scope.as_str(), refusal.code), ("channel", 404));
}

fn a_stream_is_read_from_where_its_consumer_says(kind: Kind) {
    let (_gantry, mut client) = pair(kind);
    let stream = r#"arguments={"x-queue-type":"stream","x-max-age":"7D"}"#;
    client.tell("declare-queue", &["name=s", "durable=true", stream]);
    client.tell("publish", &["key=s", "count=10"]);
    client.tell("qos", &["prefetch=2"]);
    let from = [r#"arguments={"x-stream-offset":4}"#, "tag=t"];
    client.tell("consume", &["queue=s", from[0], from[1]]);
    for number in (4..10).step_by(2) {
        let mut last = None;
        for number in [number, number + 1] {
            let event = client.next("received");
            assert_eq!(body_of(&event), number.to_string());
            let properties = event.value("properties").unwrap();
            assert_eq!(properties["headers"]["x-stream-offset"], json!(number));
            last = event.number("delivery");
        }
        let last = format!("delivery={}", last.unwrap());
        client.tell("ack", &[&last, "multiple=true"]);
    }
    client.tell("cancel", &["tag=t"]);
    assert_eq!(client.counts("s"), (10, 0));
}
