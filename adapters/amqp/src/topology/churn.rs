//! How often queues were declared, and how many of them were new.

use std::sync::atomic::{AtomicU64, Ordering};

/// Since the start.
#[derive(Debug, Default)]
pub struct Churn {
    declared: AtomicU64,
    created: AtomicU64,
}

impl Churn {
    pub(super) fn note(&self, is_new: bool) {
        self.declared.fetch_add(1, Ordering::Relaxed);
        self.created.fetch_add(u64::from(is_new), Ordering::Relaxed);
    }

    /// How often.
    #[must_use]
    pub fn declared(&self) -> u64 {
        self.declared.load(Ordering::Relaxed)
    }

    /// How many were new.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }
}
