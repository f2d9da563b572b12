//! Bytes that are no requests end the connection, and only that.

use crate::peer::{Host, finish, frame};
use bytes::{Bytes, BytesMut};
use gantry_kafka::Closed;
use gantry_kafka::wire::DecodeError;
use kafka_protocol::messages::MetadataRequest;

fn raw(key: i16, version: i16, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.extend_from_slice(&key.to_be_bytes());
    frame.extend_from_slice(&version.to_be_bytes());
    frame.extend_from_slice(&7_i32.to_be_bytes());
    frame.extend_from_slice(&(-1_i16).to_be_bytes());
    frame.extend_from_slice(body);
    frame.freeze()
}

#[tokio::test]
async fn what_kafka_closes_for_is_closed_for() {
    let host = Host::new();
    let unsupported = |key, version| DecodeError::UnsupportedVersion { key, version };
    let cases = [
        (raw(999, 0, &[]), DecodeError::UnknownApi(999)),
        (raw(-1, 0, &[]), DecodeError::UnknownApi(-1)),
        (raw(4, 0, &[]), DecodeError::UnknownApi(4)),
        (raw(0, 2, &[]), unsupported(0, 2)),
        (raw(1, 3, &[]), unsupported(1, 3)),
        (raw(3, 14, &[]), unsupported(3, 14)),
        (raw(3, -1, &[]), unsupported(3, -1)),
    ];
    for (bytes, expected) in cases {
        let mut replies = Vec::new();
        let closed = host
            .connect()
            .session
            .begin([bytes], &mut replies)
            .unwrap_err();
        assert_eq!(closed, Closed::Decode(expected));
        assert!(replies.is_empty());
    }
    for body in [&[0x7f, 0xff, 0xff, 0xff][..], &[0, 0, 0, 9], &[0, 0]] {
        let mut replies = Vec::new();
        let closed = host
            .connect()
            .session
            .begin([raw(3, 1, body)], &mut replies);
        assert!(matches!(closed, Err(Closed::Decode(_))));
    }
}

#[tokio::test]
async fn requests_before_the_bad_one_are_answered() {
    let host = Host::new();
    let mut peer = host.connect();
    let good = frame(9, &MetadataRequest::default());
    let mut replies = Vec::new();
    let closed = peer
        .session
        .begin([good.clone(), raw(999, 0, &[]), good], &mut replies);
    assert!(closed.is_err());
    assert_eq!(finish(replies).await.len(), 1);
}

#[tokio::test]
async fn bytes_after_a_body_are_nobodys() {
    let host = Host::new();
    let mut peer = host.connect();
    let mut replies = Vec::new();
    let request = raw(3, 1, &[0, 0, 0, 0, 1, 2, 3]);
    peer.session.begin([request], &mut replies).unwrap();
    assert_eq!(finish(replies).await.len(), 1);
}
