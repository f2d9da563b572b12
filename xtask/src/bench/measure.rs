//! Runs one workload and reads the server's CPU time and memory around it.

use super::server::Server;
use super::workload::Workload;
use crate::command;
use anyhow::{Context as _, Result};
use compat_tests::process::Client;
use std::fs;
use std::time::Duration;

/// Clock ticks of `/proc`, fixed on Linux for programs.
const TICKS_A_SECOND: f64 = 100.0;
/// A loaded machine may take this long for one workload.
const PATIENCE: Duration = Duration::from_secs(900);
const MICROS_A_SECOND: f64 = 1e6;

/// What a workload cost.
pub(crate) struct Figures {
    /// Messages a second.
    pub(crate) rate: f64,
    /// The server's CPU time for each of them.
    pub(crate) cpu_micros: f64,
    /// The server's resident memory at the end, with the pages of the log it has mapped.
    pub(crate) rss_mib: f64,
    /// Of that, what is its own and not the page cache's.
    pub(crate) anonymous_mib: f64,
}

/// Runs `workload` for about `seconds`.
pub(crate) fn measure(server: &Server, workload: Workload, seconds: u64) -> Result<Figures> {
    let address = server.address(workload.protocol())?;
    let messages = workload.messages_a_second() * seconds;
    if let Some(mut preparation) = workload.preparation(&address) {
        command::output(&mut preparation)?;
    }
    let pid = server.pid()?;
    let before = cpu_seconds(pid)?;
    let client =
        Client::start(workload.name(), workload.command(&address, messages))?.patient(PATIENCE);
    let printed = client.finish_lines()?;
    let cpu = cpu_seconds(pid)? - before;
    Ok(Figures {
        rate: workload.rate(&printed)?,
        cpu_micros: cpu * MICROS_A_SECOND / count(messages),
        rss_mib: status_mib(pid, "VmRSS:")?,
        anonymous_mib: status_mib(pid, "RssAnon:")?,
    })
}

/// User and system time the process has used.
fn cpu_seconds(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold spaces; user time is the 14th field, the 12th behind it.
    let (_, rest) = text.rsplit_once(')').context("an odd /proc/PID/stat")?;
    let fields = rest.split_whitespace().skip(11).take(2);
    let ticks: Result<f64, _> = fields.map(str::parse::<f64>).sum();
    Ok(ticks? / TICKS_A_SECOND)
}

fn status_mib(pid: u32, field: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .with_context(|| format!("no {field}"))?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 messages")]
fn count(messages: u64) -> f64 {
    messages as f64
}
