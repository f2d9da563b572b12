//! `cargo xtask bench restart`: how long a log of some size takes to serve again, after a stop and
//! after `kill -9`, until a message is taken and one is read.

use super::load;
use crate::command;
use anyhow::{Context as _, Result};
use clap::Args;
use compat_tests::gantry::Gantry;
use compat_tests::paths;
use compat_tests::process::now;
use mqload::{Load, LoadConfig, Protocol, Sink, Target};
use std::process::Command;
use std::time::Duration;

const TOPIC: &str = "large";
const QUEUES: u32 = 8;
const BODY_BYTES: usize = 16 << 10;
const BATCH: u32 = 16;
const PATIENCE: Duration = Duration::from_secs(1800);

#[derive(Debug, Args)]
pub(crate) struct Restart {
    /// Sizes of the log in GB, one after the other in the same store.
    #[arg(long, value_delimiter = ',', default_value = "1,30")]
    gigabytes: Vec<u64>,
    /// How often it is stopped, and how often killed, at each size.
    #[arg(long, default_value_t = 5)]
    times: u32,
}

/// Fills, stops, kills and starts.
pub(crate) fn run(restart: &Restart) -> Result<()> {
    super::build()?;
    // Whatever this disk is used for otherwise.
    let mut gantry = Gantry::start_as_shipped(&[
        "store.disk_force_clean_percent=0",
        "store.disk_read_only_percent=0",
    ])?;
    let target = Target {
        protocol: Protocol::Kafka,
        address: gantry.kafka()?,
        topic: TOPIC.to_owned(),
        queues: QUEUES,
    };
    mqload::create_topic(&target)?;
    let mut written = 0;
    println!(
        "{:>6} {:>8} {:>14} {:>14}",
        "GB", "end", "median ms", "slowest ms"
    );
    for gigabytes in &restart.gigabytes {
        let wanted = gigabytes * 1_000_000_000;
        fill(&target, wanted.saturating_sub(written))?;
        written = wanted.max(written);
        // What the load left to be written back is no part of a restart.
        command::run(&mut Command::new("sync"))?;
        for is_clean in [true, false] {
            let mut times = Vec::new();
            for _ in 0..restart.times {
                if is_clean {
                    gantry.stop()?;
                } else {
                    // What a kill finds: the open stretch is scanned again.
                    gantry.kill()?;
                }
                let began = now();
                gantry.restart()?;
                load::one(&target)?;
                read_one(&gantry)?;
                times.push(began.elapsed());
            }
            times.sort_unstable();
            let median = times.get(times.len() / 2).context("no times")?;
            let slowest = times.last().context("no times")?;
            println!(
                "{gigabytes:>6} {:>8} {:>14} {:>14}",
                if is_clean { "stop" } else { "kill -9" },
                median.as_millis(),
                slowest.as_millis(),
            );
        }
    }
    Ok(())
}

fn fill(target: &Target, bytes: u64) -> Result<()> {
    let load = Load::start(
        LoadConfig {
            producers: 2,
            in_flight: 4,
            body_bytes: BODY_BYTES,
            batch: BATCH,
            ..LoadConfig::new(target.clone())
        },
        Sink::Memory,
    )?;
    load.wait_for(bytes / BODY_BYTES as u64, PATIENCE)?;
    load.stop()?;
    Ok(())
}

/// The first message of the log, with the server's own command.
fn read_one(gantry: &Gantry) -> Result<()> {
    let binary = paths::gantry_binary().context("no gantry binary")?;
    let mut consume = Command::new(binary);
    consume.args([
        "consume",
        TOPIC,
        "--from-beginning",
        "--count",
        "1",
        "--json",
    ]);
    consume.args(["--broker", &gantry.kafka()?]);
    command::output(&mut consume)?;
    Ok(())
}
