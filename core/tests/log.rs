//! What the log promises, through the calls adapters use.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "tests"
)]

mod files;

use bytes::Bytes;
use files::copy;
use gantry_core::batch::{BatchBuilder, Codec, RecordBatch, TimestampKind};
use gantry_core::filter::{Filter, TagFilter};
use gantry_core::model::{
    Clock, GroupName, ManualClock, Message, Properties, QueueId, QueueOffset, Record, SystemClock,
    Timestamp, TopicName, TopicSpec,
};
use gantry_core::{
    Broker, Client, Config, Durability, Error, FetchLimits, FetchQueue, Fetched, FlushMode,
    OffsetCommit, Payload, ProduceItem, Topic,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Small enough that a test crosses stretches and segments.
fn small() -> Config {
    let mut config = Config::default();
    config.store.segment_bytes = 1 << 20;
    config.store.stretch_bytes = 128 << 10;
    config
}

fn open(directory: &Path) -> Broker {
    Broker::open(directory, small(), Arc::new(SystemClock)).unwrap()
}

fn topic(client: &Client, name: &str) -> Arc<Topic> {
    client
        .topic_or_create(&TopicName::new(name).unwrap(), Some(2))
        .unwrap()
}

fn message(text: &str) -> Payload {
    Payload::Message(Message::new(
        Bytes::copy_from_slice(text.as_bytes()),
        Timestamp::from_millis(5),
    ))
}

fn batch(values: &[String], producer: Option<(i64, i32)>) -> Payload {
    let mut builder = BatchBuilder::with_capacity(1024);
    for value in values {
        let value = Some(Bytes::copy_from_slice(value.as_bytes()));
        builder
            .push(&Record {
                value,
                timestamp: Timestamp::from_millis(7),
                ..Record::default()
            })
            .unwrap();
    }
    let built = builder
        .build(QueueOffset::ZERO, -1, TimestampKind::Create, Codec::None)
        .unwrap();
    let mut bytes = built.to_vec();
    bytes[12..16].copy_from_slice(&(-1_i32).to_be_bytes());
    if let Some((id, sequence)) = producer {
        bytes[43..51].copy_from_slice(&id.to_be_bytes());
        bytes[51..53].copy_from_slice(&0_i16.to_be_bytes());
        bytes[53..57].copy_from_slice(&sequence.to_be_bytes());
        let crc = gantry_core::batch::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    Payload::Batch(RecordBatch::parse(bytes.into()).unwrap())
}

fn item(topic: &Arc<Topic>, queue: u32, payload: Payload) -> ProduceItem {
    ProduceItem {
        topic: Arc::clone(topic),
        queue: QueueId::new(queue),
        payload,
        also: Vec::new(),
    }
}

fn produce(client: &Client, topic: &Arc<Topic>, queue: u32, payload: Payload) -> u64 {
    let mut outcomes = client.produce(vec![item(topic, queue, payload)], Durability::Configured);
    outcomes.remove(0).unwrap().base_offset.get()
}

fn wanted(topic: &Arc<Topic>, queue: u32, offset: u64) -> FetchQueue {
    FetchQueue {
        topic: Arc::clone(topic),
        queue: QueueId::new(queue),
        offset: QueueOffset::new(offset),
        bytes_max: 1 << 20,
        messages_max: u32::MAX,
        filter: None,
    }
}

fn fetch(client: &Client, topic: &Arc<Topic>, queue: u32, offset: u64) -> Result<Fetched, Error> {
    client
        .fetch_now(&[wanted(topic, queue, offset)], 64 << 20)
        .remove(0)
}

/// Every message of a queue as text, whatever form it is stored in.
fn read_all(client: &Client, topic: &Arc<Topic>, queue: u32) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    let mut offset = QueueOffset::ZERO;
    loop {
        let fetched = fetch(client, topic, queue, offset.get()).unwrap();
        if fetched.records.is_empty() {
            return all;
        }
        let (views, next) = client.messages(&fetched, offset, u32::MAX, None).unwrap();
        for view in views {
            let record = gantry_core::record::RecordView::parse(&view.bytes).unwrap();
            assert_eq!(record.queue_offset(), view.offset);
            all.push((
                view.offset.get(),
                String::from_utf8(record.body().to_vec()).unwrap(),
            ));
        }
        offset = next;
    }
}

/// A mix of messages and batches over many stretches and several segments.
fn fill(client: &Client, topic: &Arc<Topic>, from: u64, count: u64) -> Vec<(u64, String)> {
    let mut expected = Vec::new();
    let mut next = from;
    while next < from + count {
        let padding = "x".repeat(1 + (next as usize * 37) % 3000);
        if next.is_multiple_of(3) {
            let values: Vec<String> = (0..5)
                .map(|index| format!("{}-{padding}", next + index))
                .collect();
            assert_eq!(produce(client, topic, 0, batch(&values, None)), next);
            expected.extend((next..).zip(values));
            next += 5;
        } else {
            let text = format!("{next}-{padding}");
            assert_eq!(produce(client, topic, 0, message(&text)), next);
            expected.push((next, text));
            next += 1;
        }
    }
    expected
}

#[test]
fn messages_and_batches_share_one_offset_sequence() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let client = broker.anonymous();
    let topic = topic(&client, "orders.eu");
    let expected = fill(&client, &topic, 0, 50);
    assert_eq!(read_all(&client, &topic, 0), expected);
    let fetched = fetch(&client, &topic, 0, 0).unwrap();
    let batches = client.batches(&fetched).unwrap();
    let mut offset = 0;
    for bytes in batches {
        let header = gantry_core::batch::BatchHeader::read(&bytes).unwrap();
        assert_eq!(header.base_offset, offset);
        offset += i64::from(header.count);
    }
    assert_eq!(offset, fetched.next_offset.to_wire());
}

#[test]
fn a_clean_restart_finds_everything_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let client = broker.anonymous();
    let before = topic(&client, "t");
    let mut expected = fill(&client, &before, 0, 1500);
    broker.shutdown().unwrap();
    assert_eq!(
        client.produce(
            vec![item(&before, 0, message("late"))],
            Durability::Configured
        )[0]
        .as_ref()
        .unwrap_err(),
        &Error::ShuttingDown
    );
    drop((client, broker));

    let broker = open(directory.path());
    let client = broker.anonymous();
    let after = client.topic("t").unwrap();
    assert_eq!(after.uuid(), before.uuid());
    assert_eq!(read_all(&client, &after, 0), expected);
    let next = expected.len() as u64;
    expected.extend(fill(&client, &after, next, 100));
    assert_eq!(read_all(&client, &after, 0), expected);
}

#[test]
fn every_acknowledged_record_survives_a_kill_at_any_moment() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(&directory.path().join("live"));
    let client = broker.anonymous();
    let live = topic(&client, "t");
    let mut expected = Vec::new();
    for round in 0..8 {
        let next = expected.len() as u64;
        expected.extend(fill(&client, &live, next, 150));
        let image = directory.path().join(format!("image-{round}"));
        copy(&directory.path().join("live"), &image);
        let killed = open(&image);
        let client = killed.anonymous();
        let topic = client.topic("t").unwrap();
        assert_eq!(read_all(&client, &topic, 0), expected, "round {round}");
        let next = expected.len() as u64;
        assert_eq!(produce(&client, &topic, 0, message("more")), next);
        killed.shutdown().unwrap();
    }
}

#[test]
fn a_torn_tail_is_cut_and_never_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(&directory.path().join("live"));
    let client = broker.anonymous();
    let live = topic(&client, "t");
    let expected = fill(&client, &live, 0, 20);
    let end = client.log_range().end.get();
    produce(&client, &live, 0, message("torn"));
    produce(&client, &live, 0, message("after the torn one"));
    let image = directory.path().join("image");
    copy(&directory.path().join("live"), &image);
    let segment = image.join("commitlog").join(format!("{:020}", 0));
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[end as usize + 90] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    for _ in 0..2 {
        let broker = open(&image);
        let client = broker.anonymous();
        let topic = client.topic("t").unwrap();
        assert_eq!(read_all(&client, &topic, 0), expected);
        assert_eq!(client.log_range().end.get(), end);
    }
}

#[test]
fn damage_before_the_tail_costs_its_record_alone_and_nothing_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(&directory.path().join("live"));
    let client = broker.anonymous();
    let live = topic(&client, "t");
    let expected = fill(&client, &live, 0, 1500);
    let victim = fetch(&client, &live, 0, 100).unwrap().records.remove(0);
    broker.shutdown().unwrap();
    // In the body, which leaves the record's place known, and in its head, which does not.
    for (name, at) in [("body", 200), ("magic", 5), ("size", 2), ("offset", 24)] {
        for derived in [true, false] {
            let image = directory.path().join(format!("{name}-{derived}"));
            copy(&directory.path().join("live"), &image);
            if !derived {
                std::fs::remove_dir_all(image.join("index")).unwrap();
                std::fs::remove_dir_all(image.join("state")).unwrap();
            }
            let segment = image.join("commitlog").join(format!("{:020}", 0));
            let mut bytes = std::fs::read(&segment).unwrap();
            bytes[victim.position.get() as usize + at] ^= 1;
            std::fs::write(&segment, &bytes).unwrap();
            let broker = open(&image);
            let client = broker.anonymous();
            let topic = client.topic("t").unwrap();
            let lost = victim.base_offset.get()..victim.base_offset.get() + u64::from(victim.count);
            let (mut found, mut refused) = (Vec::new(), 0);
            let mut offset = QueueOffset::ZERO;
            while offset.get() < expected.len() as u64 {
                match fetch(&client, &topic, 0, offset.get()) {
                    Ok(fetched) => {
                        let (views, next) =
                            client.messages(&fetched, offset, u32::MAX, None).unwrap();
                        found.extend(views.iter().map(|view| view.offset.get()));
                        offset = next;
                    }
                    Err(error) => {
                        assert_eq!(error, Error::Damaged(victim.position), "{name}");
                        assert_eq!(offset.get(), lost.start);
                        refused += 1;
                        offset = QueueOffset::new(lost.end);
                    }
                }
            }
            let rest = (0..expected.len() as u64).filter(|offset| !lost.contains(offset));
            assert!(
                found.into_iter().eq(rest),
                "{name}, derived files: {derived}"
            );
            assert!(derived == (refused == 1) || name == "body", "{name}");
            assert_eq!(broker.damages().len(), 1, "{name}");
            let next = expected.len() as u64;
            assert_eq!(produce(&client, &topic, 0, message("goes on")), next);
            broker.shutdown().unwrap();
            assert_eq!(
                std::fs::read(&segment).unwrap()[..500_000],
                bytes[..500_000]
            );
        }
    }
}

#[test]
fn a_log_that_was_cut_short_serves_what_is_left_and_tells_what_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(&directory.path().join("live"));
    let client = broker.anonymous();
    let live = topic(&client, "t");
    let expected = fill(&client, &live, 0, 30);
    let end = client.log_range().end.get() as usize;
    broker.shutdown().unwrap();
    for lost in [1, 100, 2000, 9000] {
        let image = directory.path().join(format!("image-{lost}"));
        copy(&directory.path().join("live"), &image);
        let segment = image.join("commitlog").join(format!("{:020}", 0));
        let bytes = std::fs::read(&segment).unwrap();
        std::fs::write(&segment, &bytes[..end - lost]).unwrap();
        for derived in ["index", "state"] {
            std::fs::remove_dir_all(image.join(derived)).unwrap();
        }
        let broker = open(&image);
        let client = broker.anonymous();
        let topic = client.topic("t").unwrap();
        let whole = (0..expected.len()).take_while(|offset| {
            let fetched = fetch(&client, &topic, 0, *offset as u64);
            fetched.is_ok_and(|fetched| !fetched.records.is_empty())
        });
        let whole = whole.count();
        assert!((10..expected.len()).contains(&whole), "{lost}: {whole}");
        let damages = broker.damages();
        assert_eq!((damages.len(), damages[0].to), (1, end as u64), "{lost}");
        produce(&client, &topic, 0, message("goes on"));
        assert!(client.log_range().end.get() > end as u64, "{lost}");
        broker.shutdown().unwrap();
    }
}

#[test]
fn without_its_derived_files_the_broker_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let client = broker.anonymous();
    let live = topic(&client, "t");
    let expected = fill(&client, &live, 0, 1000);
    let gone = topic(&client, "gone");
    produce(&client, &gone, 0, message("old"));
    client.delete_topic(gone.name()).unwrap();
    let again = topic(&client, "gone");
    produce(&client, &again, 0, message("new"));
    let group = GroupName::new("g").unwrap();
    client
        .commit_offsets(&group, vec![commit("t", 17)])
        .unwrap();
    let uuids = (live.uuid(), again.uuid());
    broker.shutdown().unwrap();
    drop((client, broker));
    for derived in ["index", "state"] {
        std::fs::remove_dir_all(directory.path().join(derived)).unwrap();
    }
    let broker = open(directory.path());
    let client = broker.anonymous();
    let (live, again) = (client.topic("t").unwrap(), client.topic("gone").unwrap());
    assert_eq!((live.uuid(), again.uuid()), uuids);
    assert_eq!(read_all(&client, &live, 0), expected);
    assert_eq!(read_all(&client, &again, 0), [(0, "new".to_owned())]);
    let progress = client.committed_offset(&group, live.name(), QueueId::new(0));
    assert_eq!(progress.unwrap().offset, 17);
}

fn commit(topic: &str, offset: u64) -> OffsetCommit {
    OffsetCommit {
        topic: TopicName::new(topic).unwrap(),
        queue: QueueId::new(0),
        offset: QueueOffset::new(offset),
        leader_epoch: -1,
        metadata: String::new(),
    }
}

#[test]
fn a_producers_retry_is_found_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(&directory.path().join("live"));
    let client = broker.anonymous();
    let live = topic(&client, "t");
    let values = ["a".to_owned(), "b".to_owned()];
    assert_eq!(produce(&client, &live, 0, batch(&values, Some((9, 0)))), 0);
    fill(&client, &live, 2, 300);
    let next = fetch(&client, &live, 0, 0).unwrap().range.end;
    produce(&client, &live, 0, batch(&values, Some((9, 2))));
    let image = directory.path().join("image");
    copy(&directory.path().join("live"), &image);
    let broker = open(&image);
    let client = broker.anonymous();
    let topic = client.topic("t").unwrap();
    let retry = client.produce(
        vec![item(&topic, 0, batch(&values, Some((9, 2))))],
        Durability::Configured,
    );
    let receipt = retry.into_iter().next().unwrap().unwrap();
    assert!(receipt.is_duplicate);
    assert_eq!(receipt.base_offset, next);
    let gap = client.produce(
        vec![item(&topic, 0, batch(&values, Some((9, 6))))],
        Durability::Configured,
    );
    assert!(
        matches!(gap[0], Err(Error::OutOfOrderSequence { expected: 4, .. })),
        "{gap:?}"
    );
}

#[test]
fn an_offset_outside_the_queue_is_named_with_its_range() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let client = broker.anonymous();
    let topic = topic(&client, "t");
    produce(&client, &topic, 1, message("a"));
    assert!(fetch(&client, &topic, 1, 1).unwrap().records.is_empty());
    let outside = fetch(&client, &topic, 1, 2).unwrap_err();
    assert!(matches!(outside, Error::OffsetOutOfRange { range, .. } if range.end.get() == 1));
    assert!(matches!(
        fetch(&client, &topic, 2, 0),
        Err(Error::QueueNotFound { .. })
    ));
}

#[test]
fn tags_are_filtered_by_hash_then_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let client = broker.anonymous();
    let topic = topic(&client, "t");
    // "Aa" and "BB" have the same hash.
    for tag in ["Aa", "BB", "C", "Aa"] {
        let mut tagged = Message::new(Bytes::from_static(b"x"), Timestamp::default());
        tagged.properties = Properties::from_pairs([("TAGS", tag)]).unwrap();
        produce(&client, &topic, 0, Payload::Message(tagged));
    }
    let filter = Arc::new(Filter::from(TagFilter::new(["Aa"])));
    let wanted = FetchQueue {
        filter: Some(Arc::clone(&filter)),
        ..wanted(&topic, 0, 0)
    };
    let fetched = client.fetch_now(&[wanted], 1 << 20).remove(0).unwrap();
    assert_eq!(fetched.records.len(), 3, "the hash passes both Aa and BB");
    let (views, next) = client
        .messages(&fetched, QueueOffset::ZERO, 32, Some(&filter))
        .unwrap();
    let offsets: Vec<u64> = views.iter().map(|view| view.offset.get()).collect();
    assert_eq!((offsets, next.get()), (vec![0, 3], 4));
}

#[test]
fn one_record_is_indexed_in_many_queues() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(&directory.path().join("live"));
    let client = broker.anonymous();
    let main = topic(&client, "main");
    let lmq = topic(&client, "%LMQ%a");
    produce(&client, &lmq, 0, message("first"));
    let mut dispatched = item(&main, 0, message("both"));
    dispatched.also = vec![(Arc::clone(&lmq), QueueId::new(0))];
    client
        .produce(vec![dispatched], Durability::Configured)
        .remove(0)
        .unwrap();
    let check = |client: &Client| {
        let lmq = client.topic("%LMQ%a").unwrap();
        let fetched = fetch(client, &lmq, 0, 1).unwrap();
        assert_eq!(fetched.records[0].base_offset.get(), 1);
        let record = gantry_core::record::RecordView::parse(&fetched.records[0].bytes).unwrap();
        assert_eq!((record.topic(), record.queue_offset().get()), ("main", 0));
    };
    check(&client);
    let image = directory.path().join("image");
    copy(&directory.path().join("live"), &image);
    check(&open(&image).anonymous());
}

#[test]
fn a_thousand_queues_share_one_body() {
    const QUEUES: usize = 1_000;
    const BODY: usize = 100_000;
    let directory = tempfile::tempdir().unwrap();
    let broker = open(&directory.path().join("live"));
    let client = broker.anonymous();
    let main = topic(&client, "main");
    let name = |number: usize| format!("queue, {number}");
    let also: Vec<_> = (0..QUEUES)
        .map(|number| (topic(&client, &name(number)), QueueId::new(0)))
        .collect();
    let body = Message::new(Bytes::from(vec![7; BODY]), Timestamp::from_millis(1));
    let mut dispatched = item(&main, 0, Payload::Message(body));
    dispatched.also = also.clone();
    let before = broker.store_figures().appended;
    let produced = client.produce(vec![dispatched.clone()], Durability::Configured);
    assert!(produced.iter().all(Result::is_ok), "{produced:?}");
    assert!(broker.store_figures().appended - before < 2 * BODY as u64);
    dispatched.also.push(also[0].clone());
    let twice = client.produce(vec![dispatched], Durability::Configured);
    assert!(matches!(twice[0], Err(Error::Invalid(_))), "{twice:?}");
    // What would start if it were killed now, and if only the log were left of it.
    for is_bare in [false, true] {
        let image = directory.path().join(format!("image {is_bare}"));
        copy(&directory.path().join("live"), &image);
        if is_bare {
            std::fs::remove_dir_all(image.join("index")).unwrap();
        }
        let client = open(&image).anonymous();
        for number in 0..QUEUES {
            let queue = client.topic(&name(number)).unwrap();
            let fetched = fetch(&client, &queue, 0, 0).unwrap();
            assert_eq!(fetched.range.end.get(), 1, "queue {number}");
            assert_eq!(fetched.records.len(), 1, "queue {number}");
        }
    }
}

#[test]
fn time_finds_the_first_message_at_or_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
    let broker = Broker::open(
        directory.path(),
        small(),
        Arc::clone(&clock) as Arc<dyn Clock>,
    )
    .unwrap();
    let client = broker.anonymous();
    let topic = topic(&client, "t");
    for born in [100_i64, 300, 200] {
        let stamped = Message::new(Bytes::from_static(b"x"), Timestamp::from_millis(born));
        produce(&client, &topic, 0, Payload::Message(stamped));
        clock.advance(10);
    }
    let born = |time| {
        let found = client
            .offset_at(&topic, QueueId::new(0), Timestamp::from_millis(time))
            .unwrap();
        found.map(|(offset, time)| (offset.get(), time.millis()))
    };
    assert_eq!(
        (born(50), born(150), born(301)),
        (Some((0, 100)), Some((1, 300)), None)
    );
    let stored = |time| {
        client
            .offset_stored_at(&topic, QueueId::new(0), Timestamp::from_millis(time))
            .unwrap()
            .map(QueueOffset::get)
    };
    assert_eq!(
        (stored(0), stored(1_005), stored(1_021)),
        (Some(0), Some(1), None)
    );
    let greatest = client
        .offset_of_max_timestamp(&topic, QueueId::new(0))
        .unwrap()
        .unwrap();
    assert_eq!((greatest.0.get(), greatest.1.millis()), (1, 300));
}

#[test]
fn keys_find_their_records_in_open_and_closed_stretches() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let client = broker.anonymous();
    let topic = topic(&client, "t");
    let keyed = |keys: &str| {
        let mut keyed = Message::new(Bytes::from(vec![0; 1000]), Timestamp::default());
        keyed.properties = Properties::from_pairs([("KEYS", keys), ("UNIQ_KEY", "U")]).unwrap();
        Payload::Message(keyed)
    };
    for number in 0..400 {
        produce(&client, &topic, 0, keyed(&format!("k{number} other")));
    }
    let all = Timestamp::from_millis(0)..Timestamp::from_millis(i64::MAX);
    let find = |key: &str, limit| -> Vec<u64> {
        let found = client.query_key("t", key, &all, limit);
        found.iter().map(|message| message.offset.get()).collect()
    };
    assert_eq!(find("k3", 9), [3]);
    assert_eq!(find("k399", 9), [399]);
    assert_eq!(find("other", 2), [399, 398]);
    assert_eq!(find("U", 1000).len(), 400);
    assert!(find("none", 9).is_empty());
    // Kafka's records have one key each, and are found in batches of open stretches and of closed.
    for number in 0..300 {
        let mut builder = BatchBuilder::with_capacity(1024);
        for part in 0..3 {
            let key = Some(Bytes::from(format!("r{number}.{part}")));
            let value = Some(Bytes::from(vec![0; 500]));
            let record = Record {
                key,
                value,
                ..Record::default()
            };
            builder.push(&record).unwrap();
        }
        let codec = [Codec::None, Codec::Lz4][number % 2];
        let built = builder.build(QueueOffset::ZERO, -1, TimestampKind::Create, codec);
        let batch = Payload::Batch(RecordBatch::parse(built.unwrap()).unwrap());
        assert_eq!(produce(&client, &topic, 0, batch), 400 + 3 * number as u64);
    }
    for number in [0, 1, 150, 299] {
        let offset = 400 + 3 * number + 2;
        assert_eq!(find(&format!("r{number}.2"), 9), [offset], "{number}");
    }
    broker.shutdown().unwrap();
    drop((client, broker));
    let broker = open(directory.path());
    let client = broker.anonymous();
    let all = Timestamp::from_millis(0)..Timestamp::from_millis(i64::MAX);
    for (key, offset) in [("r7.0", 421), ("r299.1", 1298), ("k399", 399)] {
        let found = client.query_key("t", key, &all, 9);
        assert_eq!(found.len(), 1, "{key}");
        assert_eq!(found[0].offset.get(), offset);
    }
}

#[tokio::test]
async fn a_waiting_fetch_is_woken_by_the_append_that_satisfies_it() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let client = broker.anonymous();
    let topic = topic(&client, "t");
    let limits = FetchLimits {
        bytes_max: 1 << 20,
        bytes_min: 1,
        wait: Duration::from_secs(60),
    };
    let queues = [wanted(&topic, 0, 0), wanted(&topic, 1, 0)];
    let (fetched, ()) = tokio::join!(client.fetch(&queues, limits), async {
        produce(&client, &topic, 1, message("wake"));
    });
    assert!(fetched[0].as_ref().unwrap().records.is_empty());
    assert_eq!(fetched[1].as_ref().unwrap().records.len(), 1);
}

#[tokio::test]
async fn a_synchronous_append_is_on_the_disk_when_it_is_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = small();
    config.store.flush = FlushMode::Sync;
    let broker = Broker::open(directory.path(), config, Arc::new(SystemClock)).unwrap();
    let client = broker.anonymous();
    let topic = topic(&client, "t");
    let items = vec![item(&topic, 0, message("a")), item(&topic, 0, message("b"))];
    for outcome in client.produce(items, Durability::Configured) {
        let receipt = outcome.unwrap().durable().await.unwrap();
        assert!(receipt.is_durable());
    }
}

#[test]
fn a_second_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _broker = open(directory.path());
    let second = Broker::open(directory.path(), small(), Arc::new(SystemClock));
    assert!(matches!(second, Err(Error::Storage(_))));
}

#[test]
fn a_deleted_topic_takes_nothing_more_and_starts_anew() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let client = broker.anonymous();
    let old = topic(&client, "t");
    produce(&client, &old, 0, message("a"));
    client.delete_topic(old.name()).unwrap();
    let late = client.produce(vec![item(&old, 0, message("late"))], Durability::Configured);
    assert!(matches!(late[0], Err(Error::TopicNotFound(_))));
    let new = client
        .create_topic(old.name(), TopicSpec::with_queues(1))
        .unwrap();
    assert_ne!(new.uuid(), old.uuid());
    assert_eq!(produce(&client, &new, 0, message("b")), 0);
}

#[test]
fn what_is_produced_together_gets_offsets_that_follow_one_another() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let client = broker.anonymous();
    let topic = topic(&client, "t");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // Enough to close many stretches and to fill segments.
                for _ in 0..200 {
                    let text = "x".repeat(1000);
                    let items = (0..16).map(|_| item(&topic, 0, message(&text)));
                    let outcomes = client.produce(items.collect(), Durability::Configured);
                    let offsets: Vec<u64> = outcomes
                        .iter()
                        .map(|outcome| outcome.as_ref().unwrap().base_offset.get())
                        .collect();
                    let follow = offsets.windows(2).all(|pair| pair[0] + 1 == pair[1]);
                    assert!(follow, "{offsets:?}");
                }
            });
        }
    });
}

#[test]
fn many_threads_get_dense_offsets() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let topic = topic(&broker.anonymous(), "t");
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (client, topic) = (broker.anonymous(), Arc::clone(&topic));
            std::thread::spawn(move || {
                for number in 0..500 {
                    let text = format!("{thread}-{number}-{}", "y".repeat(700));
                    produce(&client, &topic, 0, message(&text));
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let all = read_all(&broker.anonymous(), &topic, 0);
    assert!(all.iter().map(|(offset, _)| *offset).eq(0..2000));
}
