//! `mqload`: loads a broker, reads it back, and checks one against the other.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a command line's output"
)]

mod arguments;
mod commands;

use arguments::{Arguments, Command};
use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(run) => commands::run(&run),
        Command::Commit(commit) => commands::commit(&commit),
        Command::Drain(drain) => commands::drain(&drain),
        Command::Check(check) => commands::check(&check),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("mqload: {error:#}");
            ExitCode::from(2)
        }
    }
}
