//! A client process: lines in, events out, and a deadline for everything it is waited for.

use crate::lines::{Event, Message, input};
use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a client may take to say the next awaited thing.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A moment of the monotonic clock.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the harness waits for foreign processes"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// A running client program. Killed when dropped.
#[derive(Debug)]
pub struct Client {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    complaints: Arc<Mutex<String>>,
    status: Option<ExitStatus>,
    patience: Duration,
}

impl Client {
    /// Starts `command`, whose name in errors is `name`.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(name: &str, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}: {command:?}"))?;
        let (sender, lines) = channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                    if sender
                        .send(String::from_utf8_lossy(&line).into_owned())
                        .is_err()
                    {
                        break;
                    }
                }
            });
        }
        let complaints = Arc::new(Mutex::new(String::new()));
        if let Some(errors) = child.stderr.take() {
            collect(errors, Arc::clone(&complaints));
        }
        Ok(Self {
            name: name.to_owned(),
            input: child.stdin.take(),
            child,
            lines,
            complaints,
            status: None,
            patience: PATIENCE,
        })
    }

    /// This client, which may be silent for as long as `patience`.
    #[must_use]
    pub const fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Writes `messages` and the empty line that ends them.
    ///
    /// # Errors
    /// The program has ended.
    pub fn send(&mut self, messages: &[Message]) -> Result<()> {
        self.write(&input(messages))
    }

    /// Writes `text` to the program's standard input.
    ///
    /// # Errors
    /// The program has ended, or its input has been closed.
    pub fn write(&mut self, text: &str) -> Result<()> {
        let pipe = self.input.as_mut().context("the input is closed")?;
        let written = pipe.write_all(text.as_bytes()).and_then(|()| pipe.flush());
        written.with_context(|| self.report("stopped reading"))
    }

    /// Ends the program's standard input: what it waits for to leave.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// The next line of output, none at its end.
    ///
    /// # Errors
    /// None came within the client's patience, [`PATIENCE`] unless said otherwise.
    pub fn next_line(&mut self) -> Result<Option<String>> {
        match self.lines.recv_timeout(self.patience) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!(self.report("is silent")),
        }
    }

    /// The next event, none at the end of the output.
    ///
    /// # Errors
    /// The program failed, or said nothing within its patience.
    pub fn next_event(&mut self) -> Result<Option<Event>> {
        while let Some(line) = self.next_line()? {
            match Event::parse(&line) {
                Some(event) if event.name() == "failed" => bail!(self.report(&line)),
                Some(event) => return Ok(Some(event)),
                None => {}
            }
        }
        Ok(None)
    }

    /// The next event if one comes within `time`.
    ///
    /// # Errors
    /// The program failed or ended.
    pub fn event_within(&mut self, time: Duration) -> Result<Option<Event>> {
        let deadline = now() + time;
        loop {
            let left = deadline.saturating_duration_since(now());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => bail!(self.report("ended")),
            };
            match Event::parse(&line) {
                Some(event) if event.name() == "failed" => bail!(self.report(&line)),
                Some(event) => return Ok(Some(event)),
                None => {}
            }
        }
    }

    /// The first event from now on that `wanted` accepts; those before it are dropped.
    ///
    /// # Errors
    /// The program failed, ended or took longer than its patience without it.
    pub fn wait_for(&mut self, wanted: impl Fn(&Event) -> bool) -> Result<Event> {
        let deadline = now() + self.patience;
        while let Some(event) = self.next_event()? {
            if wanted(&event) {
                return Ok(event);
            }
            if now() > deadline {
                bail!(self.report("did not say what was awaited"));
            }
        }
        bail!(self.report("ended before what was awaited"))
    }

    /// Closes the input, and gives every further event once the program ended well.
    ///
    /// # Errors
    /// The program failed or took too long.
    pub fn finish(mut self) -> Result<Vec<Event>> {
        self.close_input();
        let mut events = Vec::new();
        while let Some(event) = self.next_event()? {
            events.push(event);
        }
        let status = self.wait()?;
        if !status.success() {
            bail!(self.report(&format!("ended with {status}")));
        }
        Ok(events)
    }

    /// As [`Client::finish`] for a program that prints plain lines.
    ///
    /// # Errors
    /// The program failed or took too long.
    pub fn finish_lines(mut self) -> Result<Vec<String>> {
        self.close_input();
        let mut lines = Vec::new();
        while let Some(line) = self.next_line()? {
            lines.push(line);
        }
        let status = self.wait()?;
        if !status.success() {
            bail!(self.report(&format!("ended with {status}: {}", lines.join("\n"))));
        }
        Ok(lines)
    }

    /// Ends the program as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.status = self.child.wait().ok();
    }

    fn wait(&mut self) -> Result<ExitStatus> {
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }

    fn report(&self, what: &str) -> String {
        let complaints = self
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        format!("{}: {what}\n{complaints}", self.name)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.kill();
        }
    }
}

/// Asks `process` to stop (SIGTERM) and waits for it; one that does not is killed.
///
/// # Errors
/// It did not stop within `patience`.
pub fn terminate(process: &mut Child, patience: Duration) -> Result<ExitStatus> {
    /// Between two looks at a process, which cannot be waited for with a deadline.
    const GLANCE: Duration = Duration::from_millis(2);
    let pid = process.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status()?;
    let deadline = now() + patience;
    loop {
        if let Some(status) = process.try_wait()? {
            return Ok(status);
        }
        if now() > deadline {
            process.kill()?;
            process.wait()?;
            bail!("process {pid} does not stop");
        }
        thread::sleep(GLANCE);
    }
}

/// Runs `command` to its end, `messages` on its standard input.
///
/// # Errors
/// The program failed or took too long.
pub fn run(name: &str, command: Command, messages: &[Message]) -> Result<Vec<Event>> {
    let mut client = Client::start(name, command)?;
    client.send(messages)?;
    client.finish()
}

/// Keeps the last 16 KiB of what a program complains about.
fn collect(errors: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    const KEPT: usize = 16 * 1024;
    thread::spawn(move || {
        for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
            let mut text = into.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&String::from_utf8_lossy(&line));
            text.push('\n');
            if text.len() > 2 * KEPT {
                let keep = text.chars().rev().take(KEPT).collect::<Vec<_>>();
                *text = keep.into_iter().rev().collect();
            }
        }
    });
}
