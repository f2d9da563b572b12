//! The gateway runs the adapters over core: configuration, listeners, the command line.

mod admin;
mod cli;
mod config;
mod http;
mod log;
mod patient;
mod serve;
mod tls;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
