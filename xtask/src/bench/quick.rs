//! `cargo xtask bench quick`: a look at both protocols.

use super::measure::measure;
use super::server::Server;
use super::workload::Workload;
use super::{Peer, build};
use crate::install;
use anyhow::Result;
use clap::Args;
use compat_tests::clients::{Installed, NEWEST_ROCKETMQ};

#[derive(Debug, Args)]
pub(crate) struct Quick {
    /// About how long each workload takes.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Also run the original broker, taking turns.
    #[arg(long)]
    peer: Vec<Peer>,
    /// Leave gantry out: only the original brokers.
    #[arg(long, requires = "peer")]
    peers_only: bool,
    /// How many times each server takes its turn.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Only the workloads whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

/// Runs the servers in turn.
pub(crate) fn run(quick: &Quick) -> Result<()> {
    install::install(Installed::KafkaTools)?;
    install::install(Installed::RocketmqBenchmark)?;
    install::install(Installed::Rocketmq(NEWEST_ROCKETMQ))?;
    for peer in &quick.peer {
        install::install(match peer {
            Peer::Kafka => Installed::KafkaBroker,
            Peer::Rocketmq => Installed::RocketmqBroker,
            Peer::Rabbitmq => Installed::RabbitmqBroker,
        })?;
    }
    if !quick.peers_only {
        build()?;
    }
    println!(
        "{:<10} {:<38} {:>12} {:>16} {:>9} {:>9}",
        "server", "workload", "messages/s", "CPU µs/message", "RSS MiB", "anon MiB"
    );
    for _ in 0..quick.rounds {
        if !quick.peers_only {
            turn(&Server::gantry()?, quick)?;
        }
        for peer in &quick.peer {
            turn(&Server::peer(*peer)?, quick)?;
        }
    }
    Ok(())
}

/// One server does every workload of the protocols it speaks.
fn turn(server: &Server, quick: &Quick) -> Result<()> {
    let chosen = Workload::QUICK
        .iter()
        .filter(|workload| server.speaks(workload.protocol()))
        .filter(|workload| workload.name().contains(&quick.only));
    for workload in chosen {
        let figures = measure(server, *workload, quick.seconds)?;
        println!(
            "{:<10} {:<38} {:>12.0} {:>16.2} {:>9.0} {:>9.0}",
            server.name(),
            workload.name(),
            figures.rate,
            figures.cpu_micros,
            figures.rss_mib,
            figures.anonymous_mib,
        );
    }
    Ok(())
}
