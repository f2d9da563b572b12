//! `cargo xtask test`: clients, the server, every test.

use crate::{command, install};
use anyhow::Result;
use compat_tests::paths;
use std::process::Command;

/// Installs the clients, builds the server as it is shipped, and runs the workspace's tests with
/// an environment that says where both are.
pub(crate) fn run(rest: &[String]) -> Result<()> {
    install::all()?;
    command::run(cargo().args(["build", "--release", "--locked", "--package", "gantry"]))?;
    let mut test = cargo();
    test.args(["test", "--locked"]);
    if !rest
        .iter()
        .any(|argument| argument == "-p" || argument == "--package")
    {
        test.arg("--workspace");
    }
    test.args(rest)
        .env(paths::CLIENTS_VARIABLE, paths::installed_clients())
        .env(
            paths::BINARY_VARIABLE,
            paths::target().join("release/gantry"),
        );
    command::run(&mut test)
}

fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(paths::workspace());
    cargo
}
