//! Consumption by RocketMQ's POP as a load: what is handed out, and what is said of it.

mod book;
mod consumer;
mod plan;

use crate::clock;
use crate::ledger::{Heading, Ledger, Recorder, Sink};
use crate::rocketmq::create_group;
use crate::target::{Protocol, Target};
use anyhow::{Result, anyhow, ensure};
use book::Book;
use consumer::Consumer;
use futures_util::future::join_all;
use std::cell::RefCell;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::watch;

/// The topic of what `group` was handed out too often.
#[must_use]
pub fn dead_letter_topic(group: &str) -> String {
    format!("%DLQ%{group}")
}

/// A load of pops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PopsConfig {
    /// Where the messages are.
    pub target: Target,
    /// The group. All who pop in it must have ledgers.
    pub group: String,
    /// Connections, each with one request at a time.
    pub consumers: u32,
    /// How long a message is a consumer's, milliseconds; some are kept for longer, some shorter.
    pub hold_ms: u32,
    /// How often a message is handed out before it is a dead letter.
    pub attempts_max: u16,
    /// How long [`Pops::stop`] waits until nothing is handed out any more.
    pub patience: Duration,
}

impl PopsConfig {
    /// Two consumers that have messages for a second, up to four times.
    #[must_use]
    pub fn new(target: Target, group: &str) -> Self {
        Self {
            target,
            group: group.to_owned(),
            consumers: 2,
            hold_ms: 1_000,
            attempts_max: 4,
            patience: Duration::from_secs(60),
        }
    }

    fn checked(self) -> Result<Self> {
        ensure!(
            self.target.protocol == Protocol::Rocketmq,
            "only RocketMQ's protocol pops"
        );
        ensure!(self.consumers > 0, "no consumers");
        ensure!(self.hold_ms > 0, "messages are nobody's at once");
        Ok(self)
    }
}

/// A running load of pops, on a thread of its own.
///
/// What becomes of a message is decided by its number: most are acknowledged, alone or together,
/// some not the first time, some are kept for longer or shorter, and some never acknowledged.
#[derive(Debug)]
pub struct Pops {
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<Ledger>>,
}

impl Pops {
    /// Makes the group, and starts the load. It goes on through any failure of the broker.
    ///
    /// # Errors
    /// The configuration makes no sense, the broker does not make the group, or the ledger cannot
    /// be written.
    pub fn start(config: PopsConfig, sink: Sink) -> Result<Self> {
        let config = config.checked()?;
        let runtime = crate::alone()?;
        let made = create_group(&config.target, &config.group, config.attempts_max);
        runtime.block_on(made)?;
        let heading = Heading {
            clock: clock::id(),
            topic: config.target.topic.clone(),
            group: config.group.clone(),
            ..Heading::default()
        };
        let book = Book::new(Recorder::start(sink, &heading)?);
        let (stop, stopped) = watch::channel(false);
        let thread = thread::Builder::new().name("pops".to_owned());
        let thread = thread.spawn(move || runtime.block_on(run(&config, book, &stopped)))?;
        Ok(Self { stop, thread })
    }

    /// Goes on until a wait longer than any lease has brought nothing, and gives the ledger.
    /// Nothing more should be sent by then.
    ///
    /// # Errors
    /// The ledger could not be written.
    pub fn stop(self) -> Result<Ledger> {
        self.stop.send_replace(true);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("the load of pops died"))?
    }
}

async fn run(config: &PopsConfig, book: Book, stopped: &watch::Receiver<bool>) -> Result<Ledger> {
    let book = RefCell::new(book);
    let consumers = (0..config.consumers).map(|_| {
        let mut consumer = Consumer::new(config, &book, stopped.clone());
        async move { consumer.run().await }
    });
    join_all(consumers).await;
    book.into_inner().finish()
}
