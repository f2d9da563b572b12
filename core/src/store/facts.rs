//! What the index says of a record, found before the append's lock, or again from the log.

use crate::batch::{BatchHeader, crc32};
use crate::index::{TAG_UNKNOWN, key_hash};
use crate::model::{Message, Properties, Timestamp, TopicName, property};
use crate::queue::ProducerStamp;
use crate::record::{RecordView, tag_hash};
use crate::timers;
use smallvec::SmallVec;

/// The facts of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Offsets it takes.
    pub(crate) count: u32,
    /// Hash of its tag, 0 for none, [`TAG_UNKNOWN`] for a batch.
    pub(crate) tag: i32,
    /// The greatest timestamp of its messages.
    pub(crate) time_max: Timestamp,
    /// Hashes of its keys.
    pub(crate) keys: SmallVec<[u32; 4]>,
    /// Whose sequence it continues.
    pub(crate) producer: Option<ProducerStamp>,
    /// A message has a property that only core may set.
    pub(crate) has_reserved: bool,
    /// A message asks to be delivered later.
    pub(crate) is_delayed: bool,
    /// The queue's number and the offset of the waiting record this is the outcome of.
    pub(crate) settles: Option<(u32, u64)>,
    /// A group is done with others once this is in the log ([`property::CONSUMES`]).
    pub(crate) consumes: bool,
}

impl Facts {
    /// The facts of a message that will be stored in `topic`.
    pub(crate) fn of_message(topic: &TopicName, message: &Message) -> Self {
        Self::of_properties(topic.as_str(), &message.properties, message.born_at)
    }

    /// The facts of a batch.
    pub(crate) fn of_batch(header: &BatchHeader) -> Self {
        let producer = (header.producer_id >= 0).then_some(ProducerStamp {
            producer: header.producer_id,
            epoch: header.producer_epoch,
            first: header.base_sequence,
            count: header.offset_count(),
        });
        Self {
            count: header.offset_count(),
            tag: TAG_UNKNOWN,
            time_max: header.max_timestamp,
            keys: SmallVec::new(),
            producer,
            has_reserved: false,
            is_delayed: false,
            settles: None,
            consumes: false,
        }
    }

    /// The facts of a record in the log; `None` when its batch has no sane header.
    pub(crate) fn of_record(record: &RecordView) -> Option<Self> {
        if record.is_batch() {
            return BatchHeader::read(&record.body())
                .ok()
                .map(|header| Self::of_batch(&header));
        }
        Some(Self::of_properties(
            record.topic(),
            &record.properties(),
            record.born_at(),
        ))
    }

    fn of_properties(topic: &str, properties: &Properties, born_at: Timestamp) -> Self {
        let mut tag = 0;
        let mut keys = SmallVec::new();
        let (mut has_reserved, mut is_delayed) = (false, false);
        let (mut settles, mut consumes) = (None, false);
        for (name, value) in properties.iter() {
            match name {
                property::TAGS => tag = tag_hash(value),
                property::UNIQ_KEY => keys.push(key_hash(topic, value)),
                property::KEYS => {
                    let tokens = value.split(' ').filter(|token| !token.is_empty());
                    keys.extend(tokens.map(|token| key_hash(topic, token)));
                }
                property::CRC32
                | property::INNER_NUM
                | property::DISPATCH
                | property::INNER_MULTI_DISPATCH
                | property::INNER_MULTI_QUEUE_OFFSET => has_reserved = true,
                property::SETTLES => {
                    has_reserved = true;
                    settles = settled(value);
                }
                property::CONSUMES => (has_reserved, consumes) = (true, true),
                property::CONSUMES_FOR => has_reserved = true,
                name if property::is_delay(name) => is_delayed = true,
                _ => {}
            }
        }
        match topic {
            property::TIMER_TOPIC => tag = timers::tag_of(properties),
            property::HALF_TOPIC => {
                tag = group_tag(
                    properties
                        .value(property::PRODUCER_GROUP)
                        .unwrap_or_default(),
                );
                is_delayed = false;
            }
            _ => {}
        }
        Self {
            count: 1,
            tag,
            time_max: born_at,
            keys,
            producer: None,
            has_reserved,
            is_delayed,
            settles,
            consumes,
        }
    }
}

/// What the index keeps in place of the tag of a half message: whose it is. Not the hash of tags,
/// in which different names are often the same.
pub(crate) fn group_tag(group: &str) -> i32 {
    crc32(group.as_bytes()).cast_signed()
}

/// Reads [`property::SETTLES`].
fn settled(value: &str) -> Option<(u32, u64)> {
    let (queue, offset) = value.split_once(':')?;
    Some((queue.parse().ok()?, offset.parse().ok()?))
}
