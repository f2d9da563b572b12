//! A number that only rises, and those who wait for it to reach theirs.

use parking_lot::Mutex;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;

/// How far the log has come in some respect: `appended`, `flushed`.
#[derive(Debug, Default)]
pub(crate) struct Watermark {
    value: AtomicU64,
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Waiters {
    heap: BinaryHeap<Waiter>,
    /// The mark will not rise again: nobody is let in.
    abandoned: bool,
}

#[derive(Debug)]
struct Waiter {
    target: u64,
    /// Dropped, it tells that the mark was abandoned.
    reached: oneshot::Sender<()>,
}

impl Watermark {
    /// A mark that stands at `value`.
    pub(crate) fn at(value: u64) -> Self {
        Self {
            value: AtomicU64::new(value),
            waiters: Mutex::default(),
        }
    }

    /// Where it stands.
    pub(crate) fn value(&self) -> u64 {
        self.value.load(Ordering::Acquire)
    }

    /// Raises it and wakes those whose target is reached. Lowering does nothing.
    pub(crate) fn raise(&self, value: u64) {
        self.value.fetch_max(value, Ordering::AcqRel);
        let mut waiters = self.waiters.lock();
        while waiters
            .heap
            .peek()
            .is_some_and(|waiter| waiter.target <= value)
        {
            if let Some(waiter) = waiters.heap.pop() {
                if planted!("flush.forget_waiter") {
                    std::mem::forget(waiter);
                    continue;
                }
                // The one who waited may have gone.
                let _gone = waiter.reached.send(());
            }
        }
    }

    /// Raises it where nobody ever waits: no lock is taken.
    pub(crate) fn publish(&self, value: u64) {
        self.value.fetch_max(value, Ordering::AcqRel);
    }

    /// `None` when `target` is reached, else what resolves when it is. The receiver fails when
    /// [`Watermark::abandon`] was called.
    pub(crate) fn wait_for(&self, target: u64) -> Option<oneshot::Receiver<()>> {
        let mut waiters = self.waiters.lock();
        if self.value() >= target {
            return None;
        }
        let (reached, receiver) = oneshot::channel();
        waiters.admit(Waiter { target, reached });
        Some(receiver)
    }

    /// Sends everybody away: the mark will not rise again.
    pub(crate) fn abandon(&self) {
        let mut waiters = self.waiters.lock();
        waiters.abandoned = true;
        waiters.heap.clear();
    }
}

impl Waiters {
    /// Drops the waiter, and so tells it, when there is nothing to wait for.
    fn admit(&mut self, waiter: Waiter) {
        if !self.abandoned {
            self.heap.push(waiter);
        }
    }
}

/// The lowest target first.
impl Ord for Waiter {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.target.cmp(&self.target)
    }
}

impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
    }
}

impl Eq for Waiter {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_those_whose_target_is_reached_are_woken() {
        let mark = Watermark::at(10);
        assert!(mark.wait_for(10).is_none());
        let mut near = mark.wait_for(11).unwrap();
        let mut far = mark.wait_for(20).unwrap();
        mark.raise(15);
        assert!(near.try_recv().is_ok());
        assert!(far.try_recv().is_err());
        mark.raise(20);
        assert!(far.try_recv().is_ok());
    }

    #[test]
    fn an_abandoned_mark_fails_its_waiters() {
        let mark = Watermark::at(0);
        let mut waiter = mark.wait_for(1).unwrap();
        mark.abandon();
        assert!(matches!(
            waiter.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        ));
        assert!(
            mark.wait_for(1).unwrap().try_recv().is_err(),
            "nor is anybody let in"
        );
    }
}
