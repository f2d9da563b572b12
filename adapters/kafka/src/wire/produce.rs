//! Produce, versions 3 to 13: the request is decoded without copying a record, the answer is one
//! buffer.

use super::topic_key::TopicKey;
use super::writer::{put_length, put_no_tagged_fields, put_nullable_text};
use super::{DecodeError, reader::Reader};
use crate::answer::{Answer, start_frame};
use bytes::{BufMut, Bytes};
use smallvec::SmallVec;

const FLEXIBLE_FROM: i16 = 9;
const TOPIC_IDS_FROM: i16 = 13;

/// A Produce request. Topics and partitions lie flat, in the request's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceRequest {
    /// Whether a transactional id was given.
    pub is_transactional: bool,
    /// How many replicas must have the records: 0, 1 or -1 for all; others are refused later.
    pub acks: i16,
    /// How long the client waits, in milliseconds.
    pub timeout_ms: i32,
    /// The topics.
    pub topics: SmallVec<[ProduceTopic; 2]>,
    /// The partitions of all topics.
    pub partitions: SmallVec<[ProducePartition; 8]>,
}

/// A topic of a Produce request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceTopic {
    /// Which.
    pub key: TopicKey,
    /// How many of the flat partitions are its.
    pub partitions: usize,
}

/// A partition of a Produce request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducePartition {
    /// Which.
    pub index: i32,
    /// Its records, a slice of the request's frame.
    pub records: Option<Bytes>,
}

impl ProduceRequest {
    /// Decodes a request's body.
    ///
    /// # Errors
    /// Lengths that the bytes do not bear out, or more than `elements_max` topics and partitions.
    pub fn decode(body: &Bytes, version: i16, elements_max: usize) -> Result<Self, DecodeError> {
        let flexible = version >= FLEXIBLE_FROM;
        let reader = &mut Reader::new(body);
        let mut request = Self {
            is_transactional: reader.nullable_text(flexible)?.is_some(),
            acks: reader.i16()?,
            timeout_ms: reader.i32()?,
            topics: SmallVec::new(),
            partitions: SmallVec::new(),
        };
        for _ in 0..reader.elements(flexible)? {
            let key = TopicKey::read(reader, body, version >= TOPIC_IDS_FROM, flexible)?;
            let partitions = reader.elements(flexible)?;
            request.topics.push(ProduceTopic { key, partitions });
            for _ in 0..partitions {
                if request.topics.len() + request.partitions.len() >= elements_max {
                    return Err(DecodeError::TooManyElements(elements_max));
                }
                let index = reader.i32()?;
                let records = reader.blob(flexible)?.map(|range| body.slice(range));
                reader.skip_tagged_fields(flexible)?;
                request.partitions.push(ProducePartition { index, records });
            }
            reader.skip_tagged_fields(flexible)?;
        }
        reader.skip_tagged_fields(flexible)?;
        Ok(request)
    }
}

/// What became of one partition's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceOutcome {
    /// 0, or Kafka's error code.
    pub error_code: i16,
    /// Offset of the first record, -1 with an error.
    pub base_offset: i64,
    /// When the broker stored the records, for topics that take that as the records' time; else -1.
    pub log_append_time_ms: i64,
    /// The partition's first offset, -1 with an error.
    pub log_start_offset: i64,
    /// For people, from version 8 on.
    pub error_message: Option<String>,
}

/// Encodes the answer to `request`, with an outcome for each of its partitions in order.
#[must_use]
pub fn encode_response(
    correlation_id: i32,
    version: i16,
    request: &ProduceRequest,
    outcomes: &[ProduceOutcome],
) -> Answer {
    let flexible = version >= FLEXIBLE_FROM;
    let names: usize = request.topics.iter().map(|topic| topic.key.size()).sum();
    let size = 16 + names + request.topics.len() * 8 + outcomes.len() * 48;
    let mut frame = start_frame(correlation_id, flexible, size);
    put_length(&mut frame, request.topics.len(), flexible);
    let mut answered = request.partitions.iter().zip(outcomes);
    for topic in &request.topics {
        topic.key.put(&mut frame, flexible);
        put_length(&mut frame, topic.partitions, flexible);
        for (partition, outcome) in answered.by_ref().take(topic.partitions) {
            frame.put_i32(partition.index);
            frame.put_i16(outcome.error_code);
            frame.put_i64(outcome.base_offset);
            frame.put_i64(outcome.log_append_time_ms);
            if version >= 5 {
                frame.put_i64(outcome.log_start_offset);
            }
            if version >= 8 {
                put_length(&mut frame, 0, flexible);
                put_nullable_text(&mut frame, outcome.error_message.as_deref(), flexible);
            }
            put_no_tagged_fields(&mut frame, flexible);
        }
        put_no_tagged_fields(&mut frame, flexible);
    }
    frame.put_i32(0);
    put_no_tagged_fields(&mut frame, flexible);
    Answer::from_frame(frame)
}

/// Decodes any bytes as a request of every version; for fixed-seed fuzzing.
pub fn fuzz_produce_request(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    for version in 3..=13 {
        let _ = ProduceRequest::decode(&body, version, 1000);
    }
}
