//! Telling that everything accepts: on standard output for people, in a file for programs.

use super::listeners::Bound;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

/// Prints each endpoint, and writes `file` whole or not at all.
///
/// # Errors
/// The file cannot be written.
#[expect(
    clippy::print_stdout,
    reason = "the endpoints are the command's output"
)]
pub(crate) fn announce(bound: &[(Bound, SocketAddr)], file: Option<&Path>) -> Result<()> {
    for (bound, address) in bound {
        println!("{:<9}{address}", bound.name());
    }
    let Some(file) = file else { return Ok(()) };
    let addresses: BTreeMap<&str, String> = bound
        .iter()
        .map(|(bound, address)| (bound.name(), address.to_string()))
        .collect();
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let write = || {
        std::fs::write(&unfinished, serde_json::to_vec_pretty(&addresses)?)?;
        std::fs::rename(&unfinished, file)
    };
    write().with_context(|| format!("writing {}", file.display()))
}
