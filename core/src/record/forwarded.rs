//! A stored record at another place: copied forward because it outlives its segment.

use super::draft::push_crc_digits;
use super::view::CRC_PROPERTY_FORM;
use super::{CRC_PROPERTY_BYTES, RecordView, crc32_of};
use crate::model::{PhysicalOffset, SysFlag, property};

/// Where a record's own position stands in it.
const POSITION_AT: usize = 28;
/// Where its flags do.
const SYS_FLAG_AT: usize = 36;

/// Bytes of the copy that [`forwarded`] makes.
pub(crate) fn forwarded_size(record: &RecordView) -> usize {
    record.bytes().len() + missing_tail(record).len()
}

/// `record` as it stands at `position`: everything else is as it was, its queue offset and its
/// times too, and [`SysFlag::FORWARDED`] tells it from one that was just produced. Another broker's
/// record gets the CRC of all its bytes.
pub(crate) fn forwarded(record: &RecordView, position: PhysicalOffset) -> Vec<u8> {
    let mut bytes = record.bytes().to_vec();
    let added = missing_tail(record);
    if !added.is_empty() {
        bytes.extend_from_slice(&added);
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        put(&mut bytes, 0, &size.to_be_bytes());
        let at = record.properties_length_at();
        let length = bytes.len().saturating_sub(at + 2);
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        put(&mut bytes, at, &length.to_be_bytes());
    }
    put(&mut bytes, POSITION_AT, &position.get().to_be_bytes());
    let flags = record.sys_flag().with(SysFlag::FORWARDED).bits();
    put(&mut bytes, SYS_FLAG_AT, &flags.to_be_bytes());
    let before = bytes.len().saturating_sub(CRC_PROPERTY_BYTES);
    let crc = crc32_of(&[bytes.get(..before).unwrap_or_default()]);
    let mut digits = Vec::with_capacity(10);
    push_crc_digits(&mut digits, crc);
    put(&mut bytes, before + property::CRC32.len() + 1, &digits);
    bytes
}

/// What a record lacks of the property that every record of ours ends with.
fn missing_tail(record: &RecordView) -> Vec<u8> {
    if !record.is_foreign() {
        return Vec::new();
    }
    let properties = record.bytes().get(record.properties_length_at() + 2..);
    let ends =
        properties.is_none_or(|properties| properties.is_empty() || properties.ends_with(&[2]));
    let mut tail = if ends { Vec::new() } else { vec![2] };
    tail.extend_from_slice(CRC_PROPERTY_FORM);
    tail
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(slot) = bytes.get_mut(at..at + value.len()) {
        slot.copy_from_slice(value);
    }
}
