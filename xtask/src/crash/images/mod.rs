//! A power cut's disk: the server's disk is copied in an instant under load, and a server is
//! started on each copy.
//!
//! The disk is a file on a file system that copies files by reference, with a file system of its
//! own in it: a copy is what a disk without a cache of its own had. It is told from the disk as it
//! is: nothing in the page cache that was not written is in it.

mod disk;

use super::random::Random;
use super::traffic::{Addresses, Pace, TOPICS, Traffic};
use super::{in_directory, listeners};
use crate::command;
use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use compat_tests::gantry::Gantry;
use compat_tests::paths;
use compat_tests::process::now;
use disk::Mounted;
use mqload::{Ledger, MessageId, Outcome, Promise, Protocol, Seen, check, clock, create_topic};
use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

const SETTINGS: [&str; 5] = [
    "store.segment_bytes=8388608",
    "store.stretch_bytes=1048576",
    "store.flush_interval_ms=500",
    "store.retention_ms=0",
    "store.disk_force_clean_percent=0",
];
const PACE: Pace = Pace {
    rate: 500,
    body_bytes: 1_000,
};
/// How long before a cut what it takes may have been acknowledged when nothing is flushed for it:
/// the interval, and a flush.
const WINDOW: Duration = Duration::from_millis(1_000);
/// Set in the process that has mounts of its own.
const ALONE: &str = "GANTRY_CRASH_ALONE";

/// When messages are acknowledged: `store.flush`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flush {
    /// When they are on the disk.
    Sync,
    /// When the operating system has them.
    Async,
    /// Half the copies of one, half of the other.
    Both,
}

impl Flush {
    const fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
            Self::Both => "both",
        }
    }
}

/// Starts the server `binary` on copies of its disk.
pub(crate) fn run(
    binary: &Path,
    images: u32,
    flush: Flush,
    seed: u64,
    random: &mut Random,
) -> Result<()> {
    if let Some(obstacle) = disk::obstacle()? {
        println!("SKIPPED: images: {obstacle}");
        return Ok(());
    }
    if !is_alone() {
        return alone(images, flush, seed);
    }
    let modes = match flush {
        Flush::Both => vec![
            (Flush::Sync, images.div_ceil(2)),
            (Flush::Async, images / 2),
        ],
        one => vec![(one, images)],
    };
    for (flush, images) in modes {
        in_directory(|directory| {
            let outer = match disk::outer(directory) {
                Ok(outer) => outer,
                Err(error) if paths::in_ci() => return Err(error),
                Err(error) => {
                    println!("SKIPPED: images: {error:#}");
                    return Ok(());
                }
            };
            let copies = Copies {
                binary,
                outer: outer.path(),
                settings: settings(flush)?,
            };
            copies.run(images, flush, random).context("images")
        })?;
    }
    Ok(())
}

/// Whether this is the process that has mounts of its own.
pub(crate) fn is_alone() -> bool {
    env::var_os(ALONE).is_some()
}

/// Does it in a process whose mounts end with it, however it ends.
fn alone(images: u32, flush: Flush, seed: u64) -> Result<()> {
    let mut alone = Command::new("unshare");
    alone.args(["--mount", "--propagation", "private"]);
    alone.arg(env::current_exe()?).args(["crash", "images"]);
    alone.args(["--images", &images.to_string(), "--flush", flush.name()]);
    alone.args(["--seed", &seed.to_string()]).env(ALONE, "1");
    command::run(&mut alone)
}

fn settings(flush: Flush) -> Result<Vec<String>> {
    let mut settings = listeners::settings()?;
    settings.extend(SETTINGS.map(str::to_owned));
    settings.push(format!("store.flush={}", flush.name()));
    Ok(settings)
}

/// A copy, and between which times it was made.
struct Cut {
    image: PathBuf,
    began_ns: u64,
    ended_ns: u64,
}

struct Copies<'a> {
    binary: &'a Path,
    /// Where the disk and its copies are.
    outer: &'a Path,
    settings: Vec<String>,
}

impl Copies<'_> {
    fn run(&self, images: u32, flush: Flush, random: &mut Random) -> Result<()> {
        let began = now();
        let (cuts, ledgers) = self.cut(images, random)?;
        let lengths = cuts.iter().map(|cut| cut.ended_ns - cut.began_ns);
        let longest = Duration::from_nanos(lengths.max().unwrap_or(0));
        let (mut stored, mut widest) = (0, Duration::ZERO);
        for (number, cut) in (1..).zip(&cuts) {
            let what = format!("the {} image {number} of {images}", flush.name());
            let outcome = self.hold(cut, &ledgers, flush).context(what)?;
            stored += outcome.stored;
            widest = widest.max(outcome.widest);
            fs::remove_file(&cut.image)?;
        }
        println!(
            "images: {images} with {} flush, {stored} acknowledged before their cuts; lost: what \
             was acknowledged at most {} ms before; a cut took at most {} ms; {} s",
            flush.name(),
            widest.as_millis(),
            longest.as_millis(),
            began.elapsed().as_secs()
        );
        Ok(())
    }

    /// Copies the disk under load; the copies, and what was acknowledged when.
    fn cut(&self, images: u32, random: &mut Random) -> Result<(Vec<Cut>, Vec<Ledger>)> {
        let disk = self.outer.join("disk.img");
        disk::disk(&disk)?;
        let mounted = Mounted::mount(&disk, &self.outer.join("disk"))?;
        let mut gantry = Gantry::start_at(self.binary, &data(&mounted), &self.settings)?;
        let addresses = Addresses::of(&gantry)?;
        for topic in TOPICS {
            create_topic(&addresses.target(Protocol::Kafka, topic))?;
        }
        let traffic = Traffic::start(&gantry, PACE)?;
        // A cut may take the topics themselves as long as they are younger.
        thread::sleep(WINDOW);
        let mut cuts = Vec::new();
        for number in 0..images {
            thread::sleep(random.millis(50, 600));
            let image = self.outer.join(format!("{number}.img"));
            let began_ns = clock::now();
            disk::copy(&disk, &image)?;
            cuts.push(Cut {
                image,
                began_ns,
                ended_ns: clock::now(),
            });
        }
        let ledgers = traffic.into_ledgers()?;
        gantry.kill()?;
        Ok((cuts, ledgers))
    }

    /// Holds what a server finds on a copy against what had been acknowledged.
    fn hold(&self, cut: &Cut, ledgers: &[Ledger], flush: Flush) -> Result<Held> {
        let mounted = Mounted::mount(&cut.image, &self.outer.join("copy"))?;
        let mut gantry = Gantry::start_at(self.binary, &data(&mounted), &self.settings)?;
        let addresses = Addresses::of(&gantry)?;
        let as_of = |ledger: &Ledger| ledger.as_of(cut.began_ns, cut.ended_ns);
        let mut ledgers: Vec<Ledger> = ledgers.iter().map(as_of).collect();
        addresses.look(&mut ledgers)?;
        let seen = addresses.drained().with_context(|| gantry.log())?;
        let window_ns = u64::try_from(WINDOW.as_nanos())?;
        let promise = Promise {
            cuts_ns: vec![cut.began_ns],
            messages_ns: if flush == Flush::Sync { 0 } else { window_ns },
            // A commit waits for no flush.
            commits_ns: window_ns,
            leases_ns: window_ns,
            may_overtake: false,
        };
        let report = check(&ledgers, &seen, &promise);
        let widest = widest_loss(&ledgers, &seen, cut.began_ns);
        if !report.is_clean() {
            let widest = widest.as_millis();
            bail!(
                "{report}\nlost up to {widest} ms before the cut\n{}",
                gantry.log()
            );
        }
        for ledger in &mut ledgers {
            forget_lost(ledger, &seen);
        }
        let went_on = go_on(&mut gantry, ledgers, seen);
        went_on
            .context("after the cut")
            .with_context(|| gantry.log())?;
        gantry.kill()?;
        Ok(Held {
            stored: report.stored,
            widest,
        })
    }
}

/// What a copy was found to hold.
struct Held {
    stored: u64,
    widest: Duration,
}

/// Loads what was recovered, and kills the server once more: what came after the cut stands where
/// the cut took something.
fn go_on(gantry: &mut Gantry, ledgers: Vec<Ledger>, seen: Vec<Seen>) -> Result<()> {
    let mut traffic = Traffic::start_after(gantry, PACE, ledgers, seen)?;
    gantry.kill()?;
    traffic.was_killed();
    gantry.restart()?;
    traffic.wait_for_more()?;
    traffic.check()?;
    Ok(())
}

/// What the cut took, as it may, is not asked for any more.
fn forget_lost(ledger: &mut Ledger, seen: &[Seen]) {
    ledger.commits.clear();
    let of_topic = seen
        .iter()
        .filter(|seen| seen.topic == ledger.heading.topic);
    let messages = of_topic.flat_map(|seen| &seen.messages);
    let there: HashSet<MessageId> = messages.map(|message| message.id).collect();
    for entry in &mut ledger.entries {
        if !there.contains(&entry.id) {
            entry.outcome = Outcome::Unknown;
        }
    }
}

/// How long before the cut the first of what it took was acknowledged.
fn widest_loss(ledgers: &[Ledger], seen: &[Seen], cut_ns: u64) -> Duration {
    let there: HashSet<(&str, MessageId)> = seen
        .iter()
        .flat_map(|seen| seen.messages.iter().map(|one| (&*seen.topic, one.id)))
        .collect();
    let lost = ledgers.iter().flat_map(|ledger| {
        let stored = ledger.entries.iter();
        let stored = stored.filter(|entry| entry.outcome == Outcome::Stored);
        let topic = &*ledger.heading.topic;
        stored.filter(|entry| !there.contains(&(topic, entry.id)))
    });
    let ages = lost.map(|entry| cut_ns.saturating_sub(entry.settled_ns));
    Duration::from_nanos(ages.max().unwrap_or(0))
}

fn data(mounted: &Mounted) -> PathBuf {
    mounted.path().join("data")
}
