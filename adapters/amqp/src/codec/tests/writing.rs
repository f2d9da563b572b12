//! Deliveries on their way out.

use crate::Output;
use crate::codec::method::{basic, connection};
use crate::codec::{
    ContentMethod, FrameMax, Payload, Properties, ReplyCode, ServerMethod, ShortString, decode,
    write_content,
};
use bytes::{Bytes, BytesMut};
use gantry_connection::Outgoing;

/// An output that remembers what it was given to hold on to.
#[derive(Default)]
struct Chunks {
    head: BytesMut,
    pushed: Vec<Bytes>,
}

impl Output for Chunks {
    fn head(&mut self) -> &mut BytesMut {
        &mut self.head
    }

    fn push(&mut self, chunk: Bytes) {
        self.pushed.push(chunk);
    }
}

fn deliver() -> basic::Deliver {
    basic::Deliver {
        consumer_tag: ShortString::from_static("ctag"),
        delivery_tag: 3,
        redelivered: true,
        exchange: ShortString::from_static(""),
        routing_key: ShortString::from_static("q"),
    }
}

#[test]
fn a_body_is_cut_to_frames_and_never_copied() {
    let limit = FrameMax::new(5000);
    for (bytes, frames) in [
        (0, 0),
        (1, 1),
        (4992, 1),
        (4993, 2),
        (14_976, 3),
        (14_977, 4),
    ] {
        let body = Bytes::from(vec![7; bytes]);
        let (deliver, properties) = (deliver(), Properties::NONE);
        let method = ContentMethod::Deliver(&deliver);
        let mut chunks = Chunks::default();
        write_content(1, limit, method, &properties, &body, &mut chunks).unwrap();
        assert_eq!(chunks.pushed.len(), frames);
        assert_eq!(chunks.pushed.concat(), body);
        let range = body.as_ptr_range();
        assert!(
            chunks
                .pushed
                .iter()
                .all(|part| range.contains(&part.as_ptr()))
        );

        let mut whole = BytesMut::new();
        write_content(1, limit, method, &properties, &body, &mut whole).unwrap();
        let mut outgoing = Outgoing::default();
        write_content(1, limit, method, &properties, &body, &mut outgoing).unwrap();
        assert_eq!(outgoing.len(), whole.len());
        let mut again = BytesMut::new();
        let mut parts = 0;
        while let Some(frame) = decode(&mut whole, limit).unwrap() {
            match frame.payload {
                Payload::Body(part) => {
                    assert!(part.len() + 8 <= 5000);
                    parts += 1;
                    again.extend_from_slice(&part);
                }
                Payload::Method(method) => {
                    let method = ServerMethod::decode(&method).unwrap();
                    assert_eq!(method, ServerMethod::from(deliver.clone()));
                }
                Payload::Header(header) => assert_eq!(header[4..12], (bytes as u64).to_be_bytes()),
                Payload::Heartbeat => panic!("a heartbeat"),
            }
        }
        assert_eq!((parts, again), (frames, BytesMut::from(&body[..])));
    }
}

#[test]
fn properties_too_long_for_the_peer_are_not_begun() {
    let method = deliver();
    let fits = FrameMax::LEAST.payload_bytes() as usize - 12;
    for (bytes, written) in [(fits, true), (fits + 1, false)] {
        let properties = Properties::from_raw(Bytes::from(vec![0; bytes]));
        let mut out = BytesMut::new();
        let method = ContentMethod::Deliver(&method);
        let body = Bytes::new();
        let result = write_content(1, FrameMax::LEAST, method, &properties, &body, &mut out);
        assert_eq!(result.is_ok(), written);
        assert_eq!(out.is_empty(), !written);
        if let Err(error) = result {
            assert_eq!((error.bytes, error.bytes_max), (bytes, 4096));
        }
    }
}

#[test]
fn a_close_says_what_rabbitmq_says() {
    let text = ReplyCode::NotFound.text("no queue 'missing' in vhost '/'");
    let id = crate::codec::MethodId::new(50, 10);
    let close = connection::Close::new(ReplyCode::NotFound, text, id);
    let mut out = BytesMut::new();
    let close = crate::codec::method::channel::Close::from(close);
    ServerMethod::from(close).encode(1, &mut out);
    let recorded = crate::testdata::recordings()
        .into_iter()
        .filter(|recording| recording.name.ends_with("s2c.bin"))
        .any(|recording| {
            let mut frames = recording.frames().into_iter();
            frames.any(|frame| {
                let Payload::Method(payload) = frame.payload else {
                    return false;
                };
                payload[..] == out[7..out.len() - 1]
            })
        });
    assert!(recorded, "a passive declare of no queue");
}
