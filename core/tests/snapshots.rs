//! When index files and snapshots are written.
#![allow(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use gantry_core::model::{ManualClock, Message, QueueId, Timestamp, TopicName, TopicSpec};
use gantry_core::vfs::RealVfs;
use gantry_core::{Broker, Client, Config, Durability, Payload, ProduceItem, Steps};
use std::fs;
use std::path::Path;
use std::sync::Arc;

const INTERVAL_MS: u64 = 60_000;

fn open(directory: &Path) -> (Broker, Steps, Arc<ManualClock>) {
    let mut config = Config::default();
    config.store.segment_bytes = 4 << 20;
    config.store.stretch_bytes = 64 << 10;
    config.store.snapshot_interval_ms = INTERVAL_MS;
    config.store.disk_force_clean_percent = 0;
    config.store.disk_read_only_percent = 0;
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let time = Arc::clone(&clock);
    let (broker, steps) = Broker::open_stepped(Arc::new(RealVfs), directory, config, time).unwrap();
    (broker, steps, clock)
}

fn produce(client: &Client, bytes: usize) {
    let name = TopicName::new("orders").unwrap();
    let topic = client.topic("orders").unwrap_or_else(|| {
        let spec = TopicSpec::with_queues(1);
        client.create_topic(&name, spec).unwrap()
    });
    for _ in 0..bytes.div_ceil(1_000) {
        let body = Bytes::from_static(&[7; 1_000]);
        let item = ProduceItem {
            topic: Arc::clone(&topic),
            queue: QueueId::new(0),
            payload: Payload::Message(Message::new(body, Timestamp::from_millis(5))),
            also: Vec::new(),
        };
        let mut outcomes = client.produce(vec![item], Durability::Configured);
        outcomes.remove(0).unwrap();
    }
}

fn count(directory: &Path, ending: &str) -> usize {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .count()
}

#[test]
fn many_stretches_put_away_at_once_get_one_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, mut steps, _clock) = open(directory.path());
    produce(&broker.anonymous(), 500_000);
    steps.keep();
    assert!(count(&directory.path().join("index"), "index") >= 6);
    assert_eq!(count(&directory.path().join("state"), "snapshot"), 1);
}

#[test]
fn what_changes_gets_a_snapshot_although_no_stretch_ends() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, mut steps, clock) = open(directory.path());
    let client = broker.anonymous();
    let files = || {
        let index = count(&directory.path().join("index"), "index");
        (index, count(&directory.path().join("state"), "snapshot"))
    };
    let mut keep = || {
        steps.keep();
        steps.keep();
    };
    produce(&client, 10_000);
    keep();
    assert_eq!(files(), (0, 0), "not yet");
    clock.advance(INTERVAL_MS.try_into().unwrap());
    keep();
    assert_eq!(files(), (1, 1));
    produce(&client, 10_000);
    clock.advance(INTERVAL_MS.try_into().unwrap());
    keep();
    assert_eq!(files(), (1, 1), "the state is the same");
    let document = || client.put_document("d", "k", Some("v".to_owned())).unwrap();
    document();
    keep();
    assert_eq!(files(), (2, 2));
    document();
    clock.advance(INTERVAL_MS.try_into().unwrap());
    keep();
    assert_eq!(files(), (2, 2), "a few bytes are replayed in no time");
}
