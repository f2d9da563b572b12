//! The matrix of RocketMQ operations and clients: README's table of it, and the same checks
//! against Apache RocketMQ.

use crate::{install, test};
use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use compat_tests::clients::Installed;
use compat_tests::matrix::{CLIENTS, Column, PEER_VARIABLE, ROCKETMQ_SETTINGS, ROWS, with_table};
use compat_tests::paths;
use compat_tests::rocketmq_broker::RocketmqBroker;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

/// Where the tests of the matrix are.
const TESTS: &str = "matrix::";

fn readme() -> PathBuf {
    paths::workspace().join("README.md")
}

/// Writes the table into README.md.
pub(crate) fn write() -> Result<()> {
    let text = with_table(&fs::read_to_string(readme())?)?;
    Ok(fs::write(readme(), text)?)
}

/// Whether README.md has another table.
pub(crate) fn complaints() -> Result<Option<String>> {
    let text = fs::read_to_string(readme())?;
    let is_old = with_table(&text)? != text;
    Ok(is_old.then(|| "README.md: the matrix has changed; cargo xtask matrix".to_owned()))
}

/// An original that gantry's behaviour is held against.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Peer {
    /// Apache RocketMQ.
    Rocketmq,
}

impl Peer {
    /// Runs the checks of the matrix against it, or those that `rest` names with further arguments
    /// of the test program, and says which hold and where it differs.
    pub(crate) fn run(self, rest: &[String]) -> Result<()> {
        let Self::Rocketmq = self;
        for client in CLIENTS {
            install::install(client.installed)?;
        }
        install::install(Installed::RocketmqBroker)?;
        let broker = RocketmqBroker::start(ROCKETMQ_SETTINGS)?;
        let endpoints = format!(r#"{{"namesrv":"{}"}}"#, broker.namesrv());
        let mut tests = test::cargo();
        tests
            .args(["test", "--locked", "--package", "compat-tests"])
            .args(["--test", "compat", "--"])
            .args(rest)
            .env(paths::CLIENTS_VARIABLE, paths::installed_clients())
            .env(paths::ENDPOINTS_VARIABLE, endpoints)
            .env(PEER_VARIABLE, "rocketmq")
            .stdout(Stdio::piped());
        if rest.is_empty() {
            tests.arg(TESTS);
        }
        let mut tests = tests.spawn().context("cannot start cargo")?;
        let output = tests.stdout.take().context("no output")?;
        let mut outcomes = Outcomes::default();
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            outcomes.note(&line);
        }
        let status = tests.wait()?;
        outcomes.print();
        ensure!(broker.serves(), "Apache RocketMQ ended\n{}", broker.log());
        ensure!(status.success(), "Apache RocketMQ does not do as expected");
        Ok(())
    }
}

/// How the tests of the cells went.
#[derive(Debug, Default)]
struct Outcomes(BTreeMap<(String, String), String>);

impl Outcomes {
    /// Takes a line of libtest's: `test matrix::pull::go ... ok`.
    fn note(&mut self, line: &str) {
        let parts = line
            .strip_prefix("test ")
            .and_then(|line| line.strip_prefix(TESTS))
            .and_then(|line| line.split_once(" ... "));
        let Some((test, outcome)) = parts else {
            return;
        };
        if let Some((operation, client)) = test.split_once("::") {
            let cell = (operation.to_owned(), client.to_owned());
            self.0.insert(cell, outcome.to_owned());
        }
    }

    fn of(&self, operation: &str, client: &Column) -> &str {
        let cell = (operation.to_owned(), client.name.to_owned());
        self.0.get(&cell).map_or("-", String::as_str)
    }

    fn print(&self) {
        print!("\n{:<44}", "Apache RocketMQ with");
        for client in CLIENTS {
            print!("{:<12}", client.title);
        }
        println!();
        for row in ROWS {
            print!("{:<44}", row.title);
            for client in CLIENTS {
                let differs = row.peer.is_some() && row.by.contains(&client.name);
                let outcome = self.of(row.name, client);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_from_the_line_of_its_test() {
        let mut outcomes = Outcomes::default();
        outcomes.note("test matrix::pull::go ... FAILED");
        outcomes.note("test matrix::scene ... ok");
        outcomes.note("running 2 tests");
        let go = CLIENTS.iter().find(|client| client.name == "go").unwrap();
        assert_eq!(outcomes.of("pull", go), "FAILED");
        assert_eq!(outcomes.0.len(), 1);
    }
}
