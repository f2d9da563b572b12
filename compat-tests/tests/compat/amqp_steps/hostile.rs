//! Step 44: clients that send anything, promise everything, or hardly speak.

use super::broker::Broker;
use super::client::{Client, due, publish, queue_named, short, text};
use super::wire::{Heard, Wire};
use bytes::{BufMut as _, BytesMut};
use compat_tests::process::now;
use gantry_amqp::codec::method::{basic, queue};
use gantry_amqp::codec::table::TableBuilder;
use gantry_amqp::codec::{PropertyList, SUPPORTED, Table, Value};
use std::time::Duration;

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// Others are served as ever.
fn still_serves(broker: &Broker) {
    let mut client = Client::with_channel(broker);
    let queue = broker.name("well");
    client.private_queue(1, &queue);
    client.fill(&queue, &["x"]);
    assert_eq!(client.drain(1, &queue), ["x"]);
    client.close();
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    frame.put_u8(kind);
    frame.put_u16(channel);
    frame.put_u32(payload.len() as u32);
    frame.put_slice(payload);
    frame.put_u8(0xCE);
    frame
}

#[test]
fn step_44_what_is_no_frame_harms_nobody_else() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut numbers = Numbers(0x5EED_0001);
    for round in 0..200 {
        let mut client = Client::with_channel(&broker);
        match round % 3 {
            // Anything at all.
            0 => client.wire.put(&numbers.bytes(64)),
            // Frames of anything.
            1 => {
                let kind = [1, 2, 3, 8, 9][(numbers.next() % 5) as usize];
                let count = (numbers.next() % 64) as usize;
                let payload = numbers.bytes(count);
                client.wire.put(&frame(kind, 1, &payload));
            }
            // Methods that there are, with anything for arguments.
            _ => {
                let class = [10, 20, 40, 50, 60, 85, 90][(numbers.next() % 7) as usize];
                let method = (numbers.next() % 13) as u8 * 10;
                let mut payload = vec![0, class, 0, method];
                let count = (numbers.next() % 32) as usize;
                payload.extend(numbers.bytes(count));
                client.wire.put(&frame(1, 1, &payload));
            }
        }
    }
    still_serves(&broker);
}

#[test]
fn step_44_a_wrong_end_of_a_frame_ends_the_connection_with_a_reason() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.wire.put(&[8, 0, 0, 0, 0, 0, 0, 0xCD]);
    let close = due!(client.hear(0), ConnectionClose);
    let said = "FRAME_ERROR - type 8, all octets = <<>>: {invalid_frame_end_marker,205}";
    assert_eq!((close.reply_code, close.reply_text), (501, short(said)));
    let mut client = Client::with_channel(&broker);
    client.wire.put(&frame(9, 0, b"x"));
    let close = due!(client.hear(0), ConnectionClose);
    assert_eq!(close.reply_code, 501, "{close:?}");
    let mut client = Client::with_channel(&broker);
    client.wire.put(&frame(1, 1, &[0, 60, 0, 70, 0]));
    let close = due!(client.hear(0), ConnectionClose);
    assert_eq!(close.reply_code, 501, "{close:?}");
}

#[test]
fn step_44_a_name_that_is_no_text_ends_the_connection() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    // queue.declare of a name of one byte that is no UTF-8.
    let declare = [0, 50, 0, 10, 0, 0, 1, 0xFF, 0, 0, 0, 0, 0];
    client.wire.put(&frame(1, 1, &declare));
    let close = due!(client.hear(0), ConnectionClose);
    let said = "FRAME_ERROR - Malformed UTF-8 in shortstr";
    assert_eq!((close.reply_code, close.reply_text), (501, short(said)));
}

/// A table in a table, so many times.
fn nested(depth: usize) -> Table {
    let mut table = TableBuilder::new().put("a", text("leaf")).build();
    for _ in 1..depth {
        let outer = TableBuilder::new()
            .put("a", Value::Table(table.view()))
            .build();
        table = outer;
    }
    table
}

#[test]
fn step_44_tables_in_tables_come_back_as_they_are() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    let headers = nested(20);
    let properties = PropertyList {
        headers: Some(headers.view()),
        ..PropertyList::default()
    };
    client.publish_with(1, publish("", &queue), properties, "x");
    let message = client.get(1, &queue).unwrap();
    assert_eq!(message.properties, properties.encode());
}

#[test]
fn step_44_very_deep_tables_harm_nobody_else() {
    let Some(broker) = Broker::start() else {
        return;
    };
    for depth in [1_000, 10_000] {
        let mut client = Client::with_channel(&broker);
        let arguments = nested(depth);
        let declare = queue::Declare {
            exclusive: true,
            arguments,
            ..queue_named(&broker.name("deep"))
        };
        client.send(1, declare);
        // Taken or refused.
        client.wire.hear();
    }
    still_serves(&broker);
}

#[test]
fn step_44_what_is_only_announced_takes_no_room() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::with_channel(&broker);
        client.send(1, publish("", "q"));
        let mut header = BytesMut::new();
        header.put_slice(&[0, 60, 0, 0]);
        header.put_u64(3 << 20);
        header.put_u16(0);
        client.wire.put(&frame(2, 1, &header));
        client.wire.put(&frame(3, 1, b"some of it"));
        clients.push(client);
    }
    still_serves(&broker);
    // Half a message is none.
    for mut client in clients {
        client.send(1, basic::Qos::default());
        let close = due!(client.hear(0), ConnectionClose);
        assert_eq!(close.reply_code, 505);
    }
}

#[test]
fn step_44_who_does_not_get_through_the_handshake_is_dropped_after_ten_seconds() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut silent = Wire::dial(&broker.address());
    let mut half = Wire::dial(&broker.address());
    half.put(&SUPPORTED[..5]);
    let mut greeted = Wire::dial(&broker.address());
    greeted.put(&SUPPORTED);
    assert!(matches!(greeted.hear(), Heard::Method(0, _)));
    let began = now();
    // A byte now and then is not enough.
    while greeted.hear_within(Duration::from_millis(500)).is_none() {
        greeted.put(&[1]);
        assert!(began.elapsed() < Duration::from_secs(15));
    }
    for wire in [&mut silent, &mut half] {
        assert_eq!(wire.read_to_end(), b"");
    }
    let took = began.elapsed();
    let expected = Duration::from_secs(8)..Duration::from_secs(15);
    assert!(expected.contains(&took), "{took:?}");
}
