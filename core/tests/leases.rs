//! Leases, through the calls adapters use.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::too_many_lines,
    reason = "tests"
)]

use bytes::Bytes;
use gantry_core::filter::TagFilter;
use gantry_core::model::{
    GroupName, ManualClock, Message, Properties, QueueId, QueueOffset, SystemClock, Timestamp,
    TopicName,
};
use gantry_core::record::RecordView;
use gantry_core::vfs::RealVfs;
use gantry_core::{
    Broker, Client, Config, DeadLetters, Durability, Error, FetchQueue, GiveUp, Hold, LeaseCounts,
    LeaseOrder, LeaseOutcome, LeaseQueue, LeaseReceipt, LeaseRequest, LeaseStart, Leased,
    OffsetCommit, Payload, ProduceItem, Steps, Topic,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

struct World {
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
    config: Config,
    open: Option<(Broker, Steps)>,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.store.segment_bytes = 1 << 20;
        config.store.stretch_bytes = 128 << 10;
        change(&mut config);
        let mut world = Self {
            directory: tempfile::tempdir().unwrap(),
            clock: Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000))),
            config,
            open: None,
        };
        world.restart();
        world
    }

    /// As after `kill -9`: what was not written before is not written.
    fn restart(&mut self) {
        self.open = None;
        let clock = Arc::clone(&self.clock);
        let (vfs, config) = (Arc::new(RealVfs), self.config.clone());
        let opened = Broker::open_stepped(vfs, self.directory.path(), config, clock);
        self.open = Some(opened.unwrap());
    }

    fn client(&self) -> Client {
        self.open.as_ref().unwrap().0.anonymous()
    }

    fn write(&mut self) {
        self.open.as_mut().unwrap().1.keep();
    }

    fn topic(&self) -> Arc<Topic> {
        let name = TopicName::new("T").unwrap();
        self.client().topic_or_create(&name, Some(2)).unwrap()
    }

    fn produce(&self, texts: impl IntoIterator<Item = String>) {
        produce(&self.client(), &self.topic(), texts);
    }

    fn floor(&self) -> u64 {
        let queue = QueueId::new(0);
        let committed = self
            .client()
            .committed_offset(&group(), self.topic().name(), queue);
        committed.unwrap().offset
    }

    fn request(&self) -> LeaseRequest {
        request(&self.topic())
    }

    fn lease(&self) -> (Leased, Vec<LeaseReceipt>) {
        let request = self.request();
        let leased = self.client().lease_now(&request).unwrap();
        let receipts = receipts(&leased, &request);
        (leased, receipts)
    }

    fn ack(&self, receipts: &[LeaseReceipt]) -> Vec<LeaseOutcome> {
        self.client().ack(&group(), receipts).unwrap()
    }
}

fn group() -> GroupName {
    GroupName::new("G").unwrap()
}

fn properties<const N: usize>(pairs: [(&str, &str); N]) -> Properties {
    Properties::from_pairs(pairs).unwrap()
}

fn produce(client: &Client, topic: &Arc<Topic>, texts: impl IntoIterator<Item = String>) {
    let item = |text: String| {
        let mut message = Message::new(Bytes::from(text.clone()), Timestamp::from_millis(5));
        message.properties = properties([("TAGS", &text[..1])]);
        ProduceItem {
            topic: Arc::clone(topic),
            queue: QueueId::new(0),
            payload: Payload::Message(message),
            also: Vec::new(),
        }
    };
    let items = texts.into_iter().map(item).collect();
    for receipt in client.produce(items, Durability::Appended) {
        receipt.unwrap();
    }
}

fn request(topic: &Arc<Topic>) -> LeaseRequest {
    LeaseRequest {
        group: group(),
        queues: vec![LeaseQueue {
            topic: Arc::clone(topic),
            queue: QueueId::new(0),
            start: LeaseStart::Earliest,
        }],
        messages_max: 32,
        bytes_max: 1 << 20,
        hold: Hold::Millis(1_000),
        filter: None,
        order: LeaseOrder::Loose,
        give_up: None,
    }
}

fn receipts(leased: &Leased, request: &LeaseRequest) -> Vec<LeaseReceipt> {
    let deliveries = leased.deliveries.iter();
    deliveries
        .map(|delivery| leased.receipt(request, delivery).unwrap())
        .collect()
}

fn bodies(leased: &Leased) -> Vec<String> {
    let body = |bytes: &Bytes| RecordView::parse(bytes).unwrap().body();
    let deliveries = leased.deliveries.iter();
    deliveries
        .map(|delivery| String::from_utf8(body(&delivery.message.bytes).to_vec()).unwrap())
        .collect()
}

fn attempts(leased: &Leased) -> Vec<u32> {
    leased
        .deliveries
        .iter()
        .map(|delivery| delivery.attempt)
        .collect()
}

fn texts(range: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    range.map(|at| format!("m{at}"))
}

fn named(range: std::ops::Range<u32>) -> Vec<String> {
    texts(range).collect()
}

#[test]
fn a_message_comes_again_after_its_time_and_before_new_ones() {
    let world = World::new();
    world.produce(texts(0..3));
    let (first, held) = world.lease();
    assert_eq!(
        (bodies(&first), attempts(&first)),
        (named(0..3), vec![1; 3])
    );
    assert!(world.lease().0.deliveries.is_empty(), "all are out");
    assert_eq!(world.ack(&held[1..2]), [LeaseOutcome::Done]);
    world.produce(texts(3..4));
    world.clock.advance(999);
    assert_eq!(bodies(&world.lease().0), named(3..4));
    world.clock.advance(1);
    let (again, later) = world.lease();
    assert_eq!(bodies(&again), ["m0", "m2"]);
    assert_eq!(attempts(&again), [2, 2]);
    let outcomes = world.ack(&held);
    let (stale, settled) = (LeaseOutcome::Stale, LeaseOutcome::Settled);
    assert_eq!(outcomes, [stale, settled, stale], "others have them now");
    assert_eq!(world.ack(&later), [LeaseOutcome::Done; 2]);
    assert_eq!(world.floor(), 3);
}

#[test]
fn a_late_acknowledgement_counts_until_somebody_else_has_the_message() {
    let world = World::new();
    world.produce(texts(0..1));
    let (_, held) = world.lease();
    world.clock.advance(5_000);
    assert_eq!(world.ack(&held), [LeaseOutcome::Done]);
    assert!(world.lease().0.deliveries.is_empty());
    let mut never = held[0].clone();
    never.offset = QueueOffset::new(9);
    assert_eq!(world.ack(&[never]), [LeaseOutcome::Unknown]);
    let other = GroupName::new("other").unwrap();
    assert_eq!(
        world.client().ack(&other, &held).unwrap(),
        [LeaseOutcome::Unknown]
    );
}

#[test]
fn an_extended_lease_has_a_new_receipt_and_a_new_time() {
    let world = World::new();
    world.produce(texts(0..1));
    let (_, held) = world.lease();
    let extend = |receipt: &LeaseReceipt, millis| {
        let hold = Hold::Millis(millis);
        world
            .client()
            .extend(&group(), receipt, hold, true)
            .unwrap()
    };
    let (outcome, token) = extend(&held[0], 3_000);
    assert_eq!(outcome, LeaseOutcome::Done);
    world.clock.advance(2_999);
    assert!(world.lease().0.deliveries.is_empty());
    assert_eq!(extend(&held[0], 1).0, LeaseOutcome::Stale);
    let renewed = LeaseReceipt {
        token,
        ..held[0].clone()
    };
    assert_eq!(extend(&renewed, 0).0, LeaseOutcome::Done);
    assert_eq!(
        attempts(&world.lease().0),
        [2],
        "extending by nothing gives it back"
    );
}

#[test]
fn a_session_that_ends_returns_everything_in_order() {
    let world = World::new();
    world.produce(texts(0..6));
    let client = world.client();
    let (a, b) = (client.lease_session(), client.lease_session());
    let mut held = Vec::new();
    for session in [a, b, a] {
        let mut request = world.request();
        (request.hold, request.messages_max) = (Hold::Session(session), 2);
        let leased = client.lease_now(&request).unwrap();
        held.push(receipts(&leased, &request));
    }
    world.clock.advance(1_000_000);
    assert!(
        world.lease().0.deliveries.is_empty(),
        "a session has all the time"
    );
    world.ack(&held[0][..1]);
    client.end_session(a);
    assert_eq!(bodies(&world.lease().0), ["m1", "m4", "m5"]);
    let back = client.give_back(&group(), &held[1]).unwrap();
    assert_eq!(back, [LeaseOutcome::Done; 2]);
    assert_eq!(bodies(&world.lease().0), ["m2", "m3"]);
}

#[test]
fn many_sessions_are_dealt_to_in_one_call_and_each_ends_by_itself() {
    let world = World::new();
    let client = world.client();
    world.produce(texts(0..5));
    let (one, two) = (client.lease_session(), client.lease_session());
    let request = world.request();
    let dealt = client.deal(&request, &[one, two, one, two]).unwrap();
    assert_eq!(bodies(&dealt), named(0..4));
    let counts = |client: &Client| client.lease_counts(&group(), &request.queues[0]).unwrap();
    let (ready, leased) = (1, 4);
    assert_eq!(counts(&client), LeaseCounts { ready, leased });
    let held = receipts(&dealt, &request);
    assert_eq!(world.ack(&held[..1]), [LeaseOutcome::Done]);
    client.end_session(one);
    let again = client.deal(&request, &[two, two, two]).unwrap();
    assert_eq!(
        bodies(&again),
        ["m2", "m4"],
        "returned, and then what is new"
    );
    assert_eq!(attempts(&again), [2, 1]);
    client.end_session(two);
    let last = client.lease_now(&request).unwrap();
    assert_eq!(bodies(&last), named(1..5));
    assert_eq!(attempts(&last), [2, 3, 2, 2]);
    let nobody = client.deal(&request, &[]);
    assert!(matches!(nobody, Err(Error::Invalid(_))));
}

#[test]
fn what_is_ready_can_be_settled_and_what_is_out_stays() {
    let mut world = World::new();
    let client = world.client();
    world.produce(texts(0..6));
    let session = client.lease_session();
    let request = world.request();
    let dealt = client.deal(&request, &[session; 4]).unwrap();
    let held = receipts(&dealt, &request);
    client.give_back(&group(), &held[1..2]).unwrap();
    let queue = &request.queues[0];
    assert_eq!(client.settle_ready(&group(), queue).unwrap(), 3);
    assert_eq!(client.settle_ready(&group(), queue).unwrap(), 0);
    let counts = client.lease_counts(&group(), queue).unwrap();
    assert_eq!((counts.ready, counts.leased), (0, 3));
    world.produce(texts(6..7));
    assert_eq!(bodies(&world.lease().0), ["m6"]);
    world.write();
    drop(client);
    world.restart();
    assert_eq!(bodies(&world.lease().0), ["m0", "m2", "m3", "m6"]);
}

#[test]
fn in_strict_order_nothing_later_is_handed_out_while_a_batch_is_in_flight() {
    let world = World::new();
    world.produce(texts(0..5));
    let ask = |batch: &str, messages_max| {
        let batch = Some(batch.into());
        let mut request = world.request();
        (request.order, request.messages_max) = (LeaseOrder::Strict { batch }, messages_max);
        let leased = world.client().lease_now(&request).unwrap();
        let receipts = receipts(&leased, &request);
        (leased, receipts)
    };
    let (first, lost) = ask("a", 2);
    assert_eq!(bodies(&first), named(0..2));
    assert!(ask("b", 2).0.deliveries.is_empty());
    let (same, held) = ask("a", 2);
    assert_eq!((bodies(&same), attempts(&same)), (named(0..2), vec![1; 2]));
    assert_eq!(
        world.ack(&lost),
        [LeaseOutcome::Stale; 2],
        "the answer was lost"
    );
    assert_eq!(world.ack(&held[..1]), [LeaseOutcome::Done]);
    assert!(
        ask("b", 2).0.deliveries.is_empty(),
        "half of it is still out"
    );
    world.clock.advance(1_000);
    let (next, held) = ask("b", 2);
    assert_eq!((bodies(&next), attempts(&next)), (named(1..3), vec![2, 1]));
    world.ack(&held);
    assert_eq!(bodies(&ask("c", 8).0), named(3..5));
}

#[test]
fn what_a_filter_passes_over_is_settled() {
    let world = World::new();
    world.produce(["a0", "b1", "a2", "b3", "b4"].map(str::to_owned));
    let mut request = world.request();
    request.filter = Some(Arc::new(TagFilter::new(["a"]).into()));
    let leased = world.client().lease_now(&request).unwrap();
    assert_eq!(bodies(&leased), ["a0", "a2"]);
    assert_eq!(leased.rest, 0);
    world.ack(&receipts(&leased, &request));
    assert_eq!(world.floor(), 5);
}

#[test]
fn a_message_tried_too_often_becomes_one_dead_letter() {
    let mut world = World::new();
    world.produce(texts(0..2));
    let dead_letters = DeadLetters {
        topic: TopicName::new("dead").unwrap(),
        properties: |record, topic| {
            let of_message = record.properties();
            properties([
                ("FROM", topic.as_str()),
                ("TAGS", of_message.tag().unwrap()),
            ])
        },
    };
    let mut request = world.request();
    request.give_up = Some(GiveUp {
        attempts_max: 2,
        dead_letters: dead_letters.clone(),
    });
    for attempt in 1..=2 {
        let leased = world.client().lease_now(&request).unwrap();
        assert_eq!(attempts(&leased), [attempt; 2]);
        world.clock.advance(1_000);
    }
    assert!(
        world
            .client()
            .lease_now(&request)
            .unwrap()
            .deliveries
            .is_empty()
    );
    assert_eq!(world.floor(), 2);
    world.restart();
    assert_eq!(world.floor(), 2, "the dead letters say it as well");
    let dead = |world: &World| {
        let wanted = FetchQueue {
            topic: world.client().topic("dead").unwrap(),
            queue: QueueId::new(0),
            offset: QueueOffset::ZERO,
            bytes_max: 1 << 20,
            messages_max: 9,
            filter: None,
        };
        world
            .client()
            .fetch_now(&[wanted], 1 << 20)
            .pop()
            .unwrap()
            .unwrap()
            .records
    };
    let letters = dead(&world);
    assert_eq!(letters.len(), 2);
    let record = RecordView::parse(&letters[0].bytes).unwrap();
    assert_eq!(record.body(), "m0");
    assert_eq!(record.properties().value("FROM"), Some("T"));
    world.produce(texts(2..3));
    let (_, held) = world.lease();
    let client = world.client();
    let outcome = client
        .dead_letter(&group(), &held[0], &dead_letters)
        .unwrap();
    assert_eq!(
        (outcome, dead(&world).len(), world.floor()),
        (LeaseOutcome::Done, 3, 3)
    );
    let outcome = client
        .dead_letter(&group(), &held[0], &dead_letters)
        .unwrap();
    assert_eq!((outcome, dead(&world).len()), (LeaseOutcome::Settled, 3));
    drop(client);
    world.restart();
    assert!(world.lease().0.deliveries.is_empty());
    assert_eq!((dead(&world).len(), world.floor()), (3, 3));
}

fn commit(world: &World, offset: u64) {
    let commit = OffsetCommit {
        topic: world.topic().name().clone(),
        queue: QueueId::new(0),
        offset: QueueOffset::new(offset),
        leader_epoch: -1,
        metadata: String::new(),
    };
    world
        .client()
        .commit_offsets(&group(), vec![commit])
        .unwrap();
}

#[test]
fn who_pulls_for_the_group_moves_its_floor_and_a_step_back_ends_its_leases() {
    let mut world = World::new();
    world.produce(texts(0..6));
    let (_, held) = world.lease();
    world.ack(&held[3..5]);
    assert_eq!(world.floor(), 0);
    commit(&world, 3);
    assert_eq!(world.floor(), 5, "what was acknowledged above it stays so");
    assert_eq!(world.ack(&held[..1]), [LeaseOutcome::Settled]);
    commit(&world, 1);
    assert_eq!(world.floor(), 1);
    assert_eq!(world.ack(&held[5..]), [LeaseOutcome::Unknown]);
    let (again, _) = world.lease();
    assert_eq!(
        (bodies(&again), attempts(&again)),
        (named(1..6), vec![1; 5])
    );
    world.restart();
    assert_eq!(world.floor(), 1);
    let delete = world.client().delete_group(&group());
    delete.unwrap();
    assert_eq!(
        bodies(&world.lease().0),
        named(0..6),
        "a group of that name begins anew"
    );
}

#[test]
fn a_deleted_topic_takes_the_leases_of_its_name_along() {
    let mut world = World::new();
    world.produce(texts(0..3));
    let (_, held) = world.lease();
    world.ack(&held[1..]);
    world
        .client()
        .delete_topic(&TopicName::new("T").unwrap())
        .unwrap();
    world.write();
    world.produce(texts(5..8));
    assert_eq!(bodies(&world.lease().0), named(5..8));
    world.write();
    world.restart();
    assert_eq!(world.client().committed_offsets(&group())[0].2.offset, 0);
}

#[test]
fn a_kill_hands_out_again_what_was_not_written_and_takes_receipts_from_before_it() {
    let mut world = World::new();
    world.produce(texts(0..8));
    let (_, held) = world.lease();
    world.ack(&held[..1]);
    world.ack(&held[3..5]);
    world.write();
    world.ack(&held[6..7]);
    world.clock.advance(1);
    world.restart();
    assert_eq!(world.floor(), 1);
    assert_eq!(
        world.ack(&held[7..]),
        [LeaseOutcome::Done],
        "it was processed"
    );
    let (again, held) = world.lease();
    assert_eq!(bodies(&again), ["m1", "m2", "m5", "m6"]);
    assert_eq!(attempts(&again), [2; 4]);
    world.ack(&held);
    assert_eq!(world.floor(), 8);
    let (broker, steps) = world.open.take().unwrap();
    broker.shutdown().unwrap();
    drop((broker, steps));
    world.restart();
    assert!(world.lease().0.deliveries.is_empty());
}

#[test]
fn attempts_are_kept_across_restarts() {
    let mut world = World::new();
    world.produce(texts(0..1));
    for attempt in 1..4 {
        assert_eq!(attempts(&world.lease().0), [attempt]);
        world.write();
        world.restart();
    }
}

#[test]
fn a_group_gets_no_more_than_its_limit_until_it_acknowledges() {
    let world = World::with(|config| config.leases.per_queue_max = 4);
    world.produce(texts(0..10));
    let (first, held) = world.lease();
    assert_eq!(bodies(&first), named(0..4));
    assert!(world.lease().0.deliveries.is_empty());
    world.ack(&held[..3]);
    assert_eq!(bodies(&world.lease().0), named(4..7));
    let world = World::with(|config| config.leases.queues_max = 1);
    world.produce(texts(0..1));
    world.lease();
    let mut request = world.request();
    request.group = GroupName::new("other").unwrap();
    let refused = world.client().lease_now(&request);
    assert_eq!(refused.err(), Some(Error::Busy("leases.queues_max")));
}

#[test]
fn credit_is_in_messages_and_in_bytes() {
    let world = World::new();
    world.produce(texts(0..10));
    let mut request = world.request();
    request.bytes_max = 1;
    let one = world.client().lease_now(&request).unwrap();
    assert_eq!(bodies(&one), named(0..1), "one is always given");
    request.bytes_max = one.deliveries[0].message.bytes.len() * 3;
    assert_eq!(
        bodies(&world.client().lease_now(&request).unwrap()),
        named(1..4)
    );
    (request.bytes_max, request.messages_max) = (1 << 20, 2);
    let two = world.client().lease_now(&request).unwrap();
    assert_eq!((bodies(&two), two.rest), (named(4..6), 4));
}

fn running(directory: &Path) -> (Broker, Arc<Topic>) {
    let mut config = Config::default();
    config.store.segment_bytes = 1 << 20;
    let broker = Broker::open(directory, config, Arc::new(SystemClock)).unwrap();
    let name = TopicName::new("T").unwrap();
    let topic = broker.anonymous().topic_or_create(&name, Some(1)).unwrap();
    (broker, topic)
}

#[tokio::test]
async fn who_waits_is_woken_by_a_message_a_return_and_the_end_of_a_lease() {
    const LONG: Duration = Duration::from_secs(60);
    let directory = tempfile::tempdir().unwrap();
    let (broker, topic) = running(directory.path());
    let client = broker.anonymous();
    let mut request = request(&topic);
    request.hold = Hold::Millis(600_000);
    let waits = |hold: Hold| {
        let request = LeaseRequest {
            hold,
            ..request.clone()
        };
        let client = client.clone();
        tokio::spawn(async move { client.lease(&request, LONG).await.unwrap() })
    };
    let waiting = waits(request.hold);
    tokio::task::yield_now().await;
    produce(&client, &topic, texts(0..1));
    let leased = waiting.await.unwrap();
    let held = receipts(&leased, &request);

    let waiting = waits(Hold::Millis(600_000));
    tokio::task::yield_now().await;
    client.give_back(&group(), &held).unwrap();
    let leased = waiting.await.unwrap();
    let held = receipts(&leased, &request);

    let session = client.lease_session();
    let waiting = waits(Hold::Session(session));
    tokio::task::yield_now().await;
    let (outcome, _) = client
        .extend(&group(), &held[0], Hold::Millis(20), true)
        .unwrap();
    assert_eq!(outcome, LeaseOutcome::Done);
    assert_eq!(attempts(&waiting.await.unwrap()), [3], "its time is over");

    let waiting = waits(Hold::Millis(1));
    tokio::task::yield_now().await;
    client.end_session(session);
    assert_eq!(attempts(&waiting.await.unwrap()), [4]);
    assert!(client.lease_ready(&request, LONG).await.unwrap());
}

#[tokio::test]
async fn who_waits_behind_a_strict_batch_is_woken_by_its_acknowledgement() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, topic) = running(directory.path());
    let client = broker.anonymous();
    produce(&client, &topic, texts(0..2));
    let mut request = request(&topic);
    request.order = LeaseOrder::Strict { batch: None };
    (request.hold, request.messages_max) = (Hold::Millis(600_000), 1);
    let leased = client.lease_now(&request).unwrap();
    let (waiter, wanted) = (client.clone(), request.clone());
    let long = Duration::from_secs(60);
    let waiting = tokio::spawn(async move { waiter.lease(&wanted, long).await.unwrap() });
    tokio::task::yield_now().await;
    client.ack(&group(), &receipts(&leased, &request)).unwrap();
    assert_eq!(bodies(&waiting.await.unwrap()), named(1..2));
}

#[test]
fn progress_is_in_the_log_after_its_interval_without_anybody_asking() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, topic) = running(directory.path());
    let client = broker.anonymous();
    produce(&client, &topic, texts(0..2));
    let request = request(&topic);
    let leased = client.lease_now(&request).unwrap();
    let before = client.log_range().end;
    client.ack(&group(), &receipts(&leased, &request)).unwrap();
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while client.log_range().end == before {
        assert!(
            tokio::time::Instant::now() < patience,
            "nothing was written"
        );
        std::thread::yield_now();
    }
}

#[derive(Clone, Debug)]
enum Step {
    Produce(u32),
    Lease { consumer: usize, credit: u32 },
    Ack { consumer: usize, at: usize },
    GiveBack { consumer: usize, at: usize },
    Pass(i64),
    Write,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let (consumer, at) = (0..3_usize, any::<usize>());
    prop_oneof![
        2 => (1..5_u32).prop_map(Step::Produce),
        5 => (consumer.clone(), 1..6_u32)
            .prop_map(|(consumer, credit)| Step::Lease { consumer, credit }),
        6 => (consumer.clone(), at).prop_map(|(consumer, at)| Step::Ack { consumer, at }),
        1 => (consumer, at).prop_map(|(consumer, at)| Step::GiveBack { consumer, at }),
        2 => (0..700_i64).prop_map(Step::Pass),
        1 => Just(Step::Write),
        1 => Just(Step::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Three consumers share a queue while time passes and the broker is killed: each message is
    /// with one of them at a time, comes again until it is acknowledged, and none is lost.
    #[test]
    fn none_is_lost_and_none_is_with_two(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        let mut produced = 0;
        // Who has a message until when, by offset.
        let mut held: BTreeMap<u64, (usize, i64, LeaseReceipt)> = BTreeMap::new();
        let mut settled: BTreeSet<u64> = BTreeSet::new();
        let mut written = settled.clone();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Produce(count) => {
                    world.produce(texts(produced..produced + count));
                    produced += count;
                }
                Step::Lease { consumer, credit } => {
                    let mut request = world.request();
                    request.messages_max = credit;
                    let leased = world.client().lease_now(&request).unwrap();
                    let receipts = receipts(&leased, &request);
                    for (delivery, receipt) in leased.deliveries.iter().zip(receipts) {
                        let offset = delivery.message.offset.get();
                        prop_assert!(!settled.contains(&offset), "{offset} was acknowledged");
                        let before = held.insert(offset, (consumer, now + 1_000, receipt));
                        prop_assert!(before.is_none_or(|(_, until, _)| until <= now));
                    }
                }
                Step::Ack { consumer, at } => {
                    let of = held.iter().filter(|(_, (holder, ..))| *holder == consumer);
                    let of: Vec<_> = of.map(|(at, held)| (*at, held.2.clone())).collect();
                    if let Some((offset, receipt)) = of.get(at % of.len().max(1)) {
                        let outcome = world.ack(std::slice::from_ref(receipt));
                        prop_assert_eq!(outcome, [LeaseOutcome::Done]);
                        settled.insert(*offset);
                        held.remove(offset);
                    }
                }
                Step::GiveBack { consumer, at } => {
                    let of = held.iter().filter(|(_, (holder, ..))| *holder == consumer);
                    let of: Vec<_> = of.map(|(at, held)| (*at, held.2.clone())).collect();
                    if let Some((offset, receipt)) = of.get(at % of.len().max(1)) {
                        let receipts = std::slice::from_ref(receipt);
                        world.client().give_back(&group(), receipts).unwrap();
                        held.remove(offset);
                    }
                }
                Step::Pass(millis) => {
                    world.clock.advance(millis);
                    now += millis;
                }
                Step::Write => {
                    world.write();
                    written = settled.clone();
                    let floor = (0..).find(|at| !settled.contains(at)).unwrap();
                    let (topic, queue) = (world.topic(), QueueId::new(0));
                    let known = world.client().committed_offset(&group(), topic.name(), queue);
                    prop_assert_eq!(known.map_or(0, |known| known.offset), floor);
                }
                Step::Kill => {
                    world.clock.advance(1);
                    now += 1;
                    world.restart();
                    settled = written.clone();
                    held.clear();
                }
            }
        }
        let mut rounds = 0;
        while settled.len() < produced as usize {
            world.clock.advance(1_000);
            let (leased, receipts) = world.lease();
            for (delivery, outcome) in leased.deliveries.iter().zip(world.ack(&receipts)) {
                prop_assert_eq!(outcome, LeaseOutcome::Done);
                prop_assert!(settled.insert(delivery.message.offset.get()));
            }
            rounds += 1;
            prop_assert!(rounds < 100, "{} of {produced} came", settled.len());
        }
    }
}
