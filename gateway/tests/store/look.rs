//! Looking at stores, and making their indexes anew.

use super::{gantry, keeping_all, open, refused, run, testdata, text, unpacked};
use gantry_core::batch::{BatchBuilder, Codec, RecordBatch, TimestampKind};
use gantry_core::model::{
    Message, QueueId, QueueOffset, Record, SystemClock, Timestamp, TopicName, TopicSpec,
};
use gantry_core::{Broker, Client, Durability, FetchQueue, OffsetCommit, Payload, ProduceItem};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tempfile::TempDir;

const MESSAGES: u32 = 4_000;
const BATCHES: u32 = 40;

fn batch(records: u32) -> Payload {
    let mut builder = BatchBuilder::with_capacity(1_024);
    for n in 0..records {
        let value = Some(format!("record {n}").into());
        let timestamp = Timestamp::from_millis(7);
        let record = Record {
            value,
            timestamp,
            ..Record::default()
        };
        builder.push(&record).unwrap();
    }
    let built = builder.build(QueueOffset::ZERO, -1, TimestampKind::Create, Codec::None);
    let mut bytes = built.unwrap().to_vec();
    bytes[12..16].copy_from_slice(&(-1_i32).to_be_bytes());
    Payload::Batch(RecordBatch::parse(bytes.into()).unwrap())
}

/// A store of several segments and more index files: messages, batches, a deleted topic, progress.
fn filled() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut config = keeping_all();
    config.store.segment_bytes = 256 << 10;
    config.store.stretch_bytes = 64 << 10;
    let broker = Broker::open(&data, config, Arc::new(SystemClock)).unwrap();
    let client = broker.anonymous();
    let topic = |name: &str| {
        let name = TopicName::new(name).unwrap();
        client
            .create_topic(&name, TopicSpec::with_queues(3))
            .unwrap()
    };
    let (orders, batches, gone) = (topic("orders"), topic("batches"), topic("gone"));
    let produce = |topic: &Arc<_>, queue: u32, payload| {
        let item = ProduceItem {
            topic: Arc::clone(topic),
            queue: QueueId::new(queue),
            payload,
            also: Vec::new(),
        };
        let receipt = client.produce(vec![item], Durability::Configured).pop();
        receipt.unwrap().unwrap();
    };
    for n in 0..MESSAGES {
        let body = format!("order {n} ").repeat(1 + n as usize % 40);
        let message = Message::new(body.into(), Timestamp::from_millis(5));
        produce(&orders, n % 3, Payload::Message(message));
        if n % (MESSAGES / BATCHES) == 0 {
            produce(&batches, 1, batch(10));
            produce(&gone, 0, batch(1));
        }
        if n == MESSAGES / 2 {
            client.delete_topic(gone.name()).unwrap();
            topic("gone");
            break;
        }
    }
    let group = gantry_core::model::GroupName::new("readers").unwrap();
    let commit = OffsetCommit {
        topic: orders.name().clone(),
        queue: QueueId::new(2),
        offset: QueueOffset::new(17),
        leader_epoch: -1,
        metadata: String::new(),
    };
    client.commit_offsets(&group, vec![commit]).unwrap();
    broker.shutdown().unwrap();
    (home, data)
}

/// Files with their lengths and times.
fn snapshot(directory: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let facts = entry.metadata().unwrap();
        if facts.is_dir() {
            found.extend(snapshot(&entry.path()));
        }
        found.insert(entry.path(), (facts.len(), facts.modified().unwrap()));
    }
    found
}

fn dump(data: &Path, more: &[&str]) -> Vec<Value> {
    let printed = run(&[&["dump", "--data-dir", text(data)], more].concat());
    let lines = printed.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn flip(path: &Path, at: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[usize::try_from(at).unwrap()] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// What `verify` prints of a store in which something is wrong.
fn findings(data: &Path) -> String {
    let output = gantry(&["verify", "--data-dir", text(data)])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    printed
}

#[test]
fn a_clean_store_is_found_clean_and_left_alone() {
    let (_home, data) = filled();
    let before = snapshot(&data);
    assert!(fs::read_dir(data.join("commitlog")).unwrap().count() > 2);
    assert!(fs::read_dir(data.join("index")).unwrap().count() > 4);
    let printed = run(&["verify", "--data-dir", text(&data)]);
    assert!(printed.contains("nothing is wrong"), "{printed}");
    assert!(printed.contains(" 0 bytes of log without"), "{printed}");
    run(&["stats", "--data-dir", text(&data)]);
    dump(&data, &["--bodies"]);
    assert_eq!(snapshot(&data), before);
}

#[test]
fn an_imported_store_is_found_clean() {
    let (home, store) = unpacked("store.tar.gz");
    let data = home.path().join("data");
    run(&["import-rocketmq", text(&store), "--data-dir", text(&data)]);
    let printed = run(&["verify", "--data-dir", text(&data)]);
    // Its own, the message of a delay level that was overdue, and a checkpoint.
    assert!(printed.contains("198 records"), "{printed}");
    let rows = fs::read_to_string(testdata().join("messages.tsv")).unwrap();
    let dumped = dump(&data, &["--limit", "197"]);
    assert_eq!(dumped[196]["topic"], "SampleDelay");
    assert_eq!(dumped[196]["keys"], "kd2");
    for (row, record) in rows.lines().skip(1).zip(&dumped) {
        let place = ["topic", "queue", "offset", "position"].map(|name| match &record[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        assert_eq!(row.rsplit_once('\t').unwrap().0, place.join("\t"));
    }
    let checkpoint = &dump(&data, &["--topic", "GANTRY_SYS_STATE"])[0]["command"];
    assert_eq!(checkpoint["do"], "checkpoint");
    assert_eq!(
        checkpoint["state"]["state"]["topics"]
            .as_object()
            .unwrap()
            .len(),
        23
    );
}

#[test]
fn a_flipped_bit_is_found_where_it_is() {
    let (_home, data) = filled();
    let victim = &dump(&data, &["--topic", "orders", "--queue", "1"])[300];
    let position = victim["position"].as_u64().unwrap();
    let base = position / (256 << 10) * (256 << 10);
    assert!(base > 0);
    flip(
        &data.join(format!("commitlog/{base:020}")),
        position - base + 95,
    );
    let printed = findings(&data);
    let end = position + victim["size"].as_u64().unwrap();
    let wanted = format!(
        "damaged record\t{position}..{end}\tcommitlog/{base:020}\ttopic orders, queue 1, offset 300\n"
    );
    assert!(printed.starts_with(&wanted), "{printed}");
    assert_eq!(printed.matches("..").count(), 1, "nothing else: {printed}");
    let stats: Value =
        serde_json::from_str(&run(&["stats", "--json", "--data-dir", text(&data)])).unwrap();
    let damaged = stats["segments"].as_array().unwrap().iter();
    let damaged: u64 = damaged
        .map(|segment| segment["damaged_bytes"].as_u64().unwrap())
        .sum();
    assert_eq!(damaged, end - position);
    let there = dump(&data, &["--from", &position.to_string(), "--limit", "1"]);
    assert_eq!(there[0]["kind"], "damaged");
}

#[test]
fn damaged_derived_files_are_found() {
    let (_home, data) = filled();
    let files = |name: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(data.join(name)).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let (indexes, snapshots) = (files("index"), files("state"));
    // The position of an entry.
    let entries_at = 80 + 56 * u64::from(fs::read(&indexes[1]).unwrap()[48]);
    flip(&indexes[1], entries_at + 8);
    flip(&snapshots[0], 40);
    let printed = findings(&data);
    for kind in [
        "damaged index file",
        "wrong index entry",
        "record missing from the index",
        "damaged snapshot",
    ] {
        assert!(printed.contains(kind), "{kind}: {printed}");
    }
    flip(&indexes[2], 20);
    fs::remove_file(&indexes[3]).unwrap();
    let printed = findings(&data);
    assert!(printed.contains("unreadable index file"), "{printed}");
    assert!(printed.contains("gap in the index"), "{printed}");
}

#[test]
fn a_torn_end_is_no_damage_and_a_missing_segment_is() {
    let (_home, data) = filled();
    let last = dump(&data, &[]).pop().unwrap();
    let (position, size) = (
        last["position"].as_u64().unwrap(),
        last["size"].as_u64().unwrap(),
    );
    // A crash left a record whose end was never written, and nothing derived.
    for name in ["index", "state"] {
        fs::remove_dir_all(data.join(name)).unwrap();
    }
    fs::remove_file(data.join("flushed")).unwrap();
    let base = position / (256 << 10) * (256 << 10);
    flip(
        &data.join(format!("commitlog/{base:020}")),
        position - base + size - 30,
    );
    let printed = run(&["verify", "--data-dir", text(&data)]);
    assert!(
        printed.contains(&format!("a torn record at {position}")),
        "{printed}"
    );

    let (_home, data) = filled();
    fs::remove_file(data.join(format!("commitlog/{:020}", 256 << 10))).unwrap();
    let printed = findings(&data);
    assert!(
        printed.starts_with("missing segment\t262144..524288\tcommitlog/00000000000000262144"),
        "{printed}"
    );
}

#[test]
fn a_store_in_use_is_left_alone() {
    let (_home, data) = filled();
    let broker = open(&data);
    for verb in ["verify", "dump", "stats", "rebuild-index"] {
        let said = refused(&[verb, "--data-dir", text(&data)]);
        assert!(said.contains("another process uses it"), "{verb}: {said}");
    }
    broker.shutdown().unwrap();
    drop(broker);
    run(&["verify", "--data-dir", text(&data)]);
    let nowhere = data.join("nowhere");
    refused(&["verify", "--data-dir", text(&nowhere)]);
    refused(&["rebuild-index", "--data-dir", text(&nowhere)]);
    assert!(!nowhere.exists());
}

/// Every queue's range and records.
fn answers(client: &Client) -> Vec<(String, u32, u64, u64, u64)> {
    let mut answers = Vec::new();
    for topic in client.topics() {
        for queue in (0..topic.queue_count()).map(QueueId::new) {
            let range = client.offset_range(&topic, queue).unwrap();
            let mut offset = range.start;
            while offset < range.end {
                let wanted = FetchQueue {
                    topic: Arc::clone(&topic),
                    queue,
                    offset,
                    bytes_max: 1 << 20,
                    messages_max: 1_000,
                    filter: None,
                };
                let fetched = client.fetch_now(&[wanted], 1 << 20).pop().unwrap().unwrap();
                answers.extend(fetched.records.iter().map(|record| {
                    let (base, count) = (record.base_offset.get(), u64::from(record.count));
                    let name = topic.name().as_str().to_owned();
                    (name, queue.get(), base, count, record.position.get())
                }));
                offset = fetched.next_offset;
            }
        }
    }
    answers
}

#[test]
fn a_rebuilt_index_gives_the_same_answers() {
    let (_home, data) = filled();
    let ask = || {
        let broker = open(&data);
        let answers = answers(&broker.anonymous());
        broker.shutdown().unwrap();
        answers
    };
    let before = ask();
    assert!(before.len() > 2_000);
    let set = [
        "--set",
        "store.stretch_bytes=32768",
        "--set",
        "store.retention_ms=0",
    ];
    let printed = run(&[&["rebuild-index", "--data-dir", text(&data)], &set[..]].concat());
    assert!(printed.contains("3 topics, 9 queues"), "{printed}");
    run(&["verify", "--data-dir", text(&data)]);
    assert_eq!(ask(), before);
}

#[test]
fn records_are_dumped_as_asked() {
    let (_home, data) = filled();
    let all = dump(&data, &[]);
    let stats: Value =
        serde_json::from_str(&run(&["stats", "--json", "--data-dir", text(&data)])).unwrap();
    assert_eq!(stats["records"].as_u64().unwrap(), all.len() as u64);
    let of = |name: &str| {
        let topics = stats["topics"].as_array().unwrap().iter();
        topics
            .clone()
            .find(|topic| topic["topic"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(of("batches")["queues"][1]["next"], 210);
    assert_eq!(of("gone")["messages"], 0);
    let batches = dump(&data, &["--topic", "batches", "--bodies"]);
    assert!(
        batches
            .iter()
            .all(|record| record["kind"] == "batch" && record["count"] == 10)
    );
    assert!(batches[0]["body"].as_str().unwrap().len() > 100);
    let middle = all[all.len() / 2]["position"].as_u64().unwrap();
    let rest = dump(
        &data,
        &["--from", &(middle - 1).to_string(), "--limit", "3"],
    );
    assert_eq!(rest, all[all.len() / 2..][..3]);
    let commands: Vec<_> = all
        .iter()
        .filter_map(|record| record["command"]["do"].as_str())
        .collect();
    assert_eq!(
        commands,
        [
            "create_topic",
            "create_topic",
            "create_topic",
            "delete_topic",
            "create_topic",
            "commit_offsets"
        ]
    );
}
