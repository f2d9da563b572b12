//! `kill -9` at random times, each time with the other way to flush.

use super::random::Random;
use super::traffic::{Addresses, Besides, Pace, TOPICS, Traffic};
use super::{deliveries, in_directory, listeners, transactions};
use anyhow::{Context as _, Result};
use compat_tests::gantry::Gantry;
use compat_tests::process::now;
use mqload::{Protocol, create_topic};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// What lets segments roll and index files and snapshots be written between two kills.
const SETTINGS: [&str; 4] = [
    "store.segment_bytes=8388608",
    "store.stretch_bytes=1048576",
    "store.retention_ms=0",
    // Others may fill the disk.
    "store.disk_force_clean_percent=0",
];
const PACE: Pace = Pace {
    rate: 700,
    body_bytes: 1_000,
};
/// Kills between two looks at what is there.
const KILLS_A_CHECK: u32 = 25;

/// Kills the server `binary`.
pub(crate) fn run(binary: &Path, kills: u32, random: &mut Random) -> Result<()> {
    in_directory(|directory| kill(binary, directory, kills, random).context("kills"))
}

fn kill(binary: &Path, directory: &Path, kills: u32, random: &mut Random) -> Result<()> {
    let began = now();
    let mut settings = listeners::settings()?;
    settings.extend(SETTINGS.map(str::to_owned));
    settings.extend(transactions::SETTINGS.map(str::to_owned));
    settings.extend(deliveries::SETTINGS.map(str::to_owned));
    let mut gantry = Gantry::start_at(binary, directory, &settings)?;
    let addresses = Addresses::of(&gantry)?;
    for topic in TOPICS {
        create_topic(&addresses.target(Protocol::Kafka, topic))?;
    }
    let mut traffic = Traffic::start_with(&gantry, PACE, Besides::Deliveries)?;
    let mut slowest = Duration::ZERO;
    for kill in 1..=kills {
        thread::sleep(random.millis(100, 1_000));
        gantry.kill()?;
        traffic.was_killed();
        let flush = if kill % 2 == 0 { "async" } else { "sync" };
        gantry.set("store.flush", flush);
        let down = now();
        gantry.restart()?;
        traffic.wait_for_more().with_context(|| gantry.log())?;
        slowest = slowest.max(down.elapsed());
        if kill % KILLS_A_CHECK == 0 && kill < kills {
            let report = traffic.check().with_context(|| gantry.log())?;
            println!("{kill} kills: {}", report.stored);
            traffic.go_on()?;
        }
    }
    let report = traffic.finish().with_context(|| gantry.log())?;
    println!(
        "kills: {kills}, at most {} ms from a start to an acknowledgement, {} s\n{report}",
        slowest.as_millis(),
        began.elapsed().as_secs()
    );
    Ok(())
}
