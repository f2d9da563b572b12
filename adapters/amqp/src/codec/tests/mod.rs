//! The codec against recorded traffic, another implementation, and anything.

mod captures;
mod content;
mod errors;
mod fuzz;
mod oracle;
mod shapes;
mod writing;

use super::{FrameMax, HEARTBEAT_FRAME, MethodId};
use bytes::{BufMut, Bytes, BytesMut};

/// A frame of anything.
fn frame(kind: u8, channel: u16, payload: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    bytes.put_u8(kind);
    bytes.put_u16(channel);
    bytes.put_u32(u32::try_from(payload.len()).unwrap());
    bytes.put_slice(payload);
    bytes.put_u8(0xCE);
    bytes
}

fn method_payload(id: MethodId, arguments: &[u8]) -> Bytes {
    let mut payload = BytesMut::new();
    payload.put_u16(id.class);
    payload.put_u16(id.method);
    payload.put_slice(arguments);
    payload.freeze()
}

fn header_payload(class: u16, weight: u16, body_bytes: u64, properties: &[u8]) -> Bytes {
    let mut payload = BytesMut::new();
    payload.put_u16(class);
    payload.put_u16(weight);
    payload.put_u64(body_bytes);
    payload.put_slice(properties);
    payload.freeze()
}

#[test]
fn a_limit_is_never_below_what_every_client_can_do() {
    assert_eq!(FrameMax::new(0), FrameMax::LEAST);
    assert_eq!(FrameMax::new(4095), FrameMax::LEAST);
    assert_eq!(FrameMax::new(4097).payload_bytes(), 4089);
    assert_eq!(FrameMax::new(u32::MAX).received_bytes(), 0x1_0000_0007);
    assert_eq!(HEARTBEAT_FRAME[..], frame(8, 0, b"")[..]);
}
