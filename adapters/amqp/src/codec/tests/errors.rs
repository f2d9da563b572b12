//! Each class of errors is told apart, with the text and the method RabbitMQ names.

use super::{frame, method_payload};
use crate::codec::method::MethodId;
use crate::codec::table::TableFault;
use crate::codec::{
    ClientMethod, DecodeError, FrameMax, Properties, PropertyFault, Scope, ServerMethod, decode,
};
use bytes::{Bytes, BytesMut};

fn told(error: &DecodeError) -> (u16, String, MethodId) {
    let close = error.close();
    assert_eq!(error.scope(), Scope::Connection);
    let method = MethodId::new(close.class_id, close.method_id);
    (close.reply_code, close.reply_text.to_string(), method)
}

fn refused(mut bytes: BytesMut) -> DecodeError {
    decode(&mut bytes, FrameMax::LEAST).unwrap_err()
}

#[test]
fn a_frame_error_is_501_without_a_method() {
    let mut end = frame(1, 0, b"\0\x0A\0\x33");
    *end.last_mut().unwrap() = 0xCD;
    for (bytes, text) in [
        (
            end,
            "type 1, all octets = <<0,10,0,51>>: {invalid_frame_end_marker,205}",
        ),
        (
            BytesMut::from(&b"\x03\0\x01\0\0\x10\x01"[..]),
            "type 3, all octets = <<>>: {frame_too_large,4097,4088}",
        ),
        (
            frame(9, 0, b"0123456789abcdefg"),
            "type 9, first 16 octets = <<48,49,50,51,52,53,54,55,56,57,97,98,99,100,101,102>>: \
             unknown_frame",
        ),
        (
            frame(8, 0, b"!"),
            "type 8, all octets = <<33>>: unknown_frame",
        ),
        (
            frame(1, 0, b"\0\x0A\0"),
            "type 1, all octets = <<0,10,0>>: unknown_frame",
        ),
        (
            frame(2, 1, b"\0\x3C\0\0"),
            "type 2, all octets = <<0,60,0,0>>: unknown_frame",
        ),
    ] {
        let error = refused(bytes);
        let text = format!("FRAME_ERROR - {text}");
        assert_eq!(told(&error), (501, text, MethodId::NONE));
    }
}

#[test]
fn what_cannot_be_read_on_is_known() {
    let mut end = frame(1, 0, b"\0\x0A\0\x33");
    *end.last_mut().unwrap() = 0;
    assert!(refused(end).ends_input());
    assert!(refused(BytesMut::from(&b"\x03\0\x01\xFF\xFF\xFF\xFF"[..])).ends_input());
    assert!(!refused(frame(8, 3, b"")).ends_input());
    let mut buffer = frame(9, 0, b"");
    buffer.unsplit(frame(8, 0, b""));
    assert!(
        !decode(&mut buffer, FrameMax::LEAST)
            .unwrap_err()
            .ends_input()
    );
    assert!(decode(&mut buffer, FrameMax::LEAST).unwrap().is_some());
}

#[test]
fn a_frame_off_its_channel_is_505() {
    for (bytes, text) in [
        (frame(8, 1, b""), "type 8, all octets = <<>>"),
        (frame(3, 0, b"x"), "type 3, all octets = <<120>>"),
        (frame(2, 0, b""), "type 2, all octets = <<>>"),
    ] {
        let text = format!("UNEXPECTED_FRAME - {text}");
        assert_eq!(told(&refused(bytes)), (505, text, MethodId::NONE));
    }
}

#[test]
fn the_longest_frame_passes_and_is_awaited_without_memory() {
    let limit = FrameMax::LEAST;
    let mut buffer = frame(3, 1, &vec![0; 4096]);
    assert_eq!(buffer.len(), limit.received_bytes());
    assert!(decode(&mut buffer, limit).unwrap().is_some());
    let mut buffer = BytesMut::from(&b"\x03\0\x01\0\0\x10\0"[..]);
    assert_eq!(decode(&mut buffer, limit), Ok(None));
    assert!(buffer.capacity() < 64, "nothing is reserved");
}

fn declare(arguments: &[u8]) -> Result<ClientMethod, DecodeError> {
    ClientMethod::decode(&method_payload(MethodId::new(50, 10), arguments))
}

#[test]
fn arguments_cut_short_or_left_over_are_501_of_their_method() {
    let whole = b"\0\0\x01q\0\0\0\0\0";
    assert!(declare(whole).is_ok());
    let method = MethodId::new(50, 10);
    for count in 0..whole.len() {
        let (code, text, named) = told(&declare(&whole[..count]).unwrap_err());
        assert_eq!((code, named), (501, method));
        assert!(text.starts_with("FRAME_ERROR - cannot decode "), "{text}");
    }
    let error = declare(b"\0\0\x01q\0\0\0\0\0!").unwrap_err();
    let text = "FRAME_ERROR - cannot decode all octets = <<0,0,1,113,0,0,0,0,0,33>>";
    assert_eq!(told(&error), (501, text.to_owned(), method));
}

#[test]
fn a_name_that_is_no_text_is_501_of_no_method() {
    let error = declare(b"\0\0\x01\xFF\0\0\0\0\0").unwrap_err();
    let text = "FRAME_ERROR - Malformed UTF-8 in shortstr".to_owned();
    assert_eq!(told(&error), (501, text, MethodId::NONE));
}

#[test]
fn a_table_that_is_none_is_502_of_its_method() {
    for (table, fault) in [
        (&b"\0\0\0\x03\x01a?"[..], TableFault::UnknownTag(b'?')),
        (b"\0\0\0\x04\x01aI\0", TableFault::CutShort),
        (b"\0\0\0\x01\x01", TableFault::CutShort),
    ] {
        let error = declare(&[b"\0\0\x01q\0", table].concat()).unwrap_err();
        let text = format!("SYNTAX_ERROR - {fault}");
        assert_eq!(told(&error), (502, text, MethodId::new(50, 10)));
    }
    // The method's own length comes first.
    assert_eq!(
        declare(b"\0\0\x01q\0\0\0\0\x09")
            .unwrap_err()
            .close()
            .reply_code,
        501
    );
}

#[test]
fn a_method_nobody_may_send_is_503_of_itself() {
    for (class, method) in [(10, 10), (60, 60), (60, 200), (99, 1), (0, 0), (40, 41)] {
        let id = MethodId::new(class, method);
        let error = ClientMethod::decode(&method_payload(id, b"")).unwrap_err();
        let text = "COMMAND_INVALID - unimplemented method".to_owned();
        assert_eq!(told(&error), (503, text, id));
    }
    let error = ServerMethod::decode(&method_payload(MethodId::new(60, 40), b"")).unwrap_err();
    assert_eq!(error.close().reply_code, 503);
}

#[test]
fn properties_that_are_none_are_502_of_their_content() {
    for (raw, fault) in [
        (&b""[..], PropertyFault::CutShort),
        (b"\x80\0", PropertyFault::CutShort),
        (b"\x80\0\x02a", PropertyFault::CutShort),
        (b"\0\x40\0\0\0\0\0\0\0", PropertyFault::CutShort),
        (b"\0\x01", PropertyFault::UnknownFlags(1)),
        (b"\0\x02", PropertyFault::UnknownFlags(2)),
        (b"\0\0xy", PropertyFault::LeftOver(2)),
        (
            b"\x20\0\0\0\0\x03\x01a?",
            PropertyFault::Headers(TableFault::UnknownTag(b'?')),
        ),
    ] {
        let properties = Properties::from_raw(Bytes::from_static(raw));
        assert_eq!(properties.list(), Err(fault), "{raw:?}");
        let method = MethodId::new(60, 40);
        let (code, _, named) = told(&DecodeError::Properties { method, fault });
        assert_eq!((code, named), (502, method));
    }
}
