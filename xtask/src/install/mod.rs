//! Installs the foreign clients into `target/clients`: what the lock files name, and once.

mod debian;
mod ecosystems;
mod stamp;

use crate::command::on_path;
use anyhow::{Context as _, Result, bail};
use compat_tests::clients::{Installed, KAFKA_CLIENTS, ROCKETMQ_CLIENTS};
use compat_tests::paths;
use stamp::Stamp;
use std::fs;

/// Installs every client that is not there yet. A missing toolchain is an error in CI and a loud
/// skip elsewhere.
pub(crate) fn all() -> Result<()> {
    fs::create_dir_all(paths::installed_clients())?;
    for client in everything() {
        if let Some(tool) = tools(client).iter().find(|tool| !on_path(tool)) {
            if paths::in_ci() {
                bail!("{} needs {tool}, which is not on the path", client.name());
            }
            eprintln!(
                "SKIPPED: {} needs {tool}, which is not on the path",
                client.name()
            );
            continue;
        }
        install(client).with_context(|| format!("cannot install {}", client.name()))?;
    }
    Ok(())
}

fn everything() -> Vec<Installed> {
    let mut all = vec![
        Installed::Python,
        Installed::Node,
        Installed::Go,
        Installed::GoRocketmq,
        Installed::GoAmqp,
        Installed::JavaAmqp,
        Installed::SpringAmqp,
        Installed::Kcat,
    ];
    all.extend(
        KAFKA_CLIENTS
            .iter()
            .map(|version| Installed::Kafka(version)),
    );
    all.extend(
        ROCKETMQ_CLIENTS
            .iter()
            .map(|version| Installed::Rocketmq(version)),
    );
    all.extend([
        Installed::KafkaTools,
        Installed::RocketmqBenchmark,
        Installed::RocketmqBroker,
        // With it comes `rabbitmqadmin`.
        Installed::RabbitmqBroker,
    ]);
    all
}

const fn tools(client: Installed) -> &'static [&'static str] {
    match client {
        Installed::Python => &["python3"],
        Installed::Node => &["node", "npm"],
        Installed::Go | Installed::GoRocketmq | Installed::GoAmqp => &["go"],
        Installed::Kcat => &[],
        Installed::JavaAmqp
        | Installed::SpringAmqp
        | Installed::Kafka(_)
        | Installed::KafkaTools
        | Installed::Rocketmq(_)
        | Installed::RocketmqBenchmark
        | Installed::RabbitmqPerftest
        | Installed::KafkaBroker
        | Installed::RocketmqBroker => &["java", "javac", "mvn"],
        Installed::RabbitmqBroker => &["apt-get", "apt-cache", "dpkg-deb"],
    }
}

/// Installs `client` when it is not there yet, or was made from other sources.
pub(crate) fn install(client: Installed) -> Result<()> {
    let stamp = Stamp::of(client, &ecosystems::sources(client)?)?;
    if stamp.holds() {
        return Ok(());
    }
    eprintln!("installing {}", client.name());
    stamp.clear()?;
    let directory = client.directory();
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    if ecosystems::install(client)? {
        stamp.set()?;
    }
    Ok(())
}
