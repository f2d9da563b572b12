use super::*;
use crate::batch::{BatchBuilder, Codec, RecordBatch, TimestampKind};
use crate::model::{
    Header, Message, Properties, QueueOffset, Record, SysFlag, Timestamp, property,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::io::Write as _;

fn header(name: &[u8], value: Option<&[u8]>) -> Header {
    Header {
        name: Bytes::copy_from_slice(name),
        value: value.map(Bytes::copy_from_slice),
    }
}

fn record_with(headers: Vec<Header>) -> Record {
    Record {
        key: Some(Bytes::from_static(b"k")),
        value: Some(Bytes::from_static(b"v")),
        headers,
        timestamp: Timestamp::from_millis(1_700_000_000_123),
    }
}

fn message_with<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Message {
    let born_at = Timestamp::from_millis(1_700_000_000_456);
    let mut message = Message::new(Bytes::from_static(b"body"), born_at);
    message.properties = Properties::from_pairs(pairs).unwrap();
    message
}

fn pairs(message: &Message) -> Vec<(&str, &str)> {
    message.properties.iter().collect()
}

fn returns(record: &Record) -> Message {
    let message = message_of(record);
    assert_eq!(&record_of(&message), record);
    message
}

#[test]
fn a_plain_record_is_a_plain_message() {
    let record = record_with(vec![
        header(b"TAGS", Some(b"blue")),
        header(b"traceparent", Some(b"00-1")),
        header(b"DELAY", Some(b"3")),
        header("größe".as_bytes(), Some("übel \u{1f680}".as_bytes())),
    ]);
    let message = returns(&record);
    assert_eq!(message.properties.tag(), Some("blue"));
    assert_eq!(message.born_at, record.timestamp);
    assert_eq!(message.body, "v");
    let expected = [
        ("KEYS", "k"),
        ("TAGS", "blue"),
        ("traceparent", "00-1"),
        ("DELAY", "3"),
        ("größe", "übel \u{1f680}"),
    ];
    assert_eq!(pairs(&message), expected);
}

#[test]
fn what_text_cannot_hold_is_listed_and_the_rest_stays_visible() {
    let cases: [(&[u8], Option<&[u8]>); 7] = [
        (b"null", None),
        (b"empty", Some(b"")),
        (b"", Some(b"nameless")),
        (b"binary", Some(b"\xff\xfe")),
        (b"\xff", Some(b"binary name")),
        (b"separator", Some(b"a\x02b")),
        (b"separ\x01ator", Some(b"ab")),
    ];
    for (name, value) in cases {
        let record = record_with(vec![header(b"a", Some(b"1")), header(name, value)]);
        let message = returns(&record);
        let names: Vec<_> = pairs(&message).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["KEYS", "a", property::HEADERS_BASE64]);
    }
}

#[test]
fn of_repeated_headers_the_last_is_visible_and_all_return_in_order() {
    let record = record_with(vec![
        header(b"a", Some(b"1")),
        header(b"b", Some(b"2")),
        header(b"a", Some(b"3")),
    ]);
    let message = returns(&record);
    assert_eq!(
        pairs(&message)[..3],
        [("KEYS", "k"), ("b", "2"), ("a", "3")]
    );
    let many = (0..40_u8).map(|n| header(&[b'a' + n % 20], Some(&[b'0' + n / 20])));
    let message = returns(&record_with(many.collect()));
    assert_eq!(message.properties.value("c"), Some("1"));
}

#[test]
fn headers_cannot_steer_a_native_broker() {
    for name in [
        "RETRY_TOPIC",
        "RECONSUME_TIME",
        "REAL_TOPIC",
        "POP_CK",
        "TRAN_MSG",
        "KEYS",
    ] {
        let record = record_with(vec![header(name.as_bytes(), Some(b"x"))]);
        let message = returns(&record);
        let shown = message.properties.value(name);
        assert!(shown.is_none() || shown == Some("k"), "{name}");
    }
    for name in [
        property::NULL_BODY,
        property::KEY_BASE64,
        property::HEADERS_BASE64,
    ] {
        returns(&record_with(vec![header(name.as_bytes(), Some(b"1"))]));
    }
}

#[test]
fn null_and_empty_stay_apart() {
    for value in [None, Some(Bytes::new())] {
        for key in [
            None,
            Some(Bytes::new()),
            Some(Bytes::from_static(b"\0\xff")),
        ] {
            let record = Record {
                key,
                value: value.clone(),
                ..record_with(Vec::new())
            };
            let message = returns(&record);
            assert!(message.body.is_empty());
        }
    }
}

#[test]
fn headers_too_long_to_show_twice_return_from_the_list() {
    let record = record_with(vec![
        header(b"TAGS", Some(b"t")),
        header(b"long", Some(&[b'x'; 20_000])),
        header(b"null", None),
    ]);
    let message = returns(&record);
    assert_eq!(message.properties.tag(), Some("t"));
    assert_eq!(message.properties.value("long"), None);
}

#[test]
fn what_fits_no_property_area_is_counted_and_the_rest_kept() {
    let record = record_with(vec![
        header(b"TAGS", Some(b"t")),
        header(b"long", Some(&[b'x'; 40_000])),
        header(b"null", None),
        header(b"b", Some(b"2")),
    ]);
    let message = message_of(&record);
    let expected = [
        ("KEYS", "k"),
        ("TAGS", "t"),
        ("b", "2"),
        (property::HEADERS_CUT, "2"),
    ];
    assert_eq!(pairs(&message), expected);
    assert_eq!(message.body, "v");

    let key = Some(Bytes::from(vec![b'k'; 40_000]));
    let message = message_of(&Record { key, ..record });
    assert_eq!(message.properties.value(property::KEY_CUT), Some("40000"));
    assert_eq!(message.properties.tag(), Some("t"));
}

#[test]
fn a_native_message_is_a_plain_record() {
    let message = message_with([
        ("TAGS", "t"),
        ("KEYS", "a b"),
        ("UNIQ_KEY", "7F000001"),
        ("__CRC32#", "0123456789"),
        ("INNER_NUM", "2"),
        ("user", "x"),
    ]);
    let record = record_of(&message);
    assert_eq!(record.key.as_deref(), Some(&b"a b"[..]));
    assert_eq!(record.value.as_deref(), Some(&b"body"[..]));
    assert_eq!(record.timestamp, message.born_at);
    let expected = [
        header(b"TAGS", Some(b"t")),
        header(b"UNIQ_KEY", Some(b"7F000001")),
        header(b"user", Some(b"x")),
    ];
    assert_eq!(record.headers, expected);
}

#[test]
fn properties_added_to_a_converted_message_follow_its_headers() {
    let record = record_with(vec![header(b"n", None), header(b"a", Some(b"1"))]);
    let message = message_of(&record);
    let retried = pairs(&message)
        .into_iter()
        .chain([("RETRY_TOPIC", "t"), ("a", "2")]);
    let mut expected = record;
    expected.headers.push(header(b"RETRY_TOPIC", Some(b"t")));
    let retried = Message {
        properties: Properties::from_pairs(retried).unwrap(),
        ..message.clone()
    };
    assert_eq!(record_of(&retried), expected);
}

#[test]
fn a_native_property_of_our_names_that_is_not_ours_is_a_header() {
    for (name, value) in [
        (property::HEADERS_BASE64, "no list"),
        (property::HEADERS_BASE64, "AAAA"),
        (property::KEY_BASE64, "!"),
        (property::NULL_BODY, "1"),
    ] {
        let record = record_of(&message_with([(name, value)]));
        assert_eq!(
            record.headers,
            [header(name.as_bytes(), Some(value.as_bytes()))]
        );
        assert_eq!(record.key, None);
        assert!(record.value.is_some());
    }
}

#[test]
fn compressed_bodies_of_native_producers_are_read() {
    let plain = b"a body of some length, a body of some length".as_slice();
    let zlib = {
        let level = flate2::Compression::default();
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let gzip = {
        let level = flate2::Compression::default();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let lz4 = {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::bulk::compress(plain, 3).unwrap();
    for (bits, body) in [
        (0, zlib.clone()),
        (0x300, zlib),
        (0x300, gzip),
        (0x100, lz4),
        (0x200, zstd),
    ] {
        let mut message = message_with([]);
        message.body = body.into();
        message.sys_flag = SysFlag::from_bits(SysFlag::COMPRESSED | bits);
        assert_eq!(
            record_of(&message).value.as_deref(),
            Some(plain),
            "{bits:#x}"
        );
        message.sys_flag = SysFlag::from_bits(SysFlag::COMPRESSED | 0x700);
        let record = record_of(&message);
        assert_eq!(record.value, Some(message.body), "{bits:#x}");
        assert_eq!(
            record.headers,
            [header(property::BODY_COMPRESSION.as_bytes(), Some(b"7"))]
        );
    }
}

#[test]
fn a_view_gives_the_message_and_the_tag_of_its_record() {
    let records = [
        record_with(vec![
            header(b"TAGS", Some(b"one")),
            header(b"TAGS", Some(b"two")),
        ]),
        record_with(vec![header(b"TAGS", Some(b"one")), header(b"TAGS", None)]),
        record_with(vec![header(b"TAGS", Some(b"")), header(b"n", None)]),
        record_with(Vec::new()),
    ];
    let mut builder = BatchBuilder::with_capacity(0);
    for record in &records {
        builder.push(record).unwrap();
    }
    let built = builder.build(QueueOffset::ZERO, 0, TimestampKind::Create, Codec::Lz4);
    let batch = RecordBatch::parse(built.unwrap()).unwrap();
    let views = batch.records().unwrap();
    for (view, record) in views.iter().map(Result::unwrap).zip(&records) {
        let message = message_of_view(&view);
        assert_eq!(message, message_of(record));
        assert_eq!(message.properties.tag(), tag_of(&view));
    }
}

#[test]
fn no_property_area_panics_or_changes_on_the_way() {
    let pieces: [&[u8]; 12] = [
        b"KEYS",
        b"TAGS",
        b"__KEY_B64",
        b"__HEADERS_B64",
        b"__NULL_BODY",
        b"a",
        b"1",
        b"\x01",
        b"\x02",
        b"AgJhAmIC",
        b"INNER_NUM",
        b"RETRY_TOPIC",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..20_000 {
        let mut area = Vec::new();
        for _ in 0..24 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Separators often enough for pairs to appear.
            let choice = usize::try_from(state % 24).unwrap();
            area.extend_from_slice(match choice {
                12..=17 => b"\x01",
                18..=23 => b"\x02",
                piece => pieces[piece],
            });
        }
        fuzz_properties(&area);
    }
}

/// Bytes that are often text, often separators, often names that mean something.
fn arbitrary_bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        4 => "[a-c]{0,3}".prop_map(Bytes::from),
        2 => "\\PC{0,20}".prop_map(Bytes::from),
        1 => proptest::collection::vec(any::<u8>(), 0..30).prop_map(Bytes::from),
        1 => proptest::sample::select(vec![
            "TAGS", "KEYS", "UNIQ_KEY", "DELAY", "RETRY_TOPIC", "__HEADERS_B64", "__KEY_B64",
            "__NULL_BODY", "__HEADERS_CUT", "__KEY_CUT", "\u{1}", "\u{2}", "a\u{2}b", "1",
        ])
        .prop_map(Bytes::from),
    ]
}

fn arbitrary_record() -> impl Strategy<Value = Record> {
    let optional = || proptest::option::of(arbitrary_bytes());
    let header = (arbitrary_bytes(), optional()).prop_map(|(name, value)| Header { name, value });
    let headers = proptest::collection::vec(header, 0..30);
    (optional(), optional(), headers, any::<i64>()).prop_map(|(key, value, headers, millis)| {
        Record {
            key,
            value,
            headers,
            timestamp: Timestamp::from_millis(millis),
        }
    })
}

proptest! {
    #[test]
    fn a_record_returns_from_its_message(record in arbitrary_record()) {
        let message = message_of(&record);
        prop_assert!(message.properties.as_bytes().len() <= Properties::BYTES_MAX);
        fuzz_properties(message.properties.as_bytes());
        prop_assert_eq!(record_of(&message), record);
    }

    #[test]
    fn a_message_returns_from_its_record(
        names in proptest::collection::btree_set("[a-z]{1,8}|TAGS|UNIQ_KEY|DELAY|WAIT", 0..12),
        keys in proptest::option::of("[^\u{1}\u{2}]{1,20}"),
        value in "[^\u{1}\u{2}]{1,20}",
        body in proptest::collection::vec(any::<u8>(), 0..50),
        millis: i64,
    ) {
        let names: Vec<&String> = names.iter().rev().collect();
        let keys = keys.iter().map(|keys| ("KEYS", keys.as_str()));
        let pairs = keys.chain(names.iter().map(|name| (name.as_str(), value.as_str())));
        let mut message = Message::new(body.into(), Timestamp::from_millis(millis));
        message.properties = Properties::from_pairs(pairs).unwrap();
        prop_assert_eq!(message_of(&record_of(&message)), message);
    }
}
