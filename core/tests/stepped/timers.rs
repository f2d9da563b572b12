//! Messages that are delivered later.

use crate::store::{HOUR_MS, START, Store, text};
use bytes::Bytes;
use gantry_core::model::{Message, Properties, TopicName};
use gantry_core::{Error, Payload};
use std::collections::BTreeMap;

impl Store {
    fn send(&self, topic: &str, body: &str, properties: &[(&str, &str)]) -> Result<(), Error> {
        let mut message = Message::new(Bytes::from(body.to_owned()), self.now());
        message.properties = Properties::from_pairs(properties.iter().copied()).unwrap();
        self.produce(topic, Payload::Message(message)).map(|_| ())
    }

    /// The bodies in a topic, with the time each was stored at.
    fn arrivals(&self, topic: &str) -> Vec<(String, i64)> {
        let records = self.records(topic).into_iter();
        records
            .map(|record| (text(&record), record.stored_at().millis() - START))
            .collect()
    }
}

fn pairs(found: &[(&str, i64)]) -> Vec<(String, i64)> {
    let owned = found.iter();
    owned.map(|(body, at)| ((*body).to_owned(), *at)).collect()
}

#[test]
fn a_message_is_there_when_its_time_has_come_and_not_before() {
    let mut store = Store::new(|_| {});
    store.send("t", "level", &[("DELAY", "2")]).unwrap();
    store
        .send("t", "millis", &[("TIMER_DELAY_MS", "1500"), ("k", "v")])
        .unwrap();
    let at = (START + 1_499).to_string();
    store.send("t", "at", &[("TIMER_DELIVER_MS", &at)]).unwrap();
    store
        .send("t", "past", &[("TIMER_DELIVER_MS", "1")])
        .unwrap();
    store.steps.relay();
    assert_eq!(store.arrivals("t"), pairs(&[("past", 0)]));
    store.relay_after(1_498);
    assert_eq!(store.arrivals("t").len(), 1, "never early");
    store.relay_after(1);
    store.relay_after(1);
    store.relay_after(3_499);
    assert_eq!(store.arrivals("t").len(), 3, "never early");
    store.relay_after(1);
    let expected = [
        ("past", 0),
        ("at", 1_499),
        ("millis", 1_500),
        ("level", 5_000),
    ];
    assert_eq!(store.arrivals("t"), pairs(&expected));
    let record = &store.records("t")[2];
    assert_eq!(record.properties().value("k"), Some("v"));
    assert_eq!(record.properties().value("REAL_TOPIC"), Some("t"));
    assert_eq!(record.born_at().millis(), START);
}

#[test]
fn what_is_no_delay_is_refused_and_nothing_is_stored() {
    let store = Store::new(|_| {});
    for (name, value) in [("DELAY", "x"), ("TIMER_DELAY_SEC", "259201")] {
        let refused = store.send("t", "x", &[(name, value)]);
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    assert!(store.arrivals("t").is_empty());
}

#[test]
fn waiting_messages_survive_a_crash_and_delivered_ones_do_not_come_again() {
    for derived in [true, false] {
        let mut store = Store::new(|_| {});
        for seconds in 1..=20 {
            let delay = (seconds * 1_000).to_string();
            store
                .send("t", &delay, &[("TIMER_DELAY_MS", &delay)])
                .unwrap();
        }
        store.relay_after(10_000);
        assert_eq!(store.arrivals("t").len(), 10);
        store.reopen(derived);
        store.steps.relay();
        assert_eq!(store.arrivals("t").len(), 10, "each once");
        store.keep();
        store.reopen(derived);
        store.relay_after(10_000);
        let bodies: Vec<String> = store
            .arrivals("t")
            .into_iter()
            .map(|(body, _)| body)
            .collect();
        let expected: Vec<String> = (1..=20)
            .map(|seconds| (seconds * 1_000).to_string())
            .collect();
        assert_eq!(bodies, expected);
    }
}

#[test]
fn more_may_wait_than_memory_holds() {
    let mut store = Store::new(|config| config.timers.window_entries_max = 16);
    let mut delays = BTreeMap::new();
    for number in 0_i64..600 {
        // In no order, and some at the same time.
        let delay = 1 + number * 7_919 % 401;
        let text = delay.to_string();
        let body = format!("{number}-{delay}");
        store
            .send("t", &body, &[("TIMER_DELAY_MS", &text)])
            .unwrap();
        delays.insert(body, delay);
    }
    for step in 0..402 {
        store.relay_after(1);
        if step == 200 {
            store.keep();
            store.reopen(true);
        }
    }
    let found: BTreeMap<String, i64> = store.arrivals("t").into_iter().collect();
    assert_eq!(store.arrivals("t").len(), 600, "each once");
    assert_eq!(found, delays, "at its time");
}

#[test]
fn what_waits_longer_than_messages_are_kept_is_kept() {
    let mut store = Store::new(|config| {
        config.store.retention_ms = 10 * HOUR_MS as u64;
        config.timers.delay_ms_max = u64::MAX;
    });
    let long = (40 * HOUR_MS).to_string();
    store
        .send("t", "long", &[("TIMER_DELAY_MS", &long)])
        .unwrap();
    // Longer than the index can say.
    let longest = (60 * 24 * HOUR_MS).to_string();
    store
        .send("t", "longest", &[("TIMER_DELAY_MS", &longest)])
        .unwrap();
    let body = "x".repeat(1_000);
    for hour in 0..39 {
        for _ in 0..10 {
            store.send("other", &body, &[]).unwrap();
        }
        store.relay_after(HOUR_MS);
        store.keep();
        if hour % 13 == 0 {
            store.reopen(hour % 2 == 0);
        }
    }
    assert!(store.client().log_range().start.get() > 0, "segments went");
    assert!(store.arrivals("t").is_empty());
    store.relay_after(HOUR_MS);
    assert_eq!(store.arrivals("t"), pairs(&[("long", 40 * HOUR_MS)]));
    for _ in 0..58 {
        store.relay_after(24 * HOUR_MS);
        store.send("other", &body, &[]).unwrap();
        store.keep();
    }
    assert!(
        !store
            .arrivals("t")
            .iter()
            .any(|(body, _)| body == "longest")
    );
    store.relay_after(24 * HOUR_MS);
    assert!(
        store
            .arrivals("t")
            .iter()
            .any(|(body, _)| body == "longest")
    );
}

#[test]
fn what_waits_for_a_topic_that_is_no_more_is_dropped() {
    let mut store = Store::new(|_| {});
    store.send("t", "x", &[("DELAY", "1")]).unwrap();
    store.send("other", "y", &[("DELAY", "1")]).unwrap();
    let name = TopicName::new("t").unwrap();
    store.client().delete_topic(&name).unwrap();
    store.relay_after(1_000);
    assert_eq!(store.arrivals("other"), pairs(&[("y", 1_000)]));
    assert!(
        store.arrivals("t").is_empty(),
        "a topic made anew is another"
    );
    store.reopen(false);
    store.steps.relay();
    assert!(store.arrivals("t").is_empty());
}
