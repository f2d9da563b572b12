//! What the commands do.

use crate::arguments::{Check, Commit, Drain, Run};
use anyhow::Result;
use mqload::{
    CommitStep, Commits, Figures, Ledger, Load, LoadConfig, Outcome, Promise, Quantiles, Seen,
    Sink, create_topic,
};
use serde_json::{Map, Value, json};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

const MILLI_NS: u64 = 1_000_000;

pub(crate) fn run(run: &Run) -> Result<ExitCode> {
    let mut config = run.config()?;
    if run.create {
        create_topic(&config.target)?;
    }
    if run.warm_up_seconds > 0.0 {
        let sink = match run.sink() {
            Sink::File(path) => Sink::File(path.with_added_extension("warm")),
            Sink::Memory => Sink::Memory,
        };
        let figures = load_for(run.warm_up_seconds, config.clone(), sink)?;
        eprintln!("warm-up: {:.0} messages/s", figures.rate());
        config.first_producer = config.first_producer.wrapping_add(config.producers);
    }
    let figures = load_for(run.seconds, config, run.sink())?;
    if run.json {
        println!("{:#}", in_json(&figures));
    } else {
        println!("{figures}");
    }
    // A broker that took nothing was not measured.
    Ok(ExitCode::from(u8::from(figures.stored == 0)))
}

fn load_for(seconds: f64, config: LoadConfig, sink: Sink) -> Result<Figures> {
    let length = Duration::try_from_secs_f64(seconds)?;
    let load = Load::start(config, sink)?;
    thread::sleep(length);
    Ok(load.stop()?.figures)
}

fn in_json(figures: &Figures) -> Value {
    json!({
        "messages_per_second": figures.rate(),
        "elapsed_seconds": figures.elapsed.as_secs_f64(),
        "stopped_after_seconds": figures.stopped_after.as_secs_f64(),
        "acknowledged": figures.stored,
        "refused": figures.failed,
        "unknown": figures.unknown,
        "overdue": figures.overdue,
        "requests_sent_again": figures.retries,
        "connections": figures.connects,
        "processor_seconds": figures.cpu.as_secs_f64(),
        "latency_us": micros(&figures.latency),
        "lag_us": micros(&figures.lag),
        "last_error": figures.last_error,
    })
}

fn micros(quantiles: &Quantiles) -> Map<String, Value> {
    let named = quantiles.named();
    let pairs = named.map(|(name, time)| (name.to_owned(), json!(time.as_secs_f64() * 1e6)));
    Map::from_iter(pairs)
}

pub(crate) fn commit(commit: &Commit) -> Result<ExitCode> {
    let length = Duration::try_from_secs_f64(commit.seconds)?;
    let interval = Duration::from_millis(commit.interval_ms);
    let sink = Sink::File(commit.ledger.clone());
    let commits = Commits::start(commit.target.target(), &commit.group, interval, sink)?;
    thread::sleep(length);
    let ledger = commits.stop()?;
    let written = ledger.commits.iter();
    let written = written.filter(|commit| commit.step == CommitStep::Written);
    let of = |outcome| {
        let commits = written.clone();
        commits.filter(|commit| commit.outcome == outcome).count()
    };
    let (stored, unknown) = (of(Outcome::Stored), of(Outcome::Unknown));
    println!("{stored} commits acknowledged, {unknown} unknown");
    // A broker that took nothing was not tried.
    Ok(ExitCode::from(u8::from(stored == 0)))
}

pub(crate) fn drain(drain: &Drain) -> Result<ExitCode> {
    let seen = mqload::Drain::read_all(&drain.target.target())?;
    seen.write(&drain.seen)?;
    println!("{} messages", seen.messages.len());
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn check(check: &Check) -> Result<ExitCode> {
    let ledgers = check.ledgers.iter().map(|path| Ledger::read(path));
    let ledgers: Vec<Ledger> = ledgers.collect::<Result<_>>()?;
    let seen = check.seen.iter().map(|path| Seen::read(path));
    let seen: Vec<Seen> = seen.collect::<Result<_>>()?;
    let promise = Promise {
        cuts_ns: check.cuts_ns.clone(),
        messages_ns: check.lose_ms.saturating_mul(MILLI_NS),
        commits_ns: check.forget_ms.saturating_mul(MILLI_NS),
        leases_ns: check.release_ms.saturating_mul(MILLI_NS),
        may_overtake: check.may_overtake,
    };
    let report = mqload::check(&ledgers, &seen, &promise);
    println!("{report}");
    Ok(if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
