//! Steps 26, 28 and 31: messages and queues that expire, and where dead letters go.

use super::broker::Broker;
use super::client::{
    Argument, Client, consume, due, mandatory, publish, queue_named, short, table, text, texts,
};
use super::wire::{Heard, Message};
use compat_tests::process::now;
use gantry_amqp::codec::method::{basic, queue};
use gantry_amqp::codec::table::ArrayBuilder;
use gantry_amqp::codec::{PropertyList, ServerMethod, TableView, Value};
use std::time::Duration;

/// Long enough for what takes 100 ms to be over, were it not held back.
const A_WHILE: Duration = Duration::from_millis(400);

fn expiring(expiration: &str) -> PropertyList<'_> {
    PropertyList {
        expiration: Some(expiration.as_bytes()),
        ..PropertyList::default()
    }
}

/// A queue on channel 1 whose dead letters are consumed there as `dead`.
struct Cemetery {
    client: Client,
    queue: String,
    dead: String,
}

impl Cemetery {
    /// With `arguments` of the queue besides.
    fn new(broker: &Broker, arguments: &[Argument<'_>]) -> Self {
        Self::declared(broker, queue::Declare::default(), arguments)
    }

    fn declared(broker: &Broker, of: queue::Declare, arguments: &[Argument<'_>]) -> Self {
        let mut client = Client::with_channel(broker);
        let (queue, dead) = (broker.name("queue"), broker.name("dead"));
        client.private_queue(1, &dead);
        client.consume_with(
            1,
            basic::Consume {
                no_ack: true,
                ..consume(&dead, "dead")
            },
        );
        let to_dead = [
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(&dead)),
        ];
        let arguments = table(&[&to_dead, arguments].concat());
        let declare = queue::Declare {
            arguments,
            queue: short(&queue),
            ..of
        };
        client.declare(1, declare);
        Self {
            client,
            queue,
            dead,
        }
    }

    fn publish(&mut self, properties: PropertyList<'_>, text: &str) {
        let to = publish("", &self.queue);
        self.client.publish_with(1, to, properties, text);
    }
}

/// The deaths of a message, the last first.
fn deaths(message: &Message) -> Vec<TableView<'_>> {
    let Some(Value::Array(deaths)) = message.header("x-death") else {
        panic!("no x-death in {message:?}");
    };
    let tables = deaths.iter().map(|death| match death {
        Value::Table(table) => table,
        other => panic!("{other:?} is no death"),
    });
    tables.collect()
}

/// How often, why and where.
fn death<'a>(death: &TableView<'a>) -> (i64, &'a str, &'a str) {
    let text = |name| death.get(name).and_then(Value::text).unwrap();
    let Some(Value::I64(count)) = death.get("count") else {
        panic!("no count in {death:?}");
    };
    (count, text("reason"), text("queue"))
}

#[test]
fn step_26_messages_expire_at_the_head_of_their_queue() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut scene = Cemetery::new(&broker, &[]);
    scene.publish(PropertyList::default(), "first");
    scene.publish(expiring("50"), "second");
    scene.publish(expiring("100"), "third");
    // They wait behind one that does not expire.
    assert!(scene.client.message_within(1, A_WHILE).is_none());
    assert_eq!(scene.client.look(1, &scene.queue).0, 3);
    scene.client.send(
        1,
        basic::Get {
            queue: short(&scene.queue),
            ..basic::Get::default()
        },
    );
    let mut messages = scene.client.messages(1, 3);
    // The dead come in their order, and the answer before or behind them.
    messages.sort_by_key(|message| matches!(message.method, ServerMethod::BasicDeliver(_)));
    assert_eq!(texts(&messages), ["first", "second", "third"]);
    assert_eq!(scene.client.look(1, &scene.queue).0, 0);
}

#[test]
fn step_26_the_shorter_life_counts() {
    let Some(broker) = Broker::start() else {
        return;
    };
    for (queue_ttl, expiration) in [(100, "60000"), (60_000, "100")] {
        let ttl = [("x-message-ttl", Value::I32(queue_ttl))];
        let mut scene = Cemetery::new(&broker, &ttl);
        let began = now();
        scene.publish(expiring(expiration), "x");
        scene.client.message(1);
        let took = began.elapsed();
        let expected = Duration::from_millis(80)..Duration::from_secs(5);
        assert!(expected.contains(&took), "{took:?}");
    }
}

#[test]
fn step_26_a_life_of_nothing_is_for_consumers_that_are_there() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut scene = Cemetery::new(&broker, &[("x-message-ttl", Value::I32(0))]);
    scene.publish(PropertyList::default(), "nobody");
    assert_eq!(scene.client.message(1).text(), "nobody");
    scene.client.open(2);
    let no_ack = basic::Consume {
        no_ack: true,
        ..consume(&scene.queue, "t")
    };
    scene.client.consume_with(2, no_ack);
    scene.publish(PropertyList::default(), "somebody");
    assert_eq!(scene.client.message(2).text(), "somebody");
    scene.client.close_channel(2);
    scene.publish(expiring("0"), "nobody again");
    assert_eq!(scene.client.message(1).text(), "nobody again");
}

#[test]
fn step_26_a_death_is_told_in_full() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut scene = Cemetery::new(&broker, &[]);
    let headers = table(&[("own", text("kept"))]);
    let properties = PropertyList {
        headers: Some(headers.view()),
        message_id: Some(b"id"),
        delivery_mode: Some(2),
        ..expiring("50")
    };
    scene.publish(properties, "body");
    let message = scene.client.message(1);
    assert_eq!(message.text(), "body");
    assert_eq!(message.origin(), ("", scene.dead.as_str()));
    assert!(!message.redelivered());
    let kept = message.properties.list().unwrap();
    assert_eq!(kept.expiration, None, "or it would expire again");
    assert_eq!(
        (kept.message_id, kept.delivery_mode),
        (Some(&b"id"[..]), Some(2))
    );
    let names: Vec<_> = kept
        .headers
        .unwrap()
        .iter()
        .map(|field| field.name)
        .collect();
    let expected = [
        "own",
        "x-death",
        "x-first-death-exchange",
        "x-first-death-queue",
    ];
    let expected: Vec<&[u8]> = expected.iter().map(|name| name.as_bytes()).collect();
    assert_eq!(names[..4], expected);
    assert_eq!(names[4..], [b"x-first-death-reason"]);
    assert_eq!(message.header("x-first-death-exchange"), Some(text("")));
    assert_eq!(
        message.header("x-first-death-queue"),
        Some(text(&scene.queue))
    );
    assert_eq!(
        message.header("x-first-death-reason"),
        Some(text("expired"))
    );
    let deaths = deaths(&message);
    assert_eq!(deaths.len(), 1);
    let mut keys = ArrayBuilder::new();
    keys.push(text(&scene.queue));
    let fields: Vec<_> = deaths[0].iter().collect();
    let expected = [
        ("count", Value::I64(1)),
        ("reason", text("expired")),
        ("queue", text(&scene.queue)),
        ("time", fields[3].value),
        ("exchange", text("")),
        ("routing-keys", Value::Array(keys.view())),
        ("original-expiration", text("50")),
    ];
    let fields: Vec<_> = fields
        .iter()
        .map(|field| (field.name, field.value))
        .collect();
    let expected = expected.map(|(name, value)| (name.as_bytes(), value));
    assert_eq!(fields, expected);
    let Value::Timestamp(seconds) = expected[3].1 else {
        panic!("{:?} is no time", expected[3]);
    };
    assert!(
        (1_700_000_000..5_000_000_000).contains(&seconds),
        "{seconds}"
    );
}

#[test]
fn step_26_rejected_messages_die_and_requeued_ones_keep_their_time() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut scene = Cemetery::new(&broker, &[]);
    scene.client.open(2);
    scene.publish(PropertyList::default(), "rejected");
    scene.client.consume(2, &scene.queue, "t");
    let tag = scene.client.message(2).tag();
    scene.client.reject(2, tag);
    let message = scene.client.message(1);
    let deaths = deaths(&message);
    assert_eq!(death(&deaths[0]), (1, "rejected", &*scene.queue));
    assert_eq!(deaths[0].get("original-expiration"), None);
    scene.publish(expiring("300"), "requeued");
    let began = now();
    let tag = scene.client.message(2).tag();
    let cancel = basic::Cancel {
        consumer_tag: short("t"),
        no_wait: false,
    };
    due!(scene.client.call(2, cancel), BasicCancelOk);
    scene.client.requeue(2, tag);
    assert_eq!(scene.client.message(1).text(), "requeued");
    assert!(began.elapsed() > Duration::from_millis(250));
}

#[test]
fn step_26_what_is_purged_or_deleted_or_acknowledged_is_no_dead_letter() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut scene = Cemetery::new(&broker, &[]);
    for _ in 0..3 {
        scene.publish(PropertyList::default(), "x");
    }
    let got = scene.client.get(1, &scene.queue).unwrap();
    scene.client.ack(1, got.tag());
    let purge = queue::Purge {
        queue: short(&scene.queue),
        ..queue::Purge::default()
    };
    assert_eq!(
        due!(scene.client.call(1, purge), QueuePurgeOk).message_count,
        2
    );
    scene.publish(PropertyList::default(), "x");
    assert_eq!(scene.client.delete_queue(1, &scene.queue), 1);
    assert!(scene.client.message_within(1, A_WHILE).is_none());
}

/// A queue whose rejected messages go to a fanout exchange with one other queue; a message with
/// copies to two further keys, dead there.
fn dead_with_copies(broker: &Broker, routing_key: Option<&str>) -> Message {
    let mut client = Client::with_channel(broker);
    let [queue, dead, exchange] = ["queue", "dead", "exchange"].map(|role| broker.name(role));
    client.declare_exchange(1, &exchange, "fanout");
    client.private_queue(1, &dead);
    client.bind(1, &dead, &exchange, "");
    let mut arguments = vec![("x-dead-letter-exchange", text(&exchange))];
    arguments.extend(routing_key.map(|key| ("x-dead-letter-routing-key", text(key))));
    client.private_queue_with(1, &queue, &arguments);
    let (mut open, mut blind) = (ArrayBuilder::new(), ArrayBuilder::new());
    open.push(text(&queue));
    blind.push(text("blind"));
    let headers = table(&[
        ("CC", Value::Array(open.view())),
        ("BCC", Value::Array(blind.view())),
    ]);
    let properties = PropertyList {
        headers: Some(headers.view()),
        ..PropertyList::default()
    };
    client.consume(1, &queue, "t");
    client.publish_with(1, publish("", "steps-nowhere"), properties, "x");
    let tag = client.message(1).tag();
    client.reject(1, tag);
    client.consume(1, &dead, "dead");
    let message = client.message(1);
    assert_eq!(message.origin().0, exchange);
    let deaths = deaths(&message);
    let Some(Value::Array(keys)) = deaths[0].get("routing-keys") else {
        panic!("no keys");
    };
    let keys: Vec<_> = keys.iter().collect();
    assert_eq!(keys, [text("steps-nowhere"), text(&queue)]);
    message.clone()
}

#[test]
fn step_26_a_dead_letter_keeps_its_keys_unless_it_gets_another() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let kept = dead_with_copies(&broker, None);
    assert_eq!(kept.origin().1, "steps-nowhere");
    assert!(kept.header("CC").is_some() && kept.header("BCC").is_none());
    let changed = dead_with_copies(&broker, Some("another"));
    assert_eq!(changed.origin().1, "another");
    assert!(changed.header("CC").is_none() && changed.header("BCC").is_none());
}

#[test]
fn step_26_dead_letters_for_an_exchange_that_is_not_there_are_dropped() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (queue, exchange) = (broker.name("queue"), broker.name("missing"));
    let arguments = [
        ("x-dead-letter-exchange", text(&exchange)),
        ("x-message-ttl", Value::I32(0)),
    ];
    client.private_queue_with(1, &queue, &arguments);
    client.fill(&queue, &["lost", "lost"]);
    assert_eq!(client.drain(1, &queue), [""; 0]);
}

#[test]
fn step_28_a_message_that_expires_into_its_own_queue_is_dropped() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let [queue, seen, exchange] = ["queue", "seen", "exchange"].map(|role| broker.name(role));
    client.declare_exchange(1, &exchange, "fanout");
    let arguments = [
        ("x-dead-letter-exchange", text(&exchange)),
        ("x-message-ttl", Value::I32(50)),
    ];
    client.private_queue_with(1, &queue, &arguments);
    client.private_queue(1, &seen);
    client.bind(1, &queue, &exchange, "");
    client.bind(1, &seen, &exchange, "");
    client.consume_with(
        1,
        basic::Consume {
            no_ack: true,
            ..consume(&seen, "seen")
        },
    );
    client.publish(1, &queue, "x");
    assert_eq!(client.message(1).text(), "x");
    // It went once around, and not a second time.
    assert!(client.message_within(1, A_WHILE).is_none());
    assert_eq!(client.look(1, &queue).0, 0);
}

#[test]
fn step_28_a_circle_of_queues_drops_what_only_expired() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let [one, two, seen, exchange] = ["one", "two", "seen", "x"].map(|role| broker.name(role));
    client.declare_exchange(1, &exchange, "fanout");
    let ttl = ("x-message-ttl", Value::I32(50));
    let to_two = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&two)),
        ttl,
    ];
    client.private_queue_with(1, &one, &to_two);
    client.private_queue_with(1, &two, &[("x-dead-letter-exchange", text(&exchange)), ttl]);
    client.private_queue(1, &seen);
    client.bind(1, &one, &exchange, "");
    client.bind(1, &seen, &exchange, "");
    client.consume_with(
        1,
        basic::Consume {
            no_ack: true,
            ..consume(&seen, "seen")
        },
    );
    client.publish(1, &one, "x");
    let message = client.message(1);
    let deaths: Vec<_> = deaths(&message).iter().map(death).collect();
    assert_eq!(deaths, [(1, "expired", &*two), (1, "expired", &*one)]);
    assert_eq!(message.header("x-first-death-queue"), Some(text(&one)));
    assert!(client.message_within(1, A_WHILE).is_none());
    assert_eq!((client.look(1, &one).0, client.look(1, &two).0), (0, 0));
}

#[test]
fn step_28_a_rejection_keeps_a_circle_going() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (work, wait) = (broker.name("work"), broker.name("wait"));
    let to = |queue| {
        [
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(queue)),
        ]
    };
    client.private_queue_with(1, &work, &to(&wait));
    let ttl = [("x-message-ttl", Value::I32(50))];
    client.private_queue_with(1, &wait, &[&to(&work)[..], &ttl].concat());
    client.consume(1, &work, "t");
    client.publish(1, &work, "x");
    for round in 0..4 {
        let message = client.message(1);
        if round > 0 {
            let deaths: Vec<_> = deaths(&message).iter().map(death).collect();
            let expected = [(round, "expired", &*wait), (round, "rejected", &*work)];
            assert_eq!(deaths, expected);
            assert_eq!(
                message.header("x-first-death-reason"),
                Some(text("rejected"))
            );
        }
        client.reject(1, message.tag());
    }
}

/// Whether a queue is there, without using it.
fn is_there(client: &mut Client, queue: &str) -> bool {
    let none = PropertyList::default();
    client.publish_with(2, mandatory("", queue), none, "probe");
    match client.wire.hear() {
        Heard::Method(2, ServerMethod::BasicAck(_)) => true,
        Heard::Message(2, _) => {
            due!(client.hear(2), BasicAck);
            false
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn step_31_a_queue_that_nobody_uses_expires() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.open(2);
    client.confirm_select(2);
    let queue = broker.name("queue");
    client.private_queue_with(1, &queue, &[("x-expires", Value::I32(300))]);
    let began = now();
    while is_there(&mut client, &queue) {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    assert!(began.elapsed() > Duration::from_millis(250));
    let passive = queue::Declare {
        passive: true,
        ..queue_named(&queue)
    };
    assert_eq!(client.refused(1, passive).reply_code, 404);
}

#[test]
fn step_31_declaring_asking_and_consuming_are_uses() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.open(2);
    client.confirm_select(2);
    let queue = broker.name("queue");
    let expires = [("x-expires", Value::I32(400))];
    client.private_queue_with(1, &queue, &expires);
    let began = now();
    while began.elapsed() < Duration::from_millis(900) {
        client.look(1, &queue);
    }
    while began.elapsed() < Duration::from_millis(1_600) {
        assert!(client.get(1, &queue).is_none());
    }
    while began.elapsed() < Duration::from_millis(2_300) {
        client.private_queue_with(1, &queue, &expires);
    }
    client.consume(1, &queue, "t");
    assert!(
        client
            .message_within(1, Duration::from_millis(900))
            .is_none()
    );
    client.publish(1, &queue, "x");
    assert_eq!(client.message(1).text(), "x");
    let cancel = basic::Cancel {
        consumer_tag: short("t"),
        no_wait: false,
    };
    due!(client.call(1, cancel), BasicCancelOk);
    let began = now();
    while is_there(&mut client, &queue) {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    assert!(began.elapsed() > Duration::from_millis(300));
}

#[test]
fn step_31_messages_of_an_expired_queue_are_no_dead_letters() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut scene = Cemetery::new(&broker, &[("x-expires", Value::I32(100))]);
    scene.publish(PropertyList::default(), "x");
    assert!(scene.client.message_within(1, A_WHILE).is_none());
    let passive = queue::Declare {
        passive: true,
        ..queue_named(&scene.queue)
    };
    assert_eq!(scene.client.refused(1, passive).reply_code, 404);
}
