//! How each installed client program is started.

use crate::paths;
use anyhow::{Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Versions of Java's `kafka-clients`, oldest first.
pub const KAFKA_CLIENTS: &[&str] = &["2.8.2", "3.9.1", "4.3.1"];
/// The newest of [`KAFKA_CLIENTS`].
pub const NEWEST_KAFKA: &str = "4.3.1";
/// The version of Kafka's command line tools.
pub const KAFKA_TOOLS: &str = "4.3.1";
/// Versions of Java's `rocketmq-client`, oldest first.
pub const ROCKETMQ_CLIENTS: &[&str] = &["4.9.8", "5.5.0"];
/// The newest of [`ROCKETMQ_CLIENTS`].
pub const NEWEST_ROCKETMQ: &str = "5.5.0";
/// The version of RabbitMQ's Java client.
pub const AMQP_CLIENT: &str = "5.37.1";
/// The version of Spring AMQP.
pub const SPRING_AMQP: &str = "3.2.2";
/// The version of RocketMQ's stock benchmarks.
pub const ROCKETMQ_BENCHMARK: &str = "5.5.0";
/// The version of RabbitMQ's stock benchmark, the last that is in Maven's central repository.
pub const RABBITMQ_PERFTEST: &str = "2.22.1";

/// One thing `cargo xtask test` installs, and the folder it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installed {
    /// The virtual environment of the Python clients.
    Python,
    /// KafkaJS and amqplib.
    Node,
    /// The franz-go program.
    Go,
    /// The program around RocketMQ's Go client.
    GoRocketmq,
    /// The program around RabbitMQ's Go client.
    GoAmqp,
    /// RabbitMQ's Java client.
    JavaAmqp,
    /// Spring AMQP, which has an older client of RabbitMQ's within.
    SpringAmqp,
    /// `kafka-clients` of a version.
    Kafka(&'static str),
    /// Kafka's command line tools.
    KafkaTools,
    /// `rocketmq-client` of a version.
    Rocketmq(&'static str),
    /// RocketMQ's stock benchmarks.
    RocketmqBenchmark,
    /// RabbitMQ's stock benchmark.
    RabbitmqPerftest,
    /// `kcat`, on the path.
    Kcat,
    /// Apache Kafka, to measure beside.
    KafkaBroker,
    /// Apache RocketMQ, to measure beside and to import the stores of.
    RocketmqBroker,
    /// RabbitMQ of the distribution with its Erlang, to hold the tests of AMQP against.
    RabbitmqBroker,
}

impl Installed {
    /// The folder's name, which also names the client in messages.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Python => "python".to_owned(),
            Self::Node => "node".to_owned(),
            Self::Go => "go".to_owned(),
            Self::GoRocketmq => "go-rocketmq".to_owned(),
            Self::GoAmqp => "go-amqp".to_owned(),
            Self::JavaAmqp => format!("java-amqp-{AMQP_CLIENT}"),
            Self::SpringAmqp => format!("spring-amqp-{SPRING_AMQP}"),
            Self::Kafka(version) => format!("kafka-{version}"),
            Self::KafkaTools => format!("kafka-tools-{KAFKA_TOOLS}"),
            Self::Rocketmq(version) => format!("rocketmq-{version}"),
            Self::RocketmqBenchmark => format!("rocketmq-benchmark-{ROCKETMQ_BENCHMARK}"),
            Self::RabbitmqPerftest => format!("rabbitmq-perftest-{RABBITMQ_PERFTEST}"),
            Self::Kcat => "kcat".to_owned(),
            Self::KafkaBroker => format!("kafka-broker-{KAFKA_TOOLS}"),
            Self::RocketmqBroker => format!("rocketmq-broker-{ROCKETMQ_BENCHMARK}"),
            Self::RabbitmqBroker => "rabbitmq-broker".to_owned(),
        }
    }

    /// Where it is installed.
    #[must_use]
    pub fn directory(self) -> PathBuf {
        paths::installed_clients().join(self.name())
    }

    /// The file whose presence says that it is whole, with what it was installed from.
    #[must_use]
    pub fn stamp(self) -> PathBuf {
        paths::installed_clients().join(self.name() + ".stamp")
    }
}

/// Whether a test can run: the server is built and `needed` is installed. Where that is not so it
/// is said loudly, and in CI it is an error.
///
/// # Errors
/// Something is missing and this is CI.
pub fn ready(needed: &[Installed]) -> Result<bool> {
    let server = (!paths::server_is_there()).then(|| "gantry is not built".to_owned());
    let missing = needed
        .iter()
        .filter(|client| !client.stamp().exists())
        .map(|client| format!("{} is not installed", client.name()));
    let Some(missing) = server.into_iter().chain(missing).next() else {
        return Ok(true);
    };
    skip(&format!("{missing}; cargo xtask test"))?;
    Ok(false)
}

/// Says loudly that a test is skipped, and why.
///
/// # Errors
/// This is CI, where nothing is skipped.
pub fn skip(why: &str) -> Result<()> {
    if paths::in_ci() {
        bail!("{why}");
    }
    // Past the capture of test output: a skipped test must be seen.
    let errors = std::fs::OpenOptions::new().append(true).open("/dev/stderr");
    let said = format!("SKIPPED: {why}\n");
    let _ = errors.and_then(|mut errors| std::io::Write::write_all(&mut errors, said.as_bytes()));
    Ok(())
}

/// What a Java virtual machine is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jvm {
    /// A second or two of work: starts fast and stays small.
    Brief,
    /// A measurement: compiles as well as it can.
    Steady,
}

/// Java's Kafka program with `kafka-clients` of `version`.
#[must_use]
pub fn kafka_java(version: &'static str) -> Command {
    let directory = Installed::Kafka(version).directory();
    let mut command = java(
        Jvm::Brief,
        &[&directory.join("classes"), &directory.join("lib/*")],
    );
    command
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        .arg("KafkaClient");
    command
}

/// One of Kafka's command line tools by the name of its class.
#[must_use]
pub fn kafka_tool(jvm: Jvm, class: &str) -> Command {
    let mut command = java(jvm, &[&Installed::KafkaTools.directory().join("lib/*")]);
    command
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
        .arg(class);
    command
}

/// Java's RocketMQ program with `rocketmq-client` of `version`.
#[must_use]
pub fn rocketmq_java(version: &'static str) -> Command {
    rocketmq_java_for(Jvm::Brief, version)
}

/// As [`rocketmq_java`], in a machine of its kind.
#[must_use]
pub fn rocketmq_java_for(jvm: Jvm, version: &'static str) -> Command {
    let directory = Installed::Rocketmq(version).directory();
    let mut command = java(jvm, &[&directory.join("classes"), &directory.join("lib/*")]);
    // Neither client line may write below the user's home.
    command.arg(home_option()).arg("RocketmqClient");
    command
}

/// One of RocketMQ's stock benchmarks or tools by the name of its class.
#[must_use]
pub fn rocketmq_tool(jvm: Jvm, class: &str) -> Command {
    let mut command = java(
        jvm,
        &[&Installed::RocketmqBenchmark.directory().join("lib/*")],
    );
    command.arg(home_option()).arg(class);
    command
}

/// RabbitMQ's stock benchmark.
#[must_use]
pub fn rabbitmq_perftest() -> Command {
    let directory = Installed::RabbitmqPerftest.directory();
    let mut command = java(Jvm::Steady, &[&directory.join("lib/*")]);
    command.arg("com.rabbitmq.perf.PerfTest");
    command
}

/// A Python client; `library` is one of those in `client.py`.
#[must_use]
pub fn python(library: &str) -> Command {
    let mut command = Command::new(Installed::Python.directory().join("bin/python"));
    command
        .arg("-B")
        .arg(paths::client_sources().join("python/client.py"))
        .arg(library);
    command
}

/// The tester of what an API says of itself.
#[must_use]
pub fn schemathesis() -> Command {
    Command::new(Installed::Python.directory().join("bin/schemathesis"))
}

/// RabbitMQ's Java client.
#[must_use]
pub fn amqp_java() -> Command {
    let directory = Installed::JavaAmqp.directory();
    let mut command = java(
        Jvm::Brief,
        &[&directory.join("classes"), &directory.join("lib/*")],
    );
    command
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        .args(["AmqpClient", "session"]);
    command
}

/// Spring AMQP.
#[must_use]
pub fn spring_amqp() -> Command {
    let directory = Installed::SpringAmqp.directory();
    let mut command = java(
        Jvm::Brief,
        &[&directory.join("classes"), &directory.join("lib/*")],
    );
    command
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        .arg("SpringClient");
    command
}

/// amqplib.
#[must_use]
pub fn amqp_node() -> Command {
    let mut command = Command::new("node");
    command.arg(Installed::Node.directory().join("amqp.js"));
    command
}

/// RabbitMQ's Go client.
#[must_use]
pub fn amqp_go() -> Command {
    Command::new(Installed::GoAmqp.directory().join("amqp"))
}

/// KafkaJS.
#[must_use]
pub fn node() -> Command {
    let mut command = Command::new("node");
    command.arg(Installed::Node.directory().join("client.js"));
    command
}

/// The franz-go program.
#[must_use]
pub fn franz() -> Command {
    Command::new(Installed::Go.directory().join("franz"))
}

/// The program around RocketMQ's Go client.
#[must_use]
pub fn rocketmq_go() -> Command {
    let mut command = Command::new(Installed::GoRocketmq.directory().join("rocketmq"));
    // It keeps the progress of broadcasting members below the user's home.
    command.env("HOME", paths::installed_clients());
    command
}

/// The program around RocketMQ's Python client, in which its C++ client works.
#[must_use]
pub fn rocketmq_python() -> Command {
    let mut command = python("rocketmq");
    // It logs and keeps the progress of broadcasting members below the user's home.
    command.env("HOME", paths::installed_clients());
    command
}

/// `kcat`.
#[must_use]
pub fn kcat() -> Command {
    Command::new("kcat")
}

fn java(jvm: Jvm, class_path: &[&Path]) -> Command {
    let entries: Vec<&OsStr> = class_path.iter().map(|path| path.as_os_str()).collect();
    let mut command = Command::new("java");
    command.args(match jvm {
        Jvm::Brief => ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m"],
        Jvm::Steady => ["-server", "-XX:+UseG1GC", "-Xmx1g"],
    });
    command.arg("-cp").arg(entries.join(OsStr::new(":")));
    command
}

fn home_option() -> String {
    format!("-Duser.home={}", paths::installed_clients().display())
}
