//! `cargo xtask bench rocketmq`: RocketMQ's own benchmarks against gantry and the original, taking
//! turns, and the ratio of what a message costs each.

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
pub(crate) struct Rocketmq {
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

/// Runs both in turn and compares them.
pub(crate) fn run(rocketmq: &Rocketmq) -> Result<()> {
    install::install(Installed::RocketmqBenchmark)?;
    install::install(Installed::Rocketmq(NEWEST_ROCKETMQ))?;
    install::install(Installed::RocketmqBroker)?;
    build()?;
    println!(
        "{:<10} {:<36} {:>11} {:>15} {:>8} {:>9} {:>9}",
        "server", "workload", "messages/s", "CPU µs/message", "RSS MiB", "peak MiB", "anon MiB"
    );
    let (mut ours, mut theirs) = (Rounds::new(), Rounds::new());
    for round in 0..rocketmq.rounds {
        // Whoever comes second finds a machine that was used.
        for is_ours in [round % 2 == 0, round % 2 != 0] {
            if is_ours {
                turn(&Server::gantry()?, rocketmq, &mut ours)?;
            } else {
                turn(&Server::peer(Peer::Rocketmq)?, rocketmq, &mut theirs)?;
            }
        }
    }
    println!();
    compare(&ours, &theirs);
    Ok(())
}

/// One server does every workload.
fn turn(server: &Server, rocketmq: &Rocketmq, rounds: &mut Rounds) -> Result<()> {
    let chosen = Workload::ROCKETMQ.iter().enumerate();
    for (place, workload) in chosen.filter(|(_, one)| one.name().contains(&rocketmq.only)) {
        let figures = measure(server, *workload, rocketmq.seconds)?;
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
fn compare(ours: &Rounds, theirs: &Rounds) {
    println!(
        "{:<36} {:>11} {:>15} {:>9} {:>9} {:>9}",
        "gantry / rocketmq", "messages/s", "CPU a message", "mark", "peak MiB", "mark"
    );
    for (place, workload) in Workload::ROCKETMQ.iter().enumerate() {
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
