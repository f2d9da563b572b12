//! Who is connected, for those who look after the broker. What is counted is counted by the
//! connections themselves; looking at it stops nobody.

mod channel;
mod connection;
#[cfg(test)]
mod tests;

pub(crate) use channel::Seat;
pub use channel::{ChannelMode, OpenChannel, OpenConsumer, Traffic};
pub(crate) use connection::Identity;
pub use connection::{Octets, OpenConnection};

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

    /// How many channels a user has.
    pub(crate) fn channel_count(&self, user: &str) -> usize {
        let open = self.open.lock();
        let own = open.values().filter(|connection| *connection.user == *user);
        own.map(|connection| connection.channel_count()).sum()
    }

    /// Takes a connection in, unless its virtual host or its user has as many as `most` says.
    pub(crate) fn enter(
        self: &Arc<Self>,
        connection: OpenConnection,
        most: Most,
    ) -> Result<Entry, Full> {
        let mut open = self.open.lock();
        let reached = |limit: Option<i64>, is_meant: &dyn Fn(&OpenConnection) -> bool| {
            let limit = usize::try_from(limit?).ok()?;
            let count = open.values().filter(|known| is_meant(known)).count();
            (count >= limit).then_some(limit)
        };
        if let Some(limit) = reached(most.of_vhost, &|known| known.vhost == connection.vhost) {
            return Err(Full::Vhost(limit));
        }
        if let Some(limit) = reached(most.of_user, &|known| known.user == connection.user) {
            return Err(Full::User(limit));
        }
        let id = self.opened.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(connection);
        open.insert(id, Arc::clone(&connection));
        drop(open);
        Ok(Entry {
            registry: Arc::clone(self),
            id,
            connection,
        })
    }
}

/// Most connections at a time; a limit below zero is none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Most {
    pub(crate) of_vhost: Option<i64>,
    pub(crate) of_user: Option<i64>,
}

/// Whose limit of connections is reached, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Vhost(usize),
    User(usize),
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
