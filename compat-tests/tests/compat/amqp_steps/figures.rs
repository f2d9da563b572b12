//! Steps 40 to 43: many queues, many channels, large messages beside small ones; in numbers that a
//! test may take.

use super::broker::Broker;
use super::client::{Client, consume, publish, queue_named, short};
use bytes::Bytes;
use compat_tests::process::now;
use gantry_amqp::codec::method::{basic, channel, queue};
use gantry_amqp::codec::{Properties, PropertyList, ServerMethod};
use std::time::Duration;

#[test]
fn step_40_a_message_goes_into_a_thousand_queues() {
    const QUEUES: usize = 1_000;
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let exchange = broker.name("exchange");
    client.declare_exchange(1, &exchange, "fanout");
    let prefix = broker.name("queue");
    let queues: Vec<String> = (0..QUEUES).map(|at| format!("{prefix}-{at}")).collect();
    for name in &queues {
        let declare = queue::Declare {
            exclusive: true,
            no_wait: true,
            ..queue_named(name)
        };
        client.send(1, declare);
        let bind = queue::Bind {
            queue: short(name),
            exchange: short(&exchange),
            no_wait: true,
            ..queue::Bind::default()
        };
        client.send(1, bind);
    }
    client.confirm_select(1);
    for text in ["a", "b", "c"] {
        client.publish_with(1, publish(&exchange, ""), PropertyList::default(), text);
    }
    client.confirmed(1, 3);
    for name in &queues {
        assert_eq!(client.look(1, name).0, 3);
    }
    for name in queues.iter().step_by(100) {
        assert_eq!(client.drain(1, name), ["a", "b", "c"]);
    }
}

#[test]
fn step_41_thousands_of_queues_are_made_used_and_deleted() {
    const QUEUES: usize = 3_000;
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let prefix = broker.name("queue");
    let queues: Vec<String> = (0..QUEUES).map(|at| format!("{prefix}-{at}")).collect();
    for name in &queues {
        let declare = queue::Declare {
            exclusive: true,
            no_wait: true,
            ..queue_named(name)
        };
        client.send(1, declare);
    }
    client.confirm_select(1);
    for name in &queues {
        client.publish(1, name, name);
    }
    client.confirmed(1, QUEUES as u64);
    for name in &queues {
        assert_eq!(client.get_with(1, name, true).unwrap().text(), name);
    }
    for name in &queues {
        assert_eq!(client.delete_queue(1, name), 0);
    }
}

#[test]
fn step_42_all_channels_of_a_connection_work_at_once() {
    const CHANNELS: u16 = 2_047;
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::connect(&broker);
    for channel in 1..=CHANNELS {
        client.send(channel, channel::Open::default());
    }
    for _ in 1..=CHANNELS {
        let heard = client.wire.hear();
        let super::wire::Heard::Method(_, ServerMethod::ChannelOpenOk(_)) = heard else {
            panic!("{heard:?}");
        };
    }
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    for channel in 1..=CHANNELS {
        client.confirm_select(channel);
    }
    for channel in 1..=CHANNELS {
        client.publish(channel, &queue, &channel.to_string());
        client.confirmed(channel, 1);
    }
    assert_eq!(client.look(1, &queue).0, u32::from(CHANNELS));
    client.close();
}

#[test]
fn step_43_small_messages_do_not_wait_for_large_ones() {
    const LARGE: usize = 40;
    const LARGE_BYTES: usize = 3 << 20;
    let Some(broker) = Broker::start() else {
        return;
    };
    let (large, small) = (broker.name("large"), broker.name("small"));
    let mut bulk = Client::with_channel(&broker);
    bulk.private_queue(1, &large);
    bulk.open(2);
    bulk.consume_with(
        2,
        basic::Consume {
            no_ack: true,
            ..consume(&large, "t")
        },
    );
    let mover = std::thread::spawn(move || {
        let body = Bytes::from(vec![b'x'; LARGE_BYTES]);
        for _ in 0..LARGE {
            bulk.publish_raw(1, publish("", &large), &Properties::NONE, &body);
            assert_eq!(bulk.message(2).body.len(), LARGE_BYTES);
        }
    });
    let mut client = Client::with_channel(&broker);
    client.private_queue(1, &small);
    client.consume_with(
        1,
        basic::Consume {
            no_ack: true,
            ..consume(&small, "t")
        },
    );
    let mut longest = Duration::ZERO;
    let mut count = 0;
    while !mover.is_finished() || count < 100 {
        let began = now();
        client.publish(1, &small, "twelve bytes");
        assert_eq!(client.message(1).text(), "twelve bytes");
        longest = longest.max(began.elapsed());
        count += 1;
    }
    mover.join().unwrap();
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}
