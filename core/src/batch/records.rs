use super::varint::{Reader, put_i32};
use super::{BatchError, BatchHeader, RecordFault};
use crate::model::{Header, Record, Timestamp};
use bytes::Bytes;

/// The decompressed records of a batch, not yet read.
#[derive(Clone, Debug)]
pub struct Records {
    plain: Bytes,
    count: u32,
    last_offset_delta: u32,
    times: Times,
}

/// Where a record's timestamp comes from.
#[derive(Clone, Copy, Debug)]
enum Times {
    /// Its delta to this.
    Base(i64),
    /// This one of the append.
    Append(Timestamp),
}

impl Times {
    fn of(self, delta: i64) -> Timestamp {
        match self {
            Self::Base(base) => Timestamp::from_millis(base.wrapping_add(delta)),
            Self::Append(time) => time,
        }
    }
}

/// One record, its parts borrowed from [`Records`].
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    source: &'a Bytes,
    /// Its offset less the batch's base offset.
    pub offset_delta: u32,
    /// When it was made, or stored in a batch of log append time.
    pub timestamp: Timestamp,
    /// `None` is null.
    pub key: Option<&'a [u8]>,
    /// `None` is null.
    pub value: Option<&'a [u8]>,
    /// In the producer's order.
    pub headers: Headers<'a>,
}

/// The headers of one record, checked, read again one by one.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    rest: Reader<'a>,
    count: usize,
}

/// One header, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderView<'a> {
    /// The name's bytes.
    pub name: &'a [u8],
    /// `None` is null.
    pub value: Option<&'a [u8]>,
}

/// Where and when a record is, without the rest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordStamp {
    /// Its offset less the batch's base offset.
    pub offset_delta: u32,
    /// As [`RecordView::timestamp`].
    pub timestamp: Timestamp,
}

impl Records {
    pub(super) fn new(header: &BatchHeader, plain: Bytes) -> Self {
        Self {
            plain,
            count: header.count,
            last_offset_delta: header.last_offset_delta,
            times: if header.is_log_append_time() {
                Times::Append(header.max_timestamp)
            } else {
                Times::Base(header.base_timestamp.millis())
            },
        }
    }

    /// The records in order. After an error there are none.
    #[must_use]
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter {
            records: self,
            walk: Walk::new(self),
        }
    }

    /// Offsets and timestamps in order: each record is skipped by its length. After an error
    /// there are none.
    #[must_use]
    pub fn stamps(&self) -> StampIter<'_> {
        StampIter {
            records: self,
            walk: Walk::new(self),
        }
    }

    /// Record number `index`, those before it skipped by their lengths.
    ///
    /// # Errors
    /// It, or one before it, does not parse or is not there.
    pub fn record(&self, index: u32) -> Result<RecordView<'_>, BatchError> {
        let mut walk = Walk::new(self);
        loop {
            let here = walk.index;
            let (stamp, rest) = walk.next(self).unwrap_or(Err(BatchError::Record {
                index: here,
                fault: RecordFault::Truncated,
            }))?;
            if here == index {
                let fault = |fault| BatchError::Record { index, fault };
                return view(&self.plain, stamp, rest).map_err(fault);
            }
        }
    }

    /// Each record's stamp and its bytes, its length before them, in order. After an error there
    /// are none.
    pub(super) fn encoded(&self) -> impl Iterator<Item = Result<(RecordStamp, &[u8]), BatchError>> {
        let mut walk = Walk::new(self);
        std::iter::from_fn(move || {
            let before = walk.rest.0;
            let next = walk.next(self)?;
            let length = before.len() - walk.rest.0.len();
            Some(next.map(|(stamp, _)| (stamp, before.get(..length).unwrap_or_default())))
        })
    }

    /// Bytes of all records, decompressed.
    #[must_use]
    pub const fn plain_bytes(&self) -> usize {
        self.plain.len()
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = Result<RecordView<'a>, BatchError>;
    type IntoIter = RecordIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl RecordView<'_> {
    /// The value as a slice of the batch's own bytes.
    #[must_use]
    pub fn value_bytes(&self) -> Option<Bytes> {
        self.value.map(|value| self.source.slice_ref(value))
    }

    /// The record with its parts as slices of the batch's own bytes; nothing is copied.
    #[must_use]
    pub fn to_record(&self) -> Record {
        let owned = |part: &[u8]| self.source.slice_ref(part);
        Record {
            key: self.key.map(owned),
            value: self.value.map(owned),
            headers: self
                .headers
                .map(|header| Header {
                    name: owned(header.name),
                    value: header.value.map(owned),
                })
                .collect(),
            timestamp: self.timestamp,
        }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = HeaderView<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        header(&mut self.rest).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// Iterator of [`Records::iter`].
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    records: &'a Records,
    walk: Walk<'a>,
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<RecordView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.walk.index;
        let (stamp, rest) = match self.walk.next(self.records)? {
            Ok(record) => record,
            Err(error) => return Some(Err(error)),
        };
        let viewed = view(&self.records.plain, stamp, rest);
        Some(viewed.map_err(|fault| self.walk.stop(index, fault)))
    }
}

/// Iterator of [`Records::stamps`].
#[derive(Clone, Debug)]
pub struct StampIter<'a> {
    records: &'a Records,
    walk: Walk<'a>,
}

impl Iterator for StampIter<'_> {
    type Item = Result<RecordStamp, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.walk.next(self.records)?;
        Some(next.map(|(stamp, _)| stamp))
    }
}

/// Goes from record to record by their lengths.
#[derive(Clone, Debug)]
struct Walk<'a> {
    rest: Reader<'a>,
    index: u32,
    /// The least offset delta the next record may have.
    next_delta: u32,
    is_stopped: bool,
}

impl<'a> Walk<'a> {
    fn new(records: &'a Records) -> Self {
        Self {
            rest: Reader(&records.plain),
            index: 0,
            next_delta: 0,
            is_stopped: false,
        }
    }

    /// The next record's stamp and its bytes from the key on.
    fn next(&mut self, records: &Records) -> Option<Result<(RecordStamp, Reader<'a>), BatchError>> {
        if self.is_stopped {
            return None;
        }
        let index = self.index;
        if index == records.count {
            if self.rest.0.is_empty() {
                return None;
            }
            return Some(Err(self.stop(index, RecordFault::Trailing)));
        }
        self.index += 1;
        let stamped = self.stamp(records);
        Some(stamped.map_err(|fault| self.stop(index, fault)))
    }

    fn stamp(&mut self, records: &Records) -> Result<(RecordStamp, Reader<'a>), RecordFault> {
        let length = self.rest.i32()?;
        let mut record = Reader(self.rest.sized(length)?);
        record.u8()?;
        let timestamp_delta = record.i64()?;
        let delta = record.i32()?;
        let offset_delta = u32::try_from(delta)
            .ok()
            .filter(|delta| (self.next_delta..=records.last_offset_delta).contains(delta))
            .ok_or(RecordFault::OffsetDelta(delta))?;
        self.next_delta = offset_delta + 1;
        let stamp = RecordStamp {
            offset_delta,
            timestamp: records.times.of(timestamp_delta),
        };
        Ok((stamp, record))
    }

    fn stop(&mut self, index: u32, fault: RecordFault) -> BatchError {
        self.is_stopped = true;
        BatchError::Record { index, fault }
    }
}

fn view<'a>(
    source: &'a Bytes,
    stamp: RecordStamp,
    mut rest: Reader<'a>,
) -> Result<RecordView<'a>, RecordFault> {
    let key = rest.nullable()?;
    let value = rest.nullable()?;
    let headers = headers(rest)?;
    Ok(RecordView {
        source,
        offset_delta: stamp.offset_delta,
        timestamp: stamp.timestamp,
        key,
        value,
        headers,
    })
}

/// Checks a count and as many headers, which end with `rest`.
fn headers(mut rest: Reader<'_>) -> Result<Headers<'_>, RecordFault> {
    let declared = rest.i32()?;
    let count = usize::try_from(declared).map_err(|_| RecordFault::Length(declared))?;
    let headers = Headers { rest, count };
    for _ in 0..count {
        header(&mut rest)?;
    }
    if !rest.0.is_empty() {
        return Err(RecordFault::Unfilled);
    }
    Ok(headers)
}

/// A header list on its own, as [`put_headers`] writes it; `None` when it is none.
pub(crate) fn read_headers(bytes: &[u8]) -> Option<Headers<'_>> {
    headers(Reader(bytes)).ok()
}

/// Writes a header list as it stands at the end of a record: a count and as many names and
/// values with their lengths.
pub(crate) fn put_headers<'a>(
    out: &mut Vec<u8>,
    headers: impl ExactSizeIterator<Item = HeaderView<'a>>,
) {
    put_i32(out, i32::try_from(headers.len()).unwrap_or(i32::MAX));
    for header in headers {
        put_part(out, Some(header.name));
        put_part(out, header.value);
    }
}

/// A nullable part with its length. The caller holds the whole to 31 bits, hence the part.
pub(super) fn put_part(out: &mut Vec<u8>, part: Option<&[u8]>) {
    let Some(part) = part else {
        return put_i32(out, -1);
    };
    put_i32(out, i32::try_from(part.len()).unwrap_or(i32::MAX));
    out.extend_from_slice(part);
}

fn header<'a>(rest: &mut Reader<'a>) -> Result<HeaderView<'a>, RecordFault> {
    let length = rest.i32()?;
    Ok(HeaderView {
        name: rest.sized(length)?,
        value: rest.nullable()?,
    })
}
