//! Which pages of a segment reading has mapped into this process, as far as they count.
//!
//! The operating system maps what is around a page with it, so that reading many small records
//! all over a segment maps far more than was asked for: windows are counted, not bytes.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What the operating system maps at once (Linux' `fault_around_bytes`).
pub(super) const WINDOW_BYTES: u64 = 64 << 10;

/// The windows of one segment.
#[derive(Debug)]
pub(super) struct Touched {
    windows: Box<[AtomicU64]>,
    /// How many times more its pages are let go. Who got bytes before one time may read them, and
    /// so map them, only after it.
    times: AtomicU8,
}

impl Touched {
    /// None of a segment of `size` bytes.
    pub(super) fn none(size: u64) -> Self {
        let words = size.div_ceil(WINDOW_BYTES).div_ceil(64);
        Self {
            windows: (0..words).map(|_| AtomicU64::new(0)).collect(),
            times: AtomicU8::new(0),
        }
    }

    /// Enters what is about to be read; how many windows are new.
    pub(super) fn enter(&self, at: u64, length: u64) -> u64 {
        if length == 0 {
            return 0;
        }
        self.times.store(2, Ordering::Relaxed);
        let (first, last) = (at / WINDOW_BYTES, (at + length - 1) / WINDOW_BYTES);
        let mut fresh = 0;
        for window in first..=last {
            let word = usize::try_from(window / 64).unwrap_or(usize::MAX);
            let bit = 1 << (window % 64);
            if let Some(word) = self.windows.get(word)
                && word.load(Ordering::Relaxed) & bit == 0
                && word.fetch_or(bit, Ordering::Relaxed) & bit == 0
            {
                fresh += 1;
            }
        }
        fresh
    }

    /// Forgets all windows; whether there may be pages to let go.
    pub(super) fn clear(&self) -> bool {
        let times = self.times.load(Ordering::Relaxed);
        if times == 0 {
            return false;
        }
        self.times.store(times - 1, Ordering::Relaxed);
        for word in &self.windows {
            word.store(0, Ordering::Relaxed);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_once_until_it_is_let_go() {
        let touched = Touched::none(100 * WINDOW_BYTES);
        assert_eq!(touched.enter(5, 10), 1);
        assert_eq!(touched.enter(100, 10), 0);
        assert_eq!(touched.enter(WINDOW_BYTES - 1, 2), 1);
        assert_eq!(touched.enter(90 * WINDOW_BYTES, 10 * WINDOW_BYTES), 10);
        assert!(touched.clear());
        assert_eq!(touched.enter(5, 10), 1);
    }

    #[test]
    fn pages_are_let_go_once_more_for_who_reads_late() {
        let touched = Touched::none(WINDOW_BYTES);
        assert!(!touched.clear());
        touched.enter(0, 1);
        assert!(touched.clear() && touched.clear());
        assert!(!touched.clear());
    }
}
