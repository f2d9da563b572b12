//! The further queues of a record: one body, an index entry in each of them.
//!
//! The property [`property::DISPATCH`] has 16 characters for each: base64 of the queue's number (4
//! bytes) and of the record's offset there (8), so that an offset known last is written in place.
//! RocketMQ's brokers name topics instead, whose queue 0 it is.

use super::RecordView;
use crate::model::{QueueOffset, property};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Characters of one queue.
const SLOT: usize = 16;
/// Bytes they stand for.
const SLOT_BYTES: usize = 12;

/// A further queue of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Further {
    /// By its number.
    Queue(u32),
    /// Queue 0 of this topic, as a RocketMQ broker wrote it.
    Topic(String),
}

/// The further queues of a record, and its offset in each.
pub(crate) fn dispatched(record: &RecordView) -> Vec<(Further, QueueOffset)> {
    let properties = record.properties();
    let (mut ours, mut names, mut offsets) = (None, None, None);
    for (name, value) in properties.iter() {
        match name {
            property::DISPATCH => ours = Some(value),
            property::INNER_MULTI_DISPATCH => names = Some(value),
            property::INNER_MULTI_QUEUE_OFFSET => offsets = Some(value),
            _ => {}
        }
    }
    if let Some(slots) = ours {
        return slots
            .as_bytes()
            .chunks(SLOT)
            .filter_map(read_slot)
            .collect();
    }
    let (Some(names), Some(offsets)) = (names, offsets) else {
        return Vec::new();
    };
    let names = names.split(',').map(|name| Further::Topic(name.to_owned()));
    let offsets = offsets.split(',').filter_map(|offset| offset.parse().ok());
    names.zip(offsets.map(QueueOffset::new)).collect()
}

/// The property's value for queues of these numbers, each at offset 0.
pub(super) fn slots(queues: &[u32]) -> Vec<u8> {
    let slots = queues.iter().map(|queue| slot(*queue, QueueOffset::ZERO));
    slots.collect::<Vec<_>>().concat()
}

/// Writes the offsets into the property's `value`.
pub(super) fn fill(value: &mut [u8], queues: &[u32], offsets: &[QueueOffset]) {
    let places = value.chunks_exact_mut(SLOT);
    for (place, (queue, offset)) in places.zip(queues.iter().zip(offsets)) {
        place.copy_from_slice(&slot(*queue, *offset));
    }
}

fn slot(queue: u32, offset: QueueOffset) -> [u8; SLOT] {
    let mut bytes = [0; SLOT_BYTES];
    let (number, rest) = bytes.split_at_mut(4);
    number.copy_from_slice(&queue.to_be_bytes());
    rest.copy_from_slice(&offset.get().to_be_bytes());
    let mut text = [0; SLOT];
    // Twelve bytes are sixteen characters.
    let _fits = STANDARD_NO_PAD.encode_slice(bytes, &mut text);
    text
}

fn read_slot(text: &[u8]) -> Option<(Further, QueueOffset)> {
    let mut bytes = [0; SLOT_BYTES];
    let read = STANDARD_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (read == SLOT_BYTES).then_some(())?;
    let (number, offset) = bytes.split_first_chunk()?;
    let offset = u64::from_be_bytes(*offset.first_chunk()?);
    let queue = Further::Queue(u32::from_be_bytes(*number));
    Some((queue, QueueOffset::new(offset)))
}
