//! Both lines of RocketMQ's Java client subscribe by SQL92 and by tag, to what RocketMQ's and
//! Kafka's producers sent.

use crate::kafka_clients::by_command;
use crate::samples::named;
use compat_tests::clients::{self, Installed, NEWEST_KAFKA, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::{Client, run};
use std::collections::BTreeSet;

/// The last message of each queue, which every filter lets through.
const LAST: &str = "last";
const QUEUES: i32 = 4;

/// Messages with a number, a colour for some, and tags in turn.
fn numbered(first: i32, count: i32) -> Vec<Message> {
    let message = |n: i32| {
        let message = Message::of(format!("{n}"))
            .to(n % QUEUES)
            .header("TAGS", if n % 3 == 0 { "third" } else { "other" })
            .header("number", format!("{n}"));
        match n % 2 {
            0 => message.header("colour", "red"),
            _ => message,
        }
    };
    (first..first + count).map(message).collect()
}

fn last() -> Vec<Message> {
    let message = |queue| {
        Message::of(LAST)
            .to(queue)
            .header("TAGS", LAST)
            .header("number", "-1")
    };
    (0..QUEUES).map(message).collect()
}

fn received(events: &[Event]) -> BTreeSet<String> {
    let body = |event: &Event| String::from_utf8(event.bytes("value").unwrap()).unwrap();
    let bodies: Vec<_> = named(events, "received")
        .map(body)
        .filter(|body| body != LAST)
        .collect();
    let once: BTreeSet<_> = bodies.iter().cloned().collect();
    assert_eq!(once.len(), bodies.len(), "each message once: {bodies:?}");
    once
}

fn filters(version: &'static str) {
    let needed = [Installed::Rocketmq(version), Installed::Kafka(NEWEST_KAFKA)];
    if !ready(&needed).unwrap() {
        return;
    }
    let gantry = Gantry::start(&["kafka.protocol.default_partitions=4"]).unwrap();
    let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
    let mut kafka = clients::kafka_java(NEWEST_KAFKA);
    kafka.arg("produce");
    kafka.arg(format!("bootstrap={}", gantry.kafka().unwrap()));
    kafka.arg("topic=numbers");
    run("kafka", kafka, &numbered(0, 40)).unwrap();

    // Both kinds of records stand in each queue, and behind all of them what ends the test.
    let mut java = clients::rocketmq_java(version);
    for _ in 0..2 {
        java.args(["produce", &namesrv, "topic=numbers", "mode=selector", "--"]);
    }
    type Wanted = fn(i32) -> bool;
    let consumers: [(&str, &str, Wanted); 4] = [
        (
            "push",
            "sql=(number BETWEEN 30 AND 49 AND colour IS NULL) OR TAGS = 'last'",
            |n| (30..50).contains(&n) && n % 2 == 1,
        ),
        (
            "litepull",
            "sql=colour IN ('red') AND number < 7 OR number = -1",
            |n| n < 7 && n % 2 == 0,
        ),
        ("push", "tags=third || last", |n| n % 3 == 0),
        ("litepull", "tags=third || last", |n| n % 3 == 0),
    ];
    let all = 0..80;
    let expected = consumers.map(|(_, _, wanted)| {
        let matching = all.clone().filter(|n| wanted(*n));
        matching.map(|n| n.to_string()).collect::<BTreeSet<_>>()
    });
    for (at, (verb, selector, _)) in consumers.iter().enumerate() {
        let group = format!("group=numbers-{at}");
        let count = format!("count={}", expected[at].len() + last().len());
        java.args([verb, &*namesrv, "topic=numbers", &group, &count, selector]);
        if at + 1 < consumers.len() {
            java.arg("--");
        }
    }
    let mut client = Client::start(version, java).unwrap();
    client.send(&numbered(40, 40)).unwrap();
    client.send(&last()).unwrap();
    let commands = by_command(client.finish().unwrap());
    assert_eq!(commands.len(), 2 + consumers.len());
    for (events, (expected, (verb, selector, _))) in
        commands[2..].iter().zip(expected.iter().zip(consumers))
    {
        assert_eq!(&received(events), expected, "{verb} {selector}");
    }

    // An expression that is none is refused when the consumer starts, and says why.
    let mut java = clients::rocketmq_java(version);
    java.args(["push", &namesrv, "topic=numbers", "group=broken", "count=1"]);
    java.arg("sql=colour LIKE 'r%'");
    let refused = run(version, java, &[]).unwrap_err();
    let said = format!("{refused:#}");
    assert!(said.contains("LIKE at character 8"), "{said}");
}

#[test]
fn version_4_consumers_get_what_their_filter_says() {
    filters(clients::ROCKETMQ_CLIENTS[0]);
}

#[test]
fn version_5_consumers_get_what_their_filter_says() {
    filters(clients::NEWEST_ROCKETMQ);
}
