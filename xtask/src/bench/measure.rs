//! Runs one workload and reads the server's CPU time and memory around it.

use super::process::{cpu_seconds, forget_peak, status_mib};
use super::server::Server;
use super::workload::{Measure, Protocol, Workload};
use crate::command;
use anyhow::{Result, ensure};
use compat_tests::process::{Client, now};
use std::thread;
use std::time::Duration;

/// A loaded machine may take this long for one workload.
const PATIENCE: Duration = Duration::from_secs(900);
/// How long a tool that goes on until it is ended climbs before it is measured.
const WARM_UP: Duration = Duration::from_secs(5);
const MICROS_A_SECOND: f64 = 1e6;

/// What a workload cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Messages a second.
    pub(crate) rate: f64,
    /// The server's CPU time for each of them.
    pub(crate) cpu_micros: f64,
    /// The server's resident memory at the end, with the pages of the log it has mapped.
    pub(crate) rss_mib: f64,
    /// The most of it while the workload ran.
    pub(crate) peak_mib: f64,
    /// Of what there is at the end, what is its own and not the page cache's.
    pub(crate) anonymous_mib: f64,
}

/// How much was done, how fast, and at what cost.
struct Done {
    messages: u64,
    rate: f64,
    cpu_seconds: f64,
}

/// Runs `workload` for about `seconds`.
pub(crate) fn measure(server: &Server, workload: Workload, seconds: u64) -> Result<Figures> {
    let address = server.address(workload.protocol())?;
    for mut preparation in workload.preparations(&address) {
        let said = command::output(&mut preparation)?;
        // RocketMQ's tools end well whatever happened.
        let is_told = workload.protocol() == Protocol::Rocketmq;
        ensure!(!is_told || said.contains("success"), "{said}");
    }
    let pid = server.pid()?;
    forget_peak(pid)?;
    let done = match workload.measure() {
        Measure::Told { messages_a_second } => {
            counted(server, workload, messages_a_second * seconds)?
        }
        Measure::Backlog {
            topic,
            messages_a_second,
        } => {
            let there = server.messages_of(topic)?;
            counted(server, workload, there.min(messages_a_second * seconds))?
        }
        Measure::Grown { topic } => grown(server, workload, topic, Duration::from_secs(seconds))?,
    };
    Ok(Figures {
        rate: done.rate,
        cpu_micros: done.cpu_seconds * MICROS_A_SECOND / count(done.messages),
        rss_mib: status_mib(pid, "VmRSS:")?,
        peak_mib: status_mib(pid, "VmHWM:")?,
        anonymous_mib: status_mib(pid, "RssAnon:")?,
    })
}

/// A tool that moves `messages` and ends.
fn counted(server: &Server, workload: Workload, messages: u64) -> Result<Done> {
    let (pid, address) = (server.pid()?, server.address(workload.protocol())?);
    let before = cpu_seconds(pid)?;
    let tool = Client::start(workload.name(), workload.command(&address, messages))?;
    let printed = tool.patient(PATIENCE).finish_lines()?;
    Ok(Done {
        messages,
        rate: workload.rate(&printed)?,
        cpu_seconds: cpu_seconds(pid)? - before,
    })
}

/// A tool that goes on until it is ended, by what it added to `topic`.
fn grown(server: &Server, workload: Workload, topic: &str, time: Duration) -> Result<Done> {
    let (pid, address) = (server.pid()?, server.address(workload.protocol())?);
    let mut tool = Client::start(workload.name(), workload.command(&address, 0))?;
    let before_it = server.messages_of(topic)?;
    let deadline = now() + PATIENCE;
    while server.messages_of(topic)? == before_it {
        ensure!(now() < deadline, "{}: it does nothing", workload.name());
        thread::sleep(Duration::from_millis(100));
    }
    thread::sleep(WARM_UP);
    let (began, messages, cpu) = (now(), server.messages_of(topic)?, cpu_seconds(pid)?);
    thread::sleep(time);
    let (elapsed, cpu) = (began.elapsed(), cpu_seconds(pid)? - cpu);
    let messages = server.messages_of(topic)?.saturating_sub(messages);
    tool.kill();
    ensure!(messages > 0, "{}: it stopped", workload.name());
    Ok(Done {
        messages,
        rate: count(messages) / elapsed.as_secs_f64(),
        cpu_seconds: cpu,
    })
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 messages")]
fn count(messages: u64) -> f64 {
    messages as f64
}
