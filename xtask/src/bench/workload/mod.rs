//! What the stock tools are asked to do, in one place so that every server is asked the same.

mod kafka;
mod rabbitmq;
mod rocketmq;

pub(crate) use rocketmq::QUEUES;

use anyhow::{Context as _, Result};
use compat_tests::lines::Event;
use std::process::Command;
use std::time::Duration;

/// Bytes of a message's body.
const BODY: u64 = 1024;

/// Whose tools do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Kafka's.
    Kafka,
    /// RocketMQ's.
    Rocketmq,
    /// RabbitMQ's.
    Amqp,
}

/// One thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// ProducerPerformance.
    KafkaProduce,
    /// ConsumerPerformance over what the producer left.
    KafkaConsume,
    /// The stock benchmark's Producer.
    RocketmqProduce,
    /// The stock benchmark's BatchProducer.
    RocketmqBatch,
    /// The stock benchmark's TransactionProducer.
    RocketmqTransaction,
    /// The stock push consumer over what the producers left, with the settings of the benchmark's
    /// Consumer.
    RocketmqConsume,
    /// The same, popping.
    RocketmqPop,
    /// PerfTest with publisher confirms.
    RabbitmqConfirmed,
    /// The same, of persistent messages in a durable queue.
    RabbitmqPersistent,
    /// PerfTest without confirms.
    RabbitmqPlain,
}

/// How it is known how much a tool did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// It moves as many messages as it is told and says how fast. So many a second of the bench
    /// it is told, fixed, so that every server moves the same.
    Told { messages_a_second: u64 },
    /// It is told how many messages there are of this topic, but so many a second at most.
    Backlog {
        topic: &'static str,
        messages_a_second: u64,
    },
    /// It goes on until it is ended; what it did is counted in this topic.
    Grown { topic: &'static str },
}

impl Workload {
    /// A look at everything, in the order they run: each consumer reads what the producer before
    /// it wrote.
    pub(crate) const QUICK: &[Self] = &[
        Self::KafkaProduce,
        Self::KafkaConsume,
        Self::RocketmqProduce,
        Self::RocketmqConsume,
    ];
    /// What RocketMQ's own benchmarks do, in the order they run.
    pub(crate) const ROCKETMQ: &[Self] = &[
        Self::RocketmqProduce,
        Self::RocketmqBatch,
        Self::RocketmqTransaction,
        Self::RocketmqConsume,
        Self::RocketmqPop,
    ];

    /// What PerfTest does, in the order it runs.
    pub(crate) const RABBITMQ: &[Self] = &[
        Self::RabbitmqConfirmed,
        Self::RabbitmqPersistent,
        Self::RabbitmqPlain,
    ];

    /// What the figures call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::KafkaProduce => "kafka produce 1 KiB, acks=1, 128 KiB",
            Self::KafkaConsume => "kafka consume 1 KiB",
            Self::RocketmqProduce => "rocketmq produce 1 KiB, 64 threads",
            Self::RocketmqBatch => "rocketmq produce 8 x 16 x 1 KiB",
            Self::RocketmqTransaction => "rocketmq transactions 1 KiB",
            Self::RocketmqConsume => "rocketmq consume 1 KiB, push",
            Self::RocketmqPop => "rocketmq consume 1 KiB, pop",
            Self::RabbitmqConfirmed => "amqp 12 B, confirms",
            Self::RabbitmqPersistent => "amqp persistent 1 KiB, confirms",
            Self::RabbitmqPlain => "amqp 12 B, no confirms",
        }
    }

    /// Whose tools do it.
    pub(crate) const fn protocol(self) -> Protocol {
        match self {
            Self::KafkaProduce | Self::KafkaConsume => Protocol::Kafka,
            Self::RocketmqProduce
            | Self::RocketmqBatch
            | Self::RocketmqTransaction
            | Self::RocketmqConsume
            | Self::RocketmqPop => Protocol::Rocketmq,
            Self::RabbitmqConfirmed | Self::RabbitmqPersistent | Self::RabbitmqPlain => {
                Protocol::Amqp
            }
        }
    }

    /// How it is known how much its tool did.
    pub(crate) const fn measure(self) -> Measure {
        match self {
            Self::KafkaProduce | Self::KafkaConsume => Measure::Told {
                messages_a_second: 150_000,
            },
            Self::RabbitmqConfirmed | Self::RabbitmqPersistent | Self::RabbitmqPlain => {
                Measure::Told {
                    messages_a_second: 30_000,
                }
            }
            Self::RocketmqProduce | Self::RocketmqBatch => Measure::Grown {
                topic: rocketmq::TOPIC,
            },
            Self::RocketmqTransaction => Measure::Grown {
                topic: rocketmq::TRANSACTIONS,
            },
            Self::RocketmqConsume => Measure::Backlog {
                topic: rocketmq::TOPIC,
                messages_a_second: 60_000,
            },
            Self::RocketmqPop => Measure::Backlog {
                topic: rocketmq::TOPIC,
                messages_a_second: 10_000,
            },
        }
    }

    /// What a message may cost gantry at most, as a part of what it costs the original.
    pub(crate) const fn cpu_mark(self) -> Option<f64> {
        match self {
            Self::RocketmqProduce | Self::RocketmqConsume => Some(1.0 / 3.0),
            Self::RocketmqBatch => Some(1.0 / 5.0),
            Self::RabbitmqConfirmed | Self::RabbitmqPlain => Some(1.0 / 3.5),
            Self::RabbitmqPersistent => Some(1.0 / 6.0),
            Self::KafkaProduce
            | Self::KafkaConsume
            | Self::RocketmqTransaction
            | Self::RocketmqPop => None,
        }
    }

    /// What makes the topics and groups of this workload ready, where its tool does not.
    pub(crate) fn preparations(self, address: &str) -> Vec<Command> {
        match self {
            Self::KafkaProduce => vec![kafka::create_topic(address)],
            Self::RocketmqProduce | Self::RocketmqBatch => {
                vec![rocketmq::create_topic(address, rocketmq::TOPIC)]
            }
            Self::RocketmqTransaction => {
                vec![rocketmq::create_topic(address, rocketmq::TRANSACTIONS)]
            }
            Self::RocketmqPop => vec![rocketmq::set_popped(address)],
            Self::KafkaConsume
            | Self::RocketmqConsume
            | Self::RabbitmqConfirmed
            | Self::RabbitmqPersistent
            | Self::RabbitmqPlain => Vec::new(),
        }
    }

    /// The tool, told to move `messages` if it can be told.
    pub(crate) fn command(self, address: &str, messages: u64) -> Command {
        match self {
            Self::KafkaProduce => kafka::produce(address, messages),
            Self::KafkaConsume => kafka::consume(address, messages),
            Self::RocketmqProduce => rocketmq::produce(address),
            Self::RocketmqBatch => rocketmq::produce_batches(address),
            Self::RocketmqTransaction => rocketmq::transact(address),
            Self::RocketmqConsume => rocketmq::consume(address, messages),
            Self::RocketmqPop => rocketmq::pop(address, messages),
            Self::RabbitmqConfirmed => rabbitmq::confirmed(address, messages),
            Self::RabbitmqPersistent => rabbitmq::persistent(address, messages),
            Self::RabbitmqPlain => rabbitmq::plain(address, messages),
        }
    }

    /// Messages per second out of what the tool printed.
    pub(crate) fn rate(self, printed: &[String]) -> Result<f64> {
        let rate = match self {
            // "1500000 records sent, 182415.176943 records/sec (178.14 MB/sec), …"
            Self::KafkaProduce => printed
                .iter()
                .rev()
                .find_map(|line| line.split_once(" records sent, ")?.1.split(' ').next()),
            // A table with commas; the sixth column counts messages per second.
            Self::KafkaConsume => printed.last().and_then(|line| line.split(", ").nth(5)),
            Self::RocketmqConsume | Self::RocketmqPop => return drained(printed),
            // "id: test-…, receiving rate avg: 36123 msg/s"
            Self::RabbitmqConfirmed | Self::RabbitmqPersistent | Self::RabbitmqPlain => printed
                .iter()
                .find_map(|line| line.split_once("receiving rate avg: ")?.1.split(' ').next()),
            Self::RocketmqProduce | Self::RocketmqBatch | Self::RocketmqTransaction => None,
        };
        let rate = rate.with_context(|| format!("no figures in {printed:?}"))?;
        rate.trim()
            .parse()
            .with_context(|| format!("not a rate: {rate}"))
    }
}

/// The rate of the program that consumes and counts.
fn drained(printed: &[String]) -> Result<f64> {
    let events = printed.iter().filter_map(|line| Event::parse(line));
    let mut figures = events.filter(|event| event.name() == "drained");
    let figures = figures.next().context("no figures")?;
    let count = figures.number("count").context("no count")?;
    let micros = figures.number("micros").context("no time")?;
    let elapsed = Duration::from_micros(u64::try_from(micros)?);
    Ok(f64::from(u32::try_from(count)?) / elapsed.as_secs_f64())
}
