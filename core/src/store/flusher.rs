//! One flusher for everybody: while a flush runs, more is appended, and the next flush covers
//! all of it. A lone waiter is flushed at once; with none, every interval.

use super::segments::Segments;
use super::{Health, StoreConfig, Watermark};
use crate::Error;
use crate::model::PhysicalOffset;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::time::Duration;
use tokio::sync::oneshot;

/// The page cache is trimmed in steps of this many bytes.
const FORGET_BYTES_MIN: u64 = 16 << 20;

/// What the flusher's thread and those who ask it share.
#[derive(Debug)]
pub(crate) struct Flusher {
    wishes: Mutex<Wishes>,
    wake: Condvar,
    /// The thread sleeps without a deadline because nothing is dirty.
    is_idle: AtomicBool,
    interval: Duration,
    /// Newest bytes to keep in the page cache; 0 for all.
    hot_window: u64,
    /// Bytes before this were dropped from it.
    forgotten: AtomicU64,
    pub(super) appended: Arc<Watermark>,
    pub(super) flushed: Arc<Watermark>,
    segments: Arc<Segments>,
    health: Arc<Health>,
}

#[derive(Debug, Default)]
struct Wishes {
    /// Somebody waits for this position to be flushed.
    target: u64,
    stop: bool,
}

/// One waiter's place in the flush.
#[derive(Debug)]
pub(crate) struct FlushTicket {
    flushed: oneshot::Receiver<()>,
    timeout: Duration,
}

impl FlushTicket {
    /// Waits for the flush.
    ///
    /// # Errors
    /// [`Error::FlushTimeout`], or [`Error::Storage`] when the flush failed.
    pub(crate) async fn wait(self) -> Result<(), Error> {
        match tokio::time::timeout(self.timeout, self.flushed).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::Storage("the flush failed".to_owned())),
            Err(_) => Err(Error::FlushTimeout),
        }
    }
}

impl Flusher {
    pub(super) fn new(
        config: &StoreConfig,
        segments: Arc<Segments>,
        appended: Arc<Watermark>,
        flushed: Arc<Watermark>,
        health: Arc<Health>,
    ) -> Self {
        Self {
            wishes: Mutex::default(),
            wake: Condvar::new(),
            is_idle: AtomicBool::new(false),
            interval: Duration::from_millis(config.flush_interval_ms),
            hot_window: config.hot_window_bytes,
            forgotten: AtomicU64::new(flushed.value()),
            appended,
            flushed,
            segments,
            health,
        }
    }

    /// Says that something was appended, so that the interval begins.
    pub(super) fn note_appended(&self) {
        // Pairs with the fence in `wait_for_work`: one of both sees what the other wrote.
        fence(Ordering::SeqCst);
        if self.is_idle.load(Ordering::Relaxed) {
            let _wishes = self.wishes.lock();
            self.is_idle.store(false, Ordering::Relaxed);
            self.wake.notify_one();
        }
    }

    /// Asks for everything below `target` to be flushed now.
    pub(super) fn request(&self, target: u64) {
        let mut wishes = self.wishes.lock();
        if wishes.target < target {
            wishes.target = target;
            self.is_idle.store(false, Ordering::Relaxed);
            self.wake.notify_one();
        }
    }

    /// A ticket for everything below `target`; `None` when it is flushed already.
    pub(super) fn ticket(&self, target: u64, timeout: Duration) -> Option<FlushTicket> {
        let flushed = self.flushed.wait_for(target)?;
        self.request(target);
        Some(FlushTicket { flushed, timeout })
    }

    /// Flushes everything below `target` and waits for it on this thread.
    ///
    /// # Errors
    /// [`Error::Storage`] when the flush failed.
    pub(crate) fn flush_through(&self, target: u64) -> Result<(), Error> {
        let Some(flushed) = self.flushed.thread_wait_for(target) else {
            return Ok(());
        };
        self.request(target);
        flushed
            .recv()
            .map_err(|_| Error::Storage("the flush failed".to_owned()))
    }

    /// Ends the thread after a last flush.
    pub(crate) fn stop(&self) {
        self.wishes.lock().stop = true;
        self.wake.notify_one();
    }

    /// The thread's body.
    pub(crate) fn run(&self) {
        loop {
            let stop = self.wait_for_work();
            if let Err(error) = self.flush() {
                self.health.poison("fdatasync", &error);
                self.flushed.abandon();
                return;
            }
            if stop {
                return;
            }
        }
    }

    fn wait_for_work(&self) -> bool {
        let mut wishes = self.wishes.lock();
        loop {
            if wishes.stop || wishes.target > self.flushed.value() {
                return wishes.stop;
            }
            if self.appended.value() > self.flushed.value() {
                let waited = self.wake.wait_for(&mut wishes, self.interval);
                if waited.timed_out() {
                    return false;
                }
            } else {
                self.is_idle.store(true, Ordering::Relaxed);
                fence(Ordering::SeqCst);
                if self.appended.value() <= self.flushed.value() {
                    self.wake.wait(&mut wishes);
                }
                self.is_idle.store(false, Ordering::Relaxed);
            }
        }
    }

    fn flush(&self) -> std::io::Result<()> {
        let from = PhysicalOffset::new(self.flushed.value());
        let target = self.appended.value();
        if target <= from.get() {
            return Ok(());
        }
        for segment in self.segments.all().iter().rev() {
            if segment.end() <= from {
                break;
            }
            if segment.base().get() < target {
                segment.sync()?;
            }
        }
        self.flushed.raise(target);
        self.bound_cache(target);
        Ok(())
    }

    /// Keeps the page cache to the hot window. Called by the flusher's thread alone.
    fn bound_cache(&self, flushed: u64) {
        let forgotten = self.forgotten.load(Ordering::Relaxed);
        let cold = flushed.saturating_sub(self.hot_window);
        if self.hot_window > 0 && cold.saturating_sub(forgotten) >= FORGET_BYTES_MIN {
            let (from, to) = (PhysicalOffset::new(forgotten), PhysicalOffset::new(cold));
            self.segments.forget(from, to);
            self.forgotten.store(cold, Ordering::Relaxed);
        }
    }
}
