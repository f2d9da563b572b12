//! The next messages due. However many wait, memory holds so many; when they run out, the index
//! is read again for the next ones.

use crate::model::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// When less than this part of the window is left, the next ones are looked for.
const REFILL_PART: usize = 8;
/// Looking for the next ones takes less than this.
const REFILL_AHEAD_MS: u64 = 10_000;

/// The offsets of the waiting messages that are due first.
#[derive(Debug)]
pub(crate) struct Window {
    limit: usize,
    next: BinaryHeap<Reverse<(Timestamp, u64)>>,
    /// Messages due from here on may be missing.
    horizon: Option<Timestamp>,
}

impl Window {
    /// A window of at most `limit` messages, and at least two.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(2),
            next: BinaryHeap::new(),
            horizon: None,
        }
    }

    /// Takes a message in, unless it is due later than what fits.
    pub(crate) fn offer(&mut self, due: Timestamp, offset: u64) {
        if self.horizon.is_some_and(|horizon| due >= horizon) {
            return;
        }
        self.next.push(Reverse((due, offset)));
        if self.next.len() > self.limit {
            self.drop_latest();
        }
    }

    /// Takes out a message that is due.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<u64> {
        let Reverse((due, offset)) = *self.next.peek()?;
        (due <= now).then(|| {
            self.next.pop();
            offset
        })
    }

    /// When the next message is due, or may be.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let next = self.next.peek().map(|Reverse((due, _))| *due);
        next.into_iter().chain(self.horizon).min()
    }

    /// Whether it is time to look for messages that did not fit.
    pub(crate) fn wants_refill(&self, now: Timestamp) -> bool {
        self.horizon.is_some_and(|horizon| {
            self.next.len() < self.limit / REFILL_PART
                || horizon <= now.plus_millis(REFILL_AHEAD_MS)
        })
    }

    /// Half of it goes, so that this is not done for each message.
    fn drop_latest(&mut self) {
        let mut ordered = std::mem::take(&mut self.next).into_sorted_vec();
        // Sorted by `Reverse`: the latest come first.
        let dropped = ordered.len() - self.limit / 2;
        let kept = ordered.split_off(dropped);
        self.horizon = ordered.last().map(|Reverse((due, _))| *due);
        self.next = kept.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_first_due_stay_and_the_horizon_tells_of_the_others() {
        let mut window = Window::new(4);
        for (offset, due) in [50, 10, 40, 20, 30].into_iter().enumerate() {
            window.offer(at(due), offset as u64);
        }
        assert_eq!(window.horizon, Some(at(30)));
        window.offer(at(30), 9);
        window.offer(at(5), 8);
        assert_eq!(window.next_due(), Some(at(5)));
        assert_eq!(window.pop_due(at(4)), None, "never early");
        assert_eq!(window.pop_due(at(10)), Some(8));
        assert_eq!(window.pop_due(at(10)), Some(1));
        assert_eq!(window.pop_due(at(100)), Some(3));
        assert_eq!(window.pop_due(at(100)), None);
        assert_eq!(window.next_due(), Some(at(30)), "something may be due");
        assert!(window.wants_refill(at(0)));
    }

    #[test]
    fn what_fits_needs_no_refill() {
        let mut window = Window::new(100);
        window.offer(at(1), 1);
        assert!(!window.wants_refill(at(0)));
        assert_eq!(window.next_due(), Some(at(1)));
    }
}
