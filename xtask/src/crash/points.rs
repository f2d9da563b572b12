//! A server that ends itself at each crash point, while old segments are expired, recycled and
//! what is still wanted of them is copied forward.

use super::random::Random;
use super::traffic::{Addresses, Besides, Pace, TOPICS, Traffic};
use super::{in_directory, listeners, transactions};
use crate::command;
use anyhow::{Context as _, Result, bail, ensure};
use compat_tests::gantry::Gantry;
use compat_tests::process::now;
use gantry_core::CRASH_POINTS;
use mqload::{Load, LoadConfig, Protocol, Sink, create_topic, delete_topic};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const SETTINGS: [&str; 3] = [
    "store.segment_bytes=4194304",
    "store.stretch_bytes=524288",
    // Others may fill the disk.
    "store.disk_force_clean_percent=0",
];
/// Limits of the log, taking turns: at a start with the smaller one several segments go at once.
const RETENTION_BYTES: [u64; 2] = [56 << 20, 44 << 20];
/// Little, for all of it is copied from segment to segment, and what is mostly alive stays.
const PACE: Pace = Pace {
    rate: 25,
    body_bytes: 200,
};
/// What old segments are full of.
const NOISE: &str = "noise";
/// Noise whose queues' starts rise by a rule of their own.
const SHORT: &str = "short";
/// Comes and goes.
const PASSING: &str = "passing";
const NOISE_PACE: Pace = Pace {
    // Index files and snapshots of a slow disk must keep up with it, or nothing expires.
    rate: 250,
    body_bytes: 16 << 10,
};
const SHORT_PACE: Pace = Pace {
    rate: 100,
    body_bytes: 1_000,
};
/// How long the noise waits for an answer.
const NOISE_PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take to come to a point.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two turns of what happens by request alone.
const TURN: Duration = Duration::from_millis(100);
/// Points between two looks at what is there.
const POINTS_A_CHECK: usize = 10;
/// The signal of `kill -9`.
const KILLED: i32 = 9;

/// Ends the server `binary` at every point whose name contains `only`.
pub(crate) fn run(binary: &Path, only: &str, random: &mut Random) -> Result<()> {
    let points = CRASH_POINTS.iter().filter(|point| point.contains(only));
    let points: Vec<&str> = points.copied().collect();
    ensure!(!points.is_empty(), "no crash point's name contains {only}");
    in_directory(|directory| {
        let mut rig = Rig::start(binary, directory)?;
        let ended = rig.run(&points, random);
        let log = rig.gantry.log();
        ended.and_then(|()| rig.finish()).context(log)
    })
}

struct Rig {
    gantry: Gantry,
    traffic: Traffic,
    noise: Vec<Load>,
    starts: usize,
    slowest: Duration,
    unreached: Vec<String>,
}

impl Rig {
    /// Starts everything, and waits for the first segment to go.
    fn start(binary: &Path, directory: &Path) -> Result<Self> {
        let mut settings = listeners::settings()?;
        settings.extend(SETTINGS.map(str::to_owned));
        settings.extend(transactions::SETTINGS.map(str::to_owned));
        let gantry = Gantry::start_at(binary, directory, &settings)?;
        let addresses = Addresses::of(&gantry)?;
        let kept = TOPICS.map(|topic| (topic, "retention.ms=-1"));
        let gone = [
            (NOISE, "retention.bytes=-1"),
            (SHORT, "retention.bytes=262144"),
        ];
        for (topic, config) in kept.into_iter().chain(gone) {
            let mut create = Command::new(binary);
            create.args(["topic", "create", topic, "--partitions", "2"]);
            create.args(["--config", config, "--broker", &gantry.kafka()?]);
            command::run(create.stdout(Stdio::null()))?;
        }
        let noise = [(NOISE, NOISE_PACE), (SHORT, SHORT_PACE)];
        let noise = noise.map(|(topic, pace)| noise_of(&addresses, topic, pace));
        let traffic = Traffic::start_with(&gantry, PACE, Besides::Transactions)?;
        Ok(Self {
            gantry,
            traffic,
            noise: noise.into_iter().collect::<Result<_>>()?,
            starts: 0,
            slowest: Duration::ZERO,
            unreached: Vec::new(),
        })
    }

    fn run(&mut self, points: &[&str], random: &mut Random) -> Result<()> {
        for (number, point) in (1..).zip(points) {
            let time = 1 + random.below(times(point));
            self.die_at(point, time)
                .with_context(|| (*point).to_owned())?;
            if number % POINTS_A_CHECK == 0 && number < points.len() {
                self.traffic.check()?;
                self.traffic.go_on()?;
            }
        }
        Ok(())
    }

    /// Starts the server to end at `point`, and then to go on.
    fn die_at(&mut self, point: &str, time: u64) -> Result<()> {
        self.gantry.kill()?;
        self.traffic.was_killed();
        self.take_turns(point);
        let began = now();
        let at = format!("{point}:{time}");
        let serves = self.gantry.restart_with(&[("GANTRY_CRASH_AT", &at)])?;
        if serves && point.starts_with("shutdown.") {
            self.traffic.wait_for_more()?;
            self.gantry.ask_to_stop()?;
        }
        let deadline = began + PATIENCE;
        let ended = loop {
            if let Some(status) = self.gantry.wait_for_end(TURN)? {
                break Some(status);
            }
            if now() > deadline {
                break None;
            }
            self.ask_for_what_is_seldom()?;
        };
        match ended {
            Some(status) if status.signal() == Some(KILLED) => {
                println!("{at}: {} ms", began.elapsed().as_millis());
            }
            Some(status) => bail!("it ended with {status}"),
            None => {
                println!("{at}: NOT REACHED");
                self.unreached.push(at);
                self.gantry.kill()?;
            }
        }
        self.traffic.was_killed();
        let down = now();
        self.gantry.restart()?;
        self.traffic.wait_for_more()?;
        self.slowest = self.slowest.max(down.elapsed());
        Ok(())
    }

    /// Flushes otherwise than before, and at times keeps less; a new segment is made where none
    /// goes.
    fn take_turns(&mut self, point: &str) {
        self.starts += 1;
        let flush = if self.starts % 4 < 2 { "async" } else { "sync" };
        self.gantry.set("store.flush", flush);
        let bytes = RETENTION_BYTES.iter().cycle().nth(self.starts);
        let bytes = bytes.filter(|_| !point.starts_with("segment."));
        let bytes = bytes.unwrap_or(&0).to_string();
        self.gantry.set("store.retention_bytes", &bytes);
    }

    /// A topic that is deleted again and a new producer id. The server may end in the middle.
    fn ask_for_what_is_seldom(&self) -> Result<()> {
        let addresses = self.traffic.addresses();
        let passing = addresses.target(Protocol::Kafka, PASSING);
        let _ = create_topic(&passing);
        let _ = delete_topic(&passing);
        let config = LoadConfig {
            is_idempotent: true,
            patience: TURN,
            ..LoadConfig::new(addresses.target(Protocol::Kafka, SHORT))
        };
        let load = Load::start(config, Sink::Memory)?;
        let _ = load.wait_for(1, TURN);
        load.stop()?;
        Ok(())
    }

    fn finish(self) -> Result<()> {
        let report = self.traffic.finish()?;
        for load in self.noise {
            load.stop()?;
        }
        println!(
            "points: {}, at most {} ms from a start to an acknowledgement\n{report}",
            self.starts,
            self.slowest.as_millis(),
        );
        let unreached = self.unreached;
        ensure!(
            unreached.is_empty(),
            "not reached: {}",
            unreached.join(", ")
        );
        Ok(())
    }
}

/// How often a server surely comes to `point`: once, when it does at a start or when it is asked
/// to, or with every write.
fn times(point: &str) -> u64 {
    let once = [
        "recover.",
        "shutdown.",
        "segment.",
        "producer_ids.",
        "topic.",
        // Not with every segment that goes.
        "recycle.",
        "starts.",
        "expire.before_remove",
    ];
    let always = ["append.", "forward.before", "forward.staged", "state."];
    let is_of = |prefixes: &[&str]| prefixes.iter().any(|prefix| point.starts_with(prefix));
    if is_of(&once) {
        1
    } else if is_of(&always) {
        100
    } else {
        3
    }
}

fn noise_of(addresses: &Addresses, topic: &str, pace: Pace) -> Result<Load> {
    let config = LoadConfig {
        rate: pace.rate,
        body_bytes: pace.body_bytes,
        patience: NOISE_PATIENCE,
        ..LoadConfig::new(addresses.target(Protocol::Kafka, topic))
    };
    Load::start(config, Sink::Memory)
}
