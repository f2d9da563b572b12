//! `cargo xtask …`: what the project needs beside cargo.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks to its user"
)]

mod bench;
mod command;
mod install;
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
        /// Passed on to `cargo test`, such as `-p compat-tests crash`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Install the foreign clients into target/clients.
    Install,
    /// Measure with the stock tools of both ecosystems.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Check what the compiler does not: file lengths, names, the direction of dependencies.
    Tidy,
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Test { rest } => test::run(&rest),
        Task::Install => install::all(),
        Task::Bench(bench) => bench::run(&bench),
        Task::Tidy => tidy::run(),
    }
}
