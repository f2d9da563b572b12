//! Long polls: those who wait for a queue are woken by the append that satisfies them.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::task::Waker;
use tokio::sync::Notify;

/// One fetch that waits, on one queue or on many.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// Bytes still missing.
    missing: AtomicI64,
    notify: Notify,
    /// Who is woken instead, from the first byte on by each append.
    waker: Option<Waker>,
}

impl Waiter {
    /// Waits for `bytes` more.
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        let missing = i64::try_from(bytes).unwrap_or(i64::MAX);
        Arc::new(Self {
            missing: AtomicI64::new(missing),
            notify: Notify::new(),
            waker: None,
        })
    }

    /// Wakes `waker` with each append, which takes a lock and runs on the producer's thread.
    pub(crate) fn waking(waker: Waker) -> Arc<Self> {
        Arc::new(Self {
            missing: AtomicI64::new(0),
            notify: Notify::new(),
            waker: Some(waker),
        })
    }

    /// Resolves once enough was appended since it was registered.
    pub(crate) async fn satisfied(&self) {
        self.notify.notified().await;
    }

    fn count(&self, bytes: i64) {
        if self.waker.is_some() || self.missing.fetch_sub(bytes, Ordering::AcqRel) <= bytes {
            self.wake();
        }
    }

    fn wake(&self) {
        match &self.waker {
            Some(waker) => waker.wake_by_ref(),
            None => self.notify.notify_one(),
        }
    }
}

/// Those who wait for one queue.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    count: AtomicUsize,
    list: Mutex<Vec<Arc<Waiter>>>,
}

impl Waiters {
    /// Adds one, until [`Waiters::remove`].
    pub(crate) fn add(&self, waiter: &Arc<Waiter>) {
        let mut list = self.list.lock();
        list.push(Arc::clone(waiter));
        self.count.store(list.len(), Ordering::Release);
    }

    /// Removes one.
    pub(crate) fn remove(&self, waiter: &Arc<Waiter>) {
        let mut list = self.list.lock();
        list.retain(|other| !Arc::ptr_eq(other, waiter));
        self.count.store(list.len(), Ordering::Release);
    }

    /// Tells everybody that `bytes` can be read. Costs one load when nobody waits.
    pub(crate) fn appended(&self, bytes: usize) {
        if self.count.load(Ordering::Acquire) > 0 {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            for waiter in self.list.lock().iter() {
                waiter.count(bytes);
            }
        }
    }

    /// Wakes everybody whatever they wait for.
    pub(crate) fn wake_all(&self) {
        for waiter in self.list.lock().iter() {
            waiter.wake();
        }
    }
}
