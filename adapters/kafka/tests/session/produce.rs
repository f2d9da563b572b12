//! What a producer is told, and what of it is true afterwards.

use crate::peer::{Host, Peer, batch, batch_at, decode_answer, finish, frame, name, now};
use crate::topics::create;
use bytes::{Bytes, BytesMut};
use gantry_core::FlushMode;
use gantry_core::batch::{Codec, crc32c};
use gantry_core::model::Timestamp;
use gantry_kafka::{Closed, Config, Reply};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

pub fn produce_request(topic: &str, partition: i32, records: Option<Bytes>) -> ProduceRequest {
    let data = PartitionProduceData::default()
        .with_index(partition)
        .with_records(records);
    let topic = TopicProduceData::default()
        .with_name(name(topic))
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(1000)
        .with_topic_data(vec![topic])
}

/// Produces one batch and answers what became of it.
pub async fn produce(
    peer: &mut Peer,
    topic: &str,
    partition: i32,
    records: Bytes,
) -> PartitionProduceResponse {
    let request = produce_request(topic, partition, Some(records));
    let response = peer.call(9, &request).await;
    response.responses[0].partition_responses[0].clone()
}

/// The batch with its checksum made right again after an edit.
fn resealed(mut bytes: BytesMut) -> Bytes {
    let crc = crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.freeze()
}

#[tokio::test]
async fn every_version_appends_at_the_next_offset() {
    let host = Host::new();
    let mut peer = host.connect();
    let id = create(&mut peer, "t", 1).await;
    for (version, expected) in (3..=13_i16).zip((0..).step_by(2)) {
        let records = batch(&["a", "b"], Codec::None);
        let mut request = produce_request("t", 0, Some(records));
        if version >= 13 {
            request.topic_data[0].name = name("");
            request.topic_data[0].topic_id = id;
        }
        let response = peer.call(version, &request).await;
        let part = &response.responses[0].partition_responses[0];
        assert_eq!(
            (part.error_code, part.base_offset),
            (0, expected),
            "v{version}"
        );
        assert_eq!(part.log_append_time_ms, -1);
        assert_eq!(part.log_start_offset, if version >= 5 { 0 } else { -1 });
    }
}

#[tokio::test]
async fn requests_of_one_read_are_answered_each_in_order() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 2).await;
    let request = |partition| {
        let request = produce_request("t", partition, Some(batch(&["x"], Codec::None)));
        frame(9, &request)
    };
    let mut replies = Vec::new();
    let frames = [request(0), request(1), request(0), request(5)];
    peer.session.begin(frames, &mut replies).unwrap();
    let answers = finish(replies).await;
    let outcomes: Vec<_> = answers
        .iter()
        .map(|answer| {
            let response = decode_answer::<ProduceRequest>(9, answer);
            let part = &response.responses[0].partition_responses[0];
            (part.error_code, part.base_offset)
        })
        .collect();
    assert_eq!(outcomes, [(0, 0), (0, 0), (0, 1), (3, -1)]);
}

#[tokio::test]
async fn unacknowledged_records_are_stored_and_not_answered() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let request = produce_request("t", 0, Some(batch(&["x"], Codec::None))).with_acks(0);
    assert!(peer.exchange(9, &request).await.unwrap().is_none());
    assert_eq!(
        produce(&mut peer, "t", 0, batch(&["y"], Codec::None))
            .await
            .base_offset,
        1
    );
    let lost = produce_request("nowhere", 0, Some(batch(&["x"], Codec::None))).with_acks(0);
    assert_eq!(
        peer.exchange(9, &lost).await.unwrap_err(),
        Closed::Unacknowledged(3)
    );
}

#[tokio::test]
async fn bad_batches_are_refused_each_in_its_own_terms() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let good = batch(&["x", "y"], Codec::None);
    let edited = |at: usize, with: &[u8]| {
        let mut bytes = BytesMut::from(&good[..]);
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    let two = [good.clone(), good.clone()].concat();
    let future = Timestamp::from_millis(now().millis() + 7_200_000);
    let cases: Vec<(&str, Bytes, i16)> = vec![
        ("no records", Bytes::new(), 87),
        ("fewer bytes than a batch", good.slice(..40), 87),
        ("a wrong checksum", edited(70, &[0xff]).freeze(), 2),
        ("magic 1", edited(16, &[1]).freeze(), 87),
        ("magic 3", edited(16, &[3]).freeze(), 2),
        ("two batches", two.into(), 87),
        ("a control batch", resealed(edited(21, &[0, 0x20])), 87),
        (
            "a transactional batch",
            resealed(edited(21, &[0, 0x10])),
            53,
        ),
        ("an unknown codec", resealed(edited(21, &[0, 5])), 76),
        (
            "more records than offsets",
            resealed(edited(57, &[0, 0, 0, 9])),
            87,
        ),
        (
            "a sequence without an epoch",
            resealed(edited(43, &[0; 8])),
            87,
        ),
        (
            "a record two hours ahead",
            batch_at(&["x"], Codec::None, future),
            32,
        ),
    ];
    for (what, records, code) in cases {
        let part = produce(&mut peer, "t", 0, records).await;
        assert_eq!((part.error_code, part.base_offset), (code, -1), "{what}");
    }
    let null = produce_request("t", 0, None);
    let response = peer.call(9, &null).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, 87);
    let part = produce(&mut peer, "t", 0, good).await;
    assert_eq!(
        (part.error_code, part.base_offset),
        (0, 0),
        "nothing of it was stored"
    );
}

#[tokio::test]
async fn requests_that_cannot_be_served_say_why() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let records = || batch(&["x"], Codec::None);
    assert_eq!(produce(&mut peer, "t", -1, records()).await.error_code, 3);
    assert_eq!(produce(&mut peer, "t", 1, records()).await.error_code, 3);
    assert_eq!(
        produce(&mut peer, "nowhere", 0, records()).await.error_code,
        3
    );
    assert_eq!(
        produce(&mut peer, "GANTRY_SYS_STATE", 0, records())
            .await
            .error_code,
        3
    );
    let acks = produce_request("t", 0, Some(records())).with_acks(2);
    let response = peer.call(9, &acks).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, 21);
    let mut by_id = produce_request("", 0, Some(records()));
    by_id.topic_data[0].topic_id = Uuid::from_u128(7);
    let response = peer.call(13, &by_id).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, 100);
    let zstd = produce_request("t", 0, Some(batch(&["x"], Codec::Zstd)));
    let response = peer.call(6, &zstd).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, 76);
    let response = peer.call(7, &zstd).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
}

#[tokio::test]
async fn a_batch_over_the_limit_is_refused_and_a_topic_may_raise_it() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let large = "x".repeat(1_100_000);
    let part = produce(&mut peer, "t", 0, batch(&[&large], Codec::None)).await;
    assert_eq!(part.error_code, 10);
    crate::topics::create_with(&mut peer, "large", &[("max.message.bytes", "2000000")]).await;
    let part = produce(&mut peer, "large", 0, batch(&[&large], Codec::None)).await;
    assert_eq!(part.error_code, 0);
}

/// A producer id of its own.
pub async fn producer_id(peer: &mut Peer) -> i64 {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(1000);
    peer.call(4, &request).await.producer_id.0
}

/// A batch of one record of an idempotent producer.
pub fn numbered(producer: i64, sequence: i32) -> Bytes {
    let mut bytes = BytesMut::from(&batch(&["x"], Codec::None)[..]);
    bytes[43..51].copy_from_slice(&producer.to_be_bytes());
    bytes[51..53].copy_from_slice(&0_i16.to_be_bytes());
    bytes[53..57].copy_from_slice(&sequence.to_be_bytes());
    resealed(bytes)
}

#[tokio::test]
async fn an_idempotent_retry_gets_the_first_offset_again() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let mut ids = Vec::new();
    for version in 0..=5 {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(1000);
        let response = peer.call(version, &request).await;
        assert_eq!((response.error_code, response.producer_epoch), (0, 0));
        ids.push(response.producer_id.0);
    }
    ids.dedup();
    assert_eq!(ids.len(), 6, "every producer has an id of its own");
    for (sequence, expected) in [
        (0, (0, 0)),
        (1, (0, 1)),
        (0, (0, 0)),
        (7, (45, -1)),
        (2, (0, 2)),
    ] {
        let part = produce(&mut peer, "t", 0, numbered(ids[0], sequence)).await;
        assert_eq!(
            (part.error_code, part.base_offset),
            expected,
            "sequence {sequence}"
        );
    }
}

#[tokio::test]
async fn transactions_are_refused_for_good() {
    let host = Host::new();
    let mut peer = host.connect();
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(StrBytes::from_static_str("tx"))));
    let response = peer.call(4, &request).await;
    assert_eq!((response.error_code, response.producer_id.0), (53, -1));
}

#[tokio::test]
async fn a_topic_may_take_the_time_of_the_append() {
    let host = Host::new();
    let mut peer = host.connect();
    crate::topics::create_with(
        &mut peer,
        "t",
        &[("message.timestamp.type", "LogAppendTime")],
    )
    .await;
    let old = Timestamp::from_millis(1_000_000);
    let part = produce(&mut peer, "t", 0, batch_at(&["x"], Codec::None, old)).await;
    assert_eq!(part.error_code, 0);
    assert!(part.log_append_time_ms > old.millis());
    let stored = crate::fetch::records(&mut peer, "t", 0, 0).await;
    assert_eq!(stored[35..43], part.log_append_time_ms.to_be_bytes());
    assert_eq!(stored[17..21], crc32c(&stored[21..]).to_be_bytes());
}

#[tokio::test]
async fn with_synchronous_flush_an_answer_waits_for_the_disk() {
    let mut core = gantry_core::Config::default();
    core.store.flush = FlushMode::Sync;
    let host = Host::with(core, Config::default());
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let request = frame(
        9,
        &produce_request("t", 0, Some(batch(&["x"], Codec::None))),
    );
    let mut replies = Vec::new();
    let frames = [request.clone(), request];
    peer.session.begin(frames, &mut replies).unwrap();
    assert!(matches!(
        replies[..],
        [Reply::Pending(_), Reply::Pending(_)]
    ));
    let mut offsets = Vec::new();
    for answer in finish(replies).await {
        let response = decode_answer::<ProduceRequest>(9, &answer);
        let part = &response.responses[0].partition_responses[0];
        offsets.push((part.error_code, part.base_offset));
    }
    assert_eq!(offsets, [(0, 0), (0, 1)]);
}

#[tokio::test]
async fn replicas_that_do_not_exist_are_not_pretended() {
    let host = Host::new();
    let mut peer = host.connect();
    crate::topics::create_with(&mut peer, "t", &[("min.insync.replicas", "2")]).await;
    let records = || batch(&["x"], Codec::None);
    assert_eq!(produce(&mut peer, "t", 0, records()).await.error_code, 19);
    let one = produce_request("t", 0, Some(records())).with_acks(1);
    let response = peer.call(9, &one).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
}

#[tokio::test]
async fn a_topic_says_how_far_ahead_its_records_may_be() {
    let host = Host::new();
    let mut peer = host.connect();
    let ahead = Timestamp::from_millis(now().millis() + 600_000);
    for (topic, setting, code) in [
        ("tight", ("message.timestamp.after.max.ms", "60000"), 32),
        ("default", ("message.timestamp.type", "CreateTime"), 0),
        ("stamped", ("message.timestamp.type", "LogAppendTime"), 0),
    ] {
        crate::topics::create_with(&mut peer, topic, &[setting]).await;
        let part = produce(&mut peer, topic, 0, batch_at(&["x"], Codec::None, ahead)).await;
        assert_eq!(part.error_code, code, "{topic}");
    }
}
