//! `cargo xtask bench`: `quick`, `rocketmq` and `rabbitmq` run the stock tools against gantry and, beside it,
//! the original broker; `http` measures OpenMessaging's requests; `restart`, `queues` and `timers` what only
//! size shows.

mod http;
mod load;
mod measure;
mod peer;
mod process;
mod queues;
mod quick;
mod restart;
mod server;
mod timers;
mod versus;
mod workload;

use crate::command;
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use compat_tests::paths;
use std::process::Command;
use versus::Rival;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Produce and consume 1 KiB through both protocols for some seconds each.
    Quick(quick::Quick),
    /// RocketMQ's own benchmarks against gantry and Apache RocketMQ in turn, and how they compare.
    Rocketmq(versus::Versus),
    /// RabbitMQ's PerfTest against gantry and RabbitMQ in turn, and how they compare.
    Rabbitmq(versus::Versus),
    /// Time a log of some gigabytes takes to serve again.
    Restart(restart::Restart),
    /// Throughput, memory and descriptors of very many queues beside few.
    Queues(queues::Queues),
    /// OpenMessaging's requests, and very many live streams.
    Http(http::Http),
    /// Memory and restarts with very many messages that wait for their time, and how late they are
    /// delivered.
    Timers(timers::Timers),
}

/// An original broker to measure beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// Apache Kafka.
    Kafka,
    /// Apache RocketMQ.
    Rocketmq,
    /// RabbitMQ.
    Rabbitmq,
}

/// Runs the bench.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Quick(quick) => quick::run(quick),
        Bench::Rocketmq(versus) => versus::run(versus, Rival::ROCKETMQ),
        Bench::Rabbitmq(versus) => versus::run(versus, Rival::RABBITMQ),
        Bench::Restart(restart) => restart::run(restart),
        Bench::Queues(queues) => queues::run(queues),
        Bench::Http(http) => http::run(http),
        Bench::Timers(timers) => timers::run(timers),
    }
}

/// Builds the server as it is shipped, unless the environment names one.
fn build() -> Result<()> {
    if std::env::var_os(paths::BINARY_VARIABLE).is_some() {
        return Ok(());
    }
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--locked", "--package", "gantry"]);
    command::run(build.current_dir(paths::workspace()))
}
