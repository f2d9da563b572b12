//! Consumers whose messages are sent to them: callbacks are documents of the state, and each one
//! that stands leases its messages and sends them, in a task of its own.

mod allowed;
mod callback;
mod caller;
mod config;
mod connector;
mod delivery;
mod handshake;
mod pusher;
mod signature;
mod target;

pub use allowed::Allowed;
pub(crate) use callback::{Callback, Mode, Retry, Secret};
use caller::Caller;
pub use config::Config;
pub(crate) use target::Target;

use crate::error::Refusal;
use crate::server::OpenMessaging;
use gantry_core::Client;
use gantry_core::model::{GroupName, Timestamp};
use parking_lot::Mutex;
use pusher::Pusher;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

/// Of all documents of callbacks.
const NAMESPACE: &str = "openmessaging.callbacks";

/// All of them.
#[derive(Debug)]
pub(crate) struct Callbacks {
    book: Mutex<Book>,
    /// Told whenever the book changes.
    changed: watch::Sender<()>,
    pub(crate) caller: Caller,
    /// Requests that may be under way.
    pub(crate) requests: Arc<Semaphore>,
    figures: Figures,
    callbacks_max: usize,
}

type Book = BTreeMap<GroupName, Arc<Standing>>;

/// A callback, and how it goes.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) consumer: GroupName,
    pub(crate) callback: Callback,
    pub(crate) course: Mutex<Course>,
    /// It was ended, or replaced.
    is_over: AtomicBool,
}

/// How a callback has gone since it was made, or since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) failures_in_a_row: u32,
    pub(crate) last_error: Option<String>,
    /// Nothing is sent before.
    pub(crate) paused_until: Option<Timestamp>,
}

/// What all callbacks together have done since the start.
#[derive(Debug, Default)]
struct Figures {
    delivered: AtomicU64,
    failed: AtomicU64,
    dead_lettered: AtomicU64,
}

/// The same, to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallbackFigures {
    /// Callbacks that stand.
    pub callbacks: u64,
    /// Messages that receivers took.
    pub delivered: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Messages that went to dead letters.
    pub dead_lettered: u64,
}

impl Callbacks {
    /// With what the documents say; what cannot be read is passed over.
    pub(crate) fn load(client: &Client, config: &Config) -> Self {
        let mut book = Book::new();
        for (key, text) in client.documents(NAMESPACE) {
            match (GroupName::new(&key), serde_json::from_str(&text)) {
                (Ok(consumer), Ok(callback)) => {
                    let standing = Standing::new(consumer.clone(), callback);
                    book.insert(consumer, Arc::new(standing));
                }
                (Err(error), _) => tracing::error!(%error, key, "a callback cannot be read"),
                (_, Err(error)) => tracing::error!(%error, key, "a callback cannot be read"),
            }
        }
        Self {
            book: Mutex::new(book),
            changed: watch::Sender::new(()),
            caller: Caller::new(config),
            requests: Arc::new(Semaphore::new(
                config.requests_max.min(Semaphore::MAX_PERMITS),
            )),
            figures: Figures::default(),
            callbacks_max: config.callbacks_max,
        }
    }

    pub(crate) fn find(&self, consumer: &GroupName) -> Option<Arc<Standing>> {
        self.book.lock().get(consumer).cloned()
    }

    /// Writes a callback down, and has it begin in place of the consumer's earlier one; whether
    /// there was none.
    ///
    /// # Errors
    /// There are too many, or what core says.
    pub(crate) fn put(
        &self,
        client: &Client,
        consumer: &GroupName,
        callback: Callback,
    ) -> Result<(Arc<Standing>, bool), Refusal> {
        let text = serde_json::to_string(&callback)
            .map_err(|error| Refusal::parameter(error.to_string()))?;
        let mut book = self.book.lock();
        let is_new = !book.contains_key(consumer);
        if is_new && book.len() >= self.callbacks_max {
            return Err(Refusal::busy(
                "busy: openmessaging.protocol.callbacks.callbacks_max",
            ));
        }
        client.put_document(NAMESPACE, consumer.as_str(), Some(text))?;
        let standing = Arc::new(Standing::new(consumer.clone(), callback));
        let earlier = book.insert(consumer.clone(), Arc::clone(&standing));
        drop(book);
        self.end(earlier);
        Ok((standing, is_new))
    }

    /// Ends a consumer's callback; whether there was one. With a source, only one of that.
    ///
    /// # Errors
    /// What core says.
    pub(crate) fn remove(
        &self,
        client: &Client,
        consumer: &GroupName,
        source: Option<&str>,
    ) -> Result<bool, Refusal> {
        let mut book = self.book.lock();
        let is_meant = book
            .get(consumer)
            .is_some_and(|standing| source.is_none_or(|source| standing.callback.source == source));
        if is_meant {
            client.put_document(NAMESPACE, consumer.as_str(), None)?;
            let ended = book.remove(consumer);
            drop(book);
            self.end(ended);
        }
        Ok(is_meant)
    }

    /// After a change of the book; `ended` is in it no more.
    fn end(&self, ended: Option<Arc<Standing>>) {
        if let Some(ended) = ended {
            ended.is_over.store(true, Ordering::Relaxed);
        }
        self.changed.send_replace(());
    }
}

impl Standing {
    fn new(consumer: GroupName, callback: Callback) -> Self {
        Self {
            consumer,
            callback,
            course: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }
}

impl OpenMessaging {
    /// Sends consumers what is theirs, until `stop`; what is under way then has `patience` to end.
    /// Without it callbacks are only written down.
    pub async fn run_callbacks(
        self: &Arc<Self>,
        stop: impl Future<Output = ()>,
        patience: Duration,
    ) {
        let mut changes = self.callbacks.changed.subscribe();
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<GroupName, Running> = BTreeMap::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let book = self.callbacks.book.lock().clone();
            // Whoever is not in the book as he runs is told to stop.
            running.retain(|consumer, one| {
                let stands = book.get(consumer);
                stands.is_some_and(|standing| Arc::ptr_eq(standing, &one.standing))
            });
            for (consumer, standing) in book {
                running.entry(consumer).or_insert_with(|| {
                    let (until, ended) = oneshot::channel();
                    let pusher = Pusher::new(Arc::clone(self), Arc::clone(&standing));
                    tasks.spawn(pusher.run(ended));
                    Running {
                        standing,
                        _until: until,
                    }
                });
            }
            tokio::select! {
                () = stop.as_mut() => break,
                changed = changes.changed() => if changed.is_err() { break },
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a callback ended");
                    }
                }
            }
        }
        drop(running);
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::debug!("callbacks under way were cut: their messages come again");
        }
    }

    /// What callbacks have done since the start.
    #[must_use]
    pub fn callback_figures(&self) -> CallbackFigures {
        let figures = &self.callbacks.figures;
        let count = self.callbacks.book.lock().len();
        CallbackFigures {
            callbacks: u64::try_from(count).unwrap_or(u64::MAX),
            delivered: figures.delivered.load(Ordering::Relaxed),
            failed: figures.failed.load(Ordering::Relaxed),
            dead_lettered: figures.dead_lettered.load(Ordering::Relaxed),
        }
    }
}

/// A callback that messages are sent by, until this is dropped.
struct Running {
    standing: Arc<Standing>,
    _until: oneshot::Sender<()>,
}
