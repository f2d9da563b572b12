use super::{frame, header_payload, method_payload};
use crate::codec::{
    ClientMethod, FrameMax, HEARTBEAT_FRAME, ServerMethod, decode, fuzz_frames, fuzz_methods,
    fuzz_tables,
};
use crate::testdata::{mutations, recordings};
use bytes::BytesMut;
use proptest::prelude::*;

#[test]
fn damaged_traffic_never_panics() {
    for recording in recordings() {
        let bytes = recording.frame_bytes();
        mutations(&bytes[..bytes.len().min(40_000)], 30, fuzz_frames);
    }
}

#[test]
fn damaged_methods_and_tables_never_panic() {
    for recording in recordings() {
        for frame in recording.frames() {
            use crate::codec::Payload::{Body, Header, Heartbeat, Method};
            match frame.payload {
                Method(payload) => mutations(&payload, 8, fuzz_methods),
                Header(payload) => mutations(&payload[12..], 20, fuzz_tables),
                Body(_) | Heartbeat => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_frames_or_an_error(
        data: Vec<u8>,
        kind in 0u8..10,
        channel in 0u16..3,
        class in 0u16..100,
        method in 0u16..130,
        body_bytes in 0u64..20,
    ) {
        fuzz_frames(&data);
        fuzz_methods(&data);
        fuzz_tables(&data);
        fuzz_frames(&frame(kind, channel, &data));
        let mut message = frame(1, 1, &method_payload(
            crate::codec::MethodId::new(60, 40),
            b"\0\0\0\0\0",
        ));
        message.unsplit(frame(2, 1, &header_payload(60, 0, body_bytes, &data)));
        message.unsplit(frame(3, 1, &data));
        fuzz_frames(&message);
        for (class, method) in [(class, method), (class / 10 * 10, method / 10 * 10)] {
            fuzz_methods(&method_payload(crate::codec::MethodId::new(class, method), &data));
        }
    }

    #[test]
    fn any_arguments_of_a_known_method_are_itself_or_an_error(data: Vec<u8>) {
        for id in ClientMethod::IDS {
            let payload = method_payload(*id, &data);
            fuzz_methods(&payload);
            if let Ok(method) = ClientMethod::decode(&payload) {
                prop_assert_eq!(method.id(), *id);
            }
        }
        for id in ServerMethod::IDS {
            fuzz_methods(&method_payload(*id, &data));
        }
    }

    #[test]
    fn what_is_in_a_buffer_after_a_frame_stays(data: Vec<u8>) {
        let mut buffer = BytesMut::from(&HEARTBEAT_FRAME[..]);
        buffer.extend_from_slice(&data);
        prop_assert!(decode(&mut buffer, FrameMax::LEAST).unwrap().is_some());
        prop_assert_eq!(&buffer[..], &data[..]);
    }
}
