//! RabbitMQ itself: a node on the loopback interface, with data of its own.

use crate::clients::Installed;
use crate::original::{Original, Processes};
use crate::ports::{address, free_run};
use anyhow::{Context as _, Result, ensure};
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(90);
/// Listens to nobody but this machine, and looks for late acknowledgements once a second, not a
/// minute.
const ARGUMENTS: &str =
    "-kernel inet_dist_use_interface {127,0,0,1} -rabbit channel_tick_interval 1000";

/// A running node and the port mapper that it cannot do without. Killed when dropped.
#[derive(Debug)]
pub struct RabbitmqBroker {
    /// The node last.
    processes: Processes,
    home: TempDir,
    ports: Ports,
}

/// Four free ports in a row.
#[derive(Clone, Copy, Debug)]
struct Ports(u16);

impl Ports {
    const fn amqp(self) -> u16 {
        self.0
    }

    const fn distribution(self) -> u16 {
        self.0 + 1
    }

    const fn mapper(self) -> u16 {
        self.0 + 2
    }

    const fn management(self) -> u16 {
        self.0 + 3
    }
}

impl RabbitmqBroker {
    /// Starts a node as shipped, with the plugin of its management API and these further lines of
    /// its configuration (`key = value`), and returns once it serves.
    ///
    /// # Errors
    /// It is not installed, or does not come to serve.
    pub fn start(settings: &[&str]) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("rabbitmq-").tempdir()?;
        let ports = Ports(free_run()?);
        let mut configuration = format!(
            "listeners.tcp.local = {}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n\
             log.console = true\nlog.file = false\n",
            address(ports.amqp()),
            ports.management()
        );
        for setting in settings {
            configuration.push_str(setting);
            configuration.push('\n');
        }
        fs::write(home.path().join("rabbitmq.conf"), configuration)?;
        fs::write(home.path().join("rabbitmq-env.conf"), "")?;
        let plugins = "[rabbitmq_management].\n";
        fs::write(home.path().join("enabled_plugins"), plugins)?;
        let mut broker = Self {
            processes: Processes::default(),
            home,
            ports,
        };
        broker.serve()?;
        Ok(broker)
    }

    /// Starts the node again on the same data and the same ports.
    ///
    /// # Errors
    /// It does not come to serve.
    pub fn restart(&mut self) -> Result<()> {
        ensure!(self.processes.is_empty(), "it runs");
        self.serve()
    }

    /// Where its clients begin.
    #[must_use]
    pub fn address(&self) -> String {
        address(self.ports.amqp()).to_string()
    }

    /// The node's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.processes.pid()
    }

    /// Where its management API is.
    #[must_use]
    pub fn management(&self) -> String {
        address(self.ports.management()).to_string()
    }

    /// Asks it to stop (SIGTERM), and waits.
    ///
    /// # Errors
    /// It did not stop in time.
    pub fn stop(&mut self) -> Result<()> {
        self.processes.stop()
    }

    /// Whether it answers a client, and its management does.
    #[must_use]
    pub fn serves(&self) -> bool {
        let greeting = || -> std::io::Result<()> {
            let mut stream = TcpStream::connect(address(self.ports.amqp()))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(b"AMQP\0\0\x09\x01")?;
            // The type of a frame, where the wrong protocol is told `A`.
            let mut first = [0];
            stream.read_exact(&mut first)?;
            TcpStream::connect(address(self.ports.management())).map(drop)
        };
        greeting().is_ok()
    }

    /// What it printed.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.output()).unwrap_or_default()
    }

    fn output(&self) -> PathBuf {
        self.home.path().join("out")
    }

    fn serve(&mut self) -> Result<()> {
        let installed = installed();
        let mapper = erlang(&installed)?.join("epmd");
        let mut mapper = Command::new(mapper);
        mapper.args(["-address", "127.0.0.1", "-port"]);
        mapper.arg(self.ports.mapper().to_string());
        self.spawn(mapper)?;
        let script = "lib/rabbitmq/bin/rabbitmq-server";
        let mut node = Command::new(installed.join("usr").join(script));
        // The script is to become the node, as under systemd, not to stay as its parent.
        node.env("RUNNING_UNDER_SYSTEMD", "true");
        self.spawn(node)?;
        self.wait_until_there()
    }

    fn spawn(&mut self, mut command: Command) -> Result<()> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.output())?;
        self.surround(&mut command)?;
        self.processes.spawn(&mut command, self.home.path(), output)
    }

    /// Everything the node reads of its environment, so that it leaves the machine's own alone.
    fn surround(&self, command: &mut Command) -> Result<()> {
        let installed = installed();
        let home = self.home.path();
        let path = env::var_os("PATH").unwrap_or_default();
        let path = [installed.join("bin")]
            .into_iter()
            .chain(env::split_paths(&path));
        let file = |name: &str| home.join(name).into_os_string();
        let number = |port: u16| OsString::from(port.to_string());
        command.envs([
            ("PATH", env::join_paths(path)?),
            // The cookie of the node lies there.
            ("HOME", home.as_os_str().to_owned()),
            ("LANG", "C.UTF-8".into()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
            ("ERL_EPMD_PORT", number(self.ports.mapper())),
            ("RABBITMQ_NODENAME", "gantry-peer@localhost".into()),
            ("RABBITMQ_CONF_ENV_FILE", file("rabbitmq-env.conf")),
            ("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", file("advanced.config")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins")),
            ("RABBITMQ_MNESIA_BASE", file("data")),
            ("RABBITMQ_LOG_BASE", file("log")),
            ("RABBITMQ_PID_FILE", file("pid")),
            ("RABBITMQ_DIST_PORT", number(self.ports.distribution())),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ARGUMENTS.into()),
        ]);
        Ok(())
    }
}

impl Original for RabbitmqBroker {
    fn processes(&mut self) -> &mut Processes {
        &mut self.processes
    }

    fn is_there(&self) -> bool {
        self.serves()
    }

    fn printed(&self) -> String {
        self.log()
    }
}

impl Drop for RabbitmqBroker {
    fn drop(&mut self) {
        self.tell_if_panicking();
    }
}

fn installed() -> PathBuf {
    Installed::RabbitmqBroker.directory()
}

/// The programs of Erlang's run-time system below `root`.
///
/// # Errors
/// It is not there.
pub fn erlang(root: &Path) -> Result<PathBuf> {
    let erlang = root.join("usr/lib/erlang");
    let entries = fs::read_dir(&erlang).with_context(|| format!("no {}", erlang.display()))?;
    let mut folders = entries.flatten().map(|entry| entry.path());
    let is_system = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("erts-"))
    };
    let system = folders.find(is_system).context("no run-time system")?;
    Ok(system.join("bin"))
}
