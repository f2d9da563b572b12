//! Apache RocketMQ: a NameServer and a broker with its shipped settings.

use super::{Original, free_port, launch};
use crate::bench::workload::Protocol;
use crate::command::output;
use anyhow::{Context as _, Result};
use compat_tests::clients::{Installed, ROCKETMQ_BENCHMARK};
use std::fs;
use std::path::Path;
use std::process::Command;

/// It reads private parts of the JDK.
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

/// Starts both on a new store; the broker is the one that is measured.
pub(crate) fn start() -> Result<Original> {
    let home = tempfile::Builder::new().prefix("rocketmq-").tempdir()?;
    let conf = home.path().join("conf");
    fs::create_dir_all(&conf)?;
    fs::write(conf.join("tools.yml"), "")?;
    let (namesrv_port, broker_port) = (free_port()?, free_port()?);
    let address = format!("127.0.0.1:{namesrv_port}");
    let settings = format!("listenPort={namesrv_port}\nbindAddress=127.0.0.1\n");
    fs::write(conf.join("namesrv.conf"), settings)?;
    let settings = configuration(&home.path().join("store"), &address, broker_port);
    fs::write(conf.join("broker.conf"), settings)?;

    let class = "org.apache.rocketmq.namesrv.NamesrvStartup";
    let heap = ["-Xms64m", "-Xmx256m"];
    let namesrv = java(home.path(), "namesrv", class, &heap)?;
    let log = home.path().join("namesrv.out");
    let mut processes = vec![launch(namesrv, &log, "boot success")?];
    let class = "org.apache.rocketmq.broker.BrokerStartup";
    let heap = [
        "-Xms2g",
        "-Xmx2g",
        "-XX:MaxDirectMemorySize=2g",
        "-XX:+UseG1GC",
        "-XX:G1HeapRegionSize=16m",
        "-XX:G1ReservePercent=25",
        "-XX:InitiatingHeapOccupancyPercent=30",
        "-XX:SoftRefLRUPolicyMSPerMB=0",
    ];
    let broker = java(home.path(), "broker", class, &heap)?;
    processes.push(launch(
        broker,
        &home.path().join("broker.out"),
        "boot success",
    )?);
    Ok(Original {
        name: "rocketmq",
        protocol: Protocol::Rocketmq,
        address,
        processes,
        _home: home,
    })
}

/// Its logging configuration is inside its own jar.
fn java(home: &Path, part: &str, class: &str, heap: &[&str]) -> Result<Command> {
    let library = Installed::RocketmqBroker.directory().join("lib");
    let conf = home.join("conf");
    let logging = format!("rmq.{part}.logback.xml");
    let jar = library.join(format!("rocketmq-{part}-{ROCKETMQ_BENCHMARK}.jar"));
    output(
        Command::new("jar")
            .arg("xf")
            .arg(jar)
            .arg(&logging)
            .current_dir(&conf),
    )
    .context("its logging configuration")?;
    let mut java = Command::new("java");
    java.arg("-server").args(heap).args(OPEN);
    java.arg(format!("-Duser.home={}", home.display()));
    java.arg(format!(
        "-Drmq.logback.configurationFile={}",
        conf.join(logging).display()
    ));
    java.arg("-cp")
        .arg(format!("{}:{}/*", conf.display(), library.display()));
    java.arg(class)
        .arg("-c")
        .arg(conf.join(format!("{part}.conf")));
    java.env("ROCKETMQ_HOME", home)
        .env_remove("NAMESRV_ADDR")
        .current_dir(home);
    Ok(java)
}

fn configuration(store: &Path, namesrv: &str, port: u16) -> String {
    format!(
        "brokerClusterName=DefaultCluster
brokerName=broker-a
brokerId=0
brokerIP1=127.0.0.1
bindAddress=127.0.0.1
listenPort={port}
namesrvAddr={namesrv}
brokerRole=ASYNC_MASTER
flushDiskType=ASYNC_FLUSH
storePathRootDir={0}
storePathCommitLog={0}/commitlog
autoCreateTopicEnable=true
autoCreateSubscriptionGroup=true
",
        store.display()
    )
}
