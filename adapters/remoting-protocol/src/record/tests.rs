use super::{
    MessageId, Record, RecordError, SubMessage, fuzz_records, fuzz_sub_messages, java_hash,
    properties, records, sub_messages,
};
use crate::codec::{Command, Text, decode};
use crate::testdata::{connections, mutations};
use crate::{FRAME_BYTES_MAX, RequestCode};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use std::net::SocketAddr;

fn commands() -> Vec<Command> {
    connections()
        .iter()
        .flat_map(|connection| {
            let mut buffer = BytesMut::from(&connection.bytes[..]);
            std::iter::from_fn(move || decode(&mut buffer, FRAME_BYTES_MAX).unwrap())
        })
        .collect()
}

/// Bodies of pulls that found something.
fn pulled() -> Vec<Bytes> {
    commands()
        .into_iter()
        .filter(|answer| {
            answer.flag.is_response()
                && answer.fields.text("nextBeginOffset").is_some()
                && !answer.body.is_empty()
        })
        .map(|answer| answer.body)
        .collect()
}

fn batches() -> Vec<Bytes> {
    commands()
        .into_iter()
        .filter(|request| {
            !request.flag.is_response() && request.request_code() == RequestCode::SendBatchMessage
        })
        .map(|request| request.body)
        .collect()
}

#[test]
fn recorded_messages_are_written_again_byte_for_byte() {
    let bodies = pulled();
    assert!(bodies.len() > 20, "{} pulls", bodies.len());
    for body in bodies {
        let mut again = BytesMut::new();
        for record in records(body.clone()) {
            let record = record.unwrap();
            assert!(
                record.topic.starts_with("Cap") || record.topic.starts_with("%RETRY%"),
                "{}",
                record.topic
            );
            assert!(record.queue_offset >= 0);
            let uniq_key = properties(&record.properties).find(|(name, _)| *name == "UNIQ_KEY");
            assert!(uniq_key.is_some() || record.topic.ends_with("batch"));
            record.encode(&mut again).unwrap();
        }
        assert_eq!(again, body);
    }
}

#[test]
fn recorded_batches_are_written_again_byte_for_byte() {
    let bodies = batches();
    assert_eq!(bodies.len(), 3, "two Java clients and the Go client");
    for body in bodies {
        let mut again = BytesMut::new();
        for (index, message) in sub_messages(body.clone()).enumerate() {
            let message = message.unwrap();
            let suffix = format!("{index}");
            assert!(message.body.ends_with(suffix.as_bytes()));
            let tag = properties(&message.properties).find(|(name, _)| *name == "TAGS");
            assert_eq!(tag, Some(("TAGS", ["TagA", "TagB"][index % 2])));
            message.encode(&mut again).unwrap();
        }
        assert_eq!(again, body);
    }
}

#[test]
fn a_record_with_wrong_lengths_is_an_error_and_ends_the_iteration() {
    let body = pulled().remove(0);
    for (at, value) in [(0, 0xFF), (3, 0), (3, 1), (1, 1), (84, 0x7F), (87, 0xFF)] {
        let mut damaged = BytesMut::from(&body[..]);
        damaged[at] = value;
        let found: Vec<_> = records(damaged.freeze()).collect();
        assert_eq!(found.last(), Some(&Err(RecordError::Length)), "byte {at}");
    }
    let mut damaged = BytesMut::from(&body[..]);
    damaged[7] = 0;
    let first = records(damaged.freeze()).next();
    assert_eq!(first, Some(Err(RecordError::Magic(0xDAA3_2000))));
}

#[test]
fn a_batch_cut_short_is_an_error() {
    let body = batches().remove(0);
    for len in 1..body.len() {
        let whole = sub_messages(body.slice(..len)).flatten().count();
        let found = sub_messages(body.slice(..len)).count();
        assert!(found == whole + 1 || whole > 0 && found == whole, "{len}");
    }
}

#[test]
fn message_ids_read_as_they_are_shown() {
    let id: MessageId = "7F000001000051AF000000000001E31B".parse().unwrap();
    assert_eq!(id.host, "127.0.0.1:20911".parse().unwrap());
    assert_eq!(id.offset, 0x1_E31B);
    assert_eq!(id.to_string(), "7F000001000051AF000000000001E31B");
    for wrong in [
        "",
        "7F000001000051AF000000000001E31",
        "7F000001000151AF000000000001E31B",
        "+F000001000051AF000000000001E31B",
        "7F000001000051AF00000000000你你1B",
    ] {
        assert!(wrong.parse::<MessageId>().is_err(), "{wrong}");
    }
}

#[test]
fn tags_hash_as_in_java() {
    for (text, hash) in [
        ("", 0),
        ("TagA", 2_598_919),
        ("TagB", 2_598_920),
        ("你😀", 20_320 * 961 + 55_357 * 31 + 56_832),
    ] {
        assert_eq!(java_hash(text), hash, "{text}");
    }
    assert_eq!(java_hash("polygenelubricants"), i32::MIN);
}

#[test]
fn pairs_are_read_as_java_reads_them() {
    let pairs: Vec<_> =
        properties("a\u{1}1\u{2}b\u{1}\u{2}\u{1}x\u{2}c\u{2}d\u{1}2\u{1}y").collect();
    assert_eq!(pairs, [("a", "1"), ("d", "2\u{1}y")]);
}

#[test]
fn damaged_messages_never_panic() {
    for body in pulled() {
        mutations(&body, 200, fuzz_records);
    }
    for body in batches() {
        mutations(&body, 500, fuzz_sub_messages);
    }
}

proptest! {
    #[test]
    fn a_record_survives_its_bytes(
        (queue_id, flag, queue_offset, physical_offset, sys_flag) in any::<(i32, i32, i64, i64, i32)>(),
        (born_timestamp, store_timestamp, reconsume_times) in any::<(i64, i64, i32)>(),
        (born_host, store_host) in any::<(SocketAddr, SocketAddr)>(),
        body: Vec<u8>,
        topic in ".{0,70}",
        area in ".{0,50}",
    ) {
        // Flow label and scope are not on the wire.
        let plain = |host: SocketAddr| SocketAddr::new(host.ip(), host.port());
        let mut record = Record {
            queue_id,
            flag,
            queue_offset,
            physical_offset,
            sys_flag,
            born_timestamp,
            born_host: plain(born_host),
            store_timestamp,
            store_host: plain(store_host),
            reconsume_times,
            prepared_transaction_offset: 0,
            body: Bytes::from(body),
            topic: Text::from(topic),
            properties: Text::from(area),
        };
        let mut out = BytesMut::new();
        record.encode(&mut out).unwrap();
        let again = Record::decode(&mut out.freeze()).unwrap();
        let hosts = i32::from(born_host.is_ipv6()) << 4 | i32::from(store_host.is_ipv6()) << 5;
        record.sys_flag = sys_flag & !0x30 | hosts;
        prop_assert_eq!(again, record);
    }

    #[test]
    fn a_batch_survives_its_bytes(messages in proptest::collection::vec(
        (any::<i32>(), any::<Vec<u8>>(), ".{0,30}"), 0..6))
    {
        let messages: Vec<_> = messages
            .into_iter()
            .map(|(flag, body, area)| SubMessage { flag, body: body.into(), properties: Text::from(area) })
            .collect();
        let mut out = BytesMut::new();
        for message in &messages {
            message.encode(&mut out).unwrap();
        }
        let again: Result<Vec<_>, _> = sub_messages(out.freeze()).collect();
        prop_assert_eq!(again, Ok(messages));
    }

    #[test]
    fn a_message_id_survives_its_text(host: SocketAddr, offset: i64) {
        let id = MessageId { host: SocketAddr::new(host.ip(), host.port()), offset };
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn any_bytes_are_messages_or_errors(data: Vec<u8>) {
        fuzz_records(&data);
        fuzz_sub_messages(&data);
    }
}
