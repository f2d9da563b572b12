//! The command line. Everything but `serve` and `store` talks to a running gantry over the Kafka
//! protocol.

mod consume;
mod produce;
mod store;
mod topic;
mod wire;

use crate::config::{self, Sources};
use crate::{log, serve};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use consume::Consume;
use produce::Produce;
use std::path::PathBuf;
use std::process::ExitCode;
use store::Store;
use topic::Topic;

/// Kafka and RocketMQ clients share one log. Without a command: serve.
#[derive(Debug, Parser)]
#[command(name = "gantry", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve every protocol (what happens without a command, too).
    Serve(Serve),
    Topic(Topic),
    Produce(Produce),
    Consume(Consume),
    Store(Store),
}

#[derive(Debug, Default, Args)]
struct Serve {
    /// Settings, as config/gantry.yaml lists them.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything is kept [default: ./gantry-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Write the real addresses there as JSON once everything accepts.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Set any key of config/gantry.yaml, e.g. --set store.flush=sync.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Does what the command line says.
#[expect(clippy::print_stderr, reason = "a failed command says why")]
pub(crate) fn run() -> ExitCode {
    let Cli { command, serve } = Cli::parse();
    let done = match command.unwrap_or(Command::Serve(serve)) {
        Command::Serve(serve) => serve.run(),
        Command::Topic(topic) => topic.run(),
        Command::Produce(produce) => produce.run(),
        Command::Consume(consume) => consume.run(),
        Command::Store(store) => store.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gantry: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Serve {
    fn run(self) -> Result<()> {
        let sources = Sources {
            file: self.config,
            environment: std::env::vars().collect(),
            set: self.set,
        };
        let mut config = config::read(&sources)?;
        if let Some(data_dir) = self.data_dir {
            config.data_dir = data_dir;
        }
        log::start(&config.log)?;
        serve::serve(&config, self.ready_file.as_deref())
    }
}

/// Reads `name=value`.
fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
