//! An index file that rots on the disk is made anew, and the log is not blamed for it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use gantry_core::batch::{BatchBuilder, Codec, RecordBatch, TimestampKind};
use gantry_core::model::{
    Message, Properties, QueueId, QueueOffset, Record, SystemClock, Timestamp, TopicName, TopicSpec,
};
use gantry_core::vfs::RealVfs;
use gantry_core::{
    Broker, Client, Config, Durability, Error, FetchQueue, Payload, ProduceItem, Steps, Topic,
};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const RECORDS: u64 = 600;

fn open(directory: &Path) -> (Broker, Steps) {
    let mut config = Config::default();
    config.store.segment_bytes = 256 << 10;
    config.store.stretch_bytes = 64 << 10;
    config.store.disk_force_clean_percent = 0;
    config.store.disk_read_only_percent = 0;
    Broker::open_stepped(Arc::new(RealVfs), directory, config, Arc::new(SystemClock)).unwrap()
}

fn topic(client: &Client, name: &str) -> Arc<Topic> {
    let name = TopicName::new(name).unwrap();
    let topic = client.create_topic(&name, TopicSpec::with_queues(2));
    topic.unwrap()
}

fn message(number: u64) -> Payload {
    let mut message = Message::new(Bytes::from(vec![7; 900]), Timestamp::from_millis(5));
    let key = format!("key-{number}");
    let pairs = [("TAGS", "red"), ("KEYS", key.as_str())];
    message.properties = Properties::from_pairs(pairs).unwrap();
    Payload::Message(message)
}

fn batch(number: u64) -> Payload {
    let mut builder = BatchBuilder::with_capacity(1024);
    for part in 0..2 {
        let record = Record {
            key: Some(Bytes::from(format!("key-{number}-{part}"))),
            value: Some(Bytes::from(vec![8; 500])),
            timestamp: Timestamp::from_millis(7),
            ..Record::default()
        };
        builder.push(&record).unwrap();
    }
    let built = builder.build(QueueOffset::ZERO, -1, TimestampKind::Create, Codec::None);
    Payload::Batch(RecordBatch::parse(built.unwrap()).unwrap())
}

/// Messages, batches, records in two topics, and commands of the state, over many stretches.
fn fill(client: &Client) -> Arc<Topic> {
    let orders = topic(client, "orders");
    let further = topic(client, "further");
    for number in 0..RECORDS {
        let is_batch = number % 3 == 0;
        let item = ProduceItem {
            topic: Arc::clone(&orders),
            queue: QueueId::new(u32::from(number % 7 == 0)),
            payload: if is_batch {
                batch(number)
            } else {
                message(number)
            },
            also: if number % 5 == 1 && !is_batch {
                vec![(Arc::clone(&further), QueueId::new(0))]
            } else {
                Vec::new()
            },
        };
        let mut outcomes = client.produce(vec![item], Durability::Configured);
        outcomes.remove(0).unwrap();
        if number % 50 == 0 {
            let value = Some(number.to_string());
            client.put_document("d", "k", value).unwrap();
        }
    }
    orders
}

fn index_files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(directory.join("index")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let content = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    };
    paths.into_iter().map(content).collect()
}

/// Changes byte `at` of every entry of a file where it lies.
fn rot((path, content): &(PathBuf, Vec<u8>), at: usize) {
    let number = |at: usize| u32::from_le_bytes(content[at..at + 4].try_into().unwrap());
    let (queues, entries) = (number(48) as usize, number(52) as usize);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    for entry in 0..entries {
        let at = 80 + queues * 56 + entry * 28 + at;
        file.write_all_at(&[content[at] ^ 5], at as u64).unwrap();
    }
}

fn read(client: &Client, topic: &Arc<Topic>, offset: u64) -> Result<(u64, u64), Error> {
    let wanted = FetchQueue {
        topic: Arc::clone(topic),
        queue: QueueId::new(0),
        offset: QueueOffset::new(offset),
        bytes_max: 1 << 20,
        messages_max: u32::MAX,
        filter: None,
    };
    let fetched = client.fetch_now(&[wanted], 1 << 20).remove(0)?;
    let messages = fetched.records.iter().map(|record| u64::from(record.count));
    Ok((messages.sum(), fetched.next_offset.get()))
}

#[test]
fn what_a_rotten_index_file_leads_to_is_not_called_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, mut steps) = open(directory.path());
    let client = broker.anonymous();
    let topic = fill(&client);
    steps.keep();
    let files = index_files(directory.path());
    assert!(files.len() >= 8);
    // Of an entry: the position, the size.
    for at in [8, 12] {
        rot(&files[0], at);
        let found = read(&client, &topic, 0);
        assert!(matches!(found, Err(Error::Storage(_))), "{found:?}");
        assert_eq!(broker.damages(), []);
        steps.keep();
        let (mut offset, mut messages) = (0, 0);
        loop {
            let (count, next) = read(&client, &topic, offset).unwrap();
            if count == 0 {
                break;
            }
            (offset, messages) = (next, messages + count);
        }
        assert_eq!(messages, offset, "from the first to the last");
        let keyed = |key: &str| {
            let times = Timestamp::from_millis(0)..Timestamp::from_millis(i64::MAX);
            client.query_key("orders", key, &times, 9).len()
        };
        assert_eq!((keyed("key-1"), keyed("key-3-1")), (1, 1));
        assert_eq!(index_files(directory.path()), files);
    }
}

#[test]
fn every_file_is_checked_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, mut steps) = open(directory.path());
    fill(&broker.anonymous());
    steps.keep();
    let files = index_files(directory.path());
    // Nobody reads what was changed: the tags.
    files.iter().for_each(|file| rot(file, 16));
    assert_ne!(index_files(directory.path()), files);
    for _ in 0..files.len() {
        steps.keep();
    }
    assert_eq!(index_files(directory.path()), files);
}
