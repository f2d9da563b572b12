//! `amq-protocol`, lapin's codec, reads what we write and writes what we read.

use super::shapes::{CLIENT, Random, SERVER, arguments, table};
use super::{frame, header_payload, method_payload};
use crate::codec::method::{MethodId, basic};
use crate::codec::{
    ClientMethod, ContentMethod, FrameMax, Payload, PropertyList, ServerMethod, decode,
    write_content,
};
use crate::testdata::{mutations, recordings};
use amq_protocol::frame::{AMQPFrame, gen_frame, parse_frame};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

/// What the oracle makes of the first frame in `bytes`, and what is left.
fn read(bytes: &[u8]) -> Option<(AMQPFrame, &[u8])> {
    let (rest, frame) = parse_frame(bytes).ok()?;
    Some((frame, rest))
}

fn written(frame: &AMQPFrame) -> Vec<u8> {
    let context = gen_frame(frame)(Vec::new().into()).unwrap();
    context.into_inner().0
}

/// What the oracle writes after it has read `bytes`, which are one frame.
fn echo(bytes: &[u8]) -> Vec<u8> {
    match read(bytes) {
        Some((frame, [])) => written(&frame),
        other => panic!("{bytes:?}: {other:?}"),
    }
}

#[test]
fn it_reads_every_recorded_frame() {
    for recording in recordings() {
        let bytes = recording.frame_bytes();
        let mut rest = &bytes[..];
        let mut count = 0;
        while let Some((_, left)) = read(rest) {
            rest = left;
            count += 1;
        }
        assert_eq!(count, recording.frames().len(), "{}", recording.name);
        assert!(rest.is_empty());
    }
}

/// Whether the first frame of `bytes` is well-formed, for each of the two. What only ours
/// refuses, on purpose, is none of the comparison.
fn verdicts(bytes: &[u8]) -> Option<(bool, bool)> {
    let mut buffer = BytesMut::from(bytes);
    let frame = match decode(&mut buffer, FrameMax::OFFERED) {
        Ok(Some(frame)) => frame,
        Ok(None) => return None,
        Err(_) => return None,
    };
    let length = bytes.len() - buffer.len();
    let Payload::Method(payload) = frame.payload else {
        return None;
    };
    let ours = ClientMethod::decode(&payload).is_ok() || ServerMethod::decode(&payload).is_ok();
    let theirs = read(bytes.get(..length)?).is_some();
    Some((ours, theirs))
}

#[test]
fn of_damaged_methods_both_think_the_same() {
    let mut compared = [0, 0];
    for recording in recordings() {
        for one in recording.frames() {
            let Payload::Method(payload) = one.payload else {
                continue;
            };
            let compared = std::cell::RefCell::new(&mut compared);
            mutations(&payload, 10, |damaged| {
                let bytes = frame(1, one.channel, damaged);
                let Some((ours, theirs)) = verdicts(&bytes) else {
                    return;
                };
                // A name in a table that is no text is nothing to RabbitMQ, nor to us.
                let utf8 = String::from_utf8(damaged.to_vec()).is_ok();
                assert!(
                    ours == theirs || (ours && !utf8),
                    "{damaged:?}: {ours}, {theirs}"
                );
                compared.borrow_mut()[usize::from(ours)] += 1;
            });
        }
    }
    assert!(compared.iter().all(|count| *count > 300), "{compared:?}");
}

proptest! {
    #[test]
    fn it_writes_every_method_as_we_do(seed: u64, channel: u16) {
        let mut random = Random::new(seed);
        for (class, method, shape) in CLIENT.iter().chain(SERVER) {
            let id = MethodId::new(*class, *method);
            let payload = method_payload(id, &arguments(shape, false, &mut random));
            let mut ours = BytesMut::new();
            match ClientMethod::decode(&payload) {
                Ok(method) => method.encode(channel, &mut ours),
                Err(_) => ServerMethod::decode(&payload).unwrap().encode(channel, &mut ours),
            }
            let theirs = echo(&ours);
            prop_assert_eq!(&ours[..], &theirs[..], "{:?}", id);
        }
    }

    #[test]
    fn it_reads_a_delivery_as_we_wrote_it(seed: u64, present: u16, body: Vec<u8>) {
        let mut random = Random::new(seed);
        let headers = table(&mut random, 3);
        let texts: Vec<_> = (0..10).map(|_| random.text()).collect();
        let mut texts = texts.iter().map(String::as_bytes);
        let is = |bit: u16| present & 1 << bit != 0;
        let mut text = |bit: u16| texts.next().filter(|_| is(bit));
        let list = PropertyList {
            content_type: text(0),
            content_encoding: text(1),
            headers: is(2).then(|| headers.view()),
            delivery_mode: is(3).then_some(2),
            priority: is(4).then_some(9),
            correlation_id: text(5),
            reply_to: text(6),
            expiration: text(7),
            message_id: text(8),
            timestamp: is(9).then_some(u64::MAX),
            kind: text(10),
            user_id: text(11),
            app_id: text(12),
            cluster_id: text(13),
        };
        let properties = list.encode();
        prop_assert_eq!(properties.list(), Ok(list));
        let header = frame(2, 7, &header_payload(60, 0, 5, properties.raw()));
        prop_assert_eq!(&header[..], &echo(&header)[..]);

        let deliver = basic::Deliver { delivery_tag: seed, ..basic::Deliver::default() };
        let body = Bytes::from(body);
        let mut out = BytesMut::new();
        let method = ContentMethod::Deliver(&deliver);
        write_content(7, FrameMax::LEAST, method, &properties, &body, &mut out).unwrap();
        let mut rest = &out[..];
        let mut theirs = Vec::new();
        while let Some((frame, left)) = read(rest) {
            rest = left;
            theirs.extend(written(&frame));
        }
        prop_assert_eq!(&theirs[..], &out[..]);
    }
}
