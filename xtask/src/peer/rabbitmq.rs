//! The acceptance steps of AMQP 0-9-1, against RabbitMQ.

use super::Run;
use crate::install;
use anyhow::{Result, ensure};
use compat_tests::amqp_steps::{STEPS, difference};
use compat_tests::clients::Installed;
use compat_tests::rabbitmq_broker::RabbitmqBroker;
use std::collections::BTreeMap;

pub(super) fn run(rest: &[String]) -> Result<()> {
    install::install(Installed::RabbitmqBroker)?;
    let broker = RabbitmqBroker::start(&[])?;
    let tests = Run {
        peer: "rabbitmq",
        endpoints: format!(
            r#"{{"amqp":"{}","management":"{}"}}"#,
            broker.address(),
            broker.management()
        ),
        tests: "amqp_steps::",
        // Those that gantry does not pass yet as well.
        arguments: &["--include-ignored"],
    };
    let (outcomes, status) = tests.outcomes(rest)?;
    print(&outcomes);
    ensure!(broker.serves(), "RabbitMQ ended\n{}", broker.log());
    ensure!(status.success(), "RabbitMQ does not do as expected");
    Ok(())
}

fn print(outcomes: &BTreeMap<String, String>) {
    println!("\nRabbitMQ");
    for (number, title) in STEPS {
        let prefix = format!("step_{number:02}_");
        let (mut hold, mut others) = (0, Vec::new());
        for (test, outcome) in outcomes {
            let test = test.rsplit("::").next().unwrap_or_default();
            if !test.starts_with(&prefix) {
                continue;
            }
            match difference(test) {
                Some(why) => others.push(format!("{test} differs: {why}")),
                None if outcome.starts_with("ok") => hold += 1,
                None => others.push(format!("{test} {outcome}")),
            }
        }
        println!("{number:>3} {title:<44}{hold:>3} hold");
        for other in others {
            println!("      {other}");
        }
    }
}
