//! What the kernel says of a process.

use anyhow::{Context as _, Result};
use std::fs;

/// Clock ticks of `/proc`, fixed on Linux for programs.
const TICKS_A_SECOND: f64 = 100.0;
/// What `clear_refs` is told for `VmHWM` to begin anew.
const PEAK: &str = "5";

/// User and system time the process has used.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold spaces; user time is the 14th field, the 12th behind it.
    let (_, rest) = text.rsplit_once(')').context("an odd /proc/PID/stat")?;
    let fields = rest.split_whitespace().skip(11).take(2);
    let ticks: Result<f64, _> = fields.map(str::parse::<f64>).sum();
    Ok(ticks? / TICKS_A_SECOND)
}

/// A field of the process's status, such as `VmRSS:`, or `VmHWM:` for the most there was since
/// [`forget_peak`].
pub(crate) fn status_mib(pid: u32, field: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .with_context(|| format!("no {field}"))?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

/// Lets the most resident memory there was be what there is now.
pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), PEAK)?)
}
