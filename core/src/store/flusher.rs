//! One flusher for everybody: while a flush runs, more is appended, and the next flush covers
//! all of it. A lone waiter is flushed at once; with none, every interval or so many bytes.
//! Between flushes the disk is kept busy with what is dirty.

use super::mark::Mark;
use super::segments::Segments;
use super::{Health, StoreConfig, Watermark};
use crate::Error;
use crate::model::PhysicalOffset;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The page cache is trimmed in steps of this many bytes.
const FORGET_BYTES_MIN: u64 = 16 << 20;

/// What the flusher's thread and those who ask it share.
#[derive(Debug)]
pub(crate) struct Flusher {
    wishes: Mutex<Wishes>,
    wake: Condvar,
    /// An append that reaches this wakes the thread.
    wake_at: AtomicU64,
    interval: Duration,
    /// Unflushed bytes that are flushed without waiting for the interval; 0 for no limit.
    flush_bytes: u64,
    /// Dirty bytes after which writing them is begun; 0 for never.
    write_behind: u64,
    /// Newest bytes to keep in the page cache; 0 for all.
    hot_window: u64,
    /// Held by whoever flushes.
    flushing: Mutex<Behind>,
    /// Before this, writing to the disk was begun.
    written_behind: AtomicU64,
    pub(super) appended: Arc<Watermark>,
    pub(super) flushed: Arc<Watermark>,
    mark: Mark,
    segments: Arc<Segments>,
    health: Arc<Health>,
}

#[derive(Debug, Default)]
struct Wishes {
    /// Somebody waits for this position to be flushed.
    target: u64,
    /// What is dirty is to be flushed by then.
    deadline: Option<Instant>,
    stop: bool,
}

/// What follows behind the flushes.
#[derive(Debug)]
struct Behind {
    /// Bytes before this were dropped from the page cache.
    forgotten: u64,
}

/// What the thread is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Flush,
    WriteBehind,
    Stop,
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
            Ok(Err(_)) => Err(flush_failed()),
            Err(_) => Err(Error::FlushTimeout),
        }
    }

    /// Whether the flush has come: `None` as long as it has not.
    pub(crate) fn outcome(&mut self) -> Option<Result<(), Error>> {
        match self.flushed.try_recv() {
            Ok(()) => Some(Ok(())),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(flush_failed())),
        }
    }
}

fn flush_failed() -> Error {
    Error::Storage("the flush failed".to_owned())
}

impl Flusher {
    pub(super) fn new(
        config: &StoreConfig,
        segments: Arc<Segments>,
        appended: Arc<Watermark>,
        flushed: Arc<Watermark>,
        mark: Mark,
        health: Arc<Health>,
    ) -> Self {
        let from = flushed.value();
        Self {
            wishes: Mutex::default(),
            wake: Condvar::new(),
            wake_at: AtomicU64::new(u64::MAX),
            interval: Duration::from_millis(config.flush_interval_ms),
            flush_bytes: config.flush_bytes,
            write_behind: config.write_behind_bytes,
            hot_window: config.hot_window_bytes,
            flushing: Mutex::new(Behind { forgotten: from }),
            written_behind: AtomicU64::new(from),
            appended,
            flushed,
            mark,
            segments,
            health,
        }
    }

    /// Says that everything below `end` was appended, so that the interval begins.
    pub(super) fn note_appended(&self, end: u64) {
        // Pairs with the fence in `sleep`: one of both sees what the other wrote.
        fence(Ordering::SeqCst);
        if end >= self.wake_at.load(Ordering::Relaxed) {
            let _wishes = self.wishes.lock();
            self.wake_at.store(u64::MAX, Ordering::Relaxed);
            self.wake.notify_one();
        }
    }

    /// Asks for everything below `target` to be flushed now.
    pub(super) fn request(&self, target: u64) {
        let mut wishes = self.wishes.lock();
        if wishes.target < target {
            wishes.target = target;
            self.wake.notify_one();
        }
    }

    /// Asks for what is dirty to be flushed within `time`, when that is sooner than it would be.
    pub(crate) fn hasten(&self, time: Duration) {
        if time < self.interval {
            let deadline = now() + time;
            let mut wishes = self.wishes.lock();
            if wishes.deadline.is_none_or(|later| deadline < later) {
                wishes.deadline = Some(deadline);
                self.wake.notify_one();
            }
        }
    }

    /// A ticket for everything below `target`; `None` when it is flushed already.
    pub(super) fn ticket(&self, target: u64, timeout: Duration) -> Option<FlushTicket> {
        let flushed = self.flushed.wait_for(target)?;
        self.request(target);
        Some(FlushTicket { flushed, timeout })
    }

    /// Flushes everything below `target` on this thread.
    ///
    /// # Errors
    /// [`Error::Storage`] when the flush failed.
    pub(crate) fn flush_through(&self, target: u64) -> Result<(), Error> {
        while self.flushed.value() < target {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the thread after a last flush.
    pub(crate) fn stop(&self) {
        self.wishes.lock().stop = true;
        self.wake.notify_one();
    }

    /// The thread's body.
    pub(crate) fn run(&self) {
        loop {
            match self.wait_for_work() {
                Work::WriteBehind => self.write_behind(),
                Work::Flush => {
                    if self.flush().is_err() {
                        return;
                    }
                }
                Work::Stop => {
                    // Who stopped it hears of a failure from the flush it asks for itself.
                    let _failed = self.flush();
                    return;
                }
            }
        }
    }

    fn wait_for_work(&self) -> Work {
        let mut wishes = self.wishes.lock();
        loop {
            let (appended, flushed) = (self.appended.value(), self.flushed.value());
            if wishes.stop {
                return Work::Stop;
            }
            if wishes.target > flushed {
                return Work::Flush;
            }
            if appended <= flushed {
                wishes.deadline = None;
                self.wake_at.store(flushed + 1, Ordering::Relaxed);
                fence(Ordering::SeqCst);
                if self.appended.value() <= flushed {
                    self.wake.wait(&mut wishes);
                }
                continue;
            }
            let deadline = *wishes.deadline.get_or_insert_with(|| now() + self.interval);
            let is_over = self.flush_bytes > 0 && appended - flushed >= self.flush_bytes;
            if is_over || now() >= deadline {
                wishes.deadline = None;
                return Work::Flush;
            }
            let behind = self.written_behind.load(Ordering::Relaxed).max(flushed);
            if self.write_behind > 0 && appended.saturating_sub(behind) >= self.write_behind {
                return Work::WriteBehind;
            }
            let limit = |from: u64, bytes: u64| if bytes == 0 { u64::MAX } else { from + bytes };
            let next = limit(flushed, self.flush_bytes).min(limit(behind, self.write_behind));
            self.wake_at.store(next, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if self.appended.value() < next {
                self.wake.wait_until(&mut wishes, deadline);
            }
        }
    }

    /// Begins to write what is dirty, so that the next flush finds little left to do.
    fn write_behind(&self) {
        let appended = self.appended.value();
        let from = self.written_behind.load(Ordering::Relaxed);
        let from = from.max(self.flushed.value());
        let (start, end) = (PhysicalOffset::new(from), PhysicalOffset::new(appended));
        self.segments.write_back(start, end);
        self.written_behind.store(appended, Ordering::Relaxed);
    }

    /// Flushes what is appended, on this thread. A failure is final.
    ///
    /// # Errors
    /// [`Error::Storage`] now or ever before.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let mut behind = self.flushing.lock();
        if let Err(error) = self.health.check() {
            self.flushed.abandon();
            return Err(error);
        }
        let from = PhysicalOffset::new(self.flushed.value());
        let target = self.appended.value();
        if target <= from.get() {
            return Ok(());
        }
        crash_point!("flush.before_sync");
        if planted!("flush.mark_before_sync") {
            self.mark.write(target);
        }
        if planted!("flush.release_before_sync") {
            self.flushed.raise(target);
        }
        if let Err(error) = self.sync(from, target)
            && !planted!("flush.ignore_failure")
        {
            self.health.poison("fdatasync", &error);
            self.flushed.abandon();
            return self.health.check();
        }
        crash_point!("flush.before_mark");
        self.mark.write(target);
        crash_point!("flush.before_release");
        self.flushed.raise(target);
        self.bound_cache(&mut behind, target);
        Ok(())
    }

    fn sync(&self, from: PhysicalOffset, target: u64) -> std::io::Result<()> {
        for segment in self.segments.all().iter().rev() {
            if segment.end() <= from {
                break;
            }
            if segment.base().get() < target && !planted!("flush.skip_sync") {
                segment.sync()?;
            }
            if planted!("flush.newest_segment_only") {
                break;
            }
        }
        Ok(())
    }

    /// Keeps the page cache to the hot window.
    fn bound_cache(&self, behind: &mut Behind, flushed: u64) {
        let cold = flushed.saturating_sub(self.hot_window);
        if self.hot_window > 0 && cold.saturating_sub(behind.forgotten) >= FORGET_BYTES_MIN {
            let from = PhysicalOffset::new(behind.forgotten);
            self.segments.forget(from, PhysicalOffset::new(cold));
            behind.forgotten = cold;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an interval of the monotonic clock, which nobody reads"
)]
fn now() -> Instant {
    Instant::now()
}
