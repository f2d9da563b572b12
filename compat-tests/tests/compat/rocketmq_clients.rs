//! Both lines of RocketMQ's Java client, in each way they send and consume.

use crate::kafka_clients::by_command;
use crate::samples::{messages, named, with_value};
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::run;
use std::collections::{BTreeMap, BTreeSet};

const MODES: [&str; 5] = ["sync", "async", "oneway", "batch", "selector"];
const EACH: usize = 4;

/// The message came as it was sent, for the first time.
pub fn assert_message(message: &Message, received: &Event) {
    let key = message
        .key
        .as_deref()
        .and_then(|key| std::str::from_utf8(key).ok());
    assert_eq!(received.text("keys"), key);
    for (name, value) in &message.headers {
        let value = std::str::from_utf8(value.as_ref().unwrap()).unwrap();
        assert_eq!(received.property(name), Some(value), "{received:?}");
    }
    assert_eq!(received.number("attempt"), Some(0));
    assert!(received.number("stored") >= received.number("born"));
}

/// The places a mode's acknowledgements name; a batch is acknowledged by the place of its first.
fn acknowledged(mode: &str, sent: &[Event]) -> Vec<(i64, i64)> {
    assert!(named(sent, "sent").all(|event| event.text("status") == Some("SEND_OK")));
    let places: Vec<_> = named(sent, "sent")
        .map(|event| event.place().unwrap())
        .collect();
    match (mode, places.as_slice()) {
        ("batch", &[(queue, first)]) => (0..EACH as i64).map(|at| (queue, first + at)).collect(),
        _ => places,
    }
}

fn produces_and_consumes(version: &'static str, vip: &str) {
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
    let vip = format!("vip={vip}");
    let name = format!("rocketmq-{}", version.replace('.', "-"));
    let topic = format!("topic={name}");
    let all: Vec<Vec<Message>> = MODES.iter().map(|mode| messages(mode)).collect();
    let count = format!("count={}", MODES.len() * EACH);
    let odd = format!("count={}", MODES.len() * EACH / 2);
    let mut java = clients::rocketmq_java(version);
    for mode in MODES {
        java.args([
            "produce",
            &namesrv,
            &vip,
            &topic,
            &format!("mode={mode}"),
            "--",
        ]);
    }
    let group = |role: &str| format!("group={name}-{role}");
    java.args(["push", &namesrv, &vip, &topic, &group("push"), &count]);
    java.args([
        "--",
        "push",
        &namesrv,
        &vip,
        &topic,
        &group("odd"),
        &odd,
        "tags=odd || none",
    ]);
    java.args([
        "--",
        "litepull",
        &namesrv,
        &vip,
        &topic,
        &group("pull"),
        &count,
    ]);
    for role in ["push", "pull"] {
        java.args(["--", "offsets", &namesrv, &vip, &topic, &group(role)]);
    }
    // An empty line ends the input of each mode.
    let mut client = compat_tests::process::Client::start(version, java).unwrap();
    for messages in &all {
        client.send(messages).unwrap();
    }
    let commands = by_command(client.finish().unwrap());
    assert_eq!(commands.len(), MODES.len() + 5);
    let [push, odd, pull, push_offsets, pull_offsets] = &commands[MODES.len()..] else {
        panic!();
    };

    for received in [push, pull] {
        let mut ends: BTreeMap<i64, i64> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for event in named(received, "received") {
            let (queue, offset) = event.place().unwrap();
            let end = ends.entry(queue).or_default();
            *end = (*end).max(offset + 1);
            ids.insert(event.text("id").unwrap());
        }
        assert_eq!(ids.len(), MODES.len() * EACH, "each message once");
        assert_eq!(
            ends.values().sum::<i64>(),
            ids.len() as i64,
            "offsets without gaps"
        );
        for (mode, (sent, messages)) in MODES.iter().zip(commands.iter().zip(&all)) {
            let places = acknowledged(mode, sent);
            assert_eq!(places.len(), if *mode == "oneway" { 0 } else { EACH });
            for (at, message) in messages.iter().enumerate() {
                let event = with_value(received, message.value.as_ref().unwrap());
                assert_message(message, event);
                if let Some(place) = places.get(at) {
                    assert_eq!(event.place(), Some(*place), "{mode}");
                }
                if *mode == "selector" {
                    assert_eq!(event.number("partition"), message.partition.map(i64::from));
                }
            }
        }
    }
    assert!(named(odd, "received").all(|event| event.text("tags") == Some("odd")));
    for offsets in [push_offsets, pull_offsets] {
        let committed: i64 = named(offsets, "committed")
            .map(|event| event.number("offset").unwrap().max(0))
            .sum();
        assert_eq!(committed, (MODES.len() * EACH) as i64, "{offsets:?}");
    }
}

#[test]
fn version_4_sends_in_each_way_and_consumes() {
    produces_and_consumes(clients::ROCKETMQ_CLIENTS[0], "true");
}

#[test]
fn version_5_sends_in_each_way_and_consumes() {
    produces_and_consumes(clients::NEWEST_ROCKETMQ, "false");
}

#[test]
fn a_big_body_is_compressed_by_the_client_and_comes_back() {
    let version = clients::NEWEST_ROCKETMQ;
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
    let body = "compressible ".repeat(10_000);
    let mut java = clients::rocketmq_java(version);
    java.args(["produce", &namesrv, "topic=big", "--"]);
    java.args([
        "push",
        &namesrv,
        "topic=big",
        "group=big-readers",
        "count=1",
    ]);
    let events = run(version, java, &[Message::of(body.as_str())]).unwrap();
    with_value(&events, body.as_bytes());
}
