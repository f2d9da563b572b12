//! `gantry store`: work on stores while nothing serves them.

mod bar;
mod dump;
mod import;
mod inspect_rocketmq;
mod rebuild;
mod rocketmq;
mod stats;
mod verify;

use crate::config::{self, Config, Sources};
use anyhow::Result;
use clap::{Args, Subcommand};
use dump::Dump;
use import::Import;
use inspect_rocketmq::inspect;
use rebuild::Rebuild;
use stats::Stats;
use std::path::PathBuf;
use verify::Verify;

/// Work on a store that nothing serves.
#[derive(Debug, Args)]
pub(crate) struct Store {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check the store of a stopped Apache RocketMQ broker and print what it holds.
    InspectRocketmq {
        /// The broker's storePathRootDir.
        directory: PathBuf,
    },
    ImportRocketmq(Import),
    Verify(Verify),
    Dump(Dump),
    Stats(Stats),
    RebuildIndex(Rebuild),
}

/// Whose store is looked at.
#[derive(Debug, Args)]
struct Place {
    /// Where everything is kept.
    #[arg(long, value_name = "DIR", default_value = "gantry-data")]
    data_dir: PathBuf,
}

/// Whose store, and with which settings.
#[derive(Debug, Args)]
struct Settings {
    /// Where everything is kept [default: ./gantry-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Settings, as config/gantry.yaml lists them.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set any key of config/gantry.yaml, e.g. --set store.segment_bytes=1073741824.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Store {
    pub(crate) fn run(self) -> Result<()> {
        match self.verb {
            Verb::InspectRocketmq { directory } => inspect(&directory),
            Verb::ImportRocketmq(import) => import.run(),
            Verb::Verify(verify) => verify.run(),
            Verb::Dump(dump) => dump.run(),
            Verb::Stats(stats) => stats.run(),
            Verb::RebuildIndex(rebuild) => rebuild.run(),
        }
    }
}

impl Settings {
    fn read(&self) -> Result<Config> {
        let mut config = config::read(&Sources {
            file: self.config.clone(),
            environment: std::env::vars().collect(),
            set: self.set.clone(),
        })?;
        if let Some(data_dir) = &self.data_dir {
            config.data_dir.clone_from(data_dir);
        }
        // Standard error is for progress; what goes wrong comes back as an error.
        if config.log.filter == config::Log::default().filter {
            config.log.filter = "warn".to_owned();
        }
        crate::log::start(&config.log)?;
        Ok(config)
    }
}

/// Core's part of the settings.
fn core_config(config: &Config) -> gantry_core::Config {
    config.core(config.remoting.advertised.unwrap_or(config.remoting.listen))
}
