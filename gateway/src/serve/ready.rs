//! Telling that everything accepts: on standard output for people, in a file for programs.

use super::listeners::Bound;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::path::Path;

/// Writes `file` whole or not at all, then prints each endpoint.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn announce(bound: &[(Bound, SocketAddr)], file: Option<&Path>) -> Result<()> {
    if let Some(file) = file {
        write(bound, file).with_context(|| format!("writing {}", file.display()))?;
    }
    let mut out = stdout().lock();
    for (bound, address) in bound {
        // Nobody may be reading, and that is no reason not to serve.
        let _ = writeln!(out, "{:<14}{address}", bound.name());
    }
    Ok(())
}

fn write(bound: &[(Bound, SocketAddr)], file: &Path) -> Result<()> {
    let addresses: BTreeMap<&str, String> = bound
        .iter()
        .map(|(bound, address)| (bound.name(), address.to_string()))
        .collect();
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    std::fs::write(&unfinished, serde_json::to_vec_pretty(&addresses)?)?;
    std::fs::rename(&unfinished, file)?;
    Ok(())
}
