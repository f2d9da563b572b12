//! Where log lines go, and how they look.

use crate::config::{Log, LogFormat};
use anyhow::{Context, Result, anyhow};
use tracing_subscriber::EnvFilter;

/// Sends log lines to standard error from now on.
///
/// # Errors
/// The filter does not parse.
pub(crate) fn start(settings: &Log) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.filter).context("log.filter")?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    }
    .map_err(|error| anyhow!("{error}"))
}
