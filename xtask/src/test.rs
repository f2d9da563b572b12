//! `cargo xtask test`: clients, the server, every test.

use crate::{command, install};
use anyhow::Result;
use compat_tests::paths;
use std::process::Command;

/// How many tests run at a time, as the test harness reads it.
const THREADS_VARIABLE: &str = "RUST_TEST_THREADS";

/// Installs the clients, builds the server as it is shipped, and runs the workspace's tests with
/// an environment that says where both are.
pub(crate) fn run(rest: &[String]) -> Result<()> {
    install::all()?;
    command::run(cargo().args(["build", "--release", "--locked", "--package", "gantry"]))?;
    let mut test = cargo();
    // One failure does not hide the others.
    test.args(["test", "--locked", "--no-fail-fast"]);
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
    if std::env::var_os(THREADS_VARIABLE).is_none() {
        test.env(THREADS_VARIABLE, threads()?.to_string());
    }
    command::run(&mut test)
}

/// Tests at a time: more than there are processors, as those with clients mostly wait for them.
fn threads() -> Result<usize> {
    let processors = std::thread::available_parallelism()?.get();
    Ok(processors + processors.div_ceil(2))
}

/// Cargo in the workspace's root.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(paths::workspace());
    cargo
}
