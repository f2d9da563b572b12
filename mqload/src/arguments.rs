//! What can be said on the command line.

use clap::{Args, Parser, Subcommand};
use mqload::{Acks, Delay, LoadConfig, Protocol, Sink, Target};
use std::path::PathBuf;
use std::time::Duration;

/// An open-loop load for brokers of Kafka's and RocketMQ's protocols, with a ledger, and the
/// checker of what the broker kept.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sends messages on schedule and writes down what each was answered.
    Run(Run),
    /// Commits a group's offsets and looks at them.
    Commit(Commit),
    /// Reads a topic and writes down what is there.
    Drain(Drain),
    /// Holds ledgers against drains; ends with 1 when there is something to say.
    Check(Check),
}

/// A topic of a broker.
#[derive(Debug, Args)]
pub(crate) struct TargetArguments {
    /// What the broker is spoken to in.
    #[arg(long)]
    protocol: Protocol,
    /// Kafka's bootstrap, or RocketMQ's NameServer.
    #[arg(long)]
    address: String,
    /// The topic.
    #[arg(long)]
    topic: String,
    /// Its queues (partitions).
    #[arg(long, default_value_t = 4)]
    queues: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    target: TargetArguments,
    /// Messages a second in total; 0: as many as may be in flight.
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// How long messages are sent.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) seconds: f64,
    /// How long messages are sent before those that count; they have their own ledger, FILE.warm.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) warm_up_seconds: f64,
    /// Connections that send.
    #[arg(long, default_value_t = 1)]
    producers: u32,
    /// The first producer's number, which no other load of the topic may have.
    #[arg(long, default_value_t = 0)]
    first_producer: u32,
    /// Bytes of a body.
    #[arg(long, default_value_t = 1024)]
    bytes: usize,
    /// Messages of a request.
    #[arg(long, default_value_t = 1)]
    batch: u32,
    /// Unanswered requests of a producer.
    #[arg(long, default_value_t = 8)]
    in_flight: u32,
    /// Kafka: number the batches and send unanswered ones again.
    #[arg(long)]
    idempotent: bool,
    /// RocketMQ: have the broker hold each message back for so long.
    #[arg(long, default_value_t = 0)]
    delay_ms: u32,
    /// RocketMQ: the longest delay is so much longer, and each message has its own.
    #[arg(long, default_value_t = 0)]
    delay_span_ms: u32,
    /// Kafka: what an acknowledgement waits for.
    #[arg(long, value_enum, default_value_t = Acks::All)]
    acks: Acks,
    /// Microseconds before a send that are spent turning instead of sleeping.
    #[arg(long, default_value_t = 0)]
    spin_us: u64,
    /// How long an answer may take.
    #[arg(long, default_value_t = 10.0)]
    patience_seconds: f64,
    /// Of the bodies' filler.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the ledger goes.
    #[arg(long)]
    pub(crate) ledger: Option<PathBuf>,
    /// Create the topic first.
    #[arg(long)]
    pub(crate) create: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Commit {
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    /// A new group.
    #[arg(long)]
    pub(crate) group: String,
    /// Milliseconds between two commits.
    #[arg(long, default_value_t = 10)]
    pub(crate) interval_ms: u64,
    /// How long.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) seconds: f64,
    /// Where the ledger goes.
    #[arg(long)]
    pub(crate) ledger: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Drain {
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    /// Where what was seen goes.
    #[arg(long)]
    pub(crate) seen: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Ledgers, all of the topic's.
    #[arg(long = "ledger", num_args = 1.., required = true)]
    pub(crate) ledgers: Vec<PathBuf>,
    /// Drains of the topic.
    #[arg(long, num_args = 1..)]
    pub(crate) seen: Vec<PathBuf>,
    /// An instant at which the broker was cut off, in nanoseconds since 1970.
    #[arg(long = "cut-ns")]
    pub(crate) cuts_ns: Vec<u64>,
    /// A cut may take messages acknowledged up to this long before it.
    #[arg(long, default_value_t = 0)]
    pub(crate) lose_ms: u64,
    /// A cut may take commits acknowledged up to this long before it.
    #[arg(long, default_value_t = 0)]
    pub(crate) forget_ms: u64,
    /// A cut may take acknowledgements under leases answered up to this long before it.
    #[arg(long, default_value_t = 0)]
    pub(crate) release_ms: u64,
    /// Messages one producer sent without waiting may overtake each other.
    #[arg(long)]
    pub(crate) may_overtake: bool,
}

impl TargetArguments {
    pub(crate) fn target(&self) -> Target {
        Target {
            protocol: self.protocol,
            address: self.address.clone(),
            topic: self.topic.clone(),
            queues: self.queues,
        }
    }
}

impl Run {
    pub(crate) fn config(&self) -> anyhow::Result<LoadConfig> {
        Ok(LoadConfig {
            producers: self.producers,
            first_producer: self.first_producer,
            rate: self.rate,
            in_flight: self.in_flight,
            body_bytes: self.bytes,
            batch: self.batch,
            is_idempotent: self.idempotent,
            delay: Delay {
                least_ms: self.delay_ms,
                span_ms: self.delay_span_ms,
            },
            acks: self.acks,
            spin: Duration::from_micros(self.spin_us),
            patience: Duration::try_from_secs_f64(self.patience_seconds)?,
            seed: self.seed,
            ..LoadConfig::new(self.target.target())
        })
    }

    pub(crate) fn sink(&self) -> Sink {
        self.ledger.clone().map_or(Sink::Memory, Sink::File)
    }
}
