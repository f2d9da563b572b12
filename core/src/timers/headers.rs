//! Kafka records that ask to be delivered later, by headers of the names that messages have as
//! properties.

use crate::Error;
use crate::batch::RecordView;
use crate::model::property;
use memchr::memmem::Finder;
use smallvec::SmallVec;
use std::sync::LazyLock;

/// What all the names have in common, which is rare in text.
const COMMON: &[u8] = b"DEL";

/// The names ([`property::DELAYS`]) as they stand in a record, after their length (a zig-zag
/// number: twice as much), and where [`COMMON`] is in each.
const ENCODED: [(&[u8], usize); 5] = [
    (b"\x0aDELAY", 1),
    (b"\x1eTIMER_DELAY_SEC", 7),
    (b"\x1cTIMER_DELAY_MS", 7),
    (b"\x20TIMER_DELIVER_MS", 7),
    (b"\x24__STARTDELIVERTIME", 8),
];

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(COMMON));

/// Whether a batch's records, as bytes that are not compressed, may have a header that asks for
/// a later delivery. One search, by which nearly every batch is done with: what is found may also
/// be within a key or a value. By `benches/batch.rs` it goes through 11 GB/s, a third of the time
/// that [`RecordBatch::parse`](crate::batch::RecordBatch::parse) takes.
#[must_use]
pub fn may_have_delay(records: &[u8]) -> bool {
    let is_name = |at: usize| {
        ENCODED.iter().any(|(name, common_at)| {
            let named = at.checked_sub(*common_at);
            let named = named.and_then(|start| records.get(start..));
            named.is_some_and(|rest| rest.starts_with(name))
        })
    };
    FINDER.find_iter(records).any(is_name)
}

/// The headers by which a record asks for a later delivery. Of headers of one name the last
/// counts, and one without a value is none, as with properties.
///
/// # Errors
/// [`Error::Invalid`] for a value that no property can have, hence no number either.
pub(crate) fn delay_headers(record: &RecordView<'_>) -> Result<SmallVec<[&'static str; 1]>, Error> {
    let mut found = SmallVec::new();
    for name in property::DELAYS {
        let named = record
            .headers
            .filter(|header| header.name == name.as_bytes());
        let value = named.last().and_then(|header| header.value);
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            continue;
        };
        if !value.is_ascii() || value.iter().any(|byte| matches!(byte, 1 | 2)) {
            return Err(Error::Invalid(format!("header {name} is no number")));
        }
        found.push(name);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, Codec, HEADER_BYTES, RecordBatch, TimestampKind};
    use crate::model::{Header, QueueOffset, Record};
    use bytes::Bytes;

    fn batch(headers: &[(&str, Option<&[u8]>)]) -> RecordBatch {
        let header = |(name, value): &(&str, Option<&[u8]>)| Header {
            name: Bytes::copy_from_slice(name.as_bytes()),
            value: value.map(Bytes::copy_from_slice),
        };
        let record = Record {
            value: Some(Bytes::from_static(b"DELAY, DELIVER: a DELTA of DEL")),
            headers: headers.iter().map(header).collect(),
            ..Record::default()
        };
        let mut builder = BatchBuilder::with_capacity(0);
        builder.push(&record).unwrap();
        let times = TimestampKind::Create;
        let built = builder.build(QueueOffset::ZERO, 0, times, Codec::None);
        RecordBatch::parse(built.unwrap()).unwrap()
    }

    fn is_found(batch: &RecordBatch) -> bool {
        may_have_delay(&batch.bytes()[HEADER_BYTES..])
    }

    fn asks(headers: &[(&str, Option<&[u8]>)]) -> Result<bool, Error> {
        let records = batch(headers).records().unwrap();
        delay_headers(&records.record(0).unwrap()).map(|names| !names.is_empty())
    }

    #[test]
    fn each_name_is_found_and_no_other() {
        for name in property::DELAYS {
            let headers: &[(&str, Option<&[u8]>)] = &[("a", None), (name, Some(b"1"))];
            assert!(is_found(&batch(headers)), "{name}");
            assert_eq!(asks(headers), Ok(true), "{name}");
        }
        for name in ["DELA", "DELAYS", "X_DELAY", "TIMER_DELAY", "delay", "DEL"] {
            let headers: &[(&str, Option<&[u8]>)] = &[(name, Some(b"1"))];
            assert!(!is_found(&batch(headers)), "{name}");
            assert_eq!(asks(headers), Ok(false), "{name}");
        }
        assert!(!may_have_delay(b"") && !may_have_delay(b"DEL"));
    }

    #[test]
    fn the_last_of_a_name_counts_and_what_is_empty_is_none() {
        assert_eq!(asks(&[("DELAY", None)]), Ok(false));
        assert_eq!(asks(&[("DELAY", Some(b""))]), Ok(false));
        assert_eq!(asks(&[("DELAY", Some(b"1")), ("DELAY", None)]), Ok(false));
        assert_eq!(
            asks(&[("DELAY", Some(b"\0")), ("DELAY", Some(b"1"))]),
            Ok(true)
        );
        let binary = asks(&[("DELAY", Some(&2_i32.to_be_bytes()))]);
        assert!(matches!(binary, Err(Error::Invalid(_))), "{binary:?}");
    }
}
