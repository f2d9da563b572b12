//! What is made of messages of work queues, and that they are done with, is one record.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use gantry_core::model::{Message, QueueId, SystemClock, Timestamp};
use gantry_core::record::RecordView;
use gantry_core::vfs::RealVfs;
use gantry_core::vhosts::{Dealt, QueueSpec, VirtualHost, WorkQueue};
use gantry_core::{
    Broker, Client, Config, Consumed, Durability, Error, LeaseSession, Payload, ProduceItem, Steps,
};
use std::sync::Arc;
use tempfile::TempDir;

struct World {
    directory: TempDir,
    open: Option<(Broker, Steps)>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            directory: tempfile::tempdir().unwrap(),
            open: None,
        };
        world.restart();
        world
    }

    /// As after `kill -9`.
    fn restart(&mut self) {
        self.open = None;
        let mut config = Config::default();
        config.store.segment_bytes = 8 << 20;
        config.topics.message_bytes_max = 1 << 10;
        let (vfs, clock) = (Arc::new(RealVfs), Arc::new(SystemClock));
        let opened = Broker::open_stepped(vfs, self.directory.path(), config, clock);
        self.open = Some(opened.unwrap());
    }

    /// Has what is known of groups written down, and the log's state.
    fn write(&mut self) {
        self.open.as_mut().unwrap().1.keep();
    }

    fn client(&self) -> Client {
        self.open.as_ref().unwrap().0.anonymous()
    }

    fn host(&self) -> Arc<VirtualHost> {
        self.client().virtual_host("/").unwrap()
    }

    fn queue(&self, name: &str) -> Arc<WorkQueue> {
        let spec = QueueSpec {
            is_durable: true,
            ..QueueSpec::default()
        };
        let declared = self.client().declare_queue(&self.host(), name, spec, None);
        declared.unwrap().0
    }

    fn publish(&self, queue: &WorkQueue, bodies: &[&str]) {
        let items = bodies.iter().map(|body| item(queue, body)).collect();
        for receipt in self.client().produce_routed(items, Durability::Appended) {
            receipt.unwrap();
        }
    }

    fn take_all(&self, queue: &Arc<WorkQueue>, session: LeaseSession) -> Vec<Dealt> {
        let take = || self.client().take_one(queue, session).unwrap();
        std::iter::from_fn(take).collect()
    }

    /// What a new consumer of a queue gets.
    fn bodies(&self, name: &str) -> Vec<String> {
        let (queue, session) = (self.queue(name), self.client().lease_session());
        let all = self.take_all(&queue, session);
        self.client().end_session(session);
        let body = |dealt: &Dealt| {
            let record = RecordView::parse(&dealt.message.bytes).unwrap();
            String::from_utf8(record.body().to_vec()).unwrap()
        };
        all.iter().map(body).collect()
    }
}

fn item(queue: &WorkQueue, body: &str) -> ProduceItem {
    let body = Bytes::copy_from_slice(body.as_bytes());
    ProduceItem {
        topic: Arc::clone(queue.topic()),
        queue: QueueId::new(0),
        payload: Payload::Message(Message::new(body, Timestamp::from_millis(1))),
        also: Vec::new(),
    }
}

/// All those are done with by the record of item `by`.
fn by(queue: &Arc<WorkQueue>, dealt: &[&Dealt], by: usize) -> Vec<Consumed> {
    let of = |dealt: &&Dealt| Consumed {
        queue: Arc::clone(queue),
        receipt: dealt.receipt.clone(),
        by,
    };
    dealt.iter().map(of).collect()
}

#[test]
fn after_a_kill_both_are_true() {
    for is_written in [false, true] {
        let mut world = World::new();
        let (from, to) = (world.queue("from"), world.queue("to"));
        world.publish(&from, &["0", "1", "2", "3", "4", "5"]);
        let taken = world.take_all(&from, world.client().lease_session());
        let done = [0, 1, 2, 4].map(|at| &taken[at]);
        let consumed = by(&from, &done, 1);
        let items = vec![item(&to, "a"), item(&to, "b")];
        for receipt in world
            .client()
            .produce_consuming(items, &consumed, Durability::Appended)
        {
            receipt.unwrap();
        }
        assert_eq!(world.client().queue_counts(&from).unwrap().leased, 2);
        if is_written {
            world.write();
        }
        for _ in 0..2 {
            world.restart();
            assert_eq!(world.bodies("to"), ["a", "b"]);
            assert_eq!(world.bodies("from"), ["3", "5"]);
        }
    }
}

#[test]
fn what_is_not_held_any_more_is_not_done_with() {
    let mut world = World::new();
    let (from, to) = (world.queue("from"), world.queue("to"));
    world.publish(&from, &["0"]);
    let session = world.client().lease_session();
    let taken = world.take_all(&from, session);
    world.client().end_session(session);
    let again = world.take_all(&from, world.client().lease_session());
    assert_eq!(again.len(), 1, "another has it");
    let consumed = by(&from, &[&taken[0]], 0);
    let items = vec![item(&to, "a")];
    let produced = world
        .client()
        .produce_consuming(items, &consumed, Durability::Appended);
    assert!(produced[0].is_ok());
    world.restart();
    assert_eq!(world.bodies("from"), ["0"]);
}

#[test]
fn a_record_before_it_that_is_not_kept_leaves_all_as_it_was() {
    let mut world = World::new();
    let (from, to) = (world.queue("from"), world.queue("to"));
    world.publish(&from, &["0"]);
    let taken = world.take_all(&from, world.client().lease_session());
    let items = vec![item(&to, &"x".repeat(2_000)), item(&to, "a")];
    let consumed = by(&from, &[&taken[0]], 1);
    let produced = world
        .client()
        .produce_consuming(items, &consumed, Durability::Appended);
    assert!(matches!(produced[0], Err(Error::MessageTooLarge { .. })));
    world.restart();
    assert_eq!(world.bodies("from"), ["0"]);
}
