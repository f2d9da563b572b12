//! A gantry of its own for a test: free ports, a temporary directory, killed at the end.
//!
//! With `GANTRY_COMPAT_ENDPOINTS` (the JSON of a ready file) nothing is started and the tests run
//! against what is there: that is how their expectations are held against the original brokers.

use crate::paths;
use crate::process::{now, terminate};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// What is said where there is nothing to start.
const NO_BINARY: &str = "no gantry binary; cargo build --release";
/// How long a server may take to serve or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a file or a process that cannot be waited for.
const GLANCE: Duration = Duration::from_millis(2);
/// Listeners by their names in the ready file, and the keys of the configuration that say where
/// they are.
pub const LISTENERS: &[(&str, &str)] = &[
    ("amqp", "amqp.listen"),
    ("kafka", "kafka.listen"),
    ("namesrv", "namesrv.listen"),
    ("remoting", "remoting.listen"),
    ("vip", "remoting.vip_listen"),
    ("management", "management.listen"),
    ("openmessaging", "openmessaging.listen"),
    ("admin", "admin.listen"),
];
/// Enough for any test: segments are allocated whole, a spare one ahead, and many servers run at
/// once.
const SEGMENT_BYTES: (&str, &str) = ("store.segment_bytes", "67108864");

/// A running server and its store.
#[derive(Debug)]
pub struct Gantry {
    binary: Option<PathBuf>,
    process: Option<Child>,
    home: TempDir,
    data: PathBuf,
    settings: Vec<String>,
    endpoints: Value,
}

impl Gantry {
    /// Starts a server with `settings` (`key=value`) on free ports of the loopback interface, its
    /// store new, and returns once it accepts connections.
    ///
    /// # Errors
    /// There is no binary, or it does not come to serve.
    pub fn start(settings: &[&str]) -> Result<Self> {
        Self::start_on(settings, |_| Ok(()))
    }

    /// As [`Gantry::start`], on the data directory that `prepare` makes where it is told to. An
    /// address that `settings` give is kept.
    ///
    /// # Errors
    /// As [`Gantry::start`], or what `prepare` fails with.
    pub fn start_on(settings: &[&str], prepare: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        Self::start_with(settings, &[SEGMENT_BYTES], prepare)
    }

    /// As [`Gantry::start`], with segments as large as they are where nothing is configured: for
    /// benches.
    ///
    /// # Errors
    /// As [`Gantry::start`].
    pub fn start_as_shipped(settings: &[&str]) -> Result<Self> {
        Self::start_with(settings, &[], |_| Ok(()))
    }

    fn start_with(
        settings: &[&str],
        defaults: &[(&str, &str)],
        prepare: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Self> {
        let home = home()?;
        let mut settings: Vec<String> = settings.iter().map(|&text| text.to_owned()).collect();
        let listeners = LISTENERS.iter().map(|&(_, key)| (key, "127.0.0.1:0"));
        for (key, value) in listeners.chain(defaults.iter().copied()) {
            let given = format!("{key}=");
            if !settings.iter().any(|setting| setting.starts_with(&given)) {
                settings.push(given + value);
            }
        }
        let data = home.path().join("data");
        prepare(&data)?;
        let mut gantry = Self {
            binary: paths::gantry_binary(),
            process: None,
            home,
            data,
            settings,
            endpoints: Value::Null,
        };
        if let Some(endpoints) = paths::foreign_endpoints() {
            gantry.endpoints = serde_json::from_str(&endpoints)?;
        } else {
            gantry.serve()?;
        }
        Ok(gantry)
    }

    /// Starts the server `binary` on the data directory `data`, which stays when this is dropped,
    /// with `settings`, the addresses of the listeners among them.
    ///
    /// # Errors
    /// It does not come to serve.
    pub fn start_at(binary: &Path, data: &Path, settings: &[String]) -> Result<Self> {
        let mut gantry = Self {
            binary: Some(binary.to_owned()),
            process: None,
            home: home()?,
            data: data.to_owned(),
            settings: settings.to_owned(),
            endpoints: Value::Null,
        };
        gantry.serve()?;
        Ok(gantry)
    }

    /// Sets `key` to `value` from the next start on.
    pub fn set(&mut self, key: &str, value: &str) {
        let given = format!("{key}=");
        self.settings.retain(|setting| !setting.starts_with(&given));
        self.settings.push(given + value);
    }

    /// Kafka's bootstrap address.
    ///
    /// # Errors
    /// The server has no such listener.
    pub fn kafka(&self) -> Result<String> {
        self.endpoint("kafka")
    }

    /// The address of AMQP's listener.
    ///
    /// # Errors
    /// The server has no such listener.
    pub fn amqp(&self) -> Result<String> {
        self.endpoint("amqp")
    }

    /// RocketMQ's NameServer address.
    ///
    /// # Errors
    /// The server has no such listener.
    pub fn namesrv(&self) -> Result<String> {
        self.endpoint("namesrv")
    }

    /// The address of the listener called `name` in the ready file.
    ///
    /// # Errors
    /// The server has no such listener.
    pub fn endpoint(&self, name: &str) -> Result<String> {
        let address = self.endpoints.get(name).and_then(Value::as_str);
        let address = address.with_context(|| format!("no listener {name}: {}", self.endpoints))?;
        Ok(address.to_owned())
    }

    /// The server's process id.
    ///
    /// # Errors
    /// The server was not started here, or has been stopped.
    pub fn pid(&self) -> Result<u32> {
        let process = self.process.as_ref().context("no process of ours")?;
        Ok(process.id())
    }

    /// Where the server keeps its log.
    #[must_use]
    pub fn data_directory(&self) -> PathBuf {
        self.data.clone()
    }

    /// Ends the server as `kill -9` does.
    ///
    /// # Errors
    /// The process cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// The command of a further server on free ports, whose store is `data`.
    ///
    /// # Errors
    /// There is no binary.
    pub fn command_on(data: &Path, settings: &[&str]) -> Result<Command> {
        let binary = paths::gantry_binary().context(NO_BINARY)?;
        let mut command = Command::new(binary);
        command.arg("serve").arg("--data-dir").arg(data);
        for (_, key) in LISTENERS {
            command.arg("--set").arg(format!("{key}=127.0.0.1:0"));
        }
        for setting in settings {
            command.arg("--set").arg(setting);
        }
        Ok(command)
    }

    /// Asks the server to stop (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// It did not stop in time, or ended with a failure.
    pub fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("no process of ours")?;
        let status = terminate(&mut process, PATIENCE).with_context(|| self.log())?;
        if !status.success() {
            bail!("the server stopped with {status}\n{}", self.log());
        }
        Ok(())
    }

    /// Starts the server again on the same store and the same ports; how long it took to serve.
    ///
    /// # Errors
    /// It does not come to serve.
    pub fn restart(&mut self) -> Result<Duration> {
        for (name, key) in LISTENERS {
            if let Ok(address) = self.endpoint(name) {
                self.set(key, &address);
            }
        }
        let began = now();
        self.serve()?;
        Ok(began.elapsed())
    }

    /// As [`Gantry::restart`] with `variables` in the environment, for a server that may end
    /// before it serves; whether it serves.
    ///
    /// # Errors
    /// It does neither in time.
    pub fn restart_with(&mut self, variables: &[(&str, &str)]) -> Result<bool> {
        let (process, endpoints) = self.launch(variables)?;
        self.process = Some(process);
        let serves = endpoints.is_some();
        self.endpoints = endpoints.unwrap_or_else(|| self.endpoints.take());
        Ok(serves)
    }

    /// Asks the server to stop (SIGTERM).
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn ask_to_stop(&self) -> Result<()> {
        let pid = self.pid()?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        Ok(())
    }

    /// Waits until the server has ended by itself; `None` when it has not within `patience`.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn wait_for_end(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let process = self.process.as_mut().context("no process of ours")?;
        let deadline = now() + patience;
        loop {
            if let Some(status) = process.try_wait()? {
                self.process = None;
                return Ok(Some(status));
            }
            if now() > deadline {
                return Ok(None);
            }
            thread::sleep(GLANCE);
        }
    }

    fn serve(&mut self) -> Result<()> {
        let (process, endpoints) = self.launch(&[])?;
        let Some(endpoints) = endpoints else {
            bail!("the server ended before it served\n{}", self.log());
        };
        (self.process, self.endpoints) = (Some(process), endpoints);
        Ok(())
    }

    /// Starts the process; it, and what is in its ready file unless it ended before.
    fn launch(&self, variables: &[(&str, &str)]) -> Result<(Child, Option<Value>)> {
        let binary = self.binary.as_ref().context(NO_BINARY)?;
        let ready = self.home.path().join("ready");
        let _ = fs::remove_file(&ready);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.home.path().join("log"))?;
        let mut command = Command::new(binary);
        command.arg("serve").arg("--data-dir").arg(&self.data);
        command.arg("--ready-file").arg(&ready);
        for setting in &self.settings {
            command.arg("--set").arg(setting);
        }
        command
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut process = command
            .spawn()
            .with_context(|| format!("cannot start {binary:?}"))?;
        let deadline = now() + PATIENCE;
        loop {
            // The file is complete as soon as it is there: the server renames it into place.
            if let Ok(text) = fs::read_to_string(&ready) {
                let endpoints =
                    serde_json::from_str(&text).with_context(|| format!("ready: {text}"))?;
                return Ok((process, Some(endpoints)));
            }
            if process.try_wait()?.is_some() {
                return Ok((process, None));
            }
            if now() > deadline {
                process.kill()?;
                process.wait()?;
                bail!("the server does not serve\n{}", self.log());
            }
            thread::sleep(GLANCE);
        }
    }

    /// The last lines the server logged.
    #[must_use]
    pub fn log(&self) -> String {
        last_lines(&self.home.path().join("log"))
    }
}

impl Drop for Gantry {
    fn drop(&mut self) {
        let _ = self.kill();
        if thread::panicking() {
            let mut errors = std::io::stderr();
            let _ = std::io::Write::write_all(&mut errors, self.log().as_bytes());
        }
    }
}

/// Where the ready file and the log of a server are.
fn home() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("gantry-").tempdir()?)
}

fn last_lines(log: &Path) -> String {
    let Ok(file) = File::open(log) else {
        return String::new();
    };
    let lines: Vec<String> = BufReader::new(file).lines().map_while(Result::ok).collect();
    let from = lines.len().saturating_sub(40);
    lines.get(from..).unwrap_or_default().join("\n") + "\n"
}
