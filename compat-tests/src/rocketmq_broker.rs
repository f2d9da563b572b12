//! Apache RocketMQ itself: a NameServer and a broker on the loopback interface, with a store of
//! their own that can be looked at once they have stopped.

use crate::clients::{Installed, ROCKETMQ_BENCHMARK};
use crate::original::{Original, Processes};
use crate::ports::{address, free_run};
use crate::remoting::ask;
use anyhow::{Result, ensure};
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// `GET_BROKER_CLUSTER_INFO`.
const CLUSTER_INFO: u32 = 106;
/// The broker reads private parts of the JDK.
const OPEN: &[&str] = &[
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED",
    "-Dio.netty.tryReflectionSetAccessible=true",
];
/// As shipped: what a measurement needs.
const STEADY: &[&str] = &[
    "-server",
    "-Xms2g",
    "-Xmx2g",
    "-XX:MaxDirectMemorySize=2g",
    "-XX:+UseG1GC",
    "-XX:G1HeapRegionSize=16m",
    "-XX:G1ReservePercent=25",
    "-XX:InitiatingHeapOccupancyPercent=30",
    "-XX:SoftRefLRUPolicyMSPerMB=0",
];
/// Small, and soon there.
const BRIEF: &[&str] = &[
    "-Xms64m",
    "-Xmx320m",
    "-XX:MaxDirectMemorySize=256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
];
/// Small files, so that a few thousand messages fill several; nothing is deleted for want of
/// space on whatever disk the test has.
const SMALL_FILES: &[&str] = &[
    "mappedFileSizeCommitLog=1048576",
    "mappedFileSizeConsumeQueue=6000",
    "maxMessageSize=65536",
    "maxHashSlotNum=5000",
    "maxIndexNum=20000",
    "mappedFileSizeTimerLog=1048576",
    "diskMaxUsedSpaceRatio=99",
];

/// A running NameServer and broker, or one of the two. Killed when dropped.
#[derive(Debug)]
pub struct RocketmqBroker {
    parts: Parts,
    /// The broker last.
    processes: Processes,
    home: TempDir,
    ports: Ports,
    /// The broker's options of the Java machine.
    machine: &'static [&'static str],
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Parts {
    Both,
    NameServer,
    /// With NameServers of other processes, between semicolons.
    Broker(String),
}

impl RocketmqBroker {
    /// Starts a NameServer alone.
    ///
    /// # Errors
    /// As [`RocketmqBroker::start`].
    pub fn start_name_server() -> Result<Self> {
        Self::launch(Parts::NameServer, BRIEF, &[])
    }

    /// Starts a broker alone, for a test, that registers with `name_servers` (`host:port`, with
    /// semicolons between) and returns once the last of them knows it.
    ///
    /// # Errors
    /// As [`RocketmqBroker::start`].
    pub fn start_broker(name_servers: &str, settings: &[&str]) -> Result<Self> {
        let parts = Parts::Broker(name_servers.to_owned());
        Self::launch(parts, BRIEF, &[SMALL_FILES, settings].concat())
    }

    /// Starts both for a test, with small files and small machines and these further settings of
    /// the broker (`key=value`), and returns once the NameServer knows the broker.
    ///
    /// # Errors
    /// It is not installed, or does not come to serve.
    pub fn start(settings: &[&str]) -> Result<Self> {
        Self::launch(Parts::Both, BRIEF, &[SMALL_FILES, settings].concat())
    }

    /// Starts both as they are shipped, to be measured.
    ///
    /// # Errors
    /// As [`RocketmqBroker::start`].
    pub fn start_as_shipped() -> Result<Self> {
        Self::launch(Parts::Both, STEADY, &[])
    }

    fn launch(parts: Parts, machine: &'static [&'static str], settings: &[&str]) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("rocketmq-").tempdir()?;
        let mut broker = Self {
            parts,
            processes: Processes::default(),
            home,
            ports: Ports::free()?,
            machine,
        };
        let conf = broker.home.path().join("conf");
        fs::create_dir_all(&conf)?;
        // Empty: nothing is signed.
        fs::write(conf.join("tools.yml"), "")?;
        let namesrv = format!(
            "listenPort={}\nbindAddress=127.0.0.1\n",
            broker.ports.namesrv()
        );
        fs::write(conf.join("namesrv.conf"), namesrv)?;
        fs::write(conf.join("broker.conf"), broker.configuration(settings))?;
        broker.serve()?;
        Ok(broker)
    }

    /// Starts both again on the same store and the same ports.
    ///
    /// # Errors
    /// They do not come to serve.
    pub fn restart(&mut self) -> Result<()> {
        ensure!(self.processes.is_empty(), "it runs");
        self.serve()
    }

    fn serve(&mut self) -> Result<()> {
        if !matches!(self.parts, Parts::Broker(_)) {
            let class = "org.apache.rocketmq.namesrv.NamesrvStartup";
            self.spawn("namesrv", class, &["-Xms32m", "-Xmx256m"])?;
        }
        if self.parts != Parts::NameServer {
            let class = "org.apache.rocketmq.broker.BrokerStartup";
            self.spawn("broker", class, self.machine)?;
        }
        self.wait_until_there()
    }

    /// Where its clients begin.
    #[must_use]
    pub fn namesrv(&self) -> String {
        match &self.parts {
            Parts::Broker(others) => others.clone(),
            Parts::Both | Parts::NameServer => address(self.ports.namesrv()).to_string(),
        }
    }

    /// Where the broker itself listens: what its offset message ids hold.
    #[must_use]
    pub fn address(&self) -> String {
        address(self.ports.broker()).to_string()
    }

    /// Where the broker listens for its own clients' privileged connections (`vip`).
    #[must_use]
    pub fn vip_address(&self) -> String {
        address(self.ports.vip()).to_string()
    }

    /// `storePathRootDir`.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.home.path().join("store")
    }

    /// The broker's process; the NameServer's if that runs alone.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.processes.pid()
    }

    /// Asks both to stop (SIGTERM), the broker first, and waits. The store is whole then.
    ///
    /// # Errors
    /// One did not stop in time, or the broker did not get to the end of its own shutdown.
    pub fn stop(&mut self) -> Result<()> {
        self.processes.stop()?;
        let abort = self.store().join("abort");
        ensure!(!abort.exists(), "the broker broke off\n{}", self.log());
        Ok(())
    }

    /// Whether both still serve.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.is_known()
    }

    /// What both printed.
    #[must_use]
    pub fn log(&self) -> String {
        let files = ["namesrv.out", "broker.out"];
        let texts = files.map(|file| fs::read_to_string(self.home.path().join(file)));
        let lines = texts.iter().flatten().flat_map(|text| text.lines());
        // The logging library tells at length how it was set up.
        let said = lines.filter(|line| !line.contains("|-INFO in"));
        said.flat_map(|line| [line, "\n"]).collect()
    }

    fn spawn(&mut self, part: &str, class: &str, machine: &[&str]) -> Result<()> {
        let home = self.home.path();
        let library = Installed::RocketmqBroker.directory().join("lib");
        let conf = home.join("conf");
        let logging = logging_configuration(part, &library, &conf)?;
        let output = File::create(home.join(format!("{part}.out")))?;
        let mut java = Command::new("java");
        java.args(machine).args(OPEN);
        java.arg(format!("-Duser.home={}", home.display()));
        let option = "-Drmq.logback.configurationFile";
        java.arg(format!("{option}={}", logging.display()));
        java.arg("-cp")
            .arg(format!("{}:{}/*", conf.display(), library.display()));
        java.arg(class)
            .arg("-c")
            .arg(conf.join(format!("{part}.conf")));
        java.env("ROCKETMQ_HOME", home).env_remove("NAMESRV_ADDR");
        self.processes.spawn(&mut java, home, output)
    }

    /// Whether the NameServer gives out the broker's address and the broker accepts there.
    fn is_known(&self) -> bool {
        let namesrv = self.namesrv();
        let last = namesrv.rsplit(';').next().unwrap_or_default();
        let Ok(clusters) = ask(last, CLUSTER_INFO, &[]) else {
            return false;
        };
        let broker = address(self.ports.broker());
        self.parts == Parts::NameServer
            || clusters.body.contains(&broker.to_string()) && TcpStream::connect(broker).is_ok()
    }

    fn configuration(&self, settings: &[&str]) -> String {
        let mut lines = format!(
            "brokerClusterName=DefaultCluster
brokerName=broker-a
brokerId=0
brokerIP1=127.0.0.1
bindAddress=127.0.0.1
listenPort={broker}
haListenPort={high_availability}
namesrvAddr={namesrv}
brokerRole=ASYNC_MASTER
flushDiskType=ASYNC_FLUSH
storePathRootDir={store}
storePathCommitLog={store}/commitlog
autoCreateTopicEnable=true
autoCreateSubscriptionGroup=true
",
            broker = self.ports.broker(),
            high_availability = self.ports.high_availability(),
            namesrv = self.namesrv(),
            store = self.store().display(),
        );
        for setting in settings {
            lines.push_str(setting);
            lines.push('\n');
        }
        lines
    }
}

impl Original for RocketmqBroker {
    fn processes(&mut self) -> &mut Processes {
        &mut self.processes
    }

    fn is_there(&self) -> bool {
        self.is_known()
    }

    fn printed(&self) -> String {
        self.log()
    }
}

impl Drop for RocketmqBroker {
    fn drop(&mut self) {
        self.tell_if_panicking();
    }
}

/// Takes a part's logging configuration out of its own jar.
fn logging_configuration(part: &str, library: &Path, conf: &Path) -> Result<PathBuf> {
    let name = format!("rmq.{part}.logback.xml");
    let jar = library.join(format!("rocketmq-{part}-{ROCKETMQ_BENCHMARK}.jar"));
    let status = Command::new("jar")
        .arg("xf")
        .arg(&jar)
        .arg(&name)
        .current_dir(conf)
        .status()?;
    ensure!(status.success(), "no {name} in {}", jar.display());
    Ok(conf.join(name))
}

/// Four free ports in a row: the broker takes the one two below its own without asking.
#[derive(Clone, Copy, Debug)]
struct Ports(u16);

impl Ports {
    fn free() -> Result<Self> {
        Ok(Self(free_run()?))
    }

    const fn namesrv(self) -> u16 {
        self.0
    }

    const fn vip(self) -> u16 {
        self.0 + 1
    }

    const fn high_availability(self) -> u16 {
        self.0 + 2
    }

    const fn broker(self) -> u16 {
        self.0 + 3
    }
}
