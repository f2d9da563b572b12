//! RabbitMQ's PerfTest: one producer, one consumer, as many messages as it is told.

use super::BODY;
use compat_tests::clients;
use std::process::Command;

/// Messages a producer has published before the first of them is confirmed.
const UNCONFIRMED: &str = "192";

pub(super) fn confirmed(address: &str, messages: u64) -> Command {
    let mut tool = plain(address, messages);
    tool.args(["-c", UNCONFIRMED]);
    tool
}

pub(super) fn persistent(address: &str, messages: u64) -> Command {
    let mut tool = confirmed(address, messages);
    tool.args(["-s", &BODY.to_string(), "-f", "persistent"]);
    tool.args(["-u", "bench", "-ad", "false"]);
    tool
}

pub(super) fn plain(address: &str, messages: u64) -> Command {
    let mut tool = clients::rabbitmq_perftest();
    tool.arg("--uri")
        .arg(format!("amqp://guest:guest@{address}"));
    tool.args([
        "-x",
        "1",
        "-y",
        "1",
        "-q",
        "200",
        "--multi-ack-every",
        "100",
    ]);
    let messages = messages.to_string();
    tool.args(["-C", &messages, "-D", &messages]);
    tool
}
