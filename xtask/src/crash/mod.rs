//! `cargo xtask crash`: ends a gantry under load in every way there is, and holds what is there
//! afterwards against what was acknowledged.

mod deliveries;
mod images;
mod kills;
mod listeners;
mod points;
mod random;
mod traffic;
mod transactions;

use crate::command;
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use compat_tests::paths;
use images::Flush;
use random::Random;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Crash {
    #[command(subcommand)]
    kind: Option<Kind>,
    /// Of every random choice [default: another each time].
    #[arg(long, global = true)]
    seed: Option<u64>,
    /// Without a subcommand: how often it is killed.
    #[arg(long, default_value_t = 50)]
    kills: u32,
    /// Without a subcommand: how many disks are cut off.
    #[arg(long, default_value_t = 24)]
    images: u32,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// `kill -9` of the release build at random times.
    Kills {
        /// How often.
        #[arg(long, default_value_t = 200)]
        kills: u32,
    },
    /// A debug build that ends itself at each of its crash points, one after the other.
    Points {
        /// Only the points whose name contains this.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// The release build on copies of its disk as a power cut would have left it.
    Images {
        /// How many copies.
        #[arg(long, default_value_t = 100)]
        images: u32,
        /// When messages are acknowledged.
        #[arg(long, value_enum, default_value_t = Flush::Both)]
        flush: Flush,
    },
}

/// Does what is asked; fails when anything is found.
pub(crate) fn run(crash: &Crash) -> Result<()> {
    let seed = crash.seed.unwrap_or_else(mqload::clock::now);
    if !images::is_alone() {
        println!("--seed {seed}");
    }
    let random = &mut Random::new(seed);
    match &crash.kind {
        Some(Kind::Kills { kills }) => kills::run(&released()?, *kills, random),
        Some(Kind::Points { only }) => points::run(&with_points()?, only, random),
        Some(Kind::Images { images, flush }) => {
            images::run(&released()?, *images, *flush, seed, random)
        }
        None => {
            let (released, with_points) = (released()?, with_points()?);
            kills::run(&released, crash.kills, random)?;
            points::run(&with_points, "", random)?;
            images::run(&released, crash.images, Flush::Both, seed, random)
        }
    }
}

/// The server as it is shipped.
fn released() -> Result<PathBuf> {
    build(&["--release"])?;
    Ok(paths::target().join("release/gantry"))
}

/// The server with crash points, built apart so that the usual one stays what it is.
fn with_points() -> Result<PathBuf> {
    let target = paths::target().join("crash-points");
    let directory = target.to_str().context("a path that is no text")?;
    build(&["--features", "crash-points", "--target-dir", directory])?;
    Ok(target.join("debug/gantry"))
}

fn build(arguments: &[&str]) -> Result<()> {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--package", "gantry"]);
    command::run(build.args(arguments).current_dir(paths::workspace()))
}

/// Runs `body` in a new directory, which stays when it fails.
fn in_directory(body: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let directory = TempDir::with_prefix("gantry-crash-")?;
    let done = body(directory.path());
    if done.is_err() {
        let kept = directory.keep();
        return done.with_context(|| format!("what it left is in {}", kept.display()));
    }
    done
}
