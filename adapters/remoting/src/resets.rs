//! Progress that an operator has set and that the group has not taken up yet.
//!
//! Until a group's next pull of the queue is sent there, what it commits by itself is stale.

use gantry_core::Error;
use gantry_core::model::{QueueId, QueueOffset};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Queues of one topic with where to go on.
type Queues = BTreeMap<QueueId, QueueOffset>;

/// All pending resets.
#[derive(Debug)]
pub(crate) struct Resets {
    /// By group and topic.
    pending: Mutex<BTreeMap<(String, String), Queues>>,
    /// So that a broker without resets takes no lock.
    count: AtomicUsize,
    count_max: usize,
}

impl Resets {
    /// None yet, of at most `count_max` queues.
    pub(crate) fn new(count_max: usize) -> Self {
        Self {
            pending: Mutex::default(),
            count: AtomicUsize::new(0),
            count_max,
        }
    }

    /// Sends the next pull of each queue to its offset.
    ///
    /// # Errors
    /// [`Error::Busy`] at the limit; nothing has changed then.
    pub(crate) fn set(
        &self,
        group: &str,
        topic: &str,
        offsets: &BTreeMap<QueueId, QueueOffset>,
    ) -> Result<(), Error> {
        let mut pending = self.pending.lock();
        let count = self.count.load(Ordering::Relaxed);
        if count.saturating_add(offsets.len()) > self.count_max {
            return Err(Error::Busy("remoting.protocol.pending_resets_max"));
        }
        let key = (group.to_owned(), topic.to_owned());
        pending.entry(key).or_default().extend(offsets);
        self.recount(&pending);
        Ok(())
    }

    /// Where the next pull is to be sent, if anywhere.
    pub(crate) fn pending(&self, group: &str, topic: &str, queue: QueueId) -> Option<QueueOffset> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let key = (group.to_owned(), topic.to_owned());
        self.pending.lock().get(&key)?.get(&queue).copied()
    }

    /// Takes a reset out: the group follows it now.
    pub(crate) fn take(&self, group: &str, topic: &str, queue: QueueId) -> Option<QueueOffset> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let key = (group.to_owned(), topic.to_owned());
        let mut pending = self.pending.lock();
        let queues = pending.get_mut(&key)?;
        let offset = queues.remove(&queue);
        if queues.is_empty() {
            pending.remove(&key);
        }
        self.recount(&pending);
        offset
    }

    /// Forgets the resets of a topic or a group that is gone.
    pub(crate) fn forget(&self, is_gone: impl Fn(&str, &str) -> bool) {
        let mut pending = self.pending.lock();
        pending.retain(|(group, topic), _| !is_gone(group, topic));
        self.recount(&pending);
    }

    fn recount(&self, pending: &BTreeMap<(String, String), Queues>) {
        let count = pending.values().map(BTreeMap::len).sum();
        self.count.store(count, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_pending_until_it_is_taken_and_no_more_than_the_limit() {
        let resets = Resets::new(2);
        let queue = QueueId::new;
        let two: BTreeMap<_, _> = [0, 1]
            .map(|id| (queue(id), QueueOffset::new(5)))
            .into_iter()
            .collect();
        resets.set("G", "T", &two).unwrap();
        assert!(resets.set("H", "T", &two).is_err());
        assert_eq!(
            resets.pending("G", "T", queue(1)),
            Some(QueueOffset::new(5))
        );
        assert_eq!(resets.pending("G", "U", queue(1)), None);
        assert_eq!(resets.take("G", "T", queue(1)), Some(QueueOffset::new(5)));
        assert_eq!(resets.take("G", "T", queue(1)), None);
        assert!(resets.pending("G", "T", queue(0)).is_some());
        resets.forget(|_, topic| topic == "T");
        assert_eq!(resets.pending("G", "T", queue(0)), None);
    }
}
