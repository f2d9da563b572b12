//! The matrix of RocketMQ operations and clients, against Apache RocketMQ.

use super::Run;
use crate::install;
use anyhow::{Result, ensure};
use compat_tests::clients::Installed;
use compat_tests::matrix::{CLIENTS, ROCKETMQ_SETTINGS, ROWS};
use compat_tests::rocketmq_broker::RocketmqBroker;
use std::collections::BTreeMap;

pub(super) fn run(rest: &[String]) -> Result<()> {
    for client in CLIENTS {
        install::install(client.installed)?;
    }
    install::install(Installed::RocketmqBroker)?;
    let broker = RocketmqBroker::start(ROCKETMQ_SETTINGS)?;
    let tests = Run {
        peer: "rocketmq",
        endpoints: format!(r#"{{"namesrv":"{}"}}"#, broker.namesrv()),
        tests: "matrix::",
        arguments: &[],
    };
    let (outcomes, status) = tests.outcomes(rest)?;
    print(&outcomes);
    ensure!(broker.serves(), "Apache RocketMQ ended\n{}", broker.log());
    ensure!(status.success(), "Apache RocketMQ does not do as expected");
    Ok(())
}

fn print(outcomes: &BTreeMap<String, String>) {
    print!("\n{:<44}", "Apache RocketMQ with");
    for client in CLIENTS {
        print!("{:<12}", client.title);
    }
    println!();
    for row in ROWS {
        print!("{:<44}", row.title);
        for client in CLIENTS {
            let differs = row.peer.is_some() && row.by.contains(&client.name);
            let outcome = outcomes.get(&format!("{}::{}", row.name, client.name));
            let outcome = outcome.map_or("-", String::as_str);
            print!("{:<12}", if differs { "differs" } else { outcome });
        }
        println!();
    }
    for row in ROWS {
        if let Some(difference) = row.peer {
            println!("{}: {difference}", row.title);
        }
    }
}
