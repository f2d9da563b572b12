//! A gantry of its own for a test: free ports, a temporary directory, killed at the end.
//!
//! With `GANTRY_COMPAT_ENDPOINTS` (the JSON of a ready file) nothing is started and the tests run
//! against what is there: that is how their expectations are held against the original brokers.

use crate::paths;
use crate::process::now;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// How long a server may take to serve or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a file or a process that cannot be waited for.
const GLANCE: Duration = Duration::from_millis(2);
/// Sections of the configuration whose address the server is told; 0 is any free port.
const LISTENERS: &[(&str, &str)] = &[
    ("kafka", "kafka.listen"),
    ("namesrv", "namesrv.listen"),
    ("remoting", "remoting.listen"),
    ("vip", "remoting.vip_listen"),
];

/// A running server and its store.
#[derive(Debug)]
pub struct Gantry {
    process: Option<Child>,
    home: TempDir,
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
        let home = tempfile::Builder::new().prefix("gantry-").tempdir()?;
        let mut settings: Vec<String> = settings.iter().map(|&text| text.to_owned()).collect();
        let free = LISTENERS
            .iter()
            .map(|(_, key)| format!("{key}=127.0.0.1:0"));
        settings.extend(free);
        if let Some(endpoints) = paths::foreign_endpoints() {
            return Ok(Self {
                process: None,
                home,
                settings,
                endpoints: serde_json::from_str(&endpoints)?,
            });
        }
        let (process, endpoints) = launch(home.path(), &settings)?;
        Ok(Self {
            process: Some(process),
            home,
            settings,
            endpoints,
        })
    }

    /// Kafka's bootstrap address.
    ///
    /// # Errors
    /// The server has no such listener.
    pub fn kafka(&self) -> Result<String> {
        self.endpoint("kafka")
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
        data_directory(self.home.path())
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

    /// Asks the server to stop (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// It did not stop in time, or ended with a failure.
    pub fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("no process of ours")?;
        let pid = process.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let deadline = now() + PATIENCE;
        loop {
            match process.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the server stopped with {status}\n{}", self.log()),
                None if now() > deadline => {
                    process.kill()?;
                    bail!("the server does not stop\n{}", self.log())
                }
                None => thread::sleep(GLANCE),
            }
        }
    }

    /// Starts the server again on the same store and the same ports; how long it took to serve.
    ///
    /// # Errors
    /// It does not come to serve.
    pub fn restart(&mut self) -> Result<Duration> {
        for (name, key) in LISTENERS {
            if let Ok(address) = self.endpoint(name) {
                self.settings
                    .retain(|setting| !setting.starts_with(&format!("{key}=")));
                self.settings.push(format!("{key}={address}"));
            }
        }
        let began = now();
        let (process, endpoints) = launch(self.home.path(), &self.settings)?;
        (self.process, self.endpoints) = (Some(process), endpoints);
        Ok(began.elapsed())
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

fn data_directory(home: &Path) -> PathBuf {
    home.join("data")
}

fn launch(home: &Path, settings: &[String]) -> Result<(Child, Value)> {
    let binary = paths::gantry_binary().context("no gantry binary; cargo build --release")?;
    let ready = home.join("ready");
    let _ = fs::remove_file(&ready);
    let log = File::options()
        .create(true)
        .append(true)
        .open(home.join("log"))?;
    let mut command = Command::new(&binary);
    command
        .arg("serve")
        .arg("--data-dir")
        .arg(data_directory(home));
    command.arg("--ready-file").arg(&ready);
    for setting in settings {
        command.arg("--set").arg(setting);
    }
    command
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
            return Ok((process, endpoints));
        }
        let ended = process.try_wait()?;
        if ended.is_some() || now() > deadline {
            let _ = process.kill();
            let log = last_lines(&home.join("log"));
            bail!("the server does not serve ({ended:?})\n{log}");
        }
        thread::sleep(GLANCE);
    }
}

fn last_lines(log: &Path) -> String {
    let Ok(file) = File::open(log) else {
        return String::new();
    };
    let lines: Vec<String> = BufReader::new(file).lines().map_while(Result::ok).collect();
    let from = lines.len().saturating_sub(40);
    lines.get(from..).unwrap_or_default().join("\n") + "\n"
}
