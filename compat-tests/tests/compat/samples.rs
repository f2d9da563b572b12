//! Messages to send, and what a reader must then see.

use compat_tests::lines::{Event, Message};
use compat_tests::process::{Client, PATIENCE, now};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

/// A moment that is not now: 2023-11-14, in ms.
pub const BORN: i64 = 1_700_000_000_000;

/// Records any Kafka client can send: to partitions 0, 1 and 2, with and without key and headers.
pub fn records() -> Vec<Message> {
    (0..9)
        .map(|n| {
            let message = Message::of(format!("value {n}"))
                .to(n % 3)
                .at(BORN + i64::from(n));
            match n % 4 {
                0 => message,
                1 => message.key(format!("key {n}")),
                2 => message.header("name", format!("{n}")).header("other", "ä"),
                _ => message
                    .key([0xff, 0x00, 0xfe])
                    .header("bytes", [0x80, 0x01, 0x02]),
            }
        })
        .collect()
}

/// Messages any RocketMQ client can send.
pub fn messages(run: &str) -> Vec<Message> {
    (0..4)
        .map(|n| {
            Message::of(format!("{run} {n}"))
                .to(n % 4)
                .key(format!("{run}-{n}"))
                .header("TAGS", if n % 2 == 0 { "even" } else { "odd" })
                .header("colour", format!("red {n}"))
        })
        .collect()
}

pub fn named<'a>(events: &'a [Event], name: &'a str) -> impl Iterator<Item = &'a Event> {
    events.iter().filter(move |event| event.name() == name)
}

/// The events of this name by partition and offset; a place seen twice fails.
pub fn by_place<'a>(events: &'a [Event], name: &'a str) -> BTreeMap<(i64, i64), &'a Event> {
    let mut places = BTreeMap::new();
    for event in named(events, name) {
        let place = event.place().unwrap();
        assert!(places.insert(place, event).is_none(), "{place:?} twice");
    }
    places
}

/// Every acknowledged record stands at its acknowledged place with all its fields, and no other
/// record was received.
pub fn assert_records(sent: &[Event], messages: &[Message], received: &[Event]) {
    let acknowledged: Vec<_> = named(sent, "sent")
        .map(|event| event.place().unwrap())
        .collect();
    assert_eq!(
        acknowledged.len(),
        messages.len(),
        "one acknowledgement a record"
    );
    let places = by_place(received, "received");
    assert_eq!(places.len(), messages.len(), "what was sent is received");
    for (message, place) in messages.iter().zip(acknowledged) {
        assert_record(message, places[&place]);
    }
}

pub fn assert_record(message: &Message, received: &Event) {
    assert_eq!(received.bytes("value"), message.value);
    assert_eq!(received.bytes("key"), message.key);
    assert_eq!(received.headers(), message.headers);
    if let Some(partition) = message.partition {
        assert_eq!(received.number("partition"), Some(i64::from(partition)));
    }
    if let Some(timestamp) = message.timestamp {
        assert_eq!(received.number("timestamp"), Some(timestamp));
    }
}

/// A running client and everything it said so far.
pub struct Member {
    pub client: Client,
    pub events: Vec<Event>,
}

impl Member {
    pub fn start(name: &str, command: Command) -> Self {
        let client = Client::start(name, command).unwrap();
        let events = Vec::new();
        Self { client, events }
    }

    /// Reads on until what was said so far is enough.
    pub fn until(&mut self, enough: impl Fn(&[Event]) -> bool) {
        self.until_within(PATIENCE, enough);
    }

    /// As [`Member::until`], for what takes longer.
    pub fn until_within(&mut self, patience: Duration, enough: impl Fn(&[Event]) -> bool) {
        let deadline = now() + patience;
        while !enough(&self.events) {
            let left = deadline.saturating_duration_since(now());
            match self.client.event_within(left).unwrap() {
                Some(event) => self.events.push(event),
                None => panic!("not in time; said: {:#?}", self.events),
            }
        }
    }

    /// Reads on until the newest assignment has this many partitions, and gives it.
    pub fn until_assigned(&mut self, count: usize) -> Vec<String> {
        self.until(|events| assignment(events).is_some_and(|held| held.len() == count));
        assignment(&self.events).unwrap()
    }

    /// Reads on until a message with this body came.
    pub fn until_received(&mut self, value: &str) {
        self.until_received_within(PATIENCE, value);
    }

    /// As [`Member::until_received`], for what takes longer.
    pub fn until_received_within(&mut self, patience: Duration, value: &str) {
        let value = value.as_bytes();
        self.until_within(patience, |events| {
            let mut received = named(events, "received");
            received.any(|event| event.bytes("value").is_some_and(|bytes| bytes == value))
        });
    }

    /// Ends its input and reads what it still says.
    pub fn leave(mut self) -> Vec<Event> {
        self.events.extend(self.client.finish().unwrap());
        self.events
    }
}

fn assignment(events: &[Event]) -> Option<Vec<String>> {
    let newest = events.iter().rev().find(|event| event.name() == "assigned");
    newest.map(|event| event.list("partitions"))
}

/// The one message received with this body.
pub fn with_value<'a>(events: &'a [Event], value: &[u8]) -> &'a Event {
    let mut found = named(events, "received")
        .filter(|event| event.bytes("value").is_some_and(|bytes| bytes == value));
    let event = found.next().unwrap_or_else(|| {
        panic!("{:?} not received", String::from_utf8_lossy(value));
    });
    assert!(found.next().is_none(), "{value:?} received twice");
    event
}
