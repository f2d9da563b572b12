//! Forgetting on purpose.

use crate::store::{HOUR_MS, Store};
use bytes::Bytes;
use gantry_core::model::{GroupName, Message, QueueId, QueueOffset, Timestamp};
use gantry_core::vhosts::QueueSpec;
use gantry_core::{
    Client, Durability, Error, FetchQueue, Hold, LeaseOrder, LeaseQueue, LeaseRequest, LeaseStart,
    OffsetCommit, Payload, ProduceItem, Topic,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

impl Store {
    /// `count` messages of a kilobyte, which name their offset.
    fn fill(&self, topic: &Arc<Topic>, count: usize) {
        for _ in 0..count {
            let next = self.range(topic).1;
            let text = format!("{}-{next}-{}", topic.name(), "x".repeat(1000));
            let message = Message::new(Bytes::from(text), Timestamp::from_millis(next as i64));
            let receipt = self.produce(topic.name().as_str(), Payload::Message(message));
            assert_eq!(receipt.unwrap().base_offset.get(), next);
        }
    }

    fn range(&self, topic: &Topic) -> (u64, u64) {
        let range = self.client().offset_range(topic, QueueId::new(0)).unwrap();
        (range.start.get(), range.end.get())
    }

    /// Reads everything and holds each message against its offset.
    fn offsets(&self, topic: &Arc<Topic>) -> Vec<u64> {
        offsets(&self.client(), topic)
    }

    fn log_start(&self) -> u64 {
        self.client().log_range().start.get()
    }
}

/// Reads everything and holds each message against its offset.
fn offsets(client: &Client, topic: &Arc<Topic>) -> Vec<u64> {
    let range = client.offset_range(topic, QueueId::new(0)).unwrap();
    let (mut at, end, mut found) = (range.start, range.end, Vec::new());
    while at < end {
        let wanted = FetchQueue {
            topic: Arc::clone(topic),
            queue: QueueId::new(0),
            offset: at,
            bytes_max: 40_000,
            messages_max: u32::MAX,
            filter: None,
        };
        let fetched = client.fetch_now(&[wanted], 1 << 20).remove(0).unwrap();
        let (views, next) = client.messages(&fetched, at, u32::MAX, None).unwrap();
        assert!(next > at, "stuck at {at} of {end}");
        for view in views {
            let record = gantry_core::record::RecordView::parse(&view.bytes).unwrap();
            let text = String::from_utf8(record.body().to_vec()).unwrap();
            let name = format!("{}-{}-", topic.name(), view.offset);
            assert!(
                text.starts_with(&name),
                "{} at {}",
                &text[..20],
                view.offset
            );
            assert_eq!(record.born_at().millis(), view.offset.get() as i64);
            found.push(view.offset.get());
        }
        at = next;
    }
    found
}

fn segments(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory.join("commitlog")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn what_is_older_than_the_limit_goes_by_whole_segments() {
    let mut store = Store::new(|config| config.store.retention_ms = 10 * HOUR_MS as u64);
    let topic = store.topic("t");
    store.fill(&topic, 200);
    store.clock.advance(5 * HOUR_MS);
    store.fill(&topic, 100);
    store.keep();
    assert_eq!(store.range(&topic), (0, 300));
    store.clock.advance(6 * HOUR_MS);
    store.keep();
    let (start, end) = store.range(&topic);
    assert!((100..=200).contains(&start), "{start}");
    assert_eq!(end, 300);
    assert_eq!(store.offsets(&topic), (start..300).collect::<Vec<_>>());
    for derived in [true, false] {
        store.reopen(derived);
        let topic = store.topic("t");
        assert_eq!(
            store.range(&topic),
            (start, 300),
            "derived files: {derived}"
        );
        assert_eq!(store.offsets(&topic), (start..300).collect::<Vec<_>>());
    }
}

#[test]
fn a_queue_goes_on_where_it_was_when_all_its_messages_have_gone() {
    let mut store = Store::new(|config| config.store.retention_ms = HOUR_MS as u64);
    let (quiet, busy) = (store.topic("quiet"), store.topic("busy"));
    store.fill(&quiet, 3);
    let group = GroupName::new("g").unwrap();
    let commit = OffsetCommit {
        topic: quiet.name().clone(),
        queue: QueueId::new(0),
        offset: QueueOffset::new(2),
        leader_epoch: -1,
        metadata: String::new(),
    };
    store.client().commit_offsets(&group, vec![commit]).unwrap();
    for _ in 0..4 {
        store.fill(&busy, 100);
        store.clock.advance(2 * HOUR_MS);
        store.keep();
    }
    assert_eq!(store.range(&quiet), (3, 3));
    for derived in [true, false, false] {
        store.reopen(derived);
        let quiet = store.topic("quiet");
        assert_eq!(store.range(&quiet), (3, 3), "derived files: {derived}");
        let progress = store
            .client()
            .committed_offset(&group, quiet.name(), QueueId::new(0));
        assert_eq!(progress.unwrap().offset, 2);
    }
    let quiet = store.topic("quiet");
    store.fill(&quiet, 1);
    assert_eq!(store.offsets(&quiet), [3]);
}

#[test]
fn the_log_stays_within_its_size_and_its_segments_are_used_again() {
    let mut store = Store::new(|config| config.store.retention_bytes = 300 << 10);
    let topic = store.topic("t");
    for _ in 0..20 {
        store.fill(&topic, 100);
        store.keep();
    }
    assert!(segments(store.directory.path()).len() <= 8);
    let (start, end) = store.range(&topic);
    assert_eq!(end, 2000);
    assert!(start > 1500, "{start}");
    assert_eq!(store.offsets(&topic), (start..2000).collect::<Vec<_>>());
    for derived in [true, false] {
        store.reopen(derived);
        let topic = store.topic("t");
        assert_eq!(store.offsets(&topic), (start..2000).collect::<Vec<_>>());
    }
}

#[test]
fn messages_of_a_topic_that_keeps_longer_are_copied_forward_with_their_offsets() {
    let mut store = Store::new(|config| config.store.retention_ms = HOUR_MS as u64);
    let kept = store.topic_with("kept", &[("retention.ms", "-1")]);
    let week = store.topic_with("week", &[("retention.ms", "604800000")]);
    let plain = store.topic("plain");
    for _ in 0..10 {
        store.fill(&kept, 5);
        store.fill(&plain, 100);
        store.fill(&week, 3);
        store.clock.advance(2 * HOUR_MS);
        store.keep();
        store.keep();
    }
    assert!(store.log_start() > 500_000, "{}", store.log_start());
    let offsets = |store: &Store, what: &str| {
        let (kept, week) = (store.topic("kept"), store.topic("week"));
        assert_eq!(store.offsets(&kept), (0..50).collect::<Vec<_>>(), "{what}");
        assert_eq!(store.offsets(&week), (0..30).collect::<Vec<_>>(), "{what}");
        let client = store.client();
        for offset in [0, 7, 33] {
            let found = client
                .offset_at(&kept, QueueId::new(0), Timestamp::from_millis(offset))
                .unwrap();
            assert_eq!(found.unwrap().0.get(), offset as u64, "{what}");
        }
    };
    offsets(&store, "live");
    store.reopen(true);
    offsets(&store, "reopened");
    store.reopen(false);
    offsets(&store, "rebuilt");
    for _ in 0..5 {
        store.fill(&store.topic("plain"), 200);
        store.clock.advance(2 * HOUR_MS);
        store.keep();
    }
    offsets(&store, "copied again");
    store.clock.advance(8 * 24 * HOUR_MS);
    store.keep();
    assert_eq!(store.range(&store.topic("week")), (30, 30));
}

/// Asks for all of a work queue for a moment.
fn everything(work: &Arc<Topic>) -> LeaseRequest {
    LeaseRequest {
        group: GroupName::new(work.name().as_str()).unwrap(),
        queues: vec![LeaseQueue {
            topic: Arc::clone(work),
            queue: QueueId::new(0),
            start: LeaseStart::Earliest,
        }],
        messages_max: 1_000,
        bytes_max: 1 << 30,
        hold: Hold::Millis(1),
        filter: None,
        order: LeaseOrder::Loose,
        give_up: None,
    }
}

#[test]
fn what_nobody_has_acknowledged_of_a_work_queue_outlives_its_segment() {
    let mut store = Store::new(|config| config.store.retention_ms = HOUR_MS as u64);
    let plain = store.topic("plain");
    let host = store.client().virtual_host("/").unwrap();
    let spec = QueueSpec {
        is_durable: true,
        ..QueueSpec::default()
    };
    let declared = store.client().declare_queue(&host, "work", spec, None);
    let work = Arc::clone(declared.unwrap().0.topic());
    let group = GroupName::new(work.name().as_str()).unwrap();
    // Every twentieth message of another topic is the queue's as well.
    for number in 0..600 {
        let text = format!("plain-{number}-{}", "x".repeat(1000));
        let message = Message::new(Bytes::from(text), Timestamp::from_millis(number));
        let item = ProduceItem {
            topic: Arc::clone(&plain),
            queue: QueueId::new(0),
            payload: Payload::Message(message),
            also: if number % 20 == 0 {
                vec![(Arc::clone(&work), QueueId::new(0))]
            } else {
                Vec::new()
            },
        };
        let sent = store.client().produce(vec![item], Durability::Configured);
        assert!(sent[0].is_ok());
    }
    let leased = store.client().lease_now(&everything(&work)).unwrap();
    assert_eq!(leased.deliveries.len(), 30);
    let receipts = leased.deliveries.iter().enumerate();
    let receipts = receipts.filter(|(at, _)| at % 3 > 0);
    let receipts = receipts.map(|(_, one)| leased.receipt(&everything(&work), one).unwrap());
    let acknowledged: Vec<_> = receipts.collect();
    store.client().ack(&group, &acknowledged).unwrap();
    for _ in 0..8 {
        store.fill(&store.topic("other"), 100);
        store.clock.advance(2 * HOUR_MS);
        store.keep();
        store.keep();
    }
    assert!(store.log_start() > 600_000, "{}", store.log_start());
    let left = |store: &Store, what: &str| {
        let leased = store
            .client()
            .lease_now(&everything(&store.topic(work.name().as_str())));
        let leased = leased.unwrap();
        let found = leased.deliveries.iter().map(|one| {
            let record = gantry_core::record::RecordView::parse(&one.message.bytes).unwrap();
            let text = String::from_utf8(record.body().to_vec()).unwrap();
            let number: u64 = text.split('-').nth(1).unwrap().parse().unwrap();
            assert_eq!(one.message.offset.get() * 20, number, "{what}");
            one.message.offset.get()
        });
        let found: Vec<u64> = found.collect();
        let expected: Vec<u64> = (0..10).map(|third| third * 3).collect();
        assert_eq!(found, expected, "{what}");
        store.clock.advance(10);
    };
    left(&store, "live");
    store.reopen(true);
    left(&store, "reopened");
    store.reopen(false);
    left(&store, "rebuilt");
}

#[test]
fn segments_that_are_mostly_wanted_stay_and_are_shown() {
    let mut store = Store::new(|config| config.store.retention_ms = HOUR_MS as u64);
    let kept = store.topic_with("kept", &[("retention.ms", "-1")]);
    store.fill(&kept, 300);
    store.clock.advance(2 * HOUR_MS);
    store.keep();
    assert_eq!(store.log_start(), 0);
    assert_eq!(store.broker.retention().pinned_by, ["kept"]);
    assert!(store.broker.retention().pinned_bytes > 0);
}

#[test]
fn a_topics_own_rules_raise_its_starts_at_once() {
    let mut store = Store::new(|_| {});
    let by_age = store.topic_with("age", &[("retention.ms", "3600000")]);
    let by_bytes = store.topic_with("bytes", &[("retention.bytes", "20000")]);
    store.fill(&by_age, 10);
    store.clock.advance(2 * HOUR_MS);
    store.fill(&by_age, 5);
    store.fill(&by_bytes, 100);
    store.keep();
    assert_eq!(store.range(&by_age), (10, 15));
    let (start, end) = store.range(&by_bytes);
    assert!(end - start <= 18 && end - start >= 15, "{start}..{end}");
    store.keep();
    assert_eq!(store.range(&by_bytes), (start, end));
    store.reopen(false);
    assert_eq!(store.range(&store.topic("age")), (10, 15));
    assert_eq!(store.range(&store.topic("bytes")), (start, end));
}

#[test]
fn a_deleted_topic_frees_its_space() {
    let mut store = Store::new(|_| {});
    let (large, small) = (store.topic("large"), store.topic("small"));
    for _ in 0..10 {
        store.fill(&large, 100);
        store.fill(&small, 5);
    }
    store.keep();
    assert_eq!(store.log_start(), 0);
    store.client().delete_topic(large.name()).unwrap();
    for _ in 0..20 {
        store.keep();
    }
    assert!(segments(store.directory.path()).len() <= 5);
    assert_eq!(store.offsets(&small), (0..50).collect::<Vec<_>>());
    store.reopen(false);
    assert_eq!(
        store.offsets(&store.topic("small")),
        (0..50).collect::<Vec<_>>()
    );
    assert!(store.client().topic("large").is_none());
}

#[test]
fn a_queues_head_is_cut_on_demand() {
    let mut store = Store::new(|_| {});
    let topic = store.topic("t");
    store.fill(&topic, 10);
    let client = store.client();
    let cut = |offset| client.truncate_queue(&topic, QueueId::new(0), QueueOffset::new(offset));
    assert_eq!(cut(4).unwrap().get(), 4);
    assert_eq!(cut(2).unwrap().get(), 4);
    assert!(matches!(cut(11), Err(Error::OffsetOutOfRange { .. })));
    assert_eq!(store.offsets(&topic), (4..10).collect::<Vec<_>>());
    let client = store.client();
    let first = client.offset_at(&topic, QueueId::new(0), Timestamp::from_millis(0));
    assert_eq!(first.unwrap().unwrap().0.get(), 4);
    store.reopen(false);
    assert_eq!(store.range(&store.topic("t")), (4, 10));
}

#[test]
fn readers_keep_the_bytes_of_a_segment_that_is_used_again() {
    let mut store = Store::new(|config| config.store.retention_bytes = 200 << 10);
    let topic = store.topic("t");
    store.fill(&topic, 60);
    let wanted = FetchQueue {
        topic: Arc::clone(&topic),
        queue: QueueId::new(0),
        offset: QueueOffset::ZERO,
        bytes_max: 40_000,
        messages_max: u32::MAX,
        filter: None,
    };
    let held = store.client().fetch_now(&[wanted], 1 << 20).remove(0);
    let held = held.unwrap();
    let before: Vec<Vec<u8>> = held.records.iter().map(|r| r.bytes.to_vec()).collect();
    for _ in 0..10 {
        store.fill(&topic, 100);
        store.keep();
    }
    let after: Vec<Vec<u8>> = held.records.iter().map(|r| r.bytes.to_vec()).collect();
    assert_eq!(before, after);
    assert!(store.range(&topic).0 > 60);
}

#[test]
fn readers_see_no_gap_while_segments_go() {
    const ROUNDS: usize = 80;
    let mut store = Store::new(|config| config.store.retention_bytes = 640 << 10);
    let kept = store.topic_with("kept", &[("retention.ms", "-1")]);
    let noise = store.topic("noise");
    store.fill(&kept, 20);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (client, kept, is_over) = (store.client(), &kept, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Acquire) {
                    let found = offsets(&client, kept);
                    assert!((0..).zip(&found).all(|(at, offset)| at == *offset));
                }
            });
        }
        for round in 0..ROUNDS {
            store.fill(&noise, 40);
            store.fill(&kept, usize::from(round % 4 == 0));
            store.keep();
        }
        is_over.store(true, Ordering::Release);
    });
    assert_eq!(store.offsets(&kept).len(), 20 + ROUNDS / 4);
    assert!(store.log_start() > 0);
}

#[test]
fn an_index_file_that_was_not_finished_is_made_anew() {
    let mut store = Store::new(|config| config.store.retention_bytes = 256 << 10);
    let topic = store.topic("t");
    store.fill(&topic, 100);
    store.keep();
    let index = store.directory.path().join("index");
    let files = || std::fs::read_dir(&index).unwrap();
    let newest = files().map(|file| file.unwrap().path()).max().unwrap();
    // As it is when the process ends between writing it and giving it its name.
    std::fs::rename(&newest, newest.with_extension("unfinished")).unwrap();
    store.reopen(true);
    store.keep();
    let index = store.directory.path().join("index");
    let newest = index.join(newest.file_name().unwrap());
    assert!(newest.exists());
    assert!(!newest.with_extension("unfinished").exists());
    store.fill(&store.topic("t"), 400);
    store.keep();
    assert!(!newest.exists(), "it went with its segment");
    assert!(store.log_start() > 0);
}
