//! The endpoint.

use crate::callbacks::Callbacks;
use crate::config::Config;
use crate::error::Refusal;
use crate::live::Outstanding;
use crate::routes;
use crate::window::Window;
use axum::Router;
use gantry_core::model::{Clock, TopicName};
use gantry_core::{Client, Error, Topic};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// What requests are served by.
#[derive(Debug)]
pub struct OpenMessaging {
    pub(crate) client: Client,
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    /// Requests that may wait for messages.
    pub(crate) waiting: Semaphore,
    /// Requests that may be served.
    pub(crate) requests: Arc<Semaphore>,
    /// Live streams that may be open.
    pub(crate) live: Arc<Semaphore>,
    /// What they have out.
    pub(crate) outstanding: Outstanding,
    /// What was sent lately.
    pub(crate) window: Window,
    /// Consumers whose messages are sent to them.
    pub(crate) callbacks: Callbacks,
    turn: AtomicU32,
    /// What ids of this run begin with, and the next one's number.
    ids: (String, AtomicU64),
}

impl OpenMessaging {
    /// Over a broker.
    #[must_use]
    pub fn new(client: Client, config: Config, clock: Arc<dyn Clock>) -> Arc<Self> {
        let mut prefix = String::with_capacity(16);
        for byte in clock.unique_id().iter().take(8) {
            // Text takes all that is written.
            let _ = write!(prefix, "{byte:02X}");
        }
        Arc::new(Self {
            waiting: Semaphore::new(config.waiting_max.min(Semaphore::MAX_PERMITS)),
            requests: Arc::new(Semaphore::new(
                config.requests_max.min(Semaphore::MAX_PERMITS),
            )),
            live: Arc::new(Semaphore::new(
                config.live_streams_max.min(Semaphore::MAX_PERMITS),
            )),
            outstanding: Outstanding::default(),
            window: Window::new(config.dedup_ids_max, config.dedup_window_ms, clock.now()),
            callbacks: Callbacks::load(&client, &config.callbacks),
            turn: AtomicU32::new(0),
            ids: (prefix, AtomicU64::new(0)),
            client,
            config,
            clock,
        })
    }

    /// What is asked of it. Who asks must be known as `ConnectInfo<SocketAddr>`.
    pub fn routes(self: &Arc<Self>) -> Router {
        routes::all(self)
    }

    /// An id no other message has.
    pub(crate) fn next_id(&self) -> String {
        let (prefix, number) = &self.ids;
        format!("{prefix}{:016X}", number.fetch_add(1, Ordering::Relaxed))
    }

    /// Whose turn it is of `count`.
    pub(crate) fn turn(&self, count: u32) -> u32 {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        turn.checked_rem(count).unwrap_or(0)
    }

    /// A topic that is there.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn topic(&self, name: &TopicName) -> Result<Arc<Topic>, Refusal> {
        let topic = self.client.topic(name.as_str());
        topic.ok_or_else(|| Error::TopicNotFound(name.clone()).into())
    }
}
