//! A channel as others see it.

use super::connection::OpenConnection;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// What becomes of what is published on a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum ChannelMode {
    /// It is done, and nobody hears of it.
    #[default]
    Plain,
    /// The publisher hears of it.
    Confirming,
    /// It waits for the end of a transaction.
    Transacting,
}

/// Messages that went over something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// By clients.
    pub published: u64,
    /// To clients, those they asked for included.
    pub delivered: u64,
    /// By clients.
    pub acknowledged: u64,
    /// Channels they went over, those that are closed among them.
    pub channels: u64,
}

impl Traffic {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            published: self.published + other.published,
            delivered: self.delivered + other.delivered,
            acknowledged: self.acknowledged + other.acknowledged,
            channels: self.channels + other.channels,
        }
    }
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct OpenConsumer {
    /// Its name on the channel.
    pub tag: String,
    /// From which queue.
    pub queue: Arc<str>,
    /// Nobody acknowledges what it gets.
    pub is_unacknowledged: bool,
    /// Nobody else consumes.
    pub is_exclusive: bool,
    /// Who comes before whom.
    pub priority: i32,
    /// Most unacknowledged messages of its own; `None` is no limit.
    pub prefetch: Option<u32>,
}

/// One that is open.
#[derive(Debug, Default)]
pub struct OpenChannel {
    /// Its number.
    pub number: u16,
    consumers: Mutex<Vec<OpenConsumer>>,
    consumer_count: AtomicU32,
    unacknowledged: AtomicU64,
    /// 0 is no limit, here and in the next.
    prefetch: AtomicU32,
    global_prefetch: AtomicU32,
    mode: AtomicU8,
    /// The last message that has a number for its confirm, and the last one that was confirmed.
    last: AtomicU64,
    answered: AtomicU64,
    published: AtomicU64,
    delivered: AtomicU64,
    acknowledged: AtomicU64,
}

impl OpenChannel {
    /// Its consumers.
    #[must_use]
    pub fn consumers(&self) -> Vec<OpenConsumer> {
        self.consumers.lock().clone()
    }

    /// How many consumers it has.
    #[must_use]
    pub fn consumer_count(&self) -> u32 {
        self.consumer_count.load(Ordering::Relaxed)
    }

    /// Messages it was sent and has not acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> u64 {
        self.unacknowledged.load(Ordering::Relaxed)
    }

    /// Messages whose publisher has not heard yet what became of them.
    #[must_use]
    pub fn unconfirmed(&self) -> u64 {
        let answered = self.answered.load(Ordering::Relaxed);
        self.last.load(Ordering::Relaxed).saturating_sub(answered)
    }

    /// Most unacknowledged messages of each of its next consumers; 0 is no limit.
    #[must_use]
    pub fn prefetch(&self) -> u32 {
        self.prefetch.load(Ordering::Relaxed)
    }

    /// Most of all its consumers together; 0 is no limit.
    #[must_use]
    pub fn global_prefetch(&self) -> u32 {
        self.global_prefetch.load(Ordering::Relaxed)
    }

    /// What becomes of what it publishes.
    #[must_use]
    pub fn mode(&self) -> ChannelMode {
        match self.mode.load(Ordering::Relaxed) {
            1 => ChannelMode::Confirming,
            2 => ChannelMode::Transacting,
            _ => ChannelMode::Plain,
        }
    }

    /// What went over it.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic {
            published: self.published.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            channels: 1,
        }
    }
}

/// An open channel's place among those of its connection. All of it is told by one thread.
#[derive(Debug)]
pub(crate) struct Seat {
    connection: Arc<OpenConnection>,
    channel: Arc<OpenChannel>,
}

impl Seat {
    pub(crate) fn take(connection: &Arc<OpenConnection>, number: u16) -> Self {
        let channel = Arc::new(OpenChannel {
            number,
            ..OpenChannel::default()
        });
        connection.seat(Arc::clone(&channel));
        Self {
            connection: Arc::clone(connection),
            channel,
        }
    }

    pub(crate) fn count_published(&self) {
        add(&self.channel.published, 1);
    }

    pub(crate) fn count_acknowledged(&self, count: usize) {
        add(&self.channel.acknowledged, count as u64);
    }

    pub(crate) fn note_deliveries(&self, delivered: u64, unacknowledged: usize) {
        let channel = &self.channel;
        channel.delivered.store(delivered, Ordering::Relaxed);
        let unacknowledged = unacknowledged as u64;
        channel
            .unacknowledged
            .store(unacknowledged, Ordering::Relaxed);
    }

    pub(crate) fn note_last(&self, tag: u64) {
        self.channel.last.store(tag, Ordering::Relaxed);
    }

    pub(crate) fn note_answered(&self, tag: u64) {
        self.channel.answered.store(tag, Ordering::Relaxed);
    }

    pub(crate) fn note_mode(&self, mode: ChannelMode) {
        self.channel.mode.store(mode as u8, Ordering::Relaxed);
    }

    pub(crate) fn note_limits(&self, prefetch: Option<u32>, global: Option<u32>) {
        let store = |at: &AtomicU32, limit: Option<u32>| {
            at.store(limit.unwrap_or(0), Ordering::Relaxed);
        };
        store(&self.channel.prefetch, prefetch);
        store(&self.channel.global_prefetch, global);
    }

    /// One consumer comes or goes at a time, so that their number tells of every change.
    pub(crate) fn note_consumers(&self, count: usize, list: impl FnOnce() -> Vec<OpenConsumer>) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if self.channel.consumer_count.swap(count, Ordering::Relaxed) != count {
            *self.channel.consumers.lock() = list();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connection.unseat(&self.channel);
    }
}

/// Without the cost of an atomic addition: nobody else writes it.
fn add(to: &AtomicU64, count: u64) {
    to.store(to.load(Ordering::Relaxed) + count, Ordering::Relaxed);
}
