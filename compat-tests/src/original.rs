//! What originals have in common: processes that come to serve, and that end with who holds them.

use crate::process::{now, terminate};
use anyhow::{Context as _, Result, bail};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// How long one may take to serve or to stop.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at something that cannot be waited for.
const GLANCE: Duration = Duration::from_millis(50);

/// Those of one original; what others need begins first. Killed when dropped.
#[derive(Debug, Default)]
pub(crate) struct Processes(Vec<Child>);

impl Processes {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last one's number; 0 is none's.
    pub(crate) fn pid(&self) -> u32 {
        self.0.last().map_or(0, Child::id)
    }

    /// Starts one more in `home`, which prints to `output`.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn spawn(&mut self, command: &mut Command, home: &Path, output: File) -> Result<()> {
        command
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let process = command.spawn();
        let process = process.with_context(|| format!("cannot start {command:?}"))?;
        self.0.push(process);
        Ok(())
    }

    /// Asks all to stop (SIGTERM), the last first, and waits.
    ///
    /// # Errors
    /// One did not stop in time.
    pub(crate) fn stop(&mut self) -> Result<()> {
        for mut process in self.0.drain(..).rev() {
            terminate(&mut process, PATIENCE)?;
        }
        Ok(())
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for process in self.0.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// One that was started.
pub(crate) trait Original {
    fn processes(&mut self) -> &mut Processes;

    /// Whether it can be used by now.
    fn is_there(&self) -> bool;

    /// What it printed.
    fn printed(&self) -> String;

    /// Returns once it can be used.
    ///
    /// # Errors
    /// It ended, or takes too long.
    fn wait_until_there(&mut self) -> Result<()> {
        let deadline = now() + PATIENCE;
        while !self.is_there() {
            for process in &mut self.processes().0 {
                if let Some(status) = process.try_wait()? {
                    bail!("it ended with {status}\n{}", self.printed());
                }
            }
            if now() > deadline {
                bail!("it does not come to serve\n{}", self.printed());
            }
            thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// Has a test that fails show what it printed.
    fn tell_if_panicking(&self) {
        if thread::panicking() {
            let mut errors = std::io::stderr();
            let _ = std::io::Write::write_all(&mut errors, self.printed().as_bytes());
        }
    }
}
