use super::{
    Answer, Command, DecodeError, FRAME_BYTES_MAX, Fields, Flag, HeaderFault, NoFields,
    Serialization, decode, fuzz_decode,
};
use crate::peer::version;
use crate::testdata::{connections, mutations};
use crate::{LanguageCode, ResponseCode};
use bytes::{Buf, Bytes, BytesMut};
use proptest::prelude::*;

fn decode_all(bytes: &[u8]) -> Vec<Command> {
    let mut buffer = BytesMut::from(bytes);
    let mut commands = Vec::new();
    while let Some(command) = decode(&mut buffer, FRAME_BYTES_MAX).unwrap() {
        commands.push(command);
    }
    assert!(buffer.is_empty(), "{} bytes are left", buffer.len());
    commands
}

fn encoded(command: &Command) -> BytesMut {
    let mut out = BytesMut::new();
    command.encode(&mut out);
    out.extend_from_slice(&command.body);
    out
}

fn frame(form: u8, header: &[u8], body: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    let length = u32::try_from(4 + header.len() + body.len()).unwrap();
    let word = u32::from(form) << 24 | u32::try_from(header.len()).unwrap();
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&word.to_be_bytes());
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(body);
    bytes
}

fn decode_header(header: &str) -> Result<Command, DecodeError> {
    decode(&mut frame(0, header.as_bytes(), b""), FRAME_BYTES_MAX).map(Option::unwrap)
}

#[test]
fn every_recorded_frame_decodes_to_its_last_byte() {
    let frames: usize = connections()
        .iter()
        .map(|connection| decode_all(&connection.bytes).len())
        .sum();
    assert!(frames > 900, "{frames} frames");
}

#[test]
fn what_java_wrote_is_written_again_byte_for_byte() {
    for connection in connections() {
        if connection.is_from_go_client() {
            continue;
        }
        let mut again = BytesMut::new();
        for command in decode_all(&connection.bytes) {
            again.extend_from_slice(&encoded(&command));
        }
        assert!(again == connection.bytes, "{}", connection.name);
    }
}

#[test]
fn frames_of_the_go_client_keep_their_meaning() {
    for connection in connections() {
        for command in decode_all(&connection.bytes) {
            assert_eq!(decode_all(&encoded(&command)), [command]);
        }
    }
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let connections = connections();
    let connection = &connections
        .iter()
        .find(|connection| connection.name == "java550-batch-br1.c2s.bin")
        .unwrap();
    let whole = decode_all(&connection.bytes);
    let mut buffer = BytesMut::new();
    let mut commands = Vec::new();
    for byte in &connection.bytes {
        buffer.extend_from_slice(&[*byte]);
        commands.extend(decode(&mut buffer, FRAME_BYTES_MAX).unwrap());
    }
    assert_eq!(commands, whole);
}

#[test]
fn lengths_are_judged_before_the_bytes_come() {
    let limit = 1024;
    for length in [i32::MIN, -1, 0, 3, 1021, 0x7FFF_FFFF] {
        let mut buffer = BytesMut::from(&length.to_be_bytes()[..]);
        let capacity = buffer.capacity();
        assert_eq!(
            decode(&mut buffer, limit),
            Err(DecodeError::FrameLength { length, limit })
        );
        assert_eq!(buffer.capacity(), capacity, "nothing was reserved");
    }
    let mut buffer = BytesMut::from(&1020i32.to_be_bytes()[..]);
    assert_eq!(
        decode(&mut buffer, limit),
        Ok(None),
        "the limit itself is allowed"
    );
    assert!(buffer.capacity() < 64, "nothing is reserved for it");
}

#[test]
fn a_header_longer_than_its_frame_or_of_no_known_form_is_refused_at_once() {
    assert_eq!(
        decode(&mut BytesMut::from(&[0, 0, 0, 8, 0, 0, 0, 5][..]), 1024),
        Err(DecodeError::HeaderLength {
            header: 5,
            frame: 12
        })
    );
    for form in [2, 200] {
        assert_eq!(
            decode(&mut BytesMut::from(&[0, 0, 0, 8, form, 0, 0, 4][..]), 1024),
            Err(DecodeError::UnknownSerialization(form))
        );
    }
}

#[test]
fn other_protocols_are_named() {
    let decode = |bytes: &[u8]| decode(&mut BytesMut::from(bytes), FRAME_BYTES_MAX);
    assert_eq!(
        decode(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC]),
        Err(DecodeError::TlsHello)
    );
    for request in ["GET / HTTP/1.1\r\n", "POST /x HTTP/1.1", "PRI * HTTP/2.0"] {
        assert_eq!(decode(request.as_bytes()), Err(DecodeError::HttpRequest));
    }
}

#[test]
fn headers_are_read_as_leniently_as_java_reads_them() {
    let command = decode_header(
        "{ 'opaque' : \"7\", 'code':105,'unknown':{'a':[1,{},null,\"]\"]}, \
         'extFields':{'n':5,'t':true,'gone':null,\"s\":'it\\'s \\u4f60\\ud83d\\ude00\\ud83d!',},}",
    )
    .unwrap();
    assert_eq!((command.code, command.opaque), (105, 7));
    assert_eq!((command.version, command.flag), (0, Flag::REQUEST));
    let fields: Vec<_> = command.fields.iter().collect();
    assert_eq!(fields, [("n", "5"), ("t", "true"), ("s", "it's 你😀?!")]);

    for absent in ["{}", r#"{"extFields":null}"#] {
        assert!(decode_header(absent).unwrap().fields.is_absent());
    }
    let odd_language = r#"{"language":"KLINGON","extFields":{}}"#;
    let command = decode_header(odd_language).unwrap();
    assert_eq!(command.language, LanguageCode::Other);
    assert!(!command.fields.is_absent());
    let number = decode_header(r#"{"language":9}"#).unwrap();
    assert_eq!(number.language, LanguageCode::Go);
}

#[test]
fn the_last_of_a_repeated_field_counts() {
    let command = decode_header(r#"{"extFields":{"a":"1","a":"2"}}"#).unwrap();
    assert_eq!(command.fields.text("a"), Some("2"));
    assert_eq!(command.fields.shared("a").as_deref(), Some("2"));
    assert_eq!(command.fields.text("b"), None);
}

#[test]
fn headers_that_do_not_parse_say_where() {
    let deep = format!("{{\"x\":{}", "[".repeat(40));
    let many = format!("{{\"extFields\":{{{}}}}}", "\"\":1,".repeat(5000));
    for (header, fault) in [
        ("", HeaderFault::Expected("{")),
        ("{code:1}", HeaderFault::Expected("a string")),
        ("{\"code\":1", HeaderFault::Expected(", or }")),
        ("{\"code\":\"x\"}", HeaderFault::NotANumber("code")),
        ("{\"opaque\":2147483648}", HeaderFault::NotANumber("opaque")),
        ("{\"remark\":\"x}", HeaderFault::Expected("a string's end")),
        (
            "{\"remark\":\"\\u12\"}",
            HeaderFault::Expected("four hexadecimal digits"),
        ),
        ("{}x", HeaderFault::Expected("the header's end")),
        (
            "{\"extFields\":[]}",
            HeaderFault::Expected("an object of fields"),
        ),
        (&deep, HeaderFault::TooDeep),
        (&many, HeaderFault::TooManyFields),
    ] {
        match decode_header(header) {
            Err(DecodeError::Header { fault: found, .. }) => assert_eq!(found, fault, "{header}"),
            other => panic!("{header}: {other:?}"),
        }
    }
    let not_utf8 = decode(&mut frame(0, b"{\"a\":\"\xFF\"}", b""), FRAME_BYTES_MAX);
    assert_eq!(
        not_utf8,
        Err(DecodeError::Header {
            at: 6,
            fault: HeaderFault::NotUtf8
        })
    );
}

#[test]
fn a_binary_header_with_wrong_lengths_is_refused() {
    let command = Command {
        serialization: Serialization::RocketMq,
        fields: fields(&[("topic", "T")]),
        ..Command::default()
    };
    let good = encoded(&command);
    assert_eq!(decode_all(&good), [command]);
    // Remark, fields, name and value lengths.
    for at in [8 + 13, 8 + 17, 8 + 21, 8 + 28] {
        for wrong in [0x7F, 0xFF] {
            let mut bytes = good.clone();
            bytes[at] = wrong;
            let refused = decode(&mut bytes, FRAME_BYTES_MAX);
            assert!(
                matches!(refused, Err(DecodeError::Header { .. })),
                "{at}: {refused:?}"
            );
        }
    }
}

#[test]
fn an_answer_is_written_as_the_stock_broker_writes_it() {
    let request = decode_header(r#"{"code":15,"opaque":102,"version":409}"#).unwrap();
    let mut out = BytesMut::new();
    request
        .reply_to()
        .answer(&Answer::OK.with_fields(&NoFields).with_body(3), &mut out);
    assert_eq!(out.get_u32(), 4 + u32::try_from(out.len() - 4).unwrap() + 3);
    out.advance(4);
    assert_eq!(
        std::str::from_utf8(&out).unwrap(),
        r#"{"code":0,"extFields":{},"flag":1,"language":"JAVA","opaque":102,"serializeTypeCurrentRPC":"JSON","version":513}"#
    );
}

#[test]
fn a_binary_request_is_answered_in_binary() {
    let request = Command {
        code: 105,
        opaque: -3,
        serialization: Serialization::RocketMq,
        ..Command::default()
    };
    let mut out = BytesMut::new();
    let refusal = Answer::refusal(ResponseCode::TopicNotExist, "no such topic\n");
    request.reply_to().answer(&refusal, &mut out);
    let [answer] = decode_all(&out).try_into().unwrap();
    assert_eq!(answer.serialization, Serialization::RocketMq);
    assert_eq!(answer.response_code(), ResponseCode::TopicNotExist);
    assert_eq!(answer.remark.as_deref(), Some("no such topic\n"));
    assert_eq!((answer.opaque, answer.flag), (-3, Flag::RESPONSE));
    assert_eq!(answer.version, version::OURS);
}

#[test]
fn a_code_too_large_for_the_binary_header_goes_out_as_json() {
    let request = Command {
        code: 200_050,
        serialization: Serialization::RocketMq,
        ..Command::default()
    };
    let [again] = decode_all(&encoded(&request)).try_into().unwrap();
    assert_eq!(
        (again.code, again.serialization),
        (200_050, Serialization::Json)
    );
}

#[test]
fn a_header_too_long_for_its_length_becomes_a_bare_error() {
    let remark = "\u{1}".repeat(3_000_000);
    let mut out = BytesMut::new();
    let answer = Answer::refusal(ResponseCode::TopicNotExist, &remark);
    Command::default().reply_to().answer(&answer, &mut out);
    let [answer] = decode_all(&out).try_into().unwrap();
    assert_eq!(answer.response_code(), ResponseCode::SystemError);
}

#[test]
fn damaged_traffic_never_panics() {
    for connection in connections() {
        mutations(&connection.bytes, 40, fuzz_decode);
    }
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let json: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name:?}:{value:?}"))
        .collect();
    decode_header(&format!("{{\"extFields\":{{{}}}}}", json.join(",")))
        .unwrap()
        .fields
}

prop_compose! {
    fn any_command()(
        code in -1i32..1000,
        opaque: i32,
        flag in 0i32..4,
        version in 0i32..700,
        language in 0u8..14,
        is_binary: bool,
        remark in proptest::option::of("[^\u{0}]{1,20}"),
        pairs in proptest::collection::vec(("\\PC{0,9}", ".{0,30}"), 0..20),
        body: Vec<u8>,
    ) -> Command {
        let serialization = if is_binary { Serialization::RocketMq } else { Serialization::Json };
        let mut header = BytesMut::from("{\"extFields\":{");
        for (index, (name, value)) in pairs.iter().enumerate() {
            header.extend_from_slice(if index > 0 { b",\"" } else { b"\"" });
            super::put_escaped(&mut header, name);
            header.extend_from_slice(b"\":\"");
            super::put_escaped(&mut header, value);
            header.extend_from_slice(b"\"");
        }
        header.extend_from_slice(b"}}");
        let built = decode_header(std::str::from_utf8(&header).unwrap()).unwrap();
        let pairs_again: Vec<_> = built.fields.iter().collect();
        assert!(pairs_again.iter().zip(&pairs).all(|(a, b)| a.0 == b.0 && a.1 == b.1));
        Command {
            code,
            opaque,
            flag: Flag::from_bits(flag),
            version,
            language: LanguageCode::from_byte(language),
            remark: remark.map(Into::into),
            // The binary header cannot tell no fields from none at all.
            fields: if pairs.is_empty() && is_binary { Fields::default() } else { built.fields },
            serialization,
            body: Bytes::from(body),
        }
    }
}

proptest! {
    #[test]
    fn a_command_survives_its_frame(command in any_command()) {
        prop_assert_eq!(decode_all(&encoded(&command)), [command]);
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(data: Vec<u8>, header: Vec<u8>, form in 0u8..3) {
        fuzz_decode(&data);
        fuzz_decode(&frame(form, &header, &data));
    }
}
