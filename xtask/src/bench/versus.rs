//! `cargo xtask bench rocketmq` and `rabbitmq`: an original's own benchmarks against gantry and the
//! original, taking turns, and the ratio of what a message costs each.

use super::measure::{Figures, measure};
use super::server::Server;
use super::workload::Workload;
use super::{Peer, build};
use crate::install;
use anyhow::Result;
use clap::Args;
use compat_tests::clients::{Installed, NEWEST_ROCKETMQ};
use std::collections::BTreeMap;

/// The most resident memory gantry is to take in any of it.
const MEMORY_MARK_MIB: f64 = 150.0;

#[derive(Debug, Args)]
pub(crate) struct Versus {
    /// About how long each workload takes, besides the time its tool takes to climb.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How many times each server takes its turn, on a new store.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only the workloads whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

/// Figures of each workload, by its place in the order, of one server.
type Rounds = BTreeMap<usize, Vec<Figures>>;

/// An original, and what its own benchmarks do.
#[derive(Clone, Copy)]
pub(crate) struct Rival {
    peer: Peer,
    workloads: &'static [Workload],
    needs: &'static [Installed],
}

impl Rival {
    /// Apache RocketMQ.
    pub(crate) const ROCKETMQ: Self = Self {
        peer: Peer::Rocketmq,
        workloads: Workload::ROCKETMQ,
        needs: &[
            Installed::RocketmqBenchmark,
            Installed::Rocketmq(NEWEST_ROCKETMQ),
            Installed::RocketmqBroker,
        ],
    };
    /// RabbitMQ.
    pub(crate) const RABBITMQ: Self = Self {
        peer: Peer::Rabbitmq,
        workloads: Workload::RABBITMQ,
        needs: &[Installed::RabbitmqPerftest, Installed::RabbitmqBroker],
    };
}

/// Runs both in turn and compares them.
pub(crate) fn run(versus: &Versus, rival: Rival) -> Result<()> {
    for client in rival.needs {
        install::install(*client)?;
    }
    build()?;
    println!(
        "{:<10} {:<36} {:>11} {:>15} {:>8} {:>9} {:>9}",
        "server", "workload", "messages/s", "CPU µs/message", "RSS MiB", "peak MiB", "anon MiB"
    );
    let (mut ours, mut theirs) = (Rounds::new(), Rounds::new());
    for round in 0..versus.rounds {
        // Whoever comes second finds a machine that was used.
        for is_ours in [round % 2 == 0, round % 2 != 0] {
            if is_ours {
                turn(&Server::gantry()?, rival, versus, &mut ours)?;
            } else {
                turn(&Server::peer(rival.peer)?, rival, versus, &mut theirs)?;
            }
        }
    }
    println!();
    compare(rival, &ours, &theirs);
    Ok(())
}

/// One server does every workload.
fn turn(server: &Server, rival: Rival, versus: &Versus, rounds: &mut Rounds) -> Result<()> {
    let chosen = rival.workloads.iter().enumerate();
    for (place, workload) in chosen.filter(|(_, one)| one.name().contains(&versus.only)) {
        let figures = measure(server, *workload, versus.seconds)?;
        println!(
            "{:<10} {:<36} {:>11.0} {:>15.2} {:>8.0} {:>9.0} {:>9.0}",
            server.name(),
            workload.name(),
            figures.rate,
            figures.cpu_micros,
            figures.rss_mib,
            figures.peak_mib,
            figures.anonymous_mib,
        );
        rounds.entry(place).or_default().push(figures);
    }
    Ok(())
}

/// Medians of the rounds beside each other, and what they are to be.
fn compare(rival: Rival, ours: &Rounds, theirs: &Rounds) {
    println!(
        "{:<36} {:>11} {:>15} {:>9} {:>9} {:>9}",
        "gantry / original", "messages/s", "CPU a message", "mark", "peak MiB", "mark"
    );
    for (place, workload) in rival.workloads.iter().enumerate() {
        let (Some(ours), Some(theirs)) = (ours.get(&place), theirs.get(&place)) else {
            continue;
        };
        let ratio = |of: fn(&Figures) -> f64| median(ours, of) / median(theirs, of);
        let cpu = ratio(|figures| figures.cpu_micros);
        let peak = ours.iter().map(|figures| figures.peak_mib);
        let peak = peak.fold(0.0, f64::max);
        println!(
            "{:<36} {:>11.2} {:>15.3} {:>9} {:>9.0} {:>9}",
            workload.name(),
            ratio(|figures| figures.rate),
            cpu,
            workload.cpu_mark().map_or("-", |mark| verdict(cpu <= mark)),
            peak,
            verdict(peak <= MEMORY_MARK_MIB),
        );
    }
}

fn median(figures: &[Figures], of: fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = figures.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

const fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}
