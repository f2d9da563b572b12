//! The word to all connections that it is time to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Asks connections to finish what is in flight and end. Clones ask the same ones.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    requested: AtomicBool,
    changed: Notify,
}

impl Shutdown {
    /// A shutdown nobody asked for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everyone to stop; there is no way back.
    pub fn request(&self) {
        self.state.requested.store(true, Ordering::Release);
        self.state.changed.notify_waiters();
    }

    /// Whether someone asked.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.state.requested.load(Ordering::Acquire)
    }

    /// Waits until someone asks.
    pub async fn requested(&self) {
        let changed = self.changed();
        if !self.is_requested() {
            changed.await;
        }
    }

    /// Ends with the next request, also when it comes before the first poll.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.state.changed.notified()
    }
}
