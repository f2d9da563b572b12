mod streams;

use super::*;
use crate::codec::method::queue;
use crate::codec::{MethodId, Payload, ServerMethod, decode};
use crate::topology::Topology;
use bytes::{Bytes, BytesMut};
use gantry_core::model::{Clock, Message, QueueId, SystemClock, Timestamp};
use gantry_core::{Broker, Config, Durability, Payload as Produced, ProduceItem};
use std::task::Waker;
use tempfile::TempDir;

struct World {
    _directory: TempDir,
    _broker: Broker,
    client: Client,
    topology: Topology,
    shared: Shared,
}

/// A channel with what it has written.
struct Channel {
    consuming: Consuming,
    out: BytesMut,
}

impl World {
    fn new() -> Self {
        Self::at(Arc::new(SystemClock))
    }

    fn at(clock: Arc<dyn Clock>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.segment_bytes = 4 << 20;
        let broker = Broker::open(directory.path(), config, clock).unwrap();
        let client = broker.anonymous();
        let host = client.virtual_host("/").unwrap();
        let session = client.lease_session();
        let topology = Topology::new(client.clone(), Arc::clone(&host), session);
        let shared = Shared {
            client: client.clone(),
            host,
            outbox: Arc::default(),
            room: Credit::of(Some(1_000)),
            replies: Arc::default(),
            frame_max: FrameMax::LEAST,
            takes_cancel: true,
            ledger: Arc::default(),
            patience: Some(Duration::from_secs(60)),
            accepted_at: Instant::now(),
        };
        let world = Self {
            _directory: directory,
            _broker: broker,
            client,
            topology,
            shared,
        };
        let method = queue::Declare {
            queue: ShortString::cut("q"),
            durable: true,
            ..queue::Declare::default()
        };
        world.topology.declare_queue(&method, &mut None).unwrap();
        world
    }

    fn queue(&self) -> Arc<WorkQueue> {
        self.topology.queue("q").unwrap()
    }

    fn channel(&self, number: u16) -> Channel {
        Channel {
            consuming: Consuming::new(self.shared.clone(), number),
            out: BytesMut::new(),
        }
    }

    fn publish(&self, numbers: std::ops::Range<u32>) {
        self.publish_to(&self.queue(), numbers);
    }

    fn publish_to(&self, queue: &Arc<WorkQueue>, numbers: std::ops::Range<u32>) {
        let item = |number: u32| ProduceItem {
            topic: Arc::clone(queue.topic()),
            queue: QueueId::new(0),
            payload: Produced::Message(Message::new(
                Bytes::from(number.to_string()),
                Timestamp::from_millis(1),
            )),
            also: Vec::new(),
        };
        let items = numbers.map(item).collect();
        let sent = self.client.produce(items, Durability::Appended);
        assert!(sent.iter().all(Result::is_ok));
        self.client.dispatch(queue).unwrap();
    }

    /// Writes what waits in the outbox, as a connection does.
    fn flush(&self, channels: &mut [&mut Channel]) {
        loop {
            let letters = self.shared.outbox.take(Waker::noop());
            if letters.is_empty() {
                return;
            }
            for letter in letters {
                let at = channels
                    .iter()
                    .position(|one| one.consuming.channel == letter.channel);
                let channel = &mut channels[at.unwrap()];
                channel.consuming.write(letter, &mut channel.out).unwrap();
            }
        }
    }
}

impl Channel {
    fn consume(&mut self, world: &World, tag: &str, change: impl FnOnce(&mut basic::Consume)) {
        let mut method = basic::Consume {
            consumer_tag: ShortString::cut(tag),
            ..basic::Consume::default()
        };
        change(&mut method);
        let tag = self.consuming.consume(&method, world.queue()).unwrap();
        self.consuming.begin(&tag).unwrap();
    }

    fn limit(&mut self, prefetch_count: u16, global: bool) {
        let method = basic::Qos {
            prefetch_count,
            global,
            ..basic::Qos::default()
        };
        self.consuming.limit(&method).unwrap();
    }

    fn ack(&mut self, delivery_tag: u64, multiple: bool) -> Result<(), Fault> {
        let taken = self.consuming.take(delivery_tag, multiple)?;
        self.consuming.settle(taken)
    }

    fn requeue(&mut self, delivery_tag: u64, multiple: bool) {
        let taken = self.consuming.take(delivery_tag, multiple).unwrap();
        self.consuming.requeue(taken).unwrap();
    }

    /// What was written since this was last asked, in short.
    fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(frame) = decode(&mut self.out, FrameMax::LEAST).unwrap() {
            match frame.payload {
                Payload::Method(method) => {
                    said.push(match ServerMethod::decode(&method).unwrap() {
                        ServerMethod::BasicDeliver(deliver) => {
                            let again = if deliver.redelivered { " again" } else { "" };
                            let (tag, consumer) = (deliver.delivery_tag, deliver.consumer_tag);
                            format!("{tag} to {consumer}{again}: ")
                        }
                        ServerMethod::BasicGetOk(got) => {
                            let again = if got.redelivered { " again" } else { "" };
                            format!(
                                "{} got, {} left{again}: ",
                                got.delivery_tag, got.message_count
                            )
                        }
                        ServerMethod::BasicGetEmpty(_) => "empty".to_owned(),
                        ServerMethod::BasicCancel(cancel) => {
                            format!("{} cancelled", cancel.consumer_tag)
                        }
                        other => format!("{other:?}"),
                    })
                }
                Payload::Body(body) => {
                    let text = std::str::from_utf8(&body).unwrap();
                    said.last_mut().unwrap().push_str(text);
                }
                Payload::Header(_) | Payload::Heartbeat => {}
            }
        }
        said
    }
}

fn text<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> String {
    let close = outcome.unwrap_err().close(MethodId::NONE);
    format!("{} {}", close.reply_code, close.reply_text)
}

#[test]
fn a_consumers_and_a_channels_limits_hold_together() {
    let world = World::new();
    let mut channel = world.channel(1);
    channel.limit(2, false);
    channel.consume(&world, "a", |_| {});
    channel.limit(3, true);
    channel.limit(0, false);
    channel.consume(&world, "b", |_| {});
    world.publish(0..10);
    world.flush(&mut [&mut channel]);
    assert_eq!(channel.said(), ["1 to a: 0", "2 to b: 1", "3 to a: 2"]);
    channel.ack(2, false).unwrap();
    world.flush(&mut [&mut channel]);
    assert_eq!(
        channel.said(),
        ["4 to b: 3"],
        "the first consumer has its two"
    );
    channel.limit(0, true);
    world.flush(&mut [&mut channel]);
    assert_eq!(channel.said().len(), 6);
    assert_eq!(channel.consuming.unsettled_count(), 9);
    channel.ack(0, true).unwrap();
    assert_eq!(channel.consuming.unsettled_count(), 0);
    assert_eq!(channel.ack(0, true), Ok(()));
    let unknown = "406 PRECONDITION_FAILED - unknown delivery tag";
    assert_eq!(text(channel.ack(0, false)), format!("{unknown} 0"));
    assert_eq!(text(channel.ack(5, false)), format!("{unknown} 5"));
    assert_eq!(text(channel.ack(99, true)), format!("{unknown} 99"));
    let size = basic::Qos {
        prefetch_size: 5,
        ..basic::Qos::default()
    };
    assert_eq!(
        text(channel.consuming.limit(&size)),
        "540 NOT_IMPLEMENTED - prefetch_size!=0 (5)"
    );
}

#[test]
fn what_is_requeued_comes_again_in_its_order_and_says_so() {
    let world = World::new();
    let mut channel = world.channel(1);
    channel.limit(3, false);
    channel.consume(&world, "a", |_| {});
    world.publish(0..4);
    world.flush(&mut [&mut channel]);
    assert_eq!(channel.said().len(), 3);
    channel.requeue(2, true);
    world.flush(&mut [&mut channel]);
    assert_eq!(channel.said(), ["4 to a again: 0", "5 to a again: 1"]);
    channel.ack(4, false).unwrap();
    world.flush(&mut [&mut channel]);
    assert_eq!(channel.said(), ["6 to a: 3"], "0 is done with");
    channel.consuming.recover(true).unwrap();
    world.flush(&mut [&mut channel]);
    assert_eq!(
        channel.said(),
        ["7 to a again: 1", "8 to a again: 2", "9 to a again: 3"]
    );
    assert_eq!(
        text(channel.consuming.recover(false)),
        "540 NOT_IMPLEMENTED - requeue=false"
    );
}

#[test]
fn a_channel_that_ends_leaves_everything_to_others_in_order() {
    let world = World::new();
    let (mut first, mut second) = (world.channel(1), world.channel(2));
    first.consume(&world, "a", |_| {});
    world.publish(0..4);
    world.flush(&mut [&mut first]);
    first.ack(2, false).unwrap();
    second.consume(&world, "b", |method| method.no_ack = true);
    first.consuming.end().unwrap();
    world.publish(4..5);
    world.flush(&mut [&mut first, &mut second]);
    assert_eq!(
        second.said(),
        [
            "1 to b again: 0",
            "2 to b again: 2",
            "3 to b again: 3",
            "4 to b: 4"
        ]
    );
    assert_eq!(second.consuming.unsettled_count(), 0);
    let counts = world.client.queue_counts(&world.queue()).unwrap();
    assert_eq!((counts.ready, counts.leased), (0, 0));
}

#[test]
fn a_consumer_that_is_cancelled_keeps_what_was_on_its_way() {
    let world = World::new();
    let mut channel = world.channel(1);
    channel.consume(&world, "a", |_| {});
    world.publish(0..2);
    let tag = ShortString::cut("a");
    channel.consuming.stop(&tag).unwrap();
    world.publish(2..3);
    world.flush(&mut [&mut channel]);
    channel.consuming.forget(&tag).unwrap();
    assert_eq!(channel.said(), ["1 to a: 0", "2 to a: 1"]);
    assert_eq!(channel.ack(2, true), Ok(()));
    let counts = world.client.queue_counts(&world.queue()).unwrap();
    assert_eq!((counts.ready, counts.leased), (1, 0));
}

#[test]
fn one_message_is_got_at_a_time() {
    let world = World::new();
    let mut channel = world.channel(1);
    let (queue, get) = (world.queue(), basic::Get::default());
    let got = |channel: &mut Channel, method: &basic::Get| {
        let outcome = channel.consuming.get(method, &queue, &mut channel.out);
        outcome.unwrap();
        channel.said().remove(0)
    };
    assert_eq!(got(&mut channel, &get), "empty");
    world.publish(0..3);
    assert_eq!(got(&mut channel, &get), "1 got, 2 left: 0");
    channel.requeue(1, false);
    assert_eq!(got(&mut channel, &get), "2 got, 2 left again: 0");
    let no_ack = basic::Get {
        no_ack: true,
        ..basic::Get::default()
    };
    assert_eq!(got(&mut channel, &no_ack), "3 got, 1 left: 1");
    assert_eq!(
        text(channel.ack(3, false)),
        "406 PRECONDITION_FAILED - unknown delivery tag 3"
    );
    assert_eq!(channel.ack(2, false), Ok(()));
}

#[test]
fn consumers_that_cannot_be_are_refused() {
    let world = World::new();
    let mut channel = world.channel(1);
    channel.consume(&world, "a", |method| method.exclusive = true);
    let consume = |channel: &mut Channel, tag: &str| {
        let method = basic::Consume {
            consumer_tag: ShortString::cut(tag),
            ..basic::Consume::default()
        };
        channel.consuming.consume(&method, world.queue())
    };
    assert_eq!(
        text(consume(&mut channel, "a")),
        "530 NOT_ALLOWED - attempt to reuse consumer tag 'a'"
    );
    assert_eq!(
        text(consume(&mut channel, "b")),
        "403 ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"
    );
    let delete = queue::Delete {
        queue: ShortString::cut("q"),
        ..queue::Delete::default()
    };
    world.topology.delete_queue(&delete, None).unwrap();
    world.flush(&mut [&mut channel]);
    assert_eq!(channel.said(), ["a cancelled"]);
}

#[test]
fn an_acknowledgement_that_is_late_is_the_channels_end() {
    let world = World::new();
    let mut channel = world.channel(1);
    let at = Duration::from_secs;
    assert_eq!(channel.consuming.next_look(), None);
    channel.consume(&world, "a", |_| {});
    world.publish(0..2);
    world.flush(&mut [&mut channel]);
    let look = channel.consuming.next_look().unwrap();
    assert!(look > at(50) && look < at(70), "{look:?}");
    assert_eq!(channel.consuming.expire(look - at(1)), Ok(()));
    let late = channel.consuming.expire(look + at(1));
    assert_eq!(
        text(late),
        "406 PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value \
         used: 60000 ms. This timeout value can be configured, see consumers doc guide to learn \
         more"
    );
    channel.ack(2, true).unwrap();
    assert_eq!(channel.consuming.expire(look + at(1)), Ok(()));
    assert_eq!(channel.consuming.next_look(), None);
}
