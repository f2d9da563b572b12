//! Apache Kafka: one KRaft node, as its own scripts and shipped configuration start it.

use super::{Original, free_port, launch};
use crate::bench::workload::Protocol;
use crate::command::output;
use anyhow::Result;
use compat_tests::clients::Installed;
use std::fs;
use std::path::Path;
use std::process::Command;

const LOGGING: &str = r#"<Configuration status="WARN"><Appenders>
<Console name="out"><PatternLayout pattern="%p %m%n"/></Console></Appenders>
<Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers></Configuration>"#;

/// Starts a broker on a new store.
pub(crate) fn start() -> Result<Original> {
    let home = tempfile::Builder::new().prefix("kafka-").tempdir()?;
    let (port, controller) = (free_port()?, free_port()?);
    let properties = home.path().join("server.properties");
    fs::write(&properties, configuration(home.path(), port, controller))?;
    fs::write(home.path().join("log4j2.xml"), LOGGING)?;
    let id = output(java(home.path(), &[]).args(["kafka.tools.StorageTool", "random-uuid"]))?;
    let mut format = java(home.path(), &[]);
    format.args([
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id",
        id.trim(),
        "--config",
    ]);
    output(format.arg(&properties))?;
    let mut broker = java(
        home.path(),
        &[
            "-Xmx1g",
            "-Xms1g",
            "-server",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            "-XX:InitiatingHeapOccupancyPercent=35",
            "-XX:+ExplicitGCInvokesConcurrent",
        ],
    );
    broker.arg("kafka.Kafka").arg(&properties);
    let process = launch(broker, &home.path().join("log"), "Kafka Server started")?;
    Ok(Original {
        name: "kafka",
        protocol: Protocol::Kafka,
        address: format!("127.0.0.1:{port}"),
        processes: vec![process],
        _home: home,
    })
}

fn java(home: &Path, options: &[&str]) -> Command {
    let mut java = Command::new("java");
    java.args(options);
    java.arg(format!(
        "-Dlog4j2.configurationFile={}",
        home.join("log4j2.xml").display()
    ));
    java.arg("-cp")
        .arg(Installed::KafkaBroker.directory().join("lib/*"));
    java
}

/// What is shipped, for one node that waits for nobody.
fn configuration(home: &Path, port: u16, controller: u16) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={}
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
",
        home.join("data").display()
    )
}
