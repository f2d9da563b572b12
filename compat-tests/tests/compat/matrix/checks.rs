//! How each operation is checked, with whatever client the scene has.

pub use super::checks_later::{
    delay_level, delay_time, push_orderly, request_reply, retry, trace, transactions,
};

use super::scene::Scene;
use crate::rocketmq_clients::assert_message;
use crate::samples::{Member, messages, named, with_value};
use compat_tests::lines::{Event, Message};
use compat_tests::process::{PATIENCE, now};
use std::collections::BTreeSet;
use std::time::Duration;

const QUEUES: usize = 4;

/// Sends in the way of `mode` and reads it back: what was acknowledged, what came.
fn sends(scene: &Scene, mode: &str) -> (Vec<Event>, Vec<Event>) {
    let messages = messages(mode);
    let (mode, count) = (format!("mode={mode}"), format!("count={}", messages.len()));
    let [sent, received] = scene.run(
        [
            &["produce", &mode],
            &["push", &scene.group("readers"), &count],
        ],
        &[&messages],
    );
    assert!(named(&sent, "sent").all(|event| event.text("status") == Some("SEND_OK")));
    for message in &messages {
        let event = with_value(&received, message.value.as_ref().unwrap());
        assert_message(message, event);
    }
    (sent, received)
}

/// Every acknowledgement tells where its message is.
fn assert_places(mode: &str, sent: &[Event], received: &[Event]) {
    let sent: Vec<_> = named(sent, "sent").collect();
    let messages = messages(mode);
    assert_eq!(sent.len(), messages.len());
    for (message, sent) in messages.iter().zip(sent) {
        let received = with_value(received, message.value.as_ref().unwrap());
        assert_is_at(received, sent.number("partition"), sent.number("offset"));
        assert_eq!(received.text("id"), sent.text("id"));
    }
}

/// Not every client learns the queue of what it sent.
fn assert_is_at(received: &Event, queue: Option<i64>, offset: Option<i64>) {
    assert_eq!(received.number("offset"), offset);
    assert!(queue.is_none() || received.number("partition") == queue);
}

pub fn send_sync(scene: &Scene) {
    let (sent, received) = sends(scene, "sync");
    assert_places("sync", &sent, &received);
}

pub fn send_async(scene: &Scene) {
    let (sent, received) = sends(scene, "async");
    assert_places("async", &sent, &received);
}

pub fn send_one_way(scene: &Scene) {
    let (sent, _) = sends(scene, "oneway");
    assert_eq!(named(&sent, "sent").count(), 0);
}

pub fn send_batch(scene: &Scene) {
    let (sent, received) = sends(scene, "batch");
    let sent: Vec<_> = named(&sent, "sent").collect();
    assert_eq!(sent.len(), 1, "one acknowledgement");
    let (queue, first) = (sent[0].number("partition"), sent[0].number("offset"));
    for (message, offset) in messages("batch").iter().zip(first.unwrap()..) {
        let event = with_value(&received, message.value.as_ref().unwrap());
        // In order.
        assert_is_at(event, queue, Some(offset));
    }
}

pub fn send_to_queue(scene: &Scene) {
    let (sent, received) = sends(scene, "selector");
    assert_places("selector", &sent, &received);
    for message in messages("selector") {
        let event = with_value(&received, message.value.as_ref().unwrap());
        assert_eq!(event.number("partition"), message.partition.map(i64::from));
    }
}

pub fn compression(scene: &Scene) {
    let body = "compressible ".repeat(10_000);
    let [_, received] = scene.run(
        [&["produce"], &["push", &scene.group("readers"), "count=1"]],
        &[&[Message::of(body.as_str())]],
    );
    let event = with_value(&received, body.as_bytes());
    let stored = usize::try_from(event.number("size").unwrap()).unwrap();
    assert!(stored < body.len() / 10, "{stored} bytes are stored");
}

/// One message for each queue.
fn round(name: &str) -> Vec<Message> {
    let message = |queue| Message::of(format!("{name} {queue}")).to(queue as i32);
    (0..QUEUES).map(message).collect()
}

fn count_of(events: &[Event], message: &Message) -> usize {
    let received = named(events, "received");
    received
        .filter(|event| event.bytes("value") == message.value)
        .count()
}

/// Reads what the members say until each of `messages` came to one of them.
fn until_anyone_received(members: &mut [Member], messages: &[Message]) {
    let deadline = now() + PATIENCE;
    loop {
        let came = |message: &&Message| {
            let counts = members
                .iter()
                .map(|member| count_of(&member.events, message));
            counts.sum::<usize>() > 0
        };
        let Some(missing) = messages.iter().find(|message| !came(message)) else {
            return;
        };
        assert!(now() < deadline, "{missing:?} came to nobody");
        for member in &mut *members {
            let event = member.client.event_within(Duration::from_millis(20));
            member.events.extend(event.unwrap());
        }
    }
}

pub fn push_concurrent(scene: &Scene) {
    let mut producer = scene.producer(&[]);
    producer.send(&round("zeroth"));
    let group = scene.group("sharers");
    let mut members = [(); 2].map(|()| scene.start("push", &[&group]));
    // Until the queues are shared whoever came first has them all.
    let deadline = now() + PATIENCE;
    for number in 0.. {
        assert!(now() < deadline, "one member has everything");
        let messages = round(&format!("round {number}"));
        producer.send(&messages);
        until_anyone_received(&mut members, &messages);
        let of = |member: &Member| {
            let counts = messages
                .iter()
                .map(|message| count_of(&member.events, message));
            counts.sum::<usize>()
        };
        let [first, second] = [of(&members[0]), of(&members[1])];
        if first == QUEUES / 2 && second == QUEUES / 2 {
            break;
        }
    }
    until_anyone_received(&mut members, &round("zeroth"));
}

pub fn broadcasting(scene: &Scene) {
    let mut producer = scene.producer(&[]);
    producer.send(&round("before"));
    let arguments = [&scene.group("everyone"), "model=broadcasting"];
    let mut members = [(); 2].map(|()| scene.start("push", &arguments));
    for member in &mut members {
        for queue in 0..QUEUES {
            member.until_received(&format!("before {queue}"));
        }
    }
    producer.send(&round("after"));
    for member in &mut members {
        for queue in 0..QUEUES {
            member.until_received(&format!("after {queue}"));
        }
    }
}

pub fn lite_pull(scene: &Scene) {
    let (first, then) = (messages("first"), [Message::of("then").to(2)]);
    let group = scene.group("polls");
    let [_, received, _, more] = scene.run(
        [
            &["produce"],
            &["litepull", &group, "count=4"],
            &["produce"],
            &["litepull", &group, "count=1"],
        ],
        &[&first, &then],
    );
    for message in &first {
        let event = with_value(&received, message.value.as_ref().unwrap());
        assert_message(message, event);
    }
    with_value(&more, b"then");
    assert_eq!(named(&more, "received").count(), 1, "the rest is committed");
}

pub fn pull(scene: &Scene) {
    let messages = messages("pulled");
    let [_, pulled] = scene.run(
        [&["produce"], &["dump", &scene.group("pulls"), "count=4"]],
        &[&messages],
    );
    let pulled: BTreeSet<_> = named(&pulled, "message")
        .map(|event| (event.bytes("value"), event.text("keys")))
        .collect();
    let sent = messages.iter().map(|message| {
        let key = std::str::from_utf8(message.key.as_ref().unwrap()).unwrap();
        (message.value.clone(), Some(key))
    });
    assert_eq!(pulled, sent.collect());
}

pub fn tag_filter(scene: &Scene) {
    let messages = messages("tagged");
    let [_, received] = scene.run(
        [
            &["produce"],
            &["push", &scene.group("odd"), "tags=odd || none", "count=2"],
        ],
        &[&messages],
    );
    let tags: Vec<_> = named(&received, "received")
        .map(|event| event.text("tags"))
        .collect();
    assert_eq!(tags, [Some("odd"); 2]);
}

pub fn query_key(scene: &Scene) {
    let group = scene.group("asks");
    let [_, found] = scene.run(
        [&["produce"], &["query", &group, "key=asked-1"]],
        &[&messages("asked")],
    );
    let found: Vec<_> = named(&found, "found")
        .map(|event| event.bytes("value").unwrap())
        .collect();
    assert_eq!(found, [b"asked 1"]);
}

pub fn query_id(scene: &Scene) {
    let mut producer = scene.producer(&[]);
    let sent = producer.send(&[Message::of("asked"), Message::of("other")]);
    let id = format!("id={}", sent[0].text("id").unwrap());
    let offset_id = format!("id={}", sent[0].text("offset_id").unwrap());
    let group = scene.group("asks");
    let by_ids = scene.run(
        [&["query", &group, &id], &["query", &group, &offset_id]],
        &[],
    );
    for found in by_ids {
        let found: Vec<_> = named(&found, "found").collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].bytes("value").unwrap(), b"asked");
    }
}

pub fn reset_offset(scene: &Scene) {
    let group = scene.group("again");
    let (old, new) = (round("old"), round("new"));
    let [_, before, _, after] = scene.run(
        [
            &["produce"],
            &["push", &group, "count=4"],
            &["produce"],
            &["push", &group, "count=4"],
        ],
        &[&old, &new],
    );
    let stored = |events| named(events, "received").map(|event| event.number("stored").unwrap());
    let time = stored(&after).min().unwrap();
    assert!(stored(&before).max().unwrap() < time);
    let time = format!("time={time}");
    let [_, again] = scene.run(
        [&["reset", &group, &time], &["litepull", &group, "count=4"]],
        &[],
    );
    for message in &new {
        with_value(&again, message.value.as_ref().unwrap());
    }
    assert_eq!(named(&again, "received").count(), new.len());
}

pub fn sql_filter(scene: &Scene) {
    let messages = [("a", "3"), ("b", "8"), ("c", "5")];
    let messages = messages.map(|(value, price)| Message::of(value).header("price", price));
    let group = scene.group("readers");
    let wanted = ["push", &group, "count=1", "sql=price > 4 AND price < 8"];
    let [_, received] = scene.run([&["produce"], &wanted], &[&messages]);
    let received: Vec<_> = named(&received, "received").collect();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].bytes("value").unwrap(), b"c");
}
