//! What was acknowledged is there after a power cut that comes right behind the answer.
#![allow(clippy::unwrap_used, reason = "tests")]

use gantry_core::model::{
    GroupName, ManualClock, Message, QueueId, QueueOffset, Timestamp, TopicName, TopicSpec,
};
use gantry_core::vfs::simulated::{Call, Effect, Fault, SimVfs};
use gantry_core::{
    Broker, Client, Config, Durability, FetchQueue, FlushMode, OffsetCommit, Payload, ProduceItem,
    Steps,
};
use std::path::Path;
use std::sync::Arc;

/// How the disk may choose what it keeps of what was not flushed.
const CHOICES: std::ops::Range<u64> = 0..20;

fn open(vfs: &SimVfs, flush: FlushMode) -> (Broker, Steps) {
    open_at(vfs, flush, 0)
}

/// As [`open`], so many hours later.
fn open_at(vfs: &SimVfs, flush: FlushMode, hours: i64) -> (Broker, Steps) {
    let mut config = Config::default();
    config.store.segment_bytes = 64 << 10;
    config.store.stretch_bytes = 64 << 10;
    config.store.disk_force_clean_percent = 0;
    config.store.disk_read_only_percent = 0;
    config.store.flush = flush;
    let now = 1_700_000_000_000 + hours * 3_600_000;
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(now)));
    Broker::open_stepped(Arc::new(vfs.clone()), Path::new("/data"), config, clock).unwrap()
}

/// What is found of what `act` did when the power goes as it returns, for every choice.
fn after_power_cut<T>(
    flush: FlushMode,
    prepare: impl Fn(&Client),
    act: impl Fn(&Client) -> T,
    check: impl Fn(&Client, T),
) {
    for choice in CHOICES {
        let vfs = SimVfs::new(choice);
        let (broker, steps) = open(&vfs, flush);
        prepare(&broker.anonymous());
        steps.flush().unwrap();
        let done = act(&broker.anonymous());
        vfs.cut_power();
        drop((broker, steps));
        let vfs = vfs.power_on(choice);
        let (broker, _steps) = open(&vfs, flush);
        check(&broker.anonymous(), done);
    }
}

fn topic() -> TopicName {
    TopicName::new("orders").unwrap()
}

fn group() -> GroupName {
    GroupName::new("readers").unwrap()
}

fn create(client: &Client) {
    client
        .create_topic(&topic(), TopicSpec::with_queues(1))
        .unwrap();
    let commit = OffsetCommit {
        topic: topic(),
        queue: QueueId::new(0),
        offset: QueueOffset::new(7),
        leader_epoch: -1,
        metadata: String::new(),
    };
    client.commit_offsets(&group(), vec![commit]).unwrap();
    client.put_document("d", "k", Some("v".to_owned())).unwrap();
}

#[test]
fn a_producer_id_is_never_given_twice() {
    let allocate = |client: &Client| client.allocate_producer_id().unwrap();
    after_power_cut(
        FlushMode::Async,
        |_| {},
        allocate,
        |client, given| {
            let next = client.allocate_producer_id().unwrap();
            assert!(next > given, "{next} after {given}");
        },
    );
}

#[test]
fn with_sync_flush_what_clients_change_is_there() {
    let sync = FlushMode::Sync;
    after_power_cut(
        sync,
        |_| {},
        create,
        |client, ()| {
            assert!(client.topic("orders").is_some());
            assert_eq!(client.document("d", "k").as_deref(), Some("v"));
        },
    );
    let alter = |client: &Client| {
        client
            .alter_topic(&topic(), TopicSpec::with_queues(3))
            .unwrap();
    };
    after_power_cut(sync, create, alter, |client, ()| {
        assert_eq!(client.topic("orders").unwrap().queue_count(), 3);
    });
    let delete = |client: &Client| client.delete_topic(&topic()).unwrap();
    after_power_cut(sync, create, delete, |client, ()| {
        assert!(client.topic("orders").is_none());
    });
    let forget = |client: &Client| client.delete_group(&group()).unwrap();
    after_power_cut(sync, create, forget, |client, ()| {
        assert_eq!(client.groups(), []);
    });
    let clear = |client: &Client| client.delete_offsets(&group(), &topic()).unwrap();
    after_power_cut(sync, create, clear, |client, ()| {
        assert_eq!(client.committed_offsets(&group()), []);
    });
    let remove = |client: &Client| client.put_document("d", "k", None).unwrap();
    after_power_cut(sync, create, remove, |client, ()| {
        assert_eq!(client.document("d", "k"), None);
    });
}

/// Sends `count` messages of a kilobyte to a topic's queue.
fn fill(client: &Client, name: &str, spec: TopicSpec, count: usize) {
    let name = TopicName::new(name).unwrap();
    let topic = client.create_topic(&name, spec).unwrap();
    let messages = (0..count).map(|_| ProduceItem {
        topic: Arc::clone(&topic),
        queue: QueueId::new(0),
        payload: Payload::Message(Message::new(
            vec![b'x'; 1024].into(),
            Timestamp::from_millis(1),
        )),
        also: Vec::new(),
    });
    for receipt in client.produce(messages.collect(), Durability::Configured) {
        receipt.unwrap();
    }
}

/// Offsets that reading a topic's first queue finds, one after the other.
fn found(client: &Client, name: &str) -> Vec<u64> {
    let wanted = FetchQueue {
        topic: client.topic(name).unwrap(),
        queue: QueueId::new(0),
        offset: QueueOffset::ZERO,
        bytes_max: usize::MAX,
        messages_max: u32::MAX,
        filter: None,
    };
    let fetched = client.fetch_now(&[wanted], usize::MAX).remove(0).unwrap();
    let offsets = fetched.records.iter();
    offsets.map(|record| record.base_offset.get()).collect()
}

#[test]
fn when_a_flush_fails_while_old_segments_go_nothing_that_is_kept_goes_with_them() {
    let mut failures = 0;
    for after in 0.. {
        let vfs = SimVfs::new(after);
        let (broker, steps) = open(&vfs, FlushMode::Async);
        let mut spec = TopicSpec::with_queues(1);
        spec.attributes.insert("retention.ms".into(), "-1".into());
        fill(&broker.anonymous(), "kept", spec, 2);
        fill(&broker.anonymous(), "old", TopicSpec::with_queues(1), 200);
        steps.flush().unwrap();
        broker.shutdown().unwrap();
        drop((broker, steps));

        let (broker, mut steps) = open_at(&vfs, FlushMode::Async, 100);
        vfs.plan(Fault {
            call: Some(Call::Sync),
            after,
            effect: Effect::Forgetful,
        });
        // The second time it has failed, or has nothing to do.
        steps.keep();
        steps.keep();
        assert_eq!(
            found(&broker.anonymous(), "kept"),
            [0, 1],
            "{after} flushes"
        );
        let was_met = !vfs.has_faults();
        vfs.cut_power();
        drop((broker, steps));
        let vfs = vfs.power_on(after);
        let (broker, _steps) = open_at(&vfs, FlushMode::Async, 100);
        assert_eq!(
            found(&broker.anonymous(), "kept"),
            [0, 1],
            "{after} flushes"
        );
        if !was_met {
            let range = broker.anonymous().log_range();
            assert!(range.start.get() > 0, "nothing went");
            break;
        }
        failures += 1;
    }
    assert!(failures > 1, "{failures} flushes could fail");
}
