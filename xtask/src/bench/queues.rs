//! `cargo xtask bench queues`: what very many queues cost, beside few, in one run.

use super::process::status_mib;
use anyhow::{Context as _, Result};
use clap::Args;
use compat_tests::gantry::Gantry;
use mqload::{Load, LoadConfig, Protocol, Sink, Target};
use std::fs;
use std::time::Duration;

/// Queues of one topic.
const TOPIC_QUEUES: u32 = 4_000;
const FEW: u32 = 16;
const BATCH: u32 = 16;

#[derive(Debug, Args)]
pub(crate) struct Queues {
    /// Queues of all topics together.
    #[arg(long, default_value_t = 50_000)]
    queues: u32,
    /// How long each turn takes.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Turns of each, alternating.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Messages a request.
    #[arg(long, default_value_t = BATCH)]
    batch: u32,
}

/// Loads few queues and many in turn.
pub(crate) fn run(queues: &Queues) -> Result<()> {
    super::build()?;
    let gantry = Gantry::start_as_shipped(&[
        "store.disk_force_clean_percent=0",
        "store.disk_read_only_percent=0",
    ])?;
    let target = |topic: String, queues| {
        Ok::<_, anyhow::Error>(Target {
            protocol: Protocol::Kafka,
            address: gantry.kafka()?,
            topic,
            queues,
        })
    };
    let topics = queues.queues.div_ceil(TOPIC_QUEUES);
    let many: Vec<Target> = (0..topics)
        .map(|number| {
            let left = queues.queues - number * TOPIC_QUEUES;
            target(format!("many-{number}"), left.min(TOPIC_QUEUES))
        })
        .collect::<Result<_>>()?;
    // As many topics and connections, so that the queues alone differ.
    let few: Vec<Target> = (0..topics)
        .map(|number| target(format!("few-{number}"), FEW.div_ceil(topics).max(1)))
        .collect::<Result<_>>()?;
    for target in many.iter().chain(&few) {
        mqload::create_topic(target)?;
    }
    println!(
        "{:<8} {:>12} {:>8} {:>9} {:>9}",
        "queues", "messages/s", "fds", "RSS MiB", "anon MiB"
    );
    let pid = gantry.pid()?;
    for round in 0..queues.rounds {
        for (name, targets) in [("few", &few), ("many", &many)] {
            let rate = turn(targets, queues, round)?;
            let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
            println!(
                "{name:<8} {rate:>12.0} {descriptors:>8} {:>9.0} {:>9.0}",
                status_mib(pid, "VmRSS:")?,
                status_mib(pid, "RssAnon:")?,
            );
        }
    }
    Ok(())
}

/// Messages a second of one producer a target.
fn turn(targets: &[Target], queues: &Queues, round: u32) -> Result<f64> {
    let started: Vec<Load> = targets
        .iter()
        .map(|target| {
            let config = LoadConfig {
                first_producer: round,
                in_flight: 4,
                batch: queues.batch,
                ..LoadConfig::new(target.clone())
            };
            Load::start(config, Sink::Memory)
        })
        .collect::<Result<_>>()?;
    std::thread::sleep(Duration::from_secs(queues.seconds));
    let finished = started.into_iter().map(Load::stop);
    let rates = finished.map(|finished| Ok(finished?.figures.rate()));
    let rates: Vec<f64> = rates.collect::<Result<_>>()?;
    rates.first().context("no loads")?;
    Ok(rates.iter().sum())
}
