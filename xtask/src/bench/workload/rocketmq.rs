//! RocketMQ's stock benchmarks, and its stock consumer in a program that counts: the benchmark's
//! own says only every ten seconds how fast it is.

use super::BODY;
use compat_tests::clients::{self, Jvm, NEWEST_ROCKETMQ};
use std::process::Command;

/// What producers write and consumers read.
pub(super) const TOPIC: &str = "bench-rocketmq";
/// What transactions end in, when they are committed.
pub(super) const TRANSACTIONS: &str = "bench-transactions";
/// Queues of each.
pub(crate) const QUEUES: u32 = 8;

const MQADMIN: &str = "org.apache.rocketmq.tools.command.MQAdminStartup";
const CLUSTER: &str = "DefaultCluster";
const PULLING: &str = "bench";
const POPPING: &str = "bench-pop";
/// How long a message that was popped stays away: the client's default.
const INVISIBLE_MS: u32 = 60_000;

pub(super) fn create_topic(address: &str, topic: &str) -> Command {
    let queues = QUEUES.to_string();
    let mut admin = admin("updateTopic", address);
    admin.args(["-t", topic, "-r", &queues, "-w", &queues]);
    admin
}

/// Has the broker tell the popping group's members to pop.
pub(super) fn set_popped(address: &str) -> Command {
    let mut admin = admin("setConsumeMode", address);
    admin.args(["-t", TOPIC, "-g", POPPING, "-m", "POP", "-q", "0"]);
    admin
}

fn admin(command: &str, address: &str) -> Command {
    let mut admin = clients::rocketmq_tool(Jvm::Brief, MQADMIN);
    admin.args([command, "-n", address, "-c", CLUSTER]);
    admin
}

pub(super) fn produce(address: &str) -> Command {
    let mut tool = benchmark("Producer", address);
    tool.args(["-t", TOPIC, "-w", "64"]);
    tool
}

pub(super) fn produce_batches(address: &str) -> Command {
    let mut tool = benchmark("BatchProducer", address);
    tool.args(["-t", TOPIC, "-w", "8", "-b", "16"]);
    tool
}

/// Thirty-two threads and no transaction that must be asked after: the tool's defaults.
pub(super) fn transact(address: &str) -> Command {
    let mut tool = benchmark("TransactionProducer", address);
    tool.args(["-t", TRANSACTIONS]);
    tool
}

fn benchmark(name: &str, address: &str) -> Command {
    let class = format!("org.apache.rocketmq.example.benchmark.{name}");
    let mut tool = clients::rocketmq_tool(Jvm::Steady, &class);
    tool.args(["-n", address, "-s", &BODY.to_string()]);
    tool
}

pub(super) fn consume(address: &str, messages: u64) -> Command {
    drain(address, messages, PULLING)
}

pub(super) fn pop(address: &str, messages: u64) -> Command {
    let mut tool = drain(address, messages, POPPING);
    tool.arg(format!("pop={INVISIBLE_MS}"));
    tool
}

fn drain(address: &str, messages: u64, group: &str) -> Command {
    let mut tool = clients::rocketmq_java_for(Jvm::Steady, NEWEST_ROCKETMQ);
    tool.arg("drain").arg(format!("topic={TOPIC}"));
    tool.arg(format!("group={group}"));
    tool.arg(format!("namesrv={address}"));
    tool.arg(format!("count={messages}"));
    tool
}
