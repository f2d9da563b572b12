//! `cargo xtask bench timers`: messages that wait for their time. How much memory very many of them
//! take, how long such a broker takes to serve again and to deliver in time again, and how late it
//! delivers at a rate.

use super::load;
use super::process::{cpu_seconds, forget_peak, status_mib};
use anyhow::{Context as _, Result};
use clap::Args;
use compat_tests::gantry::Gantry;
use compat_tests::process::now;
use mqload::{Delay, Figures, Follow, Lateness, Load, LoadConfig, Protocol, Sink, Target};
use std::thread;
use std::time::Duration;

const FAR: &str = "far";
const SOON: &str = "soon";
const PROBES: &str = "probes";
const QUEUES: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(900);
/// Messages of one line while the broker is filled: what a load remembers is not to grow with all.
const PORTION: u64 = 1_000_000;
/// What waits for the end of the bench waits for a day at least, and two at most.
const DAY_MS: u32 = 24 * 3_600_000;
/// By then a message of the second part is due, and in half that time at the earliest.
const SOON_MS: u32 = 4_000;
const PROBE_MS: u32 = 50;
/// How long a broker that was filled is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct Timers {
    /// Messages that wait for a day or two.
    #[arg(long, default_value_t = 10_000_000)]
    pending: u64,
    /// Messages a second that are due within seconds, while the others wait.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// How long those come.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Bytes of a body.
    #[arg(long, default_value_t = 128)]
    bytes: usize,
    /// How often the broker is stopped and started, and how often killed.
    #[arg(long, default_value_t = 2)]
    times: u32,
}

/// Fills, restarts and measures.
pub(crate) fn run(timers: &Timers) -> Result<()> {
    super::build()?;
    // Whatever this disk is used for otherwise.
    let mut gantry = Gantry::start_as_shipped(&[
        "store.disk_force_clean_percent=0",
        "store.disk_read_only_percent=0",
    ])?;
    for topic in [FAR, SOON, PROBES] {
        mqload::create_topic(&target(&gantry, topic)?)?;
    }
    fill(&gantry, timers)?;
    restart(&mut gantry, timers)?;
    deliver(&gantry, timers)
}

fn target(gantry: &Gantry, topic: &str) -> Result<Target> {
    Ok(Target {
        protocol: Protocol::Rocketmq,
        address: gantry.namesrv()?,
        topic: topic.to_owned(),
        queues: QUEUES,
    })
}

/// Lets messages wait that nobody will see.
fn fill(gantry: &Gantry, timers: &Timers) -> Result<()> {
    println!(
        "{:>12} {:>11} {:>15} {:>8} {:>9} {:>9}",
        "pending", "messages/s", "CPU µs/message", "RSS MiB", "peak MiB", "anon MiB"
    );
    let pid = gantry.pid()?;
    let (mut waiting, mut portion) = (0, 0);
    while waiting < timers.pending {
        forget_peak(pid)?;
        let cpu = cpu_seconds(pid)?;
        let config = LoadConfig {
            producers: 2,
            first_producer: portion * 2,
            in_flight: 64,
            body_bytes: timers.bytes,
            delay: Delay {
                least_ms: DAY_MS,
                span_ms: DAY_MS,
            },
            ..LoadConfig::new(target(gantry, FAR)?)
        };
        let wanted = PORTION.min(timers.pending - waiting);
        let figures = load::some(config, wanted, PATIENCE)?;
        waiting += figures.stored;
        portion += 1;
        let cpu = (cpu_seconds(pid)? - cpu) * 1e6 / float(figures.stored);
        println!(
            "{waiting:>12} {:>11.0} {cpu:>15.2} {}",
            figures.rate(),
            memory(pid)?
        );
    }
    thread::sleep(REST);
    println!("{:>12} {:>11} {:>15} {}", "at rest", "", "", memory(pid)?);
    Ok(())
}

/// Stops and kills it, until it takes a message, gives one, and delivers a late one.
fn restart(gantry: &mut Gantry, timers: &Timers) -> Result<()> {
    println!(
        "\n{:>8} {:>11} {:>11} {:>11} {:>8} {:>9} {:>9}",
        "end", "produce ms", "fetch ms", "timers ms", "RSS MiB", "peak MiB", "anon MiB"
    );
    for is_clean in [true, false] {
        for _ in 0..timers.times {
            if is_clean {
                gantry.stop()?;
            } else {
                gantry.kill()?;
            }
            let began = now();
            gantry.restart()?;
            let probes = target(gantry, PROBES)?;
            let consumer = Follow::start(probes.clone(), Delay::default())?;
            load::one(&probes)?;
            let produced = began.elapsed();
            consumer.wait_for(1, PATIENCE)?;
            let fetched = began.elapsed();
            consumer.stop()?;
            // It was due long before if the relay has much to look at before it.
            let delay = Delay::of(PROBE_MS);
            let consumer = Follow::start(probes.clone(), delay)?;
            load::one_later(&probes, delay)?;
            consumer.wait_for(1, PATIENCE)?;
            let delivered = began.elapsed();
            consumer.stop()?;
            println!(
                "{:>8} {:>11} {:>11} {:>11} {}",
                if is_clean { "stop" } else { "kill -9" },
                produced.as_millis(),
                fetched.as_millis(),
                delivered.as_millis(),
                memory(gantry.pid()?)?,
            );
        }
    }
    Ok(())
}

/// Delivers at the rate.
fn deliver(gantry: &Gantry, timers: &Timers) -> Result<()> {
    let (pid, soon) = (gantry.pid()?, target(gantry, SOON)?);
    let delay = Delay {
        least_ms: SOON_MS / 2,
        span_ms: SOON_MS / 2,
    };
    forget_peak(pid)?;
    let cpu = cpu_seconds(pid)?;
    let consumer = Follow::start(soon.clone(), delay)?;
    let config = LoadConfig {
        producers: 2,
        rate: timers.rate,
        in_flight: 64,
        body_bytes: timers.bytes,
        delay,
        ..LoadConfig::new(soon)
    };
    let load = Load::start(config, Sink::Memory)?;
    thread::sleep(Duration::from_secs(timers.seconds));
    let figures = load.stop()?.figures;
    consumer.wait_for(figures.stored, PATIENCE)?;
    let cpu = (cpu_seconds(pid)? - cpu) * 1e6 / float(figures.stored);
    let lateness = consumer.stop()?;
    report(&figures, &lateness)?;
    println!(
        "\n{:>12} {:>11} {:>15} {:>8} {:>9} {:>9}",
        "delivered", "messages/s", "CPU µs/message", "RSS MiB", "peak MiB", "anon MiB"
    );
    println!(
        "{:>12} {:>11.0} {cpu:>15.2} {}",
        lateness.messages,
        figures.rate(),
        memory(pid)?
    );
    Ok(())
}

fn report(figures: &Figures, lateness: &Lateness) -> Result<()> {
    println!(
        "\n{:<34} {:>9} {:>9} {:>9} {:>9}",
        "lateness in ms", "earliest", "p50", "p99", "max"
    );
    let earliest = lateness.earliest_ms.to_string();
    for (name, earliest, late) in [
        ("in its queue", earliest.as_str(), lateness.stored),
        ("at the consumer", "", lateness.taken),
        ("acknowledged to the producer", "", figures.latency),
    ] {
        println!(
            "{name:<34} {earliest:>9} {:>9.1} {:>9.1} {:>9.1}",
            millis(late.p50),
            millis(late.p99),
            millis(late.max)
        );
    }
    anyhow::ensure!(lateness.earliest_ms >= 0, "a message came too early");
    let error = figures.last_error.as_ref();
    error.map_or(Ok(()), |error| Err(anyhow::anyhow!("{error}")))
}

/// Resident memory now and at most, and what of it is the process's own.
fn memory(pid: u32) -> Result<String> {
    let fields = ["VmRSS:", "VmHWM:", "RssAnon:"].map(|field| status_mib(pid, field));
    let [now, most, own] = fields;
    let (now, most, own) = (now?, most?, own.context("no memory of its own")?);
    Ok(format!("{now:>8.0} {most:>9.0} {own:>9.0}"))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 messages")]
fn float(messages: u64) -> f64 {
    messages as f64
}
