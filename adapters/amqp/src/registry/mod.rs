//! Who is connected, for those who look after the broker. What is counted is counted by the
//! connections themselves; looking at it stops nobody.

mod channel;
mod connection;
#[cfg(test)]
mod tests;

pub(crate) use channel::Seat;
pub use channel::{ChannelMode, OpenChannel, OpenConsumer, Traffic};
pub(crate) use connection::Identity;
pub use connection::OpenConnection;

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// All open connections.
#[derive(Debug, Default)]
pub struct Registry {
    open: Mutex<BTreeMap<u64, Arc<OpenConnection>>>,
    /// How many there ever were.
    opened: AtomicU64,
    /// What went over those that are gone.
    gone: Mutex<Traffic>,
}

impl Registry {
    /// All of them, in the order they came.
    #[must_use]
    pub fn connections(&self) -> Vec<Arc<OpenConnection>> {
        self.open.lock().values().cloned().collect()
    }

    /// The one of that name.
    #[must_use]
    pub fn connection(&self, name: &str) -> Option<Arc<OpenConnection>> {
        let open = self.open.lock();
        let mut all = open.values();
        all.find(|connection| connection.name() == name).cloned()
    }

    /// How many there ever were.
    #[must_use]
    pub fn opened_count(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// What ever went over connections.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let gone = *self.gone.lock();
        let open = self.connections();
        open.iter()
            .map(|connection| connection.traffic())
            .fold(gone, Traffic::plus)
    }

    /// Closes those of a kind, and tells each why.
    pub fn close_all(&self, reason: &str, is_meant: impl Fn(&OpenConnection) -> bool) {
        for connection in self.connections() {
            if is_meant(&connection) {
                connection.close(reason);
            }
        }
    }

    pub(crate) fn enter(self: &Arc<Self>, connection: OpenConnection) -> Entry {
        let id = self.opened.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(connection);
        self.open.lock().insert(id, Arc::clone(&connection));
        Entry {
            registry: Arc::clone(self),
            id,
            connection,
        }
    }
}

/// A connection's place in the registry, as long as it is open.
#[derive(Debug)]
pub(crate) struct Entry {
    registry: Arc<Registry>,
    id: u64,
    pub(crate) connection: Arc<OpenConnection>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.open.lock().remove(&self.id);
        let mut gone = self.registry.gone.lock();
        *gone = gone.plus(self.connection.traffic());
    }
}
