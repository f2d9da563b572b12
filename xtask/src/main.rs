//! `cargo xtask …`: what the project needs beside cargo.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks to its user"
)]

mod bench;
mod command;
mod crash;
mod install;
mod matrix;
mod peer;
mod test;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Tasks of the Gantry project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install the foreign clients and run every test of the workspace.
    Test {
        /// Run against this original instead, and tell where it differs: RocketMQ the checks of the
        /// compat tests' matrix, RabbitMQ the acceptance steps of AMQP.
        #[arg(long, value_enum)]
        peer: Option<peer::Peer>,
        /// Passed on to `cargo test`, such as `-p compat-tests crash`; with a peer, names of checks,
        /// such as `matrix::retry` or `step_06`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Install the foreign clients into target/clients.
    Install,
    /// Measure with the stock tools of both ecosystems.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// End a gantry under load in every way there is, and look whether it kept what it had
    /// acknowledged. Without a subcommand some of each.
    Crash(crash::Crash),
    /// Write the table of RocketMQ operations and clients into README.md.
    Matrix,
    /// Check what the compiler does not: file lengths, names, the direction of dependencies.
    Tidy,
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Test { peer: None, rest } => test::run(&rest),
        Task::Test {
            peer: Some(peer),
            rest,
        } => peer.run(&rest),
        Task::Install => install::all(),
        Task::Bench(bench) => bench::run(&bench),
        Task::Crash(crash) => crash::run(&crash),
        Task::Matrix => matrix::write(),
        Task::Tidy => tidy::run(),
    }
}
