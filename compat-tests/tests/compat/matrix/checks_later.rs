//! Checks of what a client gets again, later or in order, and of what it tells about itself.

use super::scene::Scene;
use crate::samples::{named, with_value};
use compat_tests::lines::{Event, Message};

const REFUSED: &str = "2";

fn text(event: &Event) -> String {
    String::from_utf8(event.bytes("value").unwrap()).unwrap()
}

pub fn push_orderly(scene: &Scene) {
    let mut producer = scene.producer(&[]);
    let message = |number: i32, queue| {
        let message = Message::of(format!("{queue} {number}")).to(queue);
        let is_refused = number.to_string() == REFUSED;
        message.header("TAGS", if is_refused { "later" } else { "now" })
    };
    let messages: Vec<_> = (0..5)
        .flat_map(|number| [message(number, 0), message(number, 1)])
        .collect();
    producer.send(&messages);
    let group = scene.group("order");
    let arguments = [&group, "orderly=true", "later=later", "refusals=2"];
    let mut consumer = scene.start("push", &arguments);
    for queue in 0..2 {
        consumer.until_received(&format!("{queue} 4"));
    }
    for queue in 0..2 {
        let of_queue = |event: &&Event| event.number("partition") == Some(queue);
        let received: Vec<_> = named(&consumer.events, "received")
            .filter(of_queue)
            .map(|event| (text(event), event.number("attempt").unwrap()))
            .collect();
        let expected = [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (3, 0), (4, 0)];
        let expected = expected.map(|(number, attempt)| (format!("{queue} {number}"), attempt));
        assert_eq!(received, expected, "nothing overtakes what is refused");
    }
}

pub fn retry(scene: &Scene) {
    let mut producer = scene.producer(&[]);
    producer.send(&[Message::of("first")]);
    let group = scene.group("refusers");
    let arguments = [&group, "later=later", "refusals=9", "max-attempts=2"];
    let mut consumer = scene.start("push", &arguments);
    consumer.until_received("first");
    producer.send(&[
        Message::of("refused").header("TAGS", "later").key("k"),
        Message::of("taken").header("TAGS", "other"),
    ]);
    let attempts = |events: &[Event], value: &str| -> Vec<i64> {
        let received = named(events, "received").filter(|event| text(event) == value);
        let attempts = received.map(|event| event.number("attempt").unwrap());
        attempts.collect()
    };
    // Once, and as often again as the group asks for.
    consumer.until(|events| attempts(events, "refused").len() == 3);
    consumer.until_received("taken");
    assert_eq!(attempts(&consumer.events, "refused"), [0, 1, 2]);
    assert_eq!(attempts(&consumer.events, "taken"), [0]);
    // The consumer stays: Go's does not wait on leaving until it has sent back what it refused.
    let topic = format!("topic=%DLQ%{}-refusers", scene.name);
    let undertaker = scene.group("undertaker");
    let [dead] = scene.run([&["push", &topic, &undertaker, "count=1"]], &[]);
    let dead: Vec<_> = named(&dead, "received").collect();
    assert_eq!(dead.len(), 1);
    assert_eq!(text(dead[0]), "refused");
    assert_eq!(dead[0].text("keys"), Some("k"));
}

/// Sends `messages`, each after the property that delays it with how many milliseconds that is.
fn delays(scene: &Scene, messages: &[(&str, &str, i64)]) {
    let mut producer = scene.producer(&[]);
    let delayed = messages.iter().map(|(property, value, _)| {
        let name = format!("{property} {value}");
        Message::of(name).header(property, *value)
    });
    let all: Vec<_> = delayed.chain([Message::of("now")]).collect();
    producer.send(&all);
    let mut consumer = scene.start("push", &[&scene.group("waits")]);
    for message in &all {
        consumer.until_received(std::str::from_utf8(message.value.as_ref().unwrap()).unwrap());
    }
    for (property, value, least) in messages {
        let event = with_value(&consumer.events, format!("{property} {value}").as_bytes());
        let waited = event.number("stored").unwrap() - event.number("born").unwrap();
        assert!(waited >= *least, "{property} {value}: {waited} ms");
    }
}

pub fn delay_level(scene: &Scene) {
    delays(scene, &[("DELAY", "1", 1_000), ("DELAY", "2", 1_000)]);
}

pub fn delay_time(scene: &Scene) {
    let messages = [
        ("TIMER_DELAY_MS", "1300", 1_300),
        ("TIMER_DELAY_SEC", "4", 4_000),
    ];
    delays(scene, &messages);
}

/// The records of a trace message, each its fields.
fn records(body: &str) -> Vec<Vec<&str>> {
    let records = body.split('\u{2}').filter(|record| !record.is_empty());
    records
        .map(|record| record.split('\u{1}').collect())
        .collect()
}

pub fn trace(scene: &Scene) {
    let mut producer = scene.producer(&["trace=true"]);
    let sent = producer.send(&[Message::of("traced").key("traced-key")]);
    let id = sent[0].text("id").unwrap().to_owned();
    let mut consumer = scene.start("push", &["trace=true", &scene.group("traced")]);
    consumer.until_received("traced");
    // Both stay: one that leaves gives what it has not told yet half a second.
    let topic = "topic=RMQ_SYS_TRACE_TOPIC";
    let mut reader = scene.start("push", &[topic, &scene.group("reader")]);
    // The fields from the kind on, and which of them is the id.
    for (kind, place) in [("Pub", 5), ("SubBefore", 5), ("SubAfter", 2)] {
        reader.until(|events| {
            named(events, "received").any(|event| {
                let body = text(event);
                let mut records = records(&body).into_iter();
                records
                    .any(|record| record.first() == Some(&kind) && record.get(place) == Some(&&*id))
            })
        });
    }
    let mut received = named(&reader.events, "received");
    let has_id = |event: &Event| event.text("keys").is_some_and(|keys| keys.contains(&id));
    assert!(
        received.any(has_id),
        "the key of a trace is the message's id"
    );
}

pub fn transactions(scene: &Scene) {
    let mut producer = scene.start("transact", &[&scene.group("transactors")]);
    producer.until(|events| named(events, "ready").next().is_some());
    let ends = [
        ("kept", "commit", "rollback"),
        ("dropped", "rollback", "commit"),
        ("kept when asked", "unknown", "commit"),
        ("dropped when asked", "unknown", "rollback"),
    ];
    for (value, end, check) in ends {
        let message = Message::of(value).header("END", end).header("CHECK", check);
        producer.client.write(&message.line()).unwrap();
    }
    let checked = |events: &[Event], value: &str| {
        named(events, "checked").any(|event| event.bytes("value").unwrap() == value.as_bytes())
    };
    producer.until(|events| {
        checked(events, "kept when asked") && checked(events, "dropped when asked")
    });
    let mut consumer = scene.start("push", &[&scene.group("readers")]);
    consumer.until_received("kept");
    consumer.until_received("kept when asked");
    let dropped = |event: &Event| text(event).starts_with("dropped");
    assert!(!named(&consumer.events, "received").any(dropped));
}

pub fn request_reply(scene: &Scene) {
    // The topic comes to be before anybody waits for its messages.
    scene.producer(&[]).send(&[Message::of("first")]);
    let mut answerer = scene.start("answer", &[&scene.group("answerers")]);
    answerer.until(|events| named(events, "ready").next().is_some());
    let mut asker = scene.start("ask", &[&scene.group("askers")]);
    for value in ["one", "two"] {
        asker.client.write(&Message::of(value).line()).unwrap();
    }
    asker.until(|events| {
        assert_eq!(named(events, "lost").next(), None);
        named(events, "answered").count() == 2
    });
    let answers: Vec<_> = named(&asker.events, "answered").map(text).collect();
    assert_eq!(answers, ["re: one", "re: two"]);
}
