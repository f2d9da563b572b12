//! What the index says of a record, found before the append's lock, or again from the log.

use crate::batch::BatchHeader;
use crate::index::{TAG_UNKNOWN, key_hash};
use crate::model::{Message, Properties, Timestamp, TopicName, property};
use crate::queue::ProducerStamp;
use crate::record::{RecordView, tag_hash};
use smallvec::SmallVec;

/// The facts of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Messages in it.
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
            count: header.count,
        });
        Self {
            count: header.count,
            tag: TAG_UNKNOWN,
            time_max: header.max_timestamp,
            keys: SmallVec::new(),
            producer,
            has_reserved: false,
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
        let mut has_reserved = false;
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
                | property::INNER_MULTI_DISPATCH
                | property::INNER_MULTI_QUEUE_OFFSET => has_reserved = true,
                _ => {}
            }
        }
        Self {
            count: 1,
            tag,
            time_max: born_at,
            keys,
            producer: None,
            has_reserved,
        }
    }
}
