//! What was converted for one reader of the tail, kept for the next.

use super::MessageView;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

/// First offset, first record's position, last record's position.
type RunKey = (u64, u64, u64);
/// First offset, position, record of the batch.
type BatchKey = (u64, u64, Option<u32>);

/// Converted batches and messages, each kind bounded by half of the bytes.
#[derive(Debug)]
pub(super) struct ConversionCache {
    batches: Mutex<Bounded<RunKey, Bytes>>,
    messages: Mutex<Bounded<BatchKey, Arc<[MessageView]>>>,
}

impl ConversionCache {
    /// A cache of at most `bytes_max` bytes.
    pub(super) fn new(bytes_max: u64) -> Self {
        let half = usize::try_from(bytes_max / 2).unwrap_or(usize::MAX);
        Self {
            batches: Mutex::new(Bounded::new(half)),
            messages: Mutex::new(Bounded::new(half)),
        }
    }

    pub(super) fn batch(&self, key: &RunKey) -> Option<Bytes> {
        self.batches.lock().values.get(key).cloned()
    }

    pub(super) fn put_batch(&self, key: RunKey, batch: &Bytes) {
        self.batches.lock().put(key, batch.clone(), batch.len());
    }

    pub(super) fn messages(&self, key: &BatchKey) -> Option<Arc<[MessageView]>> {
        self.messages.lock().values.get(key).map(Arc::clone)
    }

    pub(super) fn put_messages(&self, key: BatchKey, views: &Arc<[MessageView]>) {
        let bytes = views.iter().map(|view| view.bytes.len() + 64).sum();
        self.messages.lock().put(key, Arc::clone(views), bytes);
    }
}

/// The newest values of a bounded number of bytes.
#[derive(Debug)]
struct Bounded<K, V> {
    values: HashMap<K, V>,
    /// The oldest first.
    order: VecDeque<(K, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl<K: Copy + Eq + Hash, V> Bounded<K, V> {
    fn new(bytes_max: usize) -> Self {
        Self {
            values: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    fn put(&mut self, key: K, value: V, bytes: usize) {
        if bytes > self.bytes_max || self.values.insert(key, value).is_some() {
            return;
        }
        self.order.push_back((key, bytes));
        self.bytes += bytes;
        while self.bytes > self.bytes_max {
            let Some((oldest, bytes)) = self.order.pop_front() else {
                break;
            };
            self.values.remove(&oldest);
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_the_bytes_are_used_up() {
        let mut bounded = Bounded::new(10);
        bounded.put(1, "a", 4);
        bounded.put(2, "b", 4);
        bounded.put(3, "c", 4);
        bounded.put(4, "too large", 11);
        let mut kept: Vec<_> = bounded.values.keys().copied().collect();
        kept.sort_unstable();
        assert_eq!((kept, bounded.bytes), (vec![2, 3], 8));
    }
}
