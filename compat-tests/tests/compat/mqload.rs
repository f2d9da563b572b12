//! `mqload` against a gantry: loads of both protocols into one topic, drained through both, and
//! the ledgers held against what is there.

use ::mqload::{
    Commits, Drain, Finding, Finished, Ledger, Load, LoadConfig, Promise, Protocol, Seen, Sink,
    Target, check, create_topic,
};
use compat_tests::gantry::Gantry;
use compat_tests::process::PATIENCE;
use std::time::Duration;

const TOPIC: &str = "mqload";
const QUEUES: u32 = 4;
const KILLS: u64 = 5;
/// Acknowledgements of each load between two kills.
const ACKS: u64 = 2_000;

fn target(gantry: &Gantry, protocol: Protocol) -> Target {
    Target {
        protocol,
        address: match protocol {
            Protocol::Kafka => gantry.kafka(),
            Protocol::Rocketmq => gantry.namesrv(),
        }
        .unwrap(),
        topic: TOPIC.to_owned(),
        queues: QUEUES,
    }
}

/// Loads of each kind, with producers of their own.
fn loads(gantry: &Gantry) -> Vec<Load> {
    let kinds = [
        (Protocol::Kafka, 1, false),
        (Protocol::Kafka, 5, true),
        (Protocol::Rocketmq, 1, false),
        (Protocol::Rocketmq, 5, false),
    ];
    let loads = kinds.iter().zip(0..).map(|(kind, place)| {
        let (protocol, batch, is_idempotent) = *kind;
        let config = LoadConfig {
            producers: 2,
            first_producer: place * 10,
            rate: 4_000,
            batch,
            is_idempotent,
            body_bytes: 300,
            ..LoadConfig::new(target(gantry, protocol))
        };
        Load::start(config, Sink::Memory).unwrap()
    });
    loads.collect()
}

fn commits(gantry: &Gantry) -> Vec<Commits> {
    let groups = [
        (Protocol::Kafka, "kafka-committer"),
        (Protocol::Rocketmq, "rocketmq-committer"),
    ];
    let interval = Duration::from_millis(5);
    let groups = groups.map(|(protocol, group)| {
        Commits::start(target(gantry, protocol), group, interval, Sink::Memory).unwrap()
    });
    groups.into()
}

fn drained(gantry: &Gantry) -> Vec<Seen> {
    let protocols = [Protocol::Kafka, Protocol::Rocketmq];
    let seen = protocols.map(|protocol| Drain::read_all(&target(gantry, protocol)).unwrap());
    seen.into()
}

/// Ends everything; the ledgers, and what is there.
fn end(gantry: &Gantry, loads: Vec<Load>, commits: Vec<Commits>) -> (Vec<Ledger>, Vec<Seen>) {
    let loads = loads.into_iter().map(|load| load.stop().unwrap());
    let finished: Vec<Finished> = loads.collect();
    for finished in &finished {
        eprintln!("{}", finished.figures);
    }
    let mut ledgers: Vec<Ledger> = finished.into_iter().map(|one| one.ledger).collect();
    ledgers.extend(commits.into_iter().map(|commits| commits.stop().unwrap()));
    (ledgers, drained(gantry))
}

#[test]
fn both_protocols_keep_what_either_acknowledged() {
    let gantry = Gantry::start(&[]).unwrap();
    for protocol in [Protocol::Kafka, Protocol::Rocketmq] {
        create_topic(&target(&gantry, protocol)).unwrap();
    }
    let (loads, commits) = (loads(&gantry), commits(&gantry));
    for load in &loads {
        load.wait_for(ACKS, PATIENCE).unwrap();
    }
    let middle = drained(&gantry);
    let (ledgers, mut seen) = end(&gantry, loads, commits);
    seen.extend(middle);
    let report = check(&ledgers, &seen, &Promise::KEEPS_ALL);
    assert!(report.is_clean(), "{report}");
    assert!(report.stored >= 4 * ACKS && report.failed + report.unknown == 0);
    assert!(report.commits > 0);
    // It would have told: a message is taken away.
    seen[0].messages.remove(100);
    let report = check(&ledgers, &seen, &Promise::KEEPS_ALL);
    assert_eq!(report.count(Finding::Lost), 1, "{report}");
    assert_eq!(report.count(Finding::Hole), 1, "{report}");
}

#[test]
fn loads_that_outlive_kills_find_all_they_were_promised() {
    let mut gantry = Gantry::start(&[]).unwrap();
    create_topic(&target(&gantry, Protocol::Rocketmq)).unwrap();
    let (loads, commits) = (loads(&gantry), commits(&gantry));
    let mut seen = Vec::new();
    for kill in 1..=KILLS {
        for load in &loads {
            load.wait_for(kill * ACKS, PATIENCE).unwrap();
        }
        gantry.kill().unwrap();
        gantry.restart().unwrap();
        seen.extend(drained(&gantry));
    }
    for load in &loads {
        load.wait_for((KILLS + 1) * ACKS, PATIENCE).unwrap();
    }
    let (ledgers, last) = end(&gantry, loads, commits);
    seen.extend(last);
    let report = check(&ledgers, &seen, &Promise::KEEPS_ALL);
    eprintln!("{report}");
    assert!(report.is_clean(), "{report}");
}
