//! A consumer as a load, that sends back some of what it gets: it is to come again, and not for
//! ever.

mod consumer;

use crate::clock;
use crate::ledger::{Heading, Ledger, Recorder, Sink};
use crate::target::{Protocol, Target};
use anyhow::{Result, anyhow, ensure};
use consumer::Consumer;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::watch;

/// The topic of what `group` has sent back.
fn retry_topic(group: &str) -> String {
    format!("%RETRY%{group}")
}

/// A load of messages that are sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetriesConfig {
    /// Where the messages are.
    pub target: Target,
    /// The group. All who send back in it must have ledgers, and it has one member at a time.
    pub group: String,
    /// RocketMQ's delay level of what is sent back.
    pub delay_level: i32,
    /// What that level stands for, milliseconds.
    pub delay_ms: u32,
    /// How often a message comes before it is a dead letter.
    pub attempts_max: u16,
    /// How long [`Retries::stop`] waits for what is to come.
    pub patience: Duration,
}

impl RetriesConfig {
    /// Three attempts, a second apart.
    #[must_use]
    pub fn new(target: Target, group: &str) -> Self {
        Self {
            target,
            group: group.to_owned(),
            delay_level: 1,
            delay_ms: 1_000,
            attempts_max: 3,
            patience: Duration::from_secs(60),
        }
    }
}

/// A running consumer, on a thread of its own, of what is sent from when it starts.
///
/// Whether a message is sent back is decided by its number and by how often it came: most are
/// consumed, some the second or third time, and some never.
#[derive(Debug)]
pub struct Retries {
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<Ledger>>,
}

impl Retries {
    /// Finds the ends of the topic's queues, and starts the consumer there. It goes on through any
    /// failure of the broker.
    ///
    /// # Errors
    /// The target is of another protocol, the broker cannot be reached, or the ledger cannot be
    /// written.
    pub fn start(config: RetriesConfig, sink: Sink) -> Result<Self> {
        ensure!(
            config.target.protocol == Protocol::Rocketmq,
            "only RocketMQ's clients send back"
        );
        let heading = Heading {
            clock: clock::id(),
            topic: config.target.topic.clone(),
            group: config.group.clone(),
            ..Heading::default()
        };
        let recorder = Recorder::start(sink, &heading)?;
        let (stop, stopped) = watch::channel(false);
        let runtime = crate::alone()?;
        let mut consumer = runtime.block_on(Consumer::new(config, recorder, stopped))?;
        let thread = thread::Builder::new().name("retries".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(consumer.run());
            consumer.finish()
        })?;
        Ok(Self { stop, thread })
    }

    /// Goes on until all has come that is to come, and gives the ledger. Nothing more should be
    /// sent by then.
    ///
    /// # Errors
    /// The ledger could not be written.
    pub fn stop(self) -> Result<Ledger> {
        self.stop.send_replace(true);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("the consumer died"))?
    }
}
