//! `gantry store`: the commands as their users run them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    missing_docs,
    reason = "tests"
)]

mod import;
mod look;

use flate2::read::GzDecoder;
use gantry_core::model::SystemClock;
use gantry_core::{Broker, Config, Error};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;
use tempfile::TempDir;

fn gantry(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gantry"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GANTRY_")) {
        command.env_remove(name);
    }
    command.arg("store").args(arguments);
    command
}

/// What a command that succeeds prints.
fn run(arguments: &[&str]) -> String {
    let output = gantry(arguments).output().unwrap();
    let said = complaint(&output);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that fails says.
fn refused(arguments: &[&str]) -> String {
    let output = gantry(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    complaint(&output)
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rocketmq-store")
}

/// A store of RocketMQ, unpacked.
fn unpacked(name: &str) -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let archive = GzDecoder::new(File::open(testdata().join(name)).unwrap());
    tar::Archive::new(archive).unpack(home.path()).unwrap();
    let directory = home.path().join("store");
    (home, directory)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The sample is older than messages are usually kept.
fn keeping_all() -> Config {
    let mut config = Config::default();
    config.store.segment_bytes = 16 << 20;
    config.store.retention_ms = 0;
    config
}

fn open(directory: &Path) -> Broker {
    loop {
        match Broker::open(directory, keeping_all(), Arc::new(SystemClock)) {
            // A process that another test starts has our lock until it becomes its own program.
            Err(Error::Storage(why)) if why.contains("another process") => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}
