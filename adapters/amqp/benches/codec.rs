//! What a publish costs to take in and a delivery to write, with lapin's codec for comparison.
//! `cargo bench -p gantry-amqp --bench codec -- [messages bytes]…`
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, reads the clock and stops at the first mistake"
)]

#[path = "../../../core/benches/timing/mod.rs"]
mod timing;

use amq_protocol::frame::parse_frame;
use bytes::{Bytes, BytesMut};
use gantry_amqp::codec::method::basic;
use gantry_amqp::codec::table::TableBuilder;
use gantry_amqp::codec::{
    Assembler, Command, ContentMethod, FrameMax, Properties, PropertyList, ShortString, Value,
    decode, write_content,
};
use gantry_connection::Outgoing;
use std::hint::black_box;
use timing::Bench;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages of one read, bytes of each body.
const SIZES: [(usize, usize); 4] = [(64, 12), (64, 1 << 10), (16, 16 << 10), (1, 1 << 20)];

fn main() {
    let bench = Bench::from_arguments();
    for (count, bytes) in bench.size_pairs(&SIZES) {
        take_in(&bench, count, bytes);
        deliver(&bench, count, bytes);
    }
    let properties = properties();
    bench.run("properties, 3 and 2 headers", 1, 0, || {
        black_box(&properties).list().unwrap().delivery_mode
    });
}

fn take_in(bench: &Bench, count: usize, bytes: usize) {
    let stream = publishes(count, bytes);
    let size = stream.len();
    let name = |what: &str| format!("{what} {count} x {bytes} B");
    // Reading fills the buffer anyhow; its copy is measured alone to be taken off.
    bench.run(&name("copy"), count, size, || BytesMut::from(&stream[..]));
    bench.run(&name("copy, take in"), count, size, || {
        let mut buffer = BytesMut::from(&stream[..]);
        let mut assembler = Assembler::new(16 << 20);
        let mut taken = 0;
        while let Some(frame) = decode(&mut buffer, FrameMax::OFFERED).unwrap() {
            if let Some(Command::Publish(..)) = assembler.accept(frame.payload).unwrap() {
                taken += 1;
            }
        }
        assert_eq!(taken, count);
    });
    bench.run(&name("amq-protocol parse"), count, size, || {
        let mut rest = &stream[..];
        while let Ok((left, frame)) = parse_frame(rest) {
            black_box(frame);
            rest = left;
        }
        assert!(rest.is_empty());
    });
}

fn deliver(bench: &Bench, count: usize, bytes: usize) {
    let properties = properties();
    let body = Bytes::from(vec![b'x'; bytes]);
    let exchange = ShortString::from_static("orders");
    let routing_key = ShortString::try_from("orders.eu.new").unwrap();
    let mut method = basic::Deliver {
        consumer_tag: ShortString::try_from("amq.ctag-J3XBLKZb1n9fTm2Lw3Iq0g").unwrap(),
        ..basic::Deliver::default()
    };
    let name = format!("deliver {count} x {bytes} B");
    bench.run(&name, count, count * bytes, || {
        let mut out = Outgoing::default();
        for _ in 0..count {
            method.delivery_tag += 1;
            method.exchange = exchange.clone();
            method.routing_key = routing_key.clone();
            let content = ContentMethod::Deliver(&method);
            write_content(1, FrameMax::OFFERED, content, &properties, &body, &mut out).unwrap();
        }
        out.len()
    });
}

fn publishes(count: usize, bytes: usize) -> Bytes {
    let publish = basic::Publish {
        exchange: ShortString::from_static("orders"),
        routing_key: ShortString::from_static("orders.eu.new"),
        ..basic::Publish::default()
    };
    let body = Bytes::from(vec![b'x'; bytes]);
    let (properties, mut out) = (properties(), BytesMut::new());
    for _ in 0..count {
        let method = ContentMethod::Publish(&publish);
        write_content(1, FrameMax::OFFERED, method, &properties, &body, &mut out).unwrap();
    }
    out.freeze()
}

fn properties() -> Properties {
    let mut headers = TableBuilder::new();
    let headers = headers
        .put("tenant", Value::LongString(b"acme"))
        .put("attempt", Value::I32(1))
        .build();
    PropertyList {
        content_type: Some(b"application/json"),
        headers: Some(headers.view()),
        delivery_mode: Some(2),
        message_id: Some(b"8f14e45f-ceea-467f-a0e6-6c1d0b8a5e3b"),
        ..PropertyList::default()
    }
    .encode()
}
