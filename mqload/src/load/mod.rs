//! The load: producers that send on schedule, whatever the broker does.

mod book;
mod figures;
mod flight;
mod pace;
mod producer;
mod wire;

pub(crate) use figures::histogram;
pub use figures::{Figures, Quantiles};
pub(crate) use flight::{Flight, Settled, Verdict};

use crate::body::{BODY_BYTES_MIN, Bodies};
use crate::clock;
use crate::delay::Delay;
use crate::ledger::{Heading, Ledger, Sink};
use crate::target::{Protocol, Target};
use anyhow::{Context as _, Result, anyhow, ensure};
use book::Book;
use futures_util::future::join_all;
use producer::Producer;
use std::cell::RefCell;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Batches of one producer in one queue that may be under way when it is idempotent: as many as
/// a broker remembers.
const IDEMPOTENT_IN_FLIGHT: u32 = 5;

/// What an acknowledgement waits for; RocketMQ's broker decides that itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Acks {
    /// The replicas in sync.
    #[default]
    All,
    /// The leader.
    Leader,
}

/// A load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadConfig {
    /// Where it goes. Each producer goes round the queues.
    pub target: Target,
    /// Connections that send.
    pub producers: u32,
    /// The first producer's number. Loads of one topic must not have numbers in common.
    pub first_producer: u32,
    /// Messages a second, all producers together; 0: as many as `in_flight` allows.
    pub rate: u64,
    /// Requests of one producer that may be unanswered.
    pub in_flight: u32,
    /// Bytes of a body, at least [`BODY_BYTES_MIN`].
    pub body_bytes: usize,
    /// Messages of a request.
    pub batch: u32,
    /// Kafka: number the batches, and send again with the same number what was not answered.
    /// Otherwise nothing is sent twice.
    pub is_idempotent: bool,
    /// RocketMQ: how long the broker is to hold each message back.
    pub delay: Delay,
    /// Kafka.
    pub acks: Acks,
    /// How long the schedule is met by turning instead of sleeping; exact and dear.
    pub spin: Duration,
    /// How long an answer may take before its connection is given up, and how long
    /// [`Load::stop`] waits for answers.
    pub patience: Duration,
    /// Of the bodies' filler.
    pub seed: u64,
}

impl LoadConfig {
    /// 1 KiB messages, one a request, one producer as fast as eight requests in flight allow.
    #[must_use]
    pub const fn new(target: Target) -> Self {
        Self {
            target,
            producers: 1,
            first_producer: 0,
            rate: 0,
            in_flight: 8,
            body_bytes: 1024,
            batch: 1,
            is_idempotent: false,
            delay: Delay {
                least_ms: 0,
                span_ms: 0,
            },
            acks: Acks::All,
            spin: Duration::ZERO,
            patience: Duration::from_secs(10),
            seed: 0,
        }
    }

    fn checked(mut self) -> Result<Self> {
        ensure!(self.target.queues > 0, "no queues");
        ensure!(self.producers > 0, "no producers");
        ensure!(self.in_flight > 0, "nothing may be in flight");
        ensure!(self.batch > 0, "nothing in a batch");
        ensure!(
            self.body_bytes >= BODY_BYTES_MIN,
            "a body of less than {BODY_BYTES_MIN} bytes"
        );
        if !self.delay.is_none() {
            ensure!(
                self.target.protocol == Protocol::Rocketmq && self.batch == 1,
                "only single messages of RocketMQ can be delayed"
            );
        }
        if self.is_idempotent {
            ensure!(
                self.target.protocol == Protocol::Kafka,
                "only Kafka has idempotent producers"
            );
            let most = self.target.queues.saturating_mul(IDEMPOTENT_IN_FLIGHT);
            self.in_flight = self.in_flight.min(most);
        }
        Ok(self)
    }
}

/// What a load leaves.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What was sent and answered.
    pub ledger: Ledger,
    /// How fast.
    pub figures: Figures,
}

/// A running load, on a thread of its own.
#[derive(Debug)]
pub struct Load {
    acknowledged: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<Finished>>,
}

impl Load {
    /// Starts the load. It goes on through any failure of the broker: it connects again every 5
    /// to 100 ms, and the schedule does not wait.
    ///
    /// # Errors
    /// The configuration makes no sense, or the ledger cannot be written.
    pub fn start(config: LoadConfig, sink: Sink) -> Result<Self> {
        let config = config.checked()?;
        let heading = Heading {
            clock: clock::id(),
            is_idempotent: config.is_idempotent,
            delay_ms: config.delay.least_ms,
            is_transactional: false,
            topic: config.target.topic.clone(),
            group: String::new(),
        };
        let (acknowledge, acknowledged) = watch::channel(0);
        let book = Book::start(sink, &heading, acknowledge)?;
        let (stop, stopped) = watch::channel(false);
        let runtime = crate::alone()?;
        let thread = thread::Builder::new().name("load".to_owned());
        let thread = thread.spawn(move || runtime.block_on(run(&config, book, &stopped)))?;
        Ok(Self {
            acknowledged,
            stop,
            thread,
        })
    }

    /// Messages acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        *self.acknowledged.borrow()
    }

    /// Waits until `messages` are acknowledged.
    ///
    /// # Errors
    /// They are not within `patience`, or the load has died.
    pub fn wait_for(&self, messages: u64, patience: Duration) -> Result<()> {
        let mut acknowledged = self.acknowledged.clone();
        crate::alone()?.block_on(async {
            let enough = async {
                let enough = acknowledged.wait_for(|acknowledged| *acknowledged >= messages);
                // What it gives locks the number, and another look at it must not wait for that.
                enough.await.map(drop)
            };
            let enough = timeout(patience, enough).await;
            let count = self.acknowledged();
            enough.with_context(|| format!("{count} of {messages} acknowledged in time"))??;
            Ok(())
        })
    }

    /// Whether the load still runs; it ends by itself only by a fault of its own.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Sends no more, waits for the answers that are due, up to the configured patience, and
    /// gives the ledger. What was not answered is [`crate::Outcome::Unknown`].
    ///
    /// # Errors
    /// The ledger could not be written.
    pub fn stop(self) -> Result<Finished> {
        self.stop.send_replace(true);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("the load died"))?
    }
}

async fn run(config: &LoadConfig, book: Book, stopped: &watch::Receiver<bool>) -> Result<Finished> {
    let bodies = Bodies::new(config.body_bytes, config.seed);
    let book = RefCell::new(book);
    let start_ns = clock::now();
    let cpu = clock::thread_cpu();
    let producers = (0..config.producers).map(|place| {
        let mut producer = Producer::new(config, place, start_ns, &bodies, &book, stopped.clone())?;
        anyhow::Ok(async move { producer.run().await })
    });
    let producers: Vec<_> = producers.collect::<Result<_>>()?;
    join_all(producers).await;
    let cpu = clock::thread_cpu().saturating_sub(cpu);
    book.into_inner().finish(start_ns, cpu)
}
