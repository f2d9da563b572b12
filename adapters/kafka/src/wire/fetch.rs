//! Fetch, versions 4 to 18: the request lies flat, and the answer's record bytes are the log's
//! own slices between the pieces encoded here.

use super::topic_key::TopicKey;
use super::writer::{put_length, put_no_tagged_fields, put_null_array};
use super::{DecodeError, reader::Reader};
use crate::answer::{Answer, start_frame};
use bytes::{BufMut, Bytes};
use smallvec::SmallVec;

const FLEXIBLE_FROM: i16 = 12;
const TOPIC_IDS_FROM: i16 = 13;

/// A Fetch request. Topics and partitions lie flat, in the request's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// How long to wait for `min_bytes`, in milliseconds.
    pub max_wait_ms: i32,
    /// Answer when this much is there.
    pub min_bytes: i32,
    /// Answer with no more than this.
    pub max_bytes: i32,
    /// Whether records of open and aborted transactions are left out.
    pub is_read_committed: bool,
    /// The client's fetch session, 0 for none.
    pub session_id: i32,
    /// 0 asks for a session, -1 for none.
    pub session_epoch: i32,
    /// The topics.
    pub topics: SmallVec<[FetchTopic; 2]>,
    /// The partitions of all topics.
    pub partitions: SmallVec<[FetchPartition; 8]>,
}

/// A topic of a Fetch request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopic {
    /// Which.
    pub key: TopicKey,
    /// How many of the flat partitions are its.
    pub partitions: usize,
}

/// A partition of a Fetch request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// Which.
    pub index: i32,
    /// The leader epoch the client knows, -1 for none.
    pub current_leader_epoch: i32,
    /// The first offset wanted.
    pub fetch_offset: i64,
    /// The epoch of the last record the client has, -1 for none.
    pub last_fetched_epoch: i32,
    /// Answer with no more than this of the partition.
    pub max_bytes: i32,
}

impl FetchRequest {
    /// Decodes a request's body.
    ///
    /// # Errors
    /// Lengths that the bytes do not bear out, or more than `elements_max` topics and partitions.
    pub fn decode(body: &Bytes, version: i16, elements_max: usize) -> Result<Self, DecodeError> {
        let flexible = version >= FLEXIBLE_FROM;
        let reader = &mut Reader::new(body);
        if version <= 14 {
            reader.i32()?; // the replica id: no broker follows us
        }
        let mut request = Self {
            max_wait_ms: reader.i32()?,
            min_bytes: reader.i32()?,
            max_bytes: reader.i32()?,
            is_read_committed: reader.i8()? == 1,
            session_id: if version >= 7 { reader.i32()? } else { 0 },
            session_epoch: if version >= 7 { reader.i32()? } else { -1 },
            topics: SmallVec::new(),
            partitions: SmallVec::new(),
        };
        for _ in 0..reader.elements(flexible)? {
            let key = TopicKey::read(reader, body, version >= TOPIC_IDS_FROM, flexible)?;
            let partitions = reader.elements(flexible)?;
            request.topics.push(FetchTopic { key, partitions });
            for _ in 0..partitions {
                if request.topics.len() + request.partitions.len() >= elements_max {
                    return Err(DecodeError::TooManyElements(elements_max));
                }
                let partition = FetchPartition::read(reader, version)?;
                request.partitions.push(partition);
            }
            reader.skip_tagged_fields(flexible)?;
        }
        if version >= 7 {
            skip_forgotten_topics(reader, body, version)?;
        }
        if version >= 11 {
            reader.raw_text(flexible)?; // the client's rack: there is one replica
        }
        reader.skip_tagged_fields(flexible)?;
        Ok(request)
    }
}

impl FetchPartition {
    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let index = reader.i32()?;
        let current_leader_epoch = if version >= 9 { reader.i32()? } else { -1 };
        let fetch_offset = reader.i64()?;
        let last_fetched_epoch = if version >= 12 { reader.i32()? } else { -1 };
        if version >= 5 {
            reader.i64()?; // the follower's log start offset
        }
        let max_bytes = reader.i32()?;
        reader.skip_tagged_fields(version >= FLEXIBLE_FROM)?;
        Ok(Self {
            index,
            current_leader_epoch,
            fetch_offset,
            last_fetched_epoch,
            max_bytes,
        })
    }
}

/// What a client drops from its session: nothing to do, as there are no sessions.
fn skip_forgotten_topics(
    reader: &mut Reader<'_>,
    body: &Bytes,
    version: i16,
) -> Result<(), DecodeError> {
    let flexible = version >= FLEXIBLE_FROM;
    for _ in 0..reader.elements(flexible)? {
        TopicKey::read(reader, body, version >= TOPIC_IDS_FROM, flexible)?;
        for _ in 0..reader.elements(flexible)? {
            reader.i32()?;
        }
        reader.skip_tagged_fields(flexible)?;
    }
    Ok(())
}

/// What one partition gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchOutcome {
    /// 0, or Kafka's error code.
    pub error_code: i16,
    /// One past the last record that may be read, -1 with an error; the last stable offset is
    /// the same as long as there are no transactions.
    pub high_watermark: i64,
    /// The partition's first offset, -1 with an error.
    pub log_start_offset: i64,
    /// Whole record batches in order.
    pub records: Vec<Bytes>,
}

/// Encodes the answer to `request`, with an outcome for each of its partitions in order.
#[must_use]
pub fn encode_response(
    correlation_id: i32,
    version: i16,
    request: &FetchRequest,
    outcomes: Vec<FetchOutcome>,
) -> Answer {
    let flexible = version >= FLEXIBLE_FROM;
    let names: usize = request.topics.iter().map(|topic| topic.key.size()).sum();
    let size = 24 + names + request.topics.len() * 8 + outcomes.len() * 48;
    let mut frame = start_frame(correlation_id, flexible, size);
    frame.put_i32(0);
    if version >= 7 {
        frame.put_i16(0);
        frame.put_i32(0);
    }
    put_length(&mut frame, request.topics.len(), flexible);
    let mut pieces = Pieces::default();
    let mut answered = request.partitions.iter().zip(outcomes);
    for topic in &request.topics {
        topic.key.put(&mut frame, flexible);
        put_length(&mut frame, topic.partitions, flexible);
        for (partition, outcome) in answered.by_ref().take(topic.partitions) {
            frame.put_i32(partition.index);
            frame.put_i16(outcome.error_code);
            frame.put_i64(outcome.high_watermark);
            frame.put_i64(outcome.high_watermark);
            if version >= 5 {
                frame.put_i64(outcome.log_start_offset);
            }
            if request.is_read_committed {
                put_length(&mut frame, 0, flexible);
            } else {
                put_null_array(&mut frame, flexible);
            }
            if version >= 11 {
                frame.put_i32(-1);
            }
            let length = outcome.records.iter().map(Bytes::len).sum();
            put_length(&mut frame, length, flexible);
            pieces.push_records(&frame, outcome.records);
            put_no_tagged_fields(&mut frame, flexible);
        }
        put_no_tagged_fields(&mut frame, flexible);
    }
    put_no_tagged_fields(&mut frame, flexible);
    pieces.into_answer(frame)
}

/// Encodes an answer that is one error for the whole request, with no topics.
#[must_use]
pub fn encode_error(correlation_id: i32, version: i16, error_code: i16) -> Answer {
    let flexible = version >= FLEXIBLE_FROM;
    let mut frame = start_frame(correlation_id, flexible, 16);
    frame.put_i32(0);
    if version >= 7 {
        frame.put_i16(error_code);
        frame.put_i32(0);
    }
    put_length(&mut frame, 0, flexible);
    put_no_tagged_fields(&mut frame, flexible);
    Answer::from_frame(frame)
}

/// Record slices and where in the encoded bytes they belong, so that all that is encoded is one
/// allocation, sliced when the length of the whole is known.
#[derive(Default)]
struct Pieces {
    slots: Vec<(usize, Vec<Bytes>)>,
    record_bytes: usize,
}

impl Pieces {
    fn push_records(&mut self, frame: &bytes::BytesMut, records: Vec<Bytes>) {
        if records.is_empty() {
            return;
        }
        self.record_bytes += records.iter().map(Bytes::len).sum::<usize>();
        self.slots.push((frame.len(), records));
    }

    fn into_answer(self, mut frame: bytes::BytesMut) -> Answer {
        let length = (frame.len() + self.record_bytes).saturating_sub(4);
        if let Some(place) = frame.first_chunk_mut::<4>() {
            *place = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        }
        let mut frame = frame.freeze();
        let slices: usize = self.slots.iter().map(|(_, records)| records.len()).sum();
        let mut chunks = Vec::with_capacity(slices + self.slots.len() + 1);
        let mut cut = 0;
        for (at, records) in self.slots {
            chunks.push(frame.split_to(at - cut));
            chunks.extend(records);
            cut = at;
        }
        chunks.push(frame);
        Answer { chunks }
    }
}

/// Decodes any bytes as a request of every version; for fixed-seed fuzzing.
pub fn fuzz_fetch_request(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    for version in 4..=18 {
        let _ = FetchRequest::decode(&body, version, 1000);
    }
}
