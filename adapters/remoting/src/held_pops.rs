//! Who waits for something to pop, by queue.

use gantry_core::Error;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// What a request waits for: group, topic, and the queue or -1.
pub(crate) type HeldKey = (Arc<str>, Arc<str>, i32);

/// Counts held requests, and bounds them.
#[derive(Debug)]
pub(crate) struct HeldPops {
    counts: Mutex<Counts>,
    per_queue_max: usize,
    all_max: usize,
}

#[derive(Debug, Default)]
struct Counts {
    by_key: HashMap<HeldKey, usize>,
    all: usize,
}

/// One held request, until it is dropped.
#[derive(Debug)]
pub(crate) struct HeldPop {
    owner: Arc<HeldPops>,
    key: HeldKey,
}

impl HeldPops {
    pub(crate) fn new(per_queue_max: usize, all_max: usize) -> Arc<Self> {
        Arc::new(Self {
            counts: Mutex::default(),
            per_queue_max,
            all_max,
        })
    }

    /// # Errors
    /// [`Error::Busy`] when as many wait as may.
    pub(crate) fn hold(
        self: &Arc<Self>,
        group: &str,
        topic: &str,
        queue: i32,
    ) -> Result<HeldPop, Error> {
        let key: HeldKey = (group.into(), topic.into(), queue);
        let mut counts = self.counts.lock();
        if counts.all >= self.all_max {
            return Err(Error::Busy("held_pops_max"));
        }
        let count = counts.by_key.entry(key.clone()).or_default();
        if *count >= self.per_queue_max {
            return Err(Error::Busy("held_pops_per_queue_max"));
        }
        *count += 1;
        counts.all += 1;
        let owner = Arc::clone(self);
        Ok(HeldPop { owner, key })
    }

    /// How many wait for that.
    pub(crate) fn count(&self, group: &str, topic: &str, queue: i32) -> usize {
        let key: HeldKey = (group.into(), topic.into(), queue);
        self.counts.lock().by_key.get(&key).copied().unwrap_or(0)
    }
}

impl Drop for HeldPop {
    fn drop(&mut self) {
        let mut counts = self.owner.counts.lock();
        counts.all = counts.all.saturating_sub(1);
        let left = counts.by_key.get_mut(&self.key).map(|count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left == Some(0) {
            counts.by_key.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_queue_and_all_together_have_a_limit() {
        let held = HeldPops::new(2, 3);
        let first = held.hold("g", "t", 0).unwrap();
        let _second = held.hold("g", "t", 0).unwrap();
        assert!(held.hold("g", "t", 0).is_err());
        let _third = held.hold("g", "t", -1).unwrap();
        assert!(held.hold("g", "u", 0).is_err());
        assert_eq!((held.count("g", "t", 0), held.count("h", "t", 0)), (2, 0));
        drop(first);
        assert_eq!(held.count("g", "t", 0), 1);
        assert!(held.hold("g", "u", 0).is_ok());
    }
}
