//! How many connections a listener has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Counts open connections and refuses more than a limit. Clones count together.
#[derive(Clone, Debug)]
pub struct Connections {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    max: usize,
    open: AtomicUsize,
    last_closed: Notify,
}

/// One connection's place; dropping it frees the place.
#[derive(Debug)]
pub struct Permit {
    state: Arc<State>,
}

impl Connections {
    /// Room for `max` connections.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            state: Arc::new(State {
                max,
                open: AtomicUsize::new(0),
                last_closed: Notify::new(),
            }),
        }
    }

    /// A place for one more, or none when all are taken.
    #[must_use]
    pub fn admit(&self) -> Option<Permit> {
        let one_more = |open| (open < self.state.max).then_some(open + 1);
        self.state
            .open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more)
            .ok()
            .map(|_| Permit {
                state: Arc::clone(&self.state),
            })
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.state.open.load(Ordering::Acquire)
    }

    /// Waits until none is open.
    pub async fn all_closed(&self) {
        loop {
            let closed = self.state.last_closed.notified();
            if self.open() == 0 {
                return;
            }
            closed.await;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.state.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.state.last_closed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_connection_makes_room() {
        let connections = Connections::new(2);
        let first = connections.admit().unwrap();
        let second = connections.admit().unwrap();
        assert!(connections.admit().is_none());
        drop(first);
        let third = connections.admit().unwrap();
        assert_eq!(connections.open(), 2);
        let (all_closed, ()) = (connections.all_closed(), drop((second, third)));
        all_closed.await;
        assert_eq!(connections.open(), 0);
    }
}
