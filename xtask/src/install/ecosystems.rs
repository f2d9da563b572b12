//! What each ecosystem's own package manager is asked to do.

use super::debian;
use crate::command::{on_path, run};
use anyhow::{Result, bail};
use compat_tests::clients::{AMQP_CLIENT, Installed, SPRING_AMQP};
use compat_tests::paths;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files an installation is made from, lock file first.
pub(crate) fn sources(client: Installed) -> Result<Vec<PathBuf>> {
    let folder = paths::client_sources();
    let java = folder.join("java");
    Ok(match client {
        Installed::Python => vec![folder.join("python/requirements.txt")],
        Installed::Node => vec![
            folder.join("node/package-lock.json"),
            folder.join("node/client.js"),
            folder.join("node/amqp.js"),
        ],
        Installed::Go => files(&folder.join("go"))?,
        Installed::GoRocketmq => files(&folder.join("go-rocketmq"))?,
        Installed::GoAmqp => files(&folder.join("go-amqp"))?,
        Installed::JavaAmqp => java_program("amqp")?,
        Installed::SpringAmqp => java_program("spring-amqp")?,
        Installed::Kafka(_) => java_program("kafka")?,
        Installed::Rocketmq(_) => java_program("rocketmq")?,
        Installed::KafkaTools => vec![java.join("kafka-tools/pom.xml")],
        Installed::RocketmqBenchmark => vec![java.join("rocketmq-benchmark/pom.xml")],
        Installed::RabbitmqPerftest => vec![java.join("rabbitmq-perftest/pom.xml")],
        Installed::Kcat => Vec::new(),
        Installed::KafkaBroker => vec![java.join("kafka-broker/pom.xml")],
        Installed::RocketmqBroker => vec![java.join("rocketmq-broker/pom.xml")],
        Installed::RabbitmqBroker => Vec::new(),
    })
}

/// Installs `client`, whose directory is not there; whether it is there now.
pub(crate) fn install(client: Installed) -> Result<bool> {
    let directory = client.directory();
    match client {
        Installed::Python => python(&directory)?,
        Installed::Node => node(&directory)?,
        Installed::Go => go("go", &directory.join("franz"))?,
        Installed::GoRocketmq => go("go-rocketmq", &directory.join("rocketmq"))?,
        Installed::GoAmqp => go("go-amqp", &directory.join("amqp"))?,
        Installed::JavaAmqp => {
            jars("amqp", AMQP_CLIENT, &directory)?;
            compile("amqp", &directory)?;
        }
        Installed::SpringAmqp => {
            jars("spring-amqp", SPRING_AMQP, &directory)?;
            compile("spring-amqp", &directory)?;
        }
        Installed::Kafka(version) => {
            jars("kafka", version, &directory)?;
            compile("kafka", &directory)?;
        }
        Installed::Rocketmq(version) => {
            jars("rocketmq", version, &directory)?;
            compile("rocketmq", &directory)?;
        }
        Installed::KafkaTools => jars("kafka-tools", "", &directory)?,
        Installed::RocketmqBenchmark => jars("rocketmq-benchmark", "", &directory)?,
        Installed::RabbitmqPerftest => jars("rabbitmq-perftest", "", &directory)?,
        Installed::Kcat => return kcat(),
        Installed::KafkaBroker => jars("kafka-broker", "", &directory)?,
        Installed::RocketmqBroker => jars("rocketmq-broker", "", &directory)?,
        Installed::RabbitmqBroker => debian::rabbitmq(&directory)?,
    }
    Ok(true)
}

fn python(directory: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(directory))?;
    let requirements = paths::client_sources().join("python/requirements.txt");
    run(Command::new(directory.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(requirements))
}

fn node(directory: &Path) -> Result<()> {
    let sources = paths::client_sources().join("node");
    fs::create_dir_all(directory)?;
    for name in ["package.json", "package-lock.json", "client.js", "amqp.js"] {
        fs::copy(sources.join(name), directory.join(name))?;
    }
    run(Command::new("npm")
        .args(["ci", "--silent", "--no-audit", "--no-fund"])
        .current_dir(directory))
}

fn go(sources: &str, program: &Path) -> Result<()> {
    run(Command::new("go")
        .args(["build", "-mod=readonly", "-trimpath", "-o"])
        .arg(program)
        .arg(".")
        .current_dir(paths::client_sources().join(sources)))
}

/// Copies the jars of one pom; an empty version is the pom's own.
fn jars(pom: &str, version: &str, directory: &Path) -> Result<()> {
    let pom = paths::client_sources()
        .join("java")
        .join(pom)
        .join("pom.xml");
    let mut maven = Command::new("mvn");
    maven
        .args(["--quiet", "--batch-mode", "-Dstyle.color=never", "--file"])
        .arg(pom);
    if !version.is_empty() {
        maven.arg(format!("-Dclient.version={version}"));
    }
    maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!(
        "-DoutputDirectory={}",
        directory.join("lib").display()
    ));
    run(&mut maven)
}

fn compile(program: &str, directory: &Path) -> Result<()> {
    run(Command::new("javac")
        .args(["-nowarn", "-XDsuppressNotes", "-proc:none", "-d"])
        .arg(directory.join("classes"))
        .arg("-cp")
        .arg(directory.join("lib/*"))
        .args(java_sources(program)?))
}

/// What a program in Java is made from: its pom and [`java_sources`].
fn java_program(program: &str) -> Result<Vec<PathBuf>> {
    let pom = paths::client_sources()
        .join("java")
        .join(program)
        .join("pom.xml");
    let mut sources = vec![pom];
    sources.extend(java_sources(program)?);
    Ok(sources)
}

/// The program's own sources and those all programs share.
fn java_sources(program: &str) -> Result<Vec<PathBuf>> {
    let java = paths::client_sources().join("java");
    let mut sources = files(&java.join("lines"))?;
    sources.extend(files(&java.join(program).join("src"))?);
    Ok(sources)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<Result<Vec<_>>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

/// kcat comes from the distribution, which only root can ask.
fn kcat() -> Result<bool> {
    if on_path("kcat") {
        return Ok(true);
    }
    let apt = |arguments: &[&str]| {
        run(Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install = [
        "install",
        "--yes",
        "--quiet",
        "--no-install-recommends",
        "kcat",
    ];
    let installed = apt(&install).or_else(|_| {
        apt(&["update", "--quiet"])?;
        apt(&install)
    });
    match installed {
        Err(error) if paths::in_ci() => bail!("kcat is missing: {error}"),
        Err(_) => {
            eprintln!("SKIPPED: kcat is missing; install it with the system's package manager");
            Ok(false)
        }
        Ok(()) => Ok(true),
    }
}
