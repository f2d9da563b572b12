//! A load of RocketMQ's transactions: half messages, and how their producers end them.

mod book;
mod plan;
mod producer;

use crate::body::{BODY_BYTES_MIN, Bodies};
use crate::clock;
use crate::ledger::{Heading, Ledger, Recorder, Sink};
use crate::target::{Protocol, Target};
use anyhow::{Result, anyhow, ensure};
use book::Book;
use futures_util::future::join_all;
use producer::Producer;
use std::cell::RefCell;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::watch;

/// A load of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionsConfig {
    /// Where the messages go.
    pub target: Target,
    /// The producers' group: no other's, for its members are asked for each other's messages.
    pub group: String,
    /// Connections, each with one transaction at a time.
    pub producers: u32,
    /// The first producer's number. Loads of one topic must not have numbers in common.
    pub first_producer: u32,
    /// Between two transactions of a producer.
    pub interval: Duration,
    /// Bytes of a body, at least [`BODY_BYTES_MIN`].
    pub body_bytes: usize,
    /// How long the broker asks nothing before it is taken to know all: more than a round of
    /// questions, and the youngest age at which it asks.
    pub quiet: Duration,
    /// How long [`Transactions::stop`] waits for that.
    pub patience: Duration,
}

impl TransactionsConfig {
    /// 1 KiB messages of four producers, twenty milliseconds apart each, for a broker that asks as
    /// early and often as stock ones do.
    #[must_use]
    pub fn new(target: Target, group: &str) -> Self {
        Self {
            target,
            group: group.to_owned(),
            producers: 4,
            first_producer: 0,
            interval: Duration::from_millis(20),
            body_bytes: 1024,
            quiet: Duration::from_secs(70),
            patience: Duration::from_secs(300),
        }
    }

    fn checked(self) -> Result<Self> {
        ensure!(
            self.target.protocol == Protocol::Rocketmq,
            "only RocketMQ has half messages"
        );
        ensure!(self.target.queues > 0, "no queues");
        ensure!(self.producers > 0, "no producers");
        ensure!(
            self.body_bytes >= BODY_BYTES_MIN,
            "a body of less than {BODY_BYTES_MIN} bytes"
        );
        Ok(self)
    }
}

/// A running load of transactions, on a thread of its own.
///
/// What becomes of a transaction, and how the broker is told, is decided by the message's number:
/// some are ended at once, with and without an answer, some only when the broker asks, some when
/// it asks for the second time.
#[derive(Debug)]
pub struct Transactions {
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<Ledger>>,
}

impl Transactions {
    /// Starts the load. It goes on through any failure of the broker.
    ///
    /// # Errors
    /// The configuration makes no sense, or the ledger cannot be written.
    pub fn start(config: TransactionsConfig, sink: Sink) -> Result<Self> {
        let config = config.checked()?;
        let heading = Heading {
            clock: clock::id(),
            is_transactional: true,
            topic: config.target.topic.clone(),
            group: config.group.clone(),
            ..Heading::default()
        };
        let book = Book::new(Recorder::start(sink, &heading)?);
        let (stop, stopped) = watch::channel(false);
        let runtime = crate::alone()?;
        let thread = thread::Builder::new().name("transactions".to_owned());
        let thread = thread.spawn(move || runtime.block_on(run(&config, book, &stopped)))?;
        Ok(Self { stop, thread })
    }

    /// Begins no more transactions, answers the broker until it has asked nothing for the
    /// configured time, and gives the ledger.
    ///
    /// # Errors
    /// The ledger could not be written.
    pub fn stop(self) -> Result<Ledger> {
        self.stop.send_replace(true);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("the load of transactions died"))?
    }
}

async fn run(
    config: &TransactionsConfig,
    book: Book,
    stopped: &watch::Receiver<bool>,
) -> Result<Ledger> {
    let bodies = Bodies::new(config.body_bytes, 0);
    let book = RefCell::new(book);
    let producers = (0..config.producers).map(|place| {
        let mut producer = Producer::new(config, place, &bodies, &book, stopped.clone());
        async move { producer.run().await }
    });
    join_all(producers).await;
    book.into_inner().finish()
}
