//! Reading the log leaves little of it in this process, whoever reads and in whatever order.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use gantry_core::batch::{BatchBuilder, Codec, RecordBatch, TimestampKind};
use gantry_core::model::{
    QueueId, QueueOffset, Record, SystemClock, Timestamp, TopicName, TopicSpec,
};
use gantry_core::vfs::RealVfs;
use gantry_core::{
    Broker, Client, Config, Durability, FetchQueue, Payload, ProduceItem, Steps, Topic,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;

const QUEUES: u32 = 1_000;
const ROUNDS: usize = 40;
const MAPPED_BYTES_MAX: u64 = 1 << 20;
/// What is read between two looks, and what is mapped around it.
const SLACK_BYTES: u64 = 3 << 20;

fn open(directory: &Path) -> (Broker, Steps) {
    let mut config = Config::default();
    config.store.segment_bytes = 64 << 20;
    config.store.stretch_bytes = 16 << 20;
    config.store.mapped_bytes_max = MAPPED_BYTES_MAX;
    config.store.disk_force_clean_percent = 0;
    config.store.disk_read_only_percent = 0;
    Broker::open_stepped(Arc::new(RealVfs), directory, config, Arc::new(SystemClock)).unwrap()
}

fn batch(round: usize) -> Payload {
    let mut builder = BatchBuilder::with_capacity(1024);
    builder
        .push(&Record {
            key: Some(Bytes::from(format!("key-{round}"))),
            value: Some(Bytes::from(vec![7; 1_000])),
            timestamp: Timestamp::from_millis(7),
            ..Record::default()
        })
        .unwrap();
    let built = builder.build(QueueOffset::ZERO, -1, TimestampKind::Create, Codec::None);
    Payload::Batch(RecordBatch::parse(built.unwrap()).unwrap())
}

fn fill(client: &Client) -> Arc<Topic> {
    let name = TopicName::new("many").unwrap();
    let topic = client.create_topic(&name, TopicSpec::with_queues(QUEUES));
    let topic = topic.unwrap();
    for round in 0..ROUNDS {
        let items = (0..QUEUES).map(|queue| ProduceItem {
            topic: Arc::clone(&topic),
            queue: QueueId::new(queue),
            payload: batch(round),
            also: Vec::new(),
        });
        for outcome in client.produce(items.collect(), Durability::Configured) {
            outcome.unwrap();
        }
    }
    topic
}

/// Bytes of this process that are mapped from files of `directory`.
fn resident(directory: &Path) -> u64 {
    let (mut bytes, mut counts) = (0, false);
    for line in fs::read_to_string("/proc/self/smaps").unwrap().lines() {
        let is_heading = line
            .split(' ')
            .next()
            .is_some_and(|word| word.contains('-'));
        if is_heading {
            counts = line.contains(directory.to_str().unwrap());
        } else if let Some(kib) = line.strip_prefix("Rss:")
            && counts
        {
            let kib = kib.trim().trim_end_matches(" kB");
            bytes += kib.parse::<u64>().unwrap() * 1024;
        }
    }
    bytes
}

fn check(directory: &Path, what: &str) {
    let bytes = resident(directory);
    let limit = MAPPED_BYTES_MAX + SLACK_BYTES;
    assert!(bytes <= limit, "{what} leaves {bytes} bytes mapped");
}

#[test]
fn whole_log_reads_leave_little_mapped() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path();
    {
        let (broker, mut steps) = open(directory);
        let client = broker.anonymous();
        let topic = fill(&client);
        let written = client.log_range().end.get();
        assert!(written > 8 * (MAPPED_BYTES_MAX + SLACK_BYTES));
        steps.keep();
        check(directory, "writing index files");
        for queue in 0..QUEUES {
            let wanted = FetchQueue {
                topic: Arc::clone(&topic),
                queue: QueueId::new(queue),
                offset: QueueOffset::ZERO,
                bytes_max: 1 << 20,
                messages_max: u32::MAX,
                filter: None,
            };
            let fetched = client.fetch_now(&[wanted], 1 << 20).remove(0).unwrap();
            assert_eq!(fetched.records.len(), ROUNDS);
            // As a connection does that writes them.
            let sum = fetched
                .records
                .iter()
                .flat_map(|record| record.bytes.iter());
            assert!(sum.map(|byte| u64::from(*byte)).sum::<u64>() > 0);
        }
        check(directory, "reading queue by queue");
        let keyed = client.query_key(
            "many",
            "key-1",
            &(Timestamp::from_millis(0)..Timestamp::from_millis(i64::MAX)),
            usize::MAX,
        );
        assert_eq!(keyed.len(), QUEUES as usize, "the keys are in the index");
        check(directory, "looking for a key");
        broker.shutdown().unwrap();
    }
    fs::remove_dir_all(directory.join("index")).unwrap();
    fs::remove_dir_all(directory.join("state")).unwrap();
    let (broker, _steps) = open(directory);
    assert!(broker.anonymous().topic("many").is_some());
    check(directory, "recovery");
}
