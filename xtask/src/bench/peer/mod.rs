//! The original Kafka broker, on free ports of the loopback interface and a store of its own;
//! RocketMQ's is also a test's, and so is started by the tests' library.

pub(crate) mod kafka;

use super::workload::Protocol;
use anyhow::{Context as _, Result, bail};
use compat_tests::process::now;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(50);

/// A running original. Its processes end when dropped.
pub(crate) struct Original {
    /// What the figures call it.
    pub(crate) name: &'static str,
    /// What it speaks.
    pub(crate) protocol: Protocol,
    /// Where its clients begin.
    pub(crate) address: String,
    /// The broker last: it is the one that is measured.
    processes: Vec<Child>,
    _home: TempDir,
}

impl Original {
    /// The broker's process.
    pub(crate) fn pid(&self) -> u32 {
        self.processes.last().map_or(0, Child::id)
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A port that was free a moment ago, as the originals must be told theirs.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Starts `command` and waits until its log says that it serves.
fn launch(mut command: Command, log: &Path, says: &str) -> Result<Child> {
    let file = File::create(log)?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    let mut process = command
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let deadline = now() + PATIENCE;
    loop {
        let text = fs::read_to_string(log)?;
        if text.contains(says) {
            return Ok(process);
        }
        if process.try_wait()?.is_some() || now() > deadline {
            let _ = process.kill();
            bail!("it does not serve:\n{text}");
        }
        thread::sleep(GLANCE);
    }
}
