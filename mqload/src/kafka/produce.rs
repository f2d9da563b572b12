//! Produce, version 7: one queue and one batch a request.

use super::connection::take_frame;
use super::record_batch::Batch;
use super::{ProducerIdentity, put_header, put_text};
use crate::body::Bodies;
use crate::clock;
use crate::load::{Flight, Settled, Verdict};
use anyhow::{Result, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

const KEY: i16 = 0;
const VERSION: i16 = 7;
const TIMEOUT_MS: i32 = 30_000;

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Producing {
    pub(crate) topic: String,
    /// As Kafka says it: -1 all, 1 the leader.
    pub(crate) acks: i16,
    pub(crate) identity: ProducerIdentity,
}

impl Producing {
    /// Appends the request; `crcs` gets the CRC-32 of each body.
    pub(crate) fn put(
        &self,
        flight: &Flight,
        bodies: &Bodies,
        out: &mut BytesMut,
        crcs: &mut Vec<u32>,
    ) {
        let start = out.len();
        out.put_i32(0);
        put_header(out, KEY, VERSION, flight.correlation);
        out.put_i16(-1); // no transaction
        out.put_i16(self.acks);
        out.put_i32(TIMEOUT_MS);
        out.put_i32(1);
        put_text(out, &self.topic);
        out.put_i32(1);
        out.put_i32(i32::try_from(flight.queue).unwrap_or(-1));
        let at = out.len();
        out.put_i32(0);
        let batch = Batch {
            first: flight.first,
            count: flight.count,
            time_ms: clock::millis(flight.invoked_ns),
            identity: self.identity,
            sequence: flight.numbered,
        };
        batch.put(bodies, out, crcs);
        put_length(out, at);
        put_length(out, start);
    }

    /// Takes an answer off the front of `input`.
    pub(crate) fn take(input: &mut BytesMut) -> Result<Option<Settled>> {
        take_frame(input)?.map(answer).transpose()
    }
}

/// Puts the number of bytes behind `at` and its four into them.
fn put_length(out: &mut BytesMut, at: usize) {
    let behind = out.len().saturating_sub(at).saturating_sub(4);
    let length = i32::try_from(behind).unwrap_or(0).to_be_bytes();
    if let Some(place) = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>) {
        *place = length;
    }
}

fn answer(mut frame: Bytes) -> Result<Settled> {
    let correlation = frame.try_get_i32()?;
    let topics = frame.try_get_i32()?;
    let name = usize::try_from(frame.try_get_i16()?)?;
    ensure!(
        topics == 1 && name < frame.len(),
        "an answer of another shape"
    );
    frame.advance(name);
    ensure!(
        frame.try_get_i32()? == 1,
        "an answer of more queues than one"
    );
    let _queue = frame.try_get_i32()?;
    let code = frame.try_get_i16()?;
    let offset = frame.try_get_i64()?;
    Ok(Settled {
        correlation,
        verdict: verdict(code, offset),
    })
}

/// What an error says of the batch. What is not known to come before any append leaves it open.
const fn verdict(code: i16, offset: i64) -> Verdict {
    match code {
        0 => Verdict::Stored { offset },
        // CORRUPT_MESSAGE, UNKNOWN_TOPIC_OR_PARTITION, NOT_ENOUGH_REPLICAS, FENCED_LEADER_EPOCH,
        // UNKNOWN_LEADER_EPOCH, THROTTLING_QUOTA_EXCEEDED
        2 | 3 | 19 | 74 | 75 | 89 => Verdict::RefusedNow { code: code as i32 },
        // MESSAGE_TOO_LARGE, INVALID_TOPIC, RECORD_LIST_TOO_LARGE, INVALID_REQUIRED_ACKS,
        // TOPIC_AUTHORIZATION_FAILED, INVALID_TIMESTAMP, INVALID_REQUEST,
        // UNSUPPORTED_FOR_MESSAGE_FORMAT, POLICY_VIOLATION, INVALID_RECORD
        10 | 17 | 18 | 21 | 29 | 32 | 42 | 43 | 44 | 87 => Verdict::Refused { code: code as i32 },
        // OUT_OF_ORDER_SEQUENCE_NUMBER, DUPLICATE_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH,
        // UNKNOWN_PRODUCER_ID, PRODUCER_FENCED
        45 | 46 | 47 | 59 | 90 => Verdict::OutOfSequence { code: code as i32 },
        _ => Verdict::Open { code: code as i32 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::MessageId;
    use kafka_protocol::messages::produce_response::{
        PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
    };
    use kafka_protocol::messages::{ProduceRequest, RequestHeader};
    use kafka_protocol::protocol::{Decodable as _, Encodable as _};

    #[test]
    fn the_library_reads_the_request() {
        let producing = Producing {
            topic: "topic".to_owned(),
            acks: -1,
            identity: ProducerIdentity { id: 5, epoch: 0 },
        };
        let flight = Flight {
            correlation: 77,
            first: MessageId {
                producer: 1,
                sequence: 9,
            },
            count: 3,
            queue: 2,
            ..Flight::default()
        };
        let (mut out, mut crcs) = (BytesMut::new(), Vec::new());
        producing.put(&flight, &Bodies::new(20, 0), &mut out, &mut crcs);
        assert_eq!(crcs.len(), 3);
        let mut frame = take_frame(&mut out).unwrap().unwrap();
        assert!(out.is_empty());
        let header = RequestHeader::decode(&mut frame, 1).unwrap();
        assert_eq!(header.correlation_id, 77);
        assert_eq!((header.request_api_key, header.request_api_version), (0, 7));
        let request = ProduceRequest::decode(&mut frame, 7).unwrap();
        assert!(frame.is_empty());
        assert_eq!(request.acks, -1);
        let topic = &request.topic_data[0];
        assert_eq!(&**topic.name, "topic");
        assert_eq!(topic.partition_data[0].index, 2);
        let mut count = 0;
        let records = topic.partition_data[0].records.clone().unwrap();
        super::super::record_batch::read(records, |_, _| count += 1).unwrap();
        assert_eq!(count, 3);
    }

    #[test]
    fn an_answer_of_the_library_is_read() {
        let partition = PartitionProduceResponse::default()
            .with_index(2)
            .with_base_offset(40);
        let topic = TopicProduceResponse::default()
            .with_name(super::super::connection::topic_name("topic"))
            .with_partition_responses(vec![partition]);
        let response = ProduceResponse::default().with_responses(vec![topic]);
        let mut out = BytesMut::new();
        out.put_i32(0);
        out.put_i32(77);
        response.encode(&mut out, 7).unwrap();
        put_length(&mut out, 0);
        let settled = Producing::take(&mut out).unwrap().unwrap();
        assert_eq!(settled.correlation, 77);
        assert_eq!(settled.verdict, Verdict::Stored { offset: 40 });
        assert!(Producing::take(&mut out).unwrap().is_none());
    }
}
