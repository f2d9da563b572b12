use super::{frame, header_payload, method_payload};
use crate::codec::{
    Assembler, ClientMethod, Command, DecodeError, FrameMax, MethodId, Payload, Properties, decode,
};
use bytes::{Bytes, BytesMut};

const PUBLISH: MethodId = MethodId::new(60, 40);

fn publish() -> Payload {
    Payload::Method(method_payload(PUBLISH, b"\0\0\x01x\x01k\x01"))
}

fn header(body_bytes: u64) -> Payload {
    Payload::Header(header_payload(60, 0, body_bytes, &[0, 0]))
}

fn body(bytes: &'static [u8]) -> Payload {
    Payload::Body(Bytes::from_static(bytes))
}

/// What the last of `payloads` gives; those before it give nothing.
fn last(payloads: impl IntoIterator<Item = Payload>) -> Result<Option<Command>, DecodeError> {
    let mut assembler = Assembler::new(1000);
    let mut payloads: Vec<_> = payloads.into_iter().collect();
    let last = payloads.pop().unwrap();
    for payload in payloads {
        assert_eq!(assembler.accept(payload), Ok(None));
    }
    assembler.accept(last)
}

fn body_of(command: Result<Option<Command>, DecodeError>) -> Bytes {
    match command {
        Ok(Some(Command::Publish(publish, content))) => {
            assert_eq!(publish.exchange.as_str(), "x");
            assert_eq!(publish.routing_key.as_str(), "k");
            assert!(publish.mandatory && !publish.immediate);
            assert_eq!(content.properties, Properties::NONE);
            content.body
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_ends_with_its_last_byte() {
    assert_eq!(body_of(last([publish(), header(0)])), "");
    assert_eq!(body_of(last([publish(), header(3), body(b"abc")])), "abc");
    let parts = [body(b"a"), body(b""), body(b"b"), body(b"c")];
    let parts = [publish(), header(3)].into_iter().chain(parts);
    assert_eq!(body_of(last(parts)), "abc");
}

#[test]
fn one_empty_body_frame_after_an_empty_message_is_forgiven() {
    let mut assembler = Assembler::new(1000);
    for _ in 0..2 {
        assert_eq!(assembler.accept(publish()), Ok(None));
        assert!(assembler.is_in_content());
        body_of(assembler.accept(header(0)));
        assert!(!assembler.is_in_content());
        assert_eq!(assembler.accept(body(b"")), Ok(None));
    }
    let again = assembler.accept(body(b""));
    assert_eq!(again, Err(DecodeError::ExpectedMethod));
    let mut assembler = Assembler::new(1000);
    assert_eq!(assembler.accept(publish()), Ok(None));
    body_of(assembler.accept(header(0)));
    let full = assembler.accept(body(b"x"));
    assert_eq!(full, Err(DecodeError::ExpectedMethod));
}

#[test]
fn a_body_of_one_frame_shares_the_bytes_that_were_read() {
    let mut buffer = BytesMut::new();
    buffer.unsplit(frame(1, 1, &method_payload(PUBLISH, b"\0\0\0\0\0")));
    buffer.unsplit(frame(2, 1, &header_payload(60, 0, 4, &[0, 0])));
    buffer.unsplit(frame(3, 1, b"body"));
    let read = buffer.as_ptr_range();
    let mut assembler = Assembler::new(1000);
    let mut command = None;
    while let Some(frame) = decode(&mut buffer, FrameMax::LEAST).unwrap() {
        command = assembler.accept(frame.payload).unwrap();
    }
    let Some(Command::Publish(_, content)) = command else {
        panic!("{command:?}");
    };
    assert!(read.contains(&content.body.as_ptr()));
    assert!(read.contains(&content.properties.raw().as_ptr()));
}

#[test]
fn frames_out_of_order_are_told_as_rabbitmq_tells_them() {
    let ack = || Payload::Method(method_payload(MethodId::new(60, 80), &[0; 9]));
    for (payloads, error, text, method) in [
        (
            vec![header(1)],
            DecodeError::ExpectedMethod,
            "expected method frame, got non method frame instead",
            MethodId::NONE,
        ),
        (
            vec![publish(), body(b"x")],
            DecodeError::ExpectedHeader(PUBLISH),
            "expected content header for class 60, got non content header frame instead",
            PUBLISH,
        ),
        (
            vec![publish(), header(1), ack()],
            DecodeError::ExpectedBody(PUBLISH),
            "expected content body, got non content body frame instead",
            PUBLISH,
        ),
        (
            vec![
                publish(),
                Payload::Header(header_payload(60, 1, 0, &[0, 0])),
            ],
            DecodeError::ExpectedHeader(PUBLISH),
            "expected content header for class 60, got non content header frame instead",
            PUBLISH,
        ),
        (
            vec![
                publish(),
                Payload::Header(header_payload(50, 0, 0, &[0, 0])),
            ],
            DecodeError::HeaderClass {
                method: PUBLISH,
                found: 50,
            },
            "expected content header for class 60, got one for class 50 instead",
            PUBLISH,
        ),
    ] {
        let refused = last(payloads).unwrap_err();
        assert_eq!(refused, error);
        let close = refused.close();
        assert_eq!(close.reply_code, 505);
        let text = format!("UNEXPECTED_FRAME - {text}");
        assert_eq!(close.reply_text.as_str(), text);
        let named = MethodId::new(close.class_id, close.method_id);
        assert_eq!(named, method);
    }
}

#[test]
fn sizes_are_judged_before_bytes_come() {
    assert_eq!(last([publish(), header(1000)]), Ok(None));
    for claimed in [1001, u64::MAX] {
        let close = last([publish(), header(claimed)]).unwrap_err().close();
        assert_eq!(close.reply_code, 406);
        assert_eq!(
            close.reply_text.as_str(),
            format!(
                "PRECONDITION_FAILED - message size {claimed} is larger than configured max size 1000"
            )
        );
    }
    let close = last([publish(), header(2), body(b"abc")]).unwrap_err();
    assert_eq!(close.close().reply_code, 501);
}

#[test]
fn a_channel_goes_on_after_an_error() {
    let mut assembler = Assembler::new(10);
    assert_eq!(assembler.accept(publish()), Ok(None));
    assert!(assembler.accept(header(11)).is_err());
    let command = assembler.accept(Payload::Method(method_payload(MethodId::new(20, 41), b"")));
    assert!(matches!(
        command,
        Ok(Some(Command::Method(ClientMethod::ChannelCloseOk(_))))
    ));
}
