//! What the stock tools are asked to do, in one place so that every server is asked the same.

use anyhow::{Context as _, Result};
use compat_tests::clients::{self, Jvm, NEWEST_ROCKETMQ};
use compat_tests::lines::Event;
use std::process::Command;
use std::time::Duration;

/// Bytes of a message's body.
const BODY: u64 = 1024;
const MQADMIN: &str = "org.apache.rocketmq.tools.command.MQAdminStartup";

/// Whose tools do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Kafka's.
    Kafka,
    /// RocketMQ's.
    Rocketmq,
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
    /// The stock push consumer over what the producer left.
    RocketmqConsume,
}

impl Workload {
    /// In the order they run: each consumer reads what the producer before it wrote.
    pub(crate) const ALL: [Self; 4] = [
        Self::KafkaProduce,
        Self::KafkaConsume,
        Self::RocketmqProduce,
        Self::RocketmqConsume,
    ];

    /// What the figures call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::KafkaProduce => "kafka produce 1 KiB, acks=1, 128 KiB",
            Self::KafkaConsume => "kafka consume 1 KiB",
            Self::RocketmqProduce => "rocketmq produce 1 KiB, 64 threads",
            Self::RocketmqConsume => "rocketmq consume 1 KiB, push",
        }
    }

    /// Whose tools do it.
    pub(crate) const fn protocol(self) -> Protocol {
        match self {
            Self::KafkaProduce | Self::KafkaConsume => Protocol::Kafka,
            Self::RocketmqProduce | Self::RocketmqConsume => Protocol::Rocketmq,
        }
    }

    /// How many messages take about a second, on the slower of the servers. Fixed, so that every
    /// server moves the same.
    pub(crate) const fn messages_a_second(self) -> u64 {
        match self {
            Self::KafkaProduce | Self::KafkaConsume => 150_000,
            Self::RocketmqProduce | Self::RocketmqConsume => 20_000,
        }
    }

    /// Creates the topic of this workload, where its tool does not.
    pub(crate) fn preparation(self, address: &str) -> Option<Command> {
        match self {
            Self::KafkaProduce => {
                let mut topic =
                    clients::kafka_tool(Jvm::Brief, "org.apache.kafka.tools.TopicCommand");
                topic.args(["--bootstrap-server", address, "--create", "--if-not-exists"]);
                topic.args(["--topic", "bench-kafka", "--partitions", "8"]);
                Some(topic)
            }
            Self::RocketmqProduce => {
                let mut admin = clients::rocketmq_tool(Jvm::Brief, MQADMIN);
                admin.args(["updateTopic", "-n", address, "-c", "DefaultCluster"]);
                admin.args(["-t", "bench-rocketmq", "-r", "8", "-w", "8"]);
                Some(admin)
            }
            Self::KafkaConsume | Self::RocketmqConsume => None,
        }
    }

    /// The tool, told to move `messages`.
    pub(crate) fn command(self, address: &str, messages: u64) -> Command {
        let count = messages.to_string();
        let body = BODY.to_string();
        match self {
            Self::KafkaProduce => {
                let mut tool =
                    clients::kafka_tool(Jvm::Steady, "org.apache.kafka.tools.ProducerPerformance");
                tool.args(["--topic", "bench-kafka", "--num-records", &count]);
                tool.args([
                    "--record-size",
                    &body,
                    "--throughput",
                    "-1",
                    "--producer-props",
                ]);
                tool.arg(format!("bootstrap.servers={address}"));
                tool.args([
                    "acks=1",
                    "batch.size=131072",
                    "linger.ms=5",
                    "buffer.memory=67108864",
                ]);
                tool
            }
            Self::KafkaConsume => {
                let mut tool =
                    clients::kafka_tool(Jvm::Steady, "org.apache.kafka.tools.ConsumerPerformance");
                tool.args(["--bootstrap-server", address, "--topic", "bench-kafka"]);
                tool.args(["--num-records", &count]);
                tool
            }
            Self::RocketmqProduce => {
                let class = "org.apache.rocketmq.example.benchmark.Producer";
                let mut tool = clients::rocketmq_tool(Jvm::Steady, class);
                tool.args([
                    "-n",
                    address,
                    "-t",
                    "bench-rocketmq",
                    "-w",
                    "64",
                    "-s",
                    &body,
                ]);
                tool.args(["-q", &count]);
                tool
            }
            Self::RocketmqConsume => {
                let mut tool = clients::rocketmq_java_for(Jvm::Steady, NEWEST_ROCKETMQ);
                tool.args(["drain", "topic=bench-rocketmq", "group=bench"]);
                tool.arg(format!("namesrv={address}"))
                    .arg(format!("count={count}"));
                tool
            }
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
            // "[Complete] Send Total: 200000 | Send TPS: 19417 | …"
            Self::RocketmqProduce => printed.iter().rev().find_map(|line| {
                let figures = line.strip_prefix("[Complete]")?.split_once("Send TPS: ")?.1;
                figures.split(' ').next()
            }),
            Self::RocketmqConsume => return drained(printed),
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
