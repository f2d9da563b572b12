//! Originals that gantry's behaviour is held against: the same tests, and where they differ.

mod rabbitmq;
mod rocketmq;

use crate::test;
use anyhow::{Context as _, Result};
use clap::ValueEnum;
use compat_tests::matrix::PEER_VARIABLE;
use compat_tests::paths;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{ExitStatus, Stdio};

/// An original.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Peer {
    /// Apache RocketMQ.
    Rocketmq,
    /// RabbitMQ.
    Rabbitmq,
}

impl Peer {
    /// Runs its tests against it, or those that `rest` names with further arguments of the test
    /// program, and says which hold and where it differs.
    pub(crate) fn run(self, rest: &[String]) -> Result<()> {
        match self {
            Self::Rocketmq => rocketmq::run(rest),
            Self::Rabbitmq => rabbitmq::run(rest),
        }
    }
}

/// Tests for an original.
struct Run<'a> {
    /// As tests know it.
    peer: &'a str,
    /// The JSON of a ready file.
    endpoints: String,
    /// Where the tests are, from the root of the test program: `matrix::`.
    tests: &'a str,
    /// Arguments of the test program.
    arguments: &'a [&'a str],
}

impl Run<'_> {
    /// Runs all of them, or those that `rest` names; how each went, by its name below
    /// [`Run::tests`].
    fn outcomes(&self, rest: &[String]) -> Result<(BTreeMap<String, String>, ExitStatus)> {
        let mut tests = test::cargo();
        tests
            .args(["test", "--locked", "--package", "compat-tests"])
            .args(["--test", "compat", "--"])
            .args(self.arguments)
            .args(rest)
            .env(paths::CLIENTS_VARIABLE, paths::installed_clients())
            .env(paths::ENDPOINTS_VARIABLE, &self.endpoints)
            .env(PEER_VARIABLE, self.peer)
            .stdout(Stdio::piped());
        if rest.is_empty() {
            tests.arg(self.tests);
        }
        let mut tests = tests.spawn().context("cannot start cargo")?;
        let output = tests.stdout.take().context("no output")?;
        let mut outcomes = BTreeMap::new();
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            if let Some((test, outcome)) = outcome(&line, self.tests) {
                outcomes.insert(test.to_owned(), outcome.to_owned());
            }
        }
        Ok((outcomes, tests.wait()?))
    }
}

/// What a line of libtest's says of a test in `tests`: `test matrix::pull::go ... ok`.
fn outcome<'a>(line: &'a str, tests: &str) -> Option<(&'a str, &'a str)> {
    let line = line.strip_prefix("test ")?.strip_prefix(tests)?;
    line.split_once(" ... ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_from_the_line_of_its_test() {
        let failed = outcome("test matrix::pull::go ... FAILED", "matrix::");
        assert_eq!(failed, Some(("pull::go", "FAILED")));
        assert_eq!(outcome("test scene ... ok", "matrix::"), None);
        assert_eq!(outcome("running 2 tests", "matrix::"), None);
    }
}
