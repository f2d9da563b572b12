use super::*;
use crate::codec::Value;
use crate::codec::table::TableBuilder;
use gantry_core::model::{ManualClock, QueueOffset};

/// A world with a stream.
struct Log {
    clock: Arc<ManualClock>,
    world: World,
    stream: Arc<WorkQueue>,
}

impl Log {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000_000)));
        let world = World::at(Arc::clone(&clock) as Arc<dyn Clock>);
        let mut arguments = TableBuilder::new();
        arguments.put("x-queue-type", Value::LongString(b"stream"));
        let method = queue::Declare {
            queue: ShortString::cut("s"),
            durable: true,
            arguments: arguments.build(),
            ..queue::Declare::default()
        };
        world.topology.declare_queue(&method, &mut None).unwrap();
        let stream = world.topology.queue("s").unwrap();
        Self {
            clock,
            world,
            stream,
        }
    }

    fn publish(&self, numbers: std::ops::Range<u32>) {
        self.world.publish_to(&self.stream, numbers);
    }

    /// A channel whose consumer `t` begins at `offset` and has a limit.
    fn reader(&self, number: u16, limit: u16, offset: Value<'_>) -> Channel {
        let mut channel = self.world.channel(number);
        channel.limit(limit, false);
        let mut arguments = TableBuilder::new();
        arguments.put("x-stream-offset", offset);
        let method = basic::Consume {
            consumer_tag: ShortString::cut("t"),
            arguments: arguments.build(),
            ..basic::Consume::default()
        };
        let stream = Arc::clone(&self.stream);
        let tag = channel.consuming.consume(&method, stream).unwrap();
        channel.consuming.begin(&tag).unwrap();
        channel
    }

    fn letters(&self) -> usize {
        self.world.shared.outbox.take(Waker::noop()).len()
    }
}

fn first() -> Value<'static> {
    Value::LongString(b"first")
}

#[test]
fn a_time_is_the_first_message_stored_then_or_later() {
    let log = Log::new();
    log.publish(0..3);
    log.clock.advance(10_000);
    log.publish(3..5);
    log.clock.advance(10_000);
    let cases = [
        (Value::Timestamp(1_000_000), 5),
        (Value::Timestamp(1_000_001), 2),
        (Value::Timestamp(1_000_010), 2),
        (Value::Timestamp(1_000_011), 0),
        (Value::LongString(b"20s"), 5),
        (Value::LongString(b"19s"), 2),
        (Value::LongString(b"10s"), 2),
        (Value::LongString(b"9s"), 0),
    ];
    for (offset, count) in cases {
        let mut channel = log.reader(1, 100, offset);
        log.world.flush(&mut [&mut channel]);
        assert_eq!(channel.said().len(), count, "{offset:?}");
    }
}

#[test]
fn a_consumer_whose_place_was_reclaimed_goes_on_at_the_oldest_message() {
    let log = Log::new();
    log.publish(0..10);
    let mut channel = log.reader(1, 2, first());
    log.world.flush(&mut [&mut channel]);
    assert_eq!(channel.said(), ["1 to t: 0", "2 to t: 1"]);
    let (topic, queue) = (log.stream.topic(), QueueId::new(0));
    let truncated = log
        .world
        .client
        .truncate_queue(topic, queue, QueueOffset::new(7));
    truncated.unwrap();
    channel.ack(2, true).unwrap();
    log.world.flush(&mut [&mut channel]);
    assert_eq!(channel.said(), ["3 to t: 7", "4 to t: 8"]);
    // And one that asks for what is gone begins there.
    let mut late = log.reader(2, 1, Value::I32(3));
    log.world.flush(&mut [&mut late]);
    assert_eq!(late.said(), ["1 to t: 7"]);
}

#[test]
fn a_turn_is_bounded_and_the_next_comes_behind_others() {
    let log = Log::new();
    log.publish(0..1_000);
    let mut one = log.reader(1, 1_000, first());
    let mut other = log.reader(2, 1_000, first());
    let mut order = Vec::new();
    loop {
        let letters = log.world.shared.outbox.take(Waker::noop());
        if letters.is_empty() {
            break;
        }
        for letter in letters {
            let channel = match letter.channel {
                1 => &mut one,
                _ => &mut other,
            };
            channel.consuming.write(letter, &mut channel.out).unwrap();
            let count = channel.said().len();
            assert!(count <= 256, "{count} messages in a turn");
            order.push(channel.consuming.channel);
        }
    }
    assert_eq!(order, [1, 2, 1, 2, 1, 2, 1, 2]);
    assert_eq!(one.consuming.unsettled_count(), 1_000);
    assert_eq!(other.consuming.unsettled_count(), 1_000);
}

#[test]
fn many_appends_wake_a_connection_once_and_none_those_without_a_consumer() {
    let log = Log::new();
    log.publish(0..1);
    assert_eq!(log.letters(), 0);
    let mut channel = log.reader(1, 10, first());
    log.world.flush(&mut [&mut channel]);
    channel.said();
    for number in 1..5 {
        log.publish(number..number + 1);
    }
    assert_eq!(log.world.shared.room.limit(), Some(1_000));
    let letters = log.world.shared.outbox.take(Waker::noop());
    assert_eq!(letters.len(), 1);
    for letter in letters {
        channel.consuming.write(letter, &mut channel.out).unwrap();
    }
    assert_eq!(channel.said().len(), 4);
    assert_eq!(log.letters(), 0);
    let tag = ShortString::cut("t");
    channel.consuming.stop(&tag).unwrap();
    channel.consuming.forget(&tag).unwrap();
    log.publish(5..6);
    assert_eq!(log.letters(), 0);
    // What it was sent can still be acknowledged.
    channel.ack(5, true).unwrap();
    log.world.flush(&mut [&mut channel]);
    assert_eq!(channel.said(), Vec::<String>::new());
}

#[test]
fn what_is_acknowledged_in_part_makes_room_for_as_much() {
    let log = Log::new();
    log.publish(0..10);
    let mut channel = log.reader(1, 4, first());
    log.world.flush(&mut [&mut channel]);
    assert_eq!(channel.said().len(), 4);
    channel.ack(3, false).unwrap();
    log.world.flush(&mut [&mut channel]);
    assert_eq!(channel.said(), ["5 to t: 4"]);
    channel.ack(4, true).unwrap();
    log.world.flush(&mut [&mut channel]);
    assert_eq!(channel.said(), ["6 to t: 5", "7 to t: 6", "8 to t: 7"]);
    channel.consuming.end().unwrap();
    assert_eq!(log.stream.consumer_count(), 0);
    let counts = log.world.client.queue_counts(&log.stream).unwrap();
    assert_eq!((counts.ready, counts.leased), (10, 0));
}
