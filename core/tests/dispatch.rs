//! Messages of work queues on their way to consumers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use gantry_core::model::{Message, QueueId, SystemClock, Timestamp};
use gantry_core::record::RecordView;
use gantry_core::routing::{Arguments, Value};
use gantry_core::vhosts::{
    Consumer, Credit, Dealt, DeleteOnly, Mailbox, QueueSpec, TopologyError, VirtualHost, WorkQueue,
};
use gantry_core::{
    Broker, Client, Config, Durability, LeaseOutcome, LeaseQueue, LeaseSession, LeaseStart,
    Payload, ProduceItem,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

#[derive(Debug, Default)]
struct Box_ {
    messages: Mutex<Vec<Dealt>>,
    is_cancelled: AtomicBool,
}

impl Mailbox for Box_ {
    fn deliver(&self, messages: Vec<Dealt>) {
        self.messages.lock().extend(messages);
    }

    fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Release);
    }
}

struct World {
    _directory: TempDir,
    _broker: Broker,
    client: Client,
    host: Arc<VirtualHost>,
    queue: Arc<WorkQueue>,
    /// Of all consumers together.
    room: Arc<Credit>,
}

/// A consumer with its box.
struct Taker {
    consumer: Arc<Consumer>,
    credit: Arc<Credit>,
    mailbox: Arc<Box_>,
}

impl World {
    fn new(arguments: &[(&'static str, Value)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.segment_bytes = 8 << 20;
        let broker = Broker::open(directory.path(), config, Arc::new(SystemClock)).unwrap();
        let client = broker.anonymous();
        let host = client.virtual_host("/").unwrap();
        let arguments: Arguments = arguments.iter().cloned().collect();
        let spec = QueueSpec {
            is_durable: true,
            arguments,
            ..QueueSpec::default()
        };
        let (queue, _) = client.declare_queue(&host, "q", spec, None).unwrap();
        Self {
            _directory: directory,
            _broker: broker,
            client,
            host,
            queue,
            room: Credit::of(None),
        }
    }

    fn publish(&self, numbers: std::ops::Range<u32>) {
        publish(&self.client, &self.queue, numbers);
    }

    fn taker(&self, limit: Option<u32>, priority: i32) -> Taker {
        self.taker_of(limit, priority, false, self.client.lease_session())
    }

    fn taker_of(
        &self,
        limit: Option<u32>,
        priority: i32,
        is_unacknowledged: bool,
        session: LeaseSession,
    ) -> Taker {
        let (credit, mailbox) = (Credit::of(limit), Arc::new(Box_::default()));
        let consumer = Arc::new(Consumer {
            session,
            priority,
            is_unacknowledged,
            credits: vec![Arc::clone(&credit)],
            room: Arc::clone(&self.room),
            is_exclusive: false,
            mailbox: Arc::clone(&mailbox) as Arc<dyn Mailbox>,
        });
        let added = self.client.consume(&self.queue, Arc::clone(&consumer));
        added.unwrap();
        self.client.dispatch(&self.queue).unwrap();
        Taker {
            consumer,
            credit,
            mailbox,
        }
    }

    /// Acknowledges what came first.
    fn ack(&self, taker: &Taker) {
        let dealt = taker.mailbox.messages.lock().remove(0);
        let acked = self.client.ack(self.queue.group(), &[dealt.receipt]);
        assert_eq!(acked.unwrap(), [LeaseOutcome::Done]);
        taker.credit.give(1);
        self.client.dispatch(&self.queue).unwrap();
    }

    /// Ends a consumer with its channel.
    fn end(&self, taker: &Taker) {
        let consumers = [(Arc::clone(&self.queue), Arc::clone(&taker.consumer))];
        let session = taker.consumer.session;
        let ended = self.client.end_consumers(session, &consumers, &[]);
        ended.unwrap();
    }

    fn counts(&self) -> (u64, u64) {
        let queue = LeaseQueue {
            topic: Arc::clone(self.queue.topic()),
            queue: QueueId::new(0),
            start: LeaseStart::Earliest,
        };
        let counts = self.client.lease_counts(self.queue.group(), &queue);
        let counts = counts.unwrap();
        (counts.ready, counts.leased)
    }
}

fn publish(client: &Client, queue: &Arc<WorkQueue>, numbers: std::ops::Range<u32>) {
    let item = |number: u32| ProduceItem {
        topic: Arc::clone(queue.topic()),
        queue: QueueId::new(0),
        payload: Payload::Message(Message::new(
            Bytes::from(number.to_string()),
            Timestamp::from_millis(1),
        )),
        also: Vec::new(),
    };
    for receipt in client.produce(numbers.map(item).collect(), Durability::Appended) {
        receipt.unwrap();
    }
    client.dispatch(queue).unwrap();
}

fn number(dealt: &Dealt) -> u32 {
    let record = RecordView::parse(&dealt.message.bytes).unwrap();
    std::str::from_utf8(&record.body())
        .unwrap()
        .parse()
        .unwrap()
}

impl Taker {
    fn has(&self) -> Vec<u32> {
        self.mailbox.messages.lock().iter().map(number).collect()
    }

    fn attempts(&self) -> Vec<u32> {
        let messages = self.mailbox.messages.lock();
        messages.iter().map(|dealt| dealt.attempt).collect()
    }
}

#[test]
fn consumers_get_messages_in_turn_as_far_as_their_credit_goes() {
    let world = World::new(&[]);
    let (one, two) = (world.taker(None, 0), world.taker(Some(2), 0));
    let three = world.taker(None, 0);
    world.publish(0..6);
    assert_eq!((one.has(), two.has()), (vec![0, 3], vec![1, 4]));
    world.publish(6..9);
    assert_eq!(three.has(), [2, 5, 7], "the second has no credit");
    assert_eq!(one.has(), [0, 3, 6, 8]);
    assert_eq!(two.has(), [1, 4]);
    world.ack(&two);
    world.publish(9..11);
    let all = [&one, &two, &three].map(|taker| taker.has().len());
    assert_eq!(all, [4, 2, 4], "exactly one for the acknowledged one");
    assert_eq!(world.counts(), (0, 10));
}

#[test]
fn what_waits_goes_to_whoever_comes_and_what_returns_goes_first() {
    let world = World::new(&[]);
    world.publish(0..5);
    let first = world.taker(Some(3), 0);
    assert_eq!((first.has(), world.counts()), (vec![0, 1, 2], (2, 3)));
    let second = world.taker(Some(1), 0);
    assert_eq!(second.has(), [3]);
    world.end(&first);
    assert_eq!(world.counts(), (4, 1));
    world.ack(&second);
    assert_eq!((second.has(), second.attempts()), (vec![0], vec![2]));
    let rest = world.taker(None, 0);
    assert_eq!(
        (rest.has(), rest.attempts()),
        (vec![1, 2, 4], vec![2, 2, 1])
    );
}

#[test]
fn the_greatest_priority_gets_everything_while_it_has_credit() {
    let world = World::new(&[]);
    let (low, high) = (world.taker(None, 0), world.taker(Some(2), 9));
    world.publish(0..4);
    assert_eq!((high.has(), low.has()), (vec![0, 1], vec![2, 3]));
    world.ack(&high);
    world.publish(4..6);
    assert_eq!((high.has(), low.has()), (vec![1, 4], vec![2, 3, 5]));
}

#[test]
fn a_single_active_consumer_is_followed_by_the_next() {
    let single = ("x-single-active-consumer", Value::Bool(true));
    let world = World::new(&[single]);
    let (first, second) = (world.taker(Some(2), 0), world.taker(None, 0));
    world.publish(0..4);
    assert_eq!((first.has(), second.has()), (vec![0, 1], vec![]));
    world.end(&first);
    assert_eq!(second.has(), [0, 1, 2, 3]);
    assert_eq!(second.attempts(), [2, 2, 1, 1]);
}

#[test]
fn who_does_not_acknowledge_is_done_with_what_was_sent() {
    let world = World::new(&[]);
    let session = world.client.lease_session();
    let taker = world.taker_of(Some(1), 0, true, session);
    world.publish(0..300);
    assert_eq!(taker.has(), (0..300).collect::<Vec<_>>());
    assert_eq!(world.counts(), (0, 0));
    let stopped = world.taker_of(Some(0), 0, true, world.client.lease_session());
    world.end(&taker);
    world.publish(300..301);
    assert!(stopped.has().is_empty(), "a limit that is full stops it");
    world.end(&stopped);
    assert_eq!(world.counts(), (1, 0));
}

#[test]
fn what_was_not_sent_yet_takes_room_whoever_acknowledges() {
    let mut world = World::new(&[]);
    world.room = Credit::of(Some(3));
    let acknowledging = world.taker(None, 0);
    let session = world.client.lease_session();
    let other = world.taker_of(None, 0, true, session);
    world.publish(0..8);
    assert_eq!((acknowledging.has(), other.has()), (vec![0, 2], vec![1]));
    world.ack(&acknowledging);
    assert_eq!(acknowledging.has(), [2], "acknowledged is not sent");
    world.room.give(2);
    world.client.dispatch(&world.queue).unwrap();
    assert_eq!((acknowledging.has(), other.has()), (vec![2, 4], vec![1, 3]));
}

#[test]
fn a_limit_that_is_lowered_counts_what_is_on_its_way() {
    let world = World::new(&[]);
    let taker = world.taker(Some(4), 0);
    world.publish(0..10);
    taker.credit.limit_to(Some(2));
    world.ack(&taker);
    world.ack(&taker);
    assert_eq!(taker.has(), [2, 3]);
    world.ack(&taker);
    assert_eq!(taker.has(), [3, 4]);
    taker.credit.limit_to(None);
    world.client.dispatch(&world.queue).unwrap();
    assert_eq!(taker.has(), (3..10).collect::<Vec<_>>());
}

#[test]
fn who_wants_to_be_alone_is_alone() {
    let world = World::new(&[]);
    let alone = |is_exclusive| Consumer {
        session: world.client.lease_session(),
        priority: 0,
        is_unacknowledged: false,
        credits: Vec::new(),
        room: Credit::of(None),
        is_exclusive,
        mailbox: Arc::new(Box_::default()),
    };
    let (first, second) = (Arc::new(alone(true)), Arc::new(alone(false)));
    let consume = |one: &Arc<Consumer>| world.client.consume(&world.queue, Arc::clone(one));
    let refused = Err(TopologyError::ExclusiveUse("q".into()));
    assert_eq!(consume(&first), Ok(()));
    assert_eq!(consume(&second), refused);
    world.client.stop_consuming(&world.queue, &first).unwrap();
    assert_eq!(consume(&second), Ok(()));
    assert_eq!(consume(&first), refused);
}

#[test]
fn one_message_is_taken_by_who_asks() {
    let world = World::new(&[]);
    let session = world.client.lease_session();
    let take = || world.client.take_one(&world.queue, session).unwrap();
    assert!(take().is_none());
    world.publish(0..2);
    assert_eq!(take().map(|dealt| number(&dealt)), Some(0));
    assert_eq!(world.counts(), (1, 1));
    world.client.end_session(session);
    let again = take().unwrap();
    assert_eq!((number(&again), again.attempt), (0, 2));
}

#[test]
fn who_stops_keeps_what_it_was_given() {
    let world = World::new(&[]);
    let (first, second) = (world.taker(Some(2), 0), world.taker(Some(1), 0));
    world.publish(0..4);
    let stop = || {
        let stopped = world.client.stop_consuming(&world.queue, &first.consumer);
        stopped.unwrap()
    };
    assert!(stop());
    assert_eq!(world.counts(), (1, 3));
    world.ack(&first);
    world.ack(&second);
    assert_eq!((first.has(), second.has()), (vec![2], vec![3]));
    assert!(!stop());
}

#[test]
fn consumers_of_a_deleted_queue_hear_of_it() {
    let world = World::new(&[]);
    let taker = world.taker(None, 0);
    assert_eq!(world.queue.consumer_count(), 1);
    let host = &world.host;
    let delete = |only| world.client.delete_queue(host, "q", None, only);
    world.publish(0..3);
    let (if_unused, if_empty) = (true, true);
    let only = DeleteOnly {
        if_unused,
        ..DeleteOnly::default()
    };
    assert_eq!(delete(only), Err(TopologyError::InUse("q".into())));
    let only = DeleteOnly {
        if_empty,
        ..DeleteOnly::default()
    };
    assert_eq!(delete(only), Ok(0), "all of it is on its way");
    assert!(taker.mailbox.is_cancelled.load(Ordering::Acquire));
    assert_eq!(world.queue.consumer_count(), 0);
}

#[test]
fn none_is_lost_and_none_is_done_twice_with_many_threads() {
    const EACH: u32 = 2_000;
    const PRODUCERS: u32 = 3;
    let world = World::new(&[]);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let world = &world;
            scope.spawn(move || {
                for start in (0..EACH).step_by(10) {
                    let first = producer * EACH + start;
                    world.publish(first..first + 10);
                }
            });
        }
        for consumer in 0..3_u32 {
            let (world, done) = (&world, &done);
            scope.spawn(move || {
                let mut taker = world.taker(Some(7), 0);
                let mut handled = 0_u32;
                while done.lock().len() < (EACH * PRODUCERS) as usize {
                    let Some(dealt) = taker.mailbox.messages.lock().pop() else {
                        std::thread::yield_now();
                        continue;
                    };
                    handled += 1;
                    if handled.is_multiple_of(50 + consumer) {
                        // It dies with what it has, and another comes.
                        world.end(&taker);
                        taker = world.taker(Some(7), 0);
                        continue;
                    }
                    let receipts = std::slice::from_ref(&dealt.receipt);
                    let acked = world.client.ack(world.queue.group(), receipts);
                    assert_eq!(acked.unwrap(), [LeaseOutcome::Done]);
                    done.lock().push(number(&dealt));
                    taker.credit.give(1);
                    world.client.dispatch(&world.queue).unwrap();
                }
            });
        }
    });
    let mut done = done.into_inner();
    done.sort_unstable();
    assert_eq!(done, (0..EACH * PRODUCERS).collect::<Vec<_>>());
    assert_eq!(world.counts(), (0, 0));
}
