//! Finding messages by key: one of RocketMQ's KEYS, its UNIQ_KEY, or a Kafka record's key.
//!
//! A message's keys are indexed as it is appended. Those of a batch are not looked at on the way
//! in: its records are read when the index file of their stretch is written, and before that
//! when somebody asks.

use super::{MessageView, StoredRecord, Topic};
use crate::Client;
use crate::batch::RecordBatch;
use crate::index::{ClosedStretch, Entry, KeyEntry, RunView, TAG_UNKNOWN, key_hash};
use crate::model::{PhysicalOffset, Timestamp, property};
use crate::record::RecordView;
use crate::store::Store;
use std::collections::BTreeSet;
use std::ops::Range;

impl Client {
    /// The newest `limit` messages of `topic` with that key (one of KEYS, or UNIQ_KEY, or a
    /// record's key) stored within `times`, the newest first.
    #[must_use]
    pub fn query_key(
        &self,
        topic: &str,
        key: &str,
        times: &Range<Timestamp>,
        limit: usize,
    ) -> Vec<MessageView> {
        let unfiled = self.topic(topic);
        let unfiled = unfiled.map(|topic| self.unfiled_batches(&topic, key));
        let mut positions: BTreeSet<PhysicalOffset> = unfiled.into_iter().flatten().collect();
        // In this order: what gets its file meanwhile is found twice rather than not at all.
        positions.extend(self.shared.store.positions_of_key(key_hash(topic, key)));
        let mut found = Vec::new();
        for position in positions.into_iter().rev() {
            let Ok(record) = self.record_at(position) else {
                continue;
            };
            if !times.contains(&record.stored_at) {
                continue;
            }
            found.extend(self.keyed(&record, topic, key));
            if found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        found
    }

    /// The messages of a record that have the key, the last first.
    fn keyed(&self, record: &StoredRecord, topic: &str, key: &str) -> Vec<MessageView> {
        let has_key = |view: &MessageView| {
            RecordView::parse(&view.bytes)
                .is_ok_and(|message| message.topic() == topic && has_key(&message, key))
        };
        let views = self.views(record).unwrap_or_else(|_| [].into());
        views
            .iter()
            .rev()
            .filter(|view| has_key(view))
            .cloned()
            .collect()
    }

    /// Where batches of `topic` stand that are in no index file yet and have a record of that key.
    fn unfiled_batches(&self, topic: &Topic, key: &str) -> Vec<PhysicalOffset> {
        let store = &self.shared.store;
        let from = store.stretches.filed_end();
        let mut positions = Vec::new();
        for queue in topic.queues().iter() {
            // In this order: a run that closes meanwhile is seen twice rather than not at all.
            let mut runs = vec![queue.open_run()];
            runs.extend(queue.closing_run());
            runs.extend(queue.forwarded_runs());
            runs.extend(store.stretches.unfiled_runs(queue.number()));
            let entries = runs.iter().flat_map(RunView::entries);
            let batches = entries.filter(|entry| is_batch(entry) && entry.position >= from);
            let found = batches.filter(|entry| {
                let mut found = false;
                each_key(store, entry.position, entry.size, |_, candidate| {
                    found |= candidate == key;
                });
                found
            });
            positions.extend(found.map(|entry| entry.position));
        }
        positions
    }
}

/// The keys of a stretch's batches, where they are to be in its index file.
pub(super) fn batch_keys(store: &Store, stretch: &ClosedStretch) -> Vec<KeyEntry> {
    if !store.indexes_batch_keys() {
        return Vec::new();
    }
    let runs = stretch.runs.values().cloned().map(RunView::Memory);
    let entries = runs.flat_map(|run| run.entries().filter(is_batch).collect::<Vec<_>>());
    let mut batches: Vec<_> = entries.map(|entry| (entry.position, entry.size)).collect();
    // In log order each page of the log is read once; by queue it would be, and be mapped, once a
    // record. What multi-dispatch indexes again has the same position.
    batches.sort_unstable();
    batches.dedup();
    let mut keys = Vec::new();
    for (start, size) in batches {
        let position = u32::try_from(stretch.base.distance_to(start)).unwrap_or(u32::MAX);
        let first = keys.len();
        each_key(store, start, size, |topic, key| {
            let hash = key_hash(topic, key);
            // Batches often repeat a key.
            let known = keys.get(first..).and_then(|keys: &[KeyEntry]| keys.last());
            if known.is_none_or(|last| last.hash != hash) {
                keys.push(KeyEntry { hash, position });
            }
        });
    }
    keys
}

const fn is_batch(entry: &Entry) -> bool {
    entry.tag == TAG_UNKNOWN
}

/// Hands the topic and each key of a batch's records to `take`; nothing of one that does not
/// parse, and no key that is not text.
fn each_key(store: &Store, start: PhysicalOffset, size: u32, mut take: impl FnMut(&str, &str)) {
    let Ok(bytes) = store.read(start, size) else {
        return;
    };
    let Ok(record) = RecordView::parse(&bytes) else {
        return;
    };
    let batch = RecordBatch::stored(record.body()).ok();
    let batch = batch.filter(|_| record.is_batch());
    let Some(Ok(records)) = batch.map(|batch| batch.records()) else {
        return;
    };
    for view in records.iter().map_while(Result::ok) {
        let Some(Ok(key)) = view.key.map(std::str::from_utf8) else {
            continue;
        };
        for token in key.split(' ').filter(|token| !token.is_empty()) {
            take(record.topic(), token);
        }
    }
}

/// Whether a message has the key. Two keys may have one hash.
fn has_key(message: &RecordView, key: &str) -> bool {
    let properties = message.properties();
    let keys = properties.value(property::KEYS).unwrap_or_default();
    properties.value(property::UNIQ_KEY) == Some(key) || keys.split(' ').any(|token| token == key)
}
