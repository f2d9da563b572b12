//! Kafka's tools.

use super::BODY;
use compat_tests::clients::{self, Jvm};
use std::process::Command;

const TOPIC: &str = "bench-kafka";

pub(super) fn create_topic(address: &str) -> Command {
    let mut topic = clients::kafka_tool(Jvm::Brief, "org.apache.kafka.tools.TopicCommand");
    topic.args(["--bootstrap-server", address, "--create", "--if-not-exists"]);
    topic.args(["--topic", TOPIC, "--partitions", "8"]);
    topic
}

pub(super) fn produce(address: &str, messages: u64) -> Command {
    let class = "org.apache.kafka.tools.ProducerPerformance";
    let mut tool = clients::kafka_tool(Jvm::Steady, class);
    tool.args(["--topic", TOPIC, "--num-records", &messages.to_string()]);
    tool.args(["--record-size", &BODY.to_string(), "--throughput", "-1"]);
    tool.arg("--producer-props");
    tool.arg(format!("bootstrap.servers={address}"));
    tool.args(["acks=1", "batch.size=131072", "linger.ms=5"]);
    tool.arg("buffer.memory=67108864");
    tool
}

pub(super) fn consume(address: &str, messages: u64) -> Command {
    let class = "org.apache.kafka.tools.ConsumerPerformance";
    let mut tool = clients::kafka_tool(Jvm::Steady, class);
    tool.args(["--bootstrap-server", address, "--topic", TOPIC]);
    tool.args(["--num-records", &messages.to_string()]);
    tool
}
