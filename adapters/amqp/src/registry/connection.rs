//! A connection as others see it.

use super::channel::{OpenChannel, Traffic};
use crate::control::{ClientProperties, Secured, Tuned};
use futures_util::task::AtomicWaker;
use gantry_core::LeaseSession;
use gantry_core::model::Timestamp;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Context;

/// One that is open.
#[derive(Debug)]
pub struct OpenConnection {
    pub(super) name: String,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Where it came to.
    pub local: SocketAddr,
    /// Who it is.
    pub user: Arc<str>,
    /// The virtual host it is in.
    pub vhost: Arc<str>,
    /// How it said who it is: `PLAIN`.
    pub mechanism: &'static str,
    /// How it came, if in TLS.
    pub secured: Option<Secured>,
    /// What it says of itself.
    pub client: ClientProperties,
    /// What it has agreed on.
    pub tuned: Option<Tuned>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// To which its exclusive queues belong.
    pub session: LeaseSession,
    pub(super) state: State,
}

/// Bytes of a connection, and how often they came and went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Octets {
    /// Bytes from the client.
    pub received: u64,
    /// Times that some of them were taken.
    pub reads: u64,
    /// Bytes for the client.
    pub sent: u64,
    /// Times that there were some.
    pub writes: u64,
}

/// The same, told by one thread.
#[derive(Debug, Default)]
struct OctetCounts {
    received: AtomicU64,
    reads: AtomicU64,
    sent: AtomicU64,
    writes: AtomicU64,
}

/// What changes of it.
#[derive(Debug, Default)]
pub(crate) struct State {
    is_blocked: AtomicBool,
    octets: OctetCounts,
    channels: Mutex<BTreeMap<u16, Arc<OpenChannel>>>,
    /// What went over its channels that are closed.
    gone: Mutex<Traffic>,
    is_to_close: AtomicBool,
    reason: Mutex<Option<String>>,
    waker: AtomicWaker,
}

/// What is known of one when it opens.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) ends: (SocketAddr, SocketAddr),
    pub(crate) user: Arc<str>,
    pub(crate) vhost: Arc<str>,
    pub(crate) mechanism: &'static str,
    pub(crate) secured: Option<Secured>,
    pub(crate) client: ClientProperties,
    pub(crate) tuned: Option<Tuned>,
}

impl OpenConnection {
    pub(crate) fn new(identity: Identity, opened_at: Timestamp, session: LeaseSession) -> Self {
        let Identity {
            ends: (peer, local),
            user,
            vhost,
            mechanism,
            secured,
            client,
            tuned,
        } = identity;
        Self {
            name: format!("{peer} -> {local}"),
            peer,
            local,
            user,
            vhost,
            mechanism,
            secured,
            client,
            tuned,
            opened_at,
            session,
            state: State::default(),
        }
    }

    /// As RabbitMQ names it: `127.0.0.1:40000 -> 127.0.0.1:5672`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its channels, by number.
    #[must_use]
    pub fn channels(&self) -> Vec<Arc<OpenChannel>> {
        self.state.channels.lock().values().cloned().collect()
    }

    pub(super) fn channel_count(&self) -> usize {
        self.state.channels.lock().len()
    }

    /// What went over it.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let gone = *self.state.gone.lock();
        let channels = self.channels();
        channels
            .iter()
            .map(|channel| channel.traffic())
            .fold(gone, Traffic::plus)
    }

    /// What came and went.
    #[must_use]
    pub fn octets(&self) -> Octets {
        let counts = &self.state.octets;
        Octets {
            received: counts.received.load(Ordering::Relaxed),
            reads: counts.reads.load(Ordering::Relaxed),
            sent: counts.sent.load(Ordering::Relaxed),
            writes: counts.writes.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn note_octets(&self, octets: Octets) {
        let counts = &self.state.octets;
        counts.received.store(octets.received, Ordering::Relaxed);
        counts.reads.store(octets.reads, Ordering::Relaxed);
        counts.sent.store(octets.sent, Ordering::Relaxed);
        counts.writes.store(octets.writes, Ordering::Relaxed);
    }

    /// Whether its messages wait for room.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.state.is_blocked.load(Ordering::Relaxed)
    }

    pub(crate) fn note_blocked(&self, is_blocked: bool) {
        self.state.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    /// Asks for its end; the client is told why (320).
    pub fn close(&self, reason: &str) {
        *self.state.reason.lock() = Some(reason.to_owned());
        self.state.is_to_close.store(true, Ordering::Release);
        self.state.waker.wake();
    }

    /// Why it is to close, once; the task is woken when it is.
    pub(crate) fn poll_close(&self, context: &Context<'_>) -> Option<String> {
        self.state.waker.register(context.waker());
        if !self.state.is_to_close.load(Ordering::Acquire) {
            return None;
        }
        self.state.reason.lock().take()
    }

    pub(super) fn seat(&self, channel: Arc<OpenChannel>) {
        self.state.channels.lock().insert(channel.number, channel);
    }

    pub(super) fn unseat(&self, channel: &Arc<OpenChannel>) {
        let mut channels = self.state.channels.lock();
        let known = channels.get(&channel.number);
        if known.is_some_and(|known| Arc::ptr_eq(known, channel)) {
            channels.remove(&channel.number);
        }
        drop(channels);
        let mut gone = self.state.gone.lock();
        *gone = gone.plus(channel.traffic());
    }
}
