//! What a consumer reads.

use crate::peer::{Host, Peer, batch, decode_answer, finish, frame, name};
use crate::produce::produce;
use crate::topics::create;
use bytes::Bytes;
use gantry_core::batch::{Codec, RecordBatch, crc32c};
use gantry_core::model::{Message, Properties, QueueId, Timestamp};
use gantry_core::{Durability, Payload, ProduceItem};
use gantry_kafka::Reply;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub fn fetch_request(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    let part = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(name(topic))
        .with_partitions(vec![part]);
    FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(50 << 20)
        .with_topics(vec![topic])
}

fn only(response: &FetchResponse) -> &PartitionData {
    assert_eq!((response.error_code, response.session_id), (0, 0));
    &response.responses[0].partitions[0]
}

/// The record bytes a fetch from `offset` gives.
pub async fn records(peer: &mut Peer, topic: &str, partition: i32, offset: i64) -> Bytes {
    let response = peer
        .call(12, &fetch_request(topic, partition, offset))
        .await;
    let part = only(&response);
    assert_eq!(part.error_code, 0);
    part.records.clone().unwrap()
}

/// What a producer's batch looks like in the log at `offset`.
fn stored_at(batch: &Bytes, offset: i64) -> Vec<u8> {
    let mut bytes = batch.to_vec();
    bytes[..8].copy_from_slice(&offset.to_be_bytes());
    bytes[12..16].copy_from_slice(&0_i32.to_be_bytes());
    bytes
}

#[tokio::test]
async fn what_was_produced_is_fetched_byte_for_byte_in_every_version() {
    let host = Host::new();
    let mut peer = host.connect();
    let id = create(&mut peer, "t", 1).await;
    let mut expected = Vec::new();
    let codecs = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];
    for (codec, offset) in codecs.into_iter().zip((0..).step_by(3)) {
        let batch = batch(&["a", "b", "c"], codec);
        assert_eq!(
            produce(&mut peer, "t", 0, batch.clone()).await.base_offset,
            offset
        );
        expected.extend(stored_at(&batch, offset));
    }
    for version in 4..=18_i16 {
        let mut request = fetch_request("t", 0, 0);
        if version >= 13 {
            request.topics[0].topic = name("");
            request.topics[0].topic_id = id;
        }
        let response = peer.call(version, &request).await;
        let part = only(&response);
        assert_eq!(part.records.as_deref(), Some(&expected[..]), "v{version}");
        assert_eq!((part.high_watermark, part.last_stable_offset), (15, 15));
        assert_eq!(part.log_start_offset, if version >= 5 { 0 } else { -1 });
        assert!(part.aborted_transactions.is_none());
    }
}

#[tokio::test]
async fn a_fetch_inside_a_batch_returns_it_whole() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let first = batch(&["a", "b", "c"], Codec::Lz4);
    let second = batch(&["d"], Codec::None);
    produce(&mut peer, "t", 0, first.clone()).await;
    produce(&mut peer, "t", 0, second.clone()).await;
    let whole = [stored_at(&first, 0), stored_at(&second, 3)].concat();
    assert_eq!(records(&mut peer, "t", 0, 2).await, whole);
    assert_eq!(records(&mut peer, "t", 0, 3).await, stored_at(&second, 3));
    assert_eq!(records(&mut peer, "t", 0, 4).await, Bytes::new());
}

#[tokio::test]
async fn the_first_batch_comes_whole_whatever_the_limits() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let first = batch(&[&"x".repeat(10_000)], Codec::None);
    produce(&mut peer, "t", 0, first.clone()).await;
    produce(&mut peer, "t", 0, batch(&["y"], Codec::None)).await;
    let mut request = fetch_request("t", 0, 0).with_max_bytes(100);
    request.topics[0].partitions[0].partition_max_bytes = 0;
    let response = peer.call(12, &request).await;
    assert_eq!(
        only(&response).records.as_deref(),
        Some(&stored_at(&first, 0)[..])
    );
}

#[tokio::test]
async fn offsets_outside_the_log_are_refused_at_once() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    produce(&mut peer, "t", 0, batch(&["a"], Codec::None)).await;
    for offset in [-1, 2, i64::MAX] {
        let request = fetch_request("t", 0, offset).with_max_wait_ms(60_000);
        let response = peer.call(12, &request).await;
        let part = only(&response);
        assert_eq!(part.error_code, 1, "{offset}");
        assert_eq!((part.high_watermark, part.log_start_offset), (-1, -1));
        assert_eq!(part.records.as_deref(), Some(&[][..]));
    }
}

#[tokio::test]
async fn unknown_partitions_topics_ids_and_epochs_are_refused() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let long = |request: FetchRequest| request.with_max_wait_ms(60_000);
    let code = |response: FetchResponse| only(&response).error_code;
    assert_eq!(
        code(peer.call(12, &long(fetch_request("t", 1, 0))).await),
        3
    );
    assert_eq!(
        code(peer.call(12, &long(fetch_request("t", -1, 0))).await),
        3
    );
    assert_eq!(
        code(peer.call(12, &long(fetch_request("nowhere", 0, 0))).await),
        3
    );
    assert_eq!(
        code(
            peer.call(12, &long(fetch_request("GANTRY_SYS_STATE", 0, 0)))
                .await
        ),
        3
    );
    let mut by_id = fetch_request("", 0, 0);
    by_id.topics[0].topic_id = Uuid::from_u128(7);
    assert_eq!(code(peer.call(13, &long(by_id)).await), 100);
    let mut epoch = fetch_request("t", 0, 0);
    epoch.topics[0].partitions[0].current_leader_epoch = 1;
    assert_eq!(code(peer.call(12, &long(epoch)).await), 75);
    let mut session = fetch_request("t", 0, 0);
    session.session_id = 99;
    session.session_epoch = 1;
    let response = peer.call(12, &session).await;
    assert_eq!((response.error_code, response.session_id), (70, 0));
    assert!(response.responses.is_empty());
}

#[tokio::test]
async fn a_fetch_waits_for_records_and_later_requests_are_started() {
    let host = Host::new();
    let mut consumer = host.connect();
    let mut producer = host.connect();
    create(&mut producer, "t", 1).await;
    let request = fetch_request("t", 0, 0).with_max_wait_ms(600_000);
    let mut replies = Vec::new();
    let second = fetch_request("nowhere", 0, 0);
    consumer
        .session
        .begin([frame(12, &request), frame(12, &second)], &mut replies)
        .unwrap();
    assert!(matches!(replies[0], Reply::Held(_)), "there is nothing yet");
    assert!(matches!(replies[1], Reply::Ready(_)));
    let waiting = tokio::spawn(finish(replies));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    let sent = batch(&["a"], Codec::None);
    produce(&mut producer, "t", 0, sent.clone()).await;
    let answers = tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .unwrap()
        .unwrap();
    let response = decode_answer::<FetchRequest>(12, &answers[0]);
    assert_eq!(
        only(&response).records.as_deref(),
        Some(&stored_at(&sent, 0)[..])
    );
}

#[tokio::test]
async fn a_fetch_of_nothing_answers_when_its_time_is_over() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let response = peer
        .call(12, &fetch_request("t", 0, 0).with_max_wait_ms(20))
        .await;
    let part = only(&response);
    assert_eq!((part.error_code, part.high_watermark), (0, 0));
    assert_eq!(part.records.as_deref(), Some(&[][..]));
}

#[tokio::test]
async fn messages_of_other_protocols_stand_between_the_batches() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let client = host.broker.anonymous();
    let topic = client.topic("t").unwrap();
    let message = |body: &'static [u8]| {
        let mut message = Message::new(Bytes::from_static(body), Timestamp::from_millis(1234));
        message.properties = Properties::from_pairs([("KEYS", "k1"), ("colour", "blue")]).unwrap();
        ProduceItem {
            topic: Arc::clone(&topic),
            queue: QueueId::new(0),
            payload: Payload::Message(message),
            also: Vec::new(),
        }
    };
    produce(&mut peer, "t", 0, batch(&["a", "b"], Codec::Zstd)).await;
    for receipt in client.produce(vec![message(b"m2"), message(b"m3")], Durability::Configured) {
        receipt.unwrap();
    }
    produce(&mut peer, "t", 0, batch(&["c"], Codec::None)).await;
    let mut bytes = records(&mut peer, "t", 0, 0).await;
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let size = 12 + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
        let stored = RecordBatch::stored(bytes.split_to(size)).unwrap();
        assert_eq!(
            stored.header().crc,
            crc32c(&stored.bytes()[21..]),
            "clients check it"
        );
        for record in stored.records().unwrap().iter() {
            let record = record.unwrap();
            let offset = stored.header().base_offset + i64::from(record.offset_delta);
            values.push((offset, record.to_record()));
        }
    }
    let texts: Vec<_> = values
        .iter()
        .map(|(offset, record)| (*offset, record.value.clone().unwrap()))
        .collect();
    let expected = [(0, "a"), (1, "b"), (2, "m2"), (3, "m3"), (4, "c")];
    assert_eq!(
        texts,
        expected.map(|(offset, text)| (offset, Bytes::from(text)))
    );
    let foreign = &values[2].1;
    assert_eq!(foreign.key.as_deref(), Some(&b"k1"[..]));
    assert_eq!(foreign.timestamp.millis(), 1234);
    let header = foreign
        .headers
        .iter()
        .find(|header| &header.name[..] == b"colour")
        .unwrap();
    assert_eq!(header.value.as_deref(), Some(&b"blue"[..]));
}
