//! The Fetch codec against `kafka-protocol` and recorded bytes.

use super::{answer_to, requests};
use crate::Answer;
use crate::api::FETCH;
use crate::wire::fetch::{FetchOutcome, FetchRequest, encode_error, encode_response};
use crate::wire::topic_key::TopicKey;
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest as CrateRequest, FetchResponse, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use proptest::prelude::*;
use uuid::Uuid;

fn assert_same(own: &FetchRequest, theirs: &CrateRequest) {
    assert_eq!(own.max_wait_ms, theirs.max_wait_ms);
    assert_eq!(
        (own.min_bytes, own.max_bytes),
        (theirs.min_bytes, theirs.max_bytes)
    );
    assert_eq!(own.is_read_committed, theirs.isolation_level == 1);
    assert_eq!(
        (own.session_id, own.session_epoch),
        (theirs.session_id, theirs.session_epoch)
    );
    assert_eq!(own.topics.len(), theirs.topics.len());
    let mut partitions = own.partitions.iter();
    for (own, theirs) in own.topics.iter().zip(&theirs.topics) {
        match &own.key {
            TopicKey::Name(name) => assert!(**name == **theirs.topic),
            TopicKey::Id(id) => assert_eq!(*id, theirs.topic_id.into_bytes()),
        }
        assert_eq!(own.partitions, theirs.partitions.len());
        for theirs in &theirs.partitions {
            let own = partitions.next().unwrap();
            assert_eq!(own.index, theirs.partition);
            assert_eq!(own.current_leader_epoch, theirs.current_leader_epoch);
            assert_eq!(own.fetch_offset, theirs.fetch_offset);
            assert_eq!(own.last_fetched_epoch, theirs.last_fetched_epoch);
            assert_eq!(own.max_bytes, theirs.partition_max_bytes);
        }
    }
    assert!(partitions.next().is_none());
}

fn whole(answer: &Answer) -> Bytes {
    let mut bytes = BytesMut::new();
    answer
        .chunks
        .iter()
        .for_each(|chunk| bytes.extend_from_slice(chunk));
    bytes.freeze()
}

#[test]
fn recorded_fetches_decode_and_encode_as_kafka_does() {
    let (mut decoded, mut encoded) = (0, 0);
    for recorded in requests().iter().filter(|request| request.key == FETCH) {
        let body = recorded.body();
        let own = FetchRequest::decode(&body, recorded.version, 1000).unwrap();
        let theirs = CrateRequest::decode(&mut body.clone(), recorded.version).unwrap();
        assert_same(&own, &theirs);
        decoded += 1;
        let Some(answer) = answer_to(recorded) else {
            continue;
        };
        let header = if recorded.version >= 12 { 5 } else { 4 };
        let mut theirs =
            FetchResponse::decode(&mut answer.slice(header..), recorded.version).unwrap();
        // An incremental session leaves out what has not changed, and transactions list aborts.
        let listed: usize = theirs
            .responses
            .iter()
            .map(|topic| topic.partitions.len())
            .sum();
        let parts = || theirs.responses.iter().flat_map(|topic| &topic.partitions);
        let aborts = parts().any(|part| {
            part.aborted_transactions
                .as_ref()
                .is_some_and(|list| !list.is_empty())
        });
        if listed != own.partitions.len()
            || aborts
            || parts().any(|part| part.last_stable_offset != part.high_watermark)
        {
            continue;
        }
        let outcomes = parts().map(outcome).collect();
        let bytes = whole(&encode_response(
            recorded.correlation_id,
            recorded.version,
            &own,
            outcomes,
        ));
        theirs.session_id = 0;
        let mut expected = BytesMut::from(&answer[..header]);
        theirs.encode(&mut expected, recorded.version).unwrap();
        assert_eq!(&bytes[4..], &expected[..], "{}", recorded.file);
        encoded += 1;
    }
    assert!(decoded > 20 && encoded > 5, "{decoded} {encoded}");
}

fn outcome(theirs: &PartitionData) -> FetchOutcome {
    FetchOutcome {
        error_code: theirs.error_code,
        high_watermark: theirs.high_watermark,
        log_start_offset: theirs.log_start_offset,
        records: theirs
            .records
            .clone()
            .into_iter()
            .filter(|records| !records.is_empty())
            .collect(),
    }
}

type Topics = Vec<(String, u128, Vec<(i32, i32, i64, i32, i32)>)>;

fn topics() -> impl Strategy<Value = Topics> {
    let partition = (
        any::<i32>(),
        any::<i32>(),
        any::<i64>(),
        any::<i32>(),
        any::<i32>(),
    );
    let partitions = proptest::collection::vec(partition, 0..12);
    proptest::collection::vec(("[a-z]{0,140}", any::<u128>(), partitions), 0..5)
}

fn crate_request(topics: &Topics, numbers: (i32, i32, i32, bool), version: i16) -> CrateRequest {
    let (wait, min, max, committed) = numbers;
    let named = |name: &String| TopicName(StrBytes::from_string(name.clone()));
    let of = topics.iter().map(|(name, id, partitions)| {
        let partitions = partitions.iter().map(|(index, leader, offset, last, max)| {
            let partition = FetchPartition::default()
                .with_partition(*index)
                .with_fetch_offset(*offset)
                .with_partition_max_bytes(*max);
            let partition = if version >= 9 {
                partition.with_current_leader_epoch(*leader)
            } else {
                partition
            };
            if version >= 12 {
                partition.with_last_fetched_epoch(*last)
            } else {
                partition
            }
        });
        let topic = FetchTopic::default().with_partitions(partitions.collect());
        if version >= 13 {
            topic.with_topic_id(Uuid::from_u128(*id))
        } else {
            topic.with_topic(named(name))
        }
    });
    let request = CrateRequest::default()
        .with_max_wait_ms(wait)
        .with_min_bytes(min)
        .with_max_bytes(max)
        .with_isolation_level(i8::from(committed))
        .with_topics(of.collect());
    if version < 7 {
        return request;
    }
    let forgotten = topics.iter().map(|(name, id, partitions)| {
        let topic = ForgottenTopic::default()
            .with_partitions(partitions.iter().map(|part| part.0).collect());
        if version >= 13 {
            topic.with_topic_id(Uuid::from_u128(*id))
        } else {
            topic.with_topic(named(name))
        }
    });
    request
        .with_session_id(wait)
        .with_session_epoch(min)
        .with_forgotten_topics_data(forgotten.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn requests_decode_as_the_crate_encodes_them(
        topics in topics(),
        numbers in any::<(i32, i32, i32, bool)>(),
        version in 4..=18_i16,
    ) {
        let theirs = crate_request(&topics, numbers, version);
        let mut body = BytesMut::new();
        theirs.encode(&mut body, version).unwrap();
        let body = body.freeze();
        let own = FetchRequest::decode(&body, version, 1000).unwrap();
        assert_same(&own, &theirs);
        for cut in (0..body.len()).step_by(1 + body.len() / 64) {
            prop_assert!(FetchRequest::decode(&body.slice(..cut), version, 1000).is_err());
        }
    }

    #[test]
    fn answers_encode_as_the_crate_encodes_them(
        topics in topics(),
        committed in any::<bool>(),
        outcomes in proptest::collection::vec((any::<i16>(), any::<i64>(), any::<i64>(), proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..3)), 60),
        version in 4..=18_i16,
    ) {
        let theirs = crate_request(&topics, (1, 1, 1, committed), version);
        let mut body = BytesMut::new();
        theirs.encode(&mut body, version).unwrap();
        let request = FetchRequest::decode(&body.freeze(), version, 1000).unwrap();
        let outcomes: Vec<_> = outcomes.into_iter().map(|(code, high, start, records)| FetchOutcome {
            error_code: code,
            high_watermark: high,
            log_start_offset: if version >= 5 { start } else { -1 },
            records: records.into_iter().map(Bytes::from).collect(),
        }).take(request.partitions.len()).collect();
        let mut answered = outcomes.iter();
        let responses = theirs.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().zip(answered.by_ref()).map(|(asked, outcome)| {
                PartitionData::default()
                    .with_partition_index(asked.partition)
                    .with_error_code(outcome.error_code)
                    .with_high_watermark(outcome.high_watermark)
                    .with_last_stable_offset(outcome.high_watermark)
                    .with_log_start_offset(outcome.log_start_offset)
                    .with_aborted_transactions(committed.then(Vec::new))
                    .with_records(Some(outcome.records.concat().into()))
            });
            FetchableTopicResponse::default()
                .with_topic(topic.topic.clone())
                .with_topic_id(topic.topic_id)
                .with_partitions(partitions.collect())
        });
        let mut expected = BytesMut::new();
        FetchResponse::default().with_responses(responses.collect()).encode(&mut expected, version).unwrap();
        let mut bytes = whole(&encode_response(7, version, &request, outcomes));
        prop_assert_eq!(bytes.get_u32() as usize, bytes.len());
        prop_assert_eq!(bytes.get_i32(), 7);
        if version >= 12 {
            prop_assert_eq!(bytes.get_u8(), 0);
        }
        prop_assert_eq!(&bytes[..], &expected[..]);
    }
}

#[test]
fn a_session_error_stands_above_everything() {
    for version in 7..=18_i16 {
        let mut bytes = whole(&encode_error(1, version, 70)).slice(8..);
        if version >= 12 {
            bytes.advance(1);
        }
        let decoded = FetchResponse::decode(&mut bytes, version).unwrap();
        assert_eq!((decoded.error_code, decoded.session_id), (70, 0));
        assert!(decoded.responses.is_empty() && bytes.is_empty());
    }
}
