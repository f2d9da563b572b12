//! The Produce codec against `kafka-protocol` and recorded bytes.

use super::{answer_to, requests};
use crate::api::PRODUCE;
use crate::wire::produce::{ProduceOutcome, ProduceRequest, encode_response};
use crate::wire::topic_key::TopicKey;
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ProduceRequest as CrateRequest, ProduceResponse, TopicName, TransactionalId,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use proptest::prelude::*;
use uuid::Uuid;

fn assert_same(own: &ProduceRequest, theirs: &CrateRequest, version: i16) {
    assert_eq!(own.is_transactional, theirs.transactional_id.is_some());
    assert_eq!((own.acks, own.timeout_ms), (theirs.acks, theirs.timeout_ms));
    assert_eq!(own.topics.len(), theirs.topic_data.len());
    let mut partitions = own.partitions.iter();
    for (own, theirs) in own.topics.iter().zip(&theirs.topic_data) {
        match &own.key {
            TopicKey::Name(name) => assert!(version < 13 && **name == **theirs.name),
            TopicKey::Id(id) => assert_eq!(*id, theirs.topic_id.into_bytes()),
        }
        assert_eq!(own.partitions, theirs.partition_data.len());
        for theirs in &theirs.partition_data {
            let own = partitions.next().unwrap();
            assert_eq!(own.index, theirs.index);
            assert_eq!(own.records, theirs.records);
        }
    }
    assert!(partitions.next().is_none());
}

#[test]
fn recorded_produce_requests_decode_as_the_crate_decodes_them() {
    let mut seen = 0;
    for recorded in requests().iter().filter(|request| request.key == PRODUCE) {
        let body = recorded.body();
        let own = ProduceRequest::decode(&body, recorded.version, 1000).unwrap();
        let theirs = CrateRequest::decode(&mut body.clone(), recorded.version).unwrap();
        assert_same(&own, &theirs, recorded.version);
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn recorded_produce_answers_encode_byte_for_byte() {
    let mut seen = 0;
    for recorded in requests().iter().filter(|request| request.key == PRODUCE) {
        let body = recorded.body();
        let request = ProduceRequest::decode(&body, recorded.version, 1000).unwrap();
        let Some(answer) = answer_to(recorded).filter(|_| request.acks != 0) else {
            continue;
        };
        let header = if recorded.version >= 9 { 5 } else { 4 };
        let theirs =
            ProduceResponse::decode(&mut answer.slice(header..), recorded.version).unwrap();
        let outcomes: Vec<_> = theirs
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses)
            .map(outcome)
            .collect();
        let own = encode_response(
            recorded.correlation_id,
            recorded.version,
            &request,
            &outcomes,
        );
        assert_eq!(&own.chunks[0][4..], &answer[..], "{}", recorded.file);
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}

fn outcome(theirs: &PartitionProduceResponse) -> ProduceOutcome {
    ProduceOutcome {
        error_code: theirs.error_code,
        base_offset: theirs.base_offset,
        log_append_time_ms: theirs.log_append_time_ms,
        log_start_offset: theirs.log_start_offset,
        error_message: theirs.error_message.as_ref().map(ToString::to_string),
    }
}

type Topics = Vec<(String, u128, Vec<(i32, Option<Vec<u8>>)>)>;

fn topics() -> impl Strategy<Value = Topics> {
    let records = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..400));
    let partitions = proptest::collection::vec((any::<i32>(), records), 0..12);
    proptest::collection::vec(("[a-z]{0,140}", any::<u128>(), partitions), 0..5)
}

fn crate_request(
    topics: &Topics,
    transactional: Option<String>,
    acks: i16,
    version: i16,
) -> CrateRequest {
    let topics = topics.iter().map(|(name, id, partitions)| {
        let partitions = partitions.iter().map(|(index, records)| {
            PartitionProduceData::default()
                .with_index(*index)
                .with_records(records.clone().map(Bytes::from))
        });
        let topic = TopicProduceData::default().with_partition_data(partitions.collect());
        if version >= 13 {
            topic.with_topic_id(Uuid::from_u128(*id))
        } else {
            topic.with_name(TopicName(StrBytes::from_string(name.clone())))
        }
    });
    let transactional = transactional.map(|id| TransactionalId(StrBytes::from_string(id)));
    CrateRequest::default()
        .with_transactional_id(transactional)
        .with_acks(acks)
        .with_timeout_ms(30_000)
        .with_topic_data(topics.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn requests_decode_as_the_crate_encodes_them(
        topics in topics(),
        transactional in proptest::option::of("[a-z]{0,9}"),
        acks in -1..=1_i16,
        version in 3..=13_i16,
    ) {
        let theirs = crate_request(&topics, transactional, acks, version);
        let mut body = BytesMut::new();
        theirs.encode(&mut body, version).unwrap();
        let body = body.freeze();
        let own = ProduceRequest::decode(&body, version, 1000).unwrap();
        assert_same(&own, &theirs, version);
        for cut in (0..body.len()).step_by(1 + body.len() / 64) {
            prop_assert!(ProduceRequest::decode(&body.slice(..cut), version, 1000).is_err());
        }
    }

    #[test]
    fn answers_encode_as_the_crate_encodes_them(
        topics in topics(),
        outcomes in proptest::collection::vec((any::<i16>(), any::<i64>(), any::<i64>(), any::<i64>(), proptest::option::of("[a-z]{0,200}")), 60),
        version in 3..=13_i16,
    ) {
        let theirs = crate_request(&topics, None, 1, version);
        let mut body = BytesMut::new();
        theirs.encode(&mut body, version).unwrap();
        let request = ProduceRequest::decode(&body.freeze(), version, 1000).unwrap();
        let outcomes: Vec<_> = outcomes.into_iter().map(|(code, base, time, start, message)| ProduceOutcome {
            error_code: code,
            base_offset: base,
            log_append_time_ms: time,
            log_start_offset: if version >= 5 { start } else { -1 },
            error_message: message.filter(|_| version >= 8),
        }).take(request.partitions.len()).collect();
        let mut answered = outcomes.iter();
        let responses = theirs.topic_data.iter().map(|topic| {
            let partitions = topic.partition_data.iter().zip(answered.by_ref()).map(|(sent, outcome)| {
                PartitionProduceResponse::default()
                    .with_index(sent.index)
                    .with_error_code(outcome.error_code)
                    .with_base_offset(outcome.base_offset)
                    .with_log_append_time_ms(outcome.log_append_time_ms)
                    .with_log_start_offset(outcome.log_start_offset)
                    .with_error_message(outcome.error_message.clone().map(StrBytes::from_string))
            });
            TopicProduceResponse::default()
                .with_name(topic.name.clone())
                .with_topic_id(topic.topic_id)
                .with_partition_responses(partitions.collect())
        });
        let mut expected = BytesMut::new();
        ProduceResponse::default().with_responses(responses.collect()).encode(&mut expected, version).unwrap();
        let own = encode_response(7, version, &request, &outcomes);
        let mut bytes = own.chunks[0].clone();
        prop_assert_eq!(bytes.get_u32() as usize, bytes.len());
        prop_assert_eq!(bytes.get_i32(), 7);
        if version >= 9 {
            prop_assert_eq!(bytes.get_u8(), 0);
        }
        prop_assert_eq!(&bytes[..], &expected[..]);
    }
}
