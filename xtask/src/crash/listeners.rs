//! Addresses for a server whose clients go on connecting while it is down.

use anyhow::{Context as _, Result};
use compat_tests::gantry::LISTENERS;
use std::net::{Ipv4Addr, TcpListener};

/// Below where Linux takes the ports of outgoing connections from. A client that connects again
/// and again to a closed port from such a port sooner or later connects to itself, and the server
/// cannot have its port back.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// `key=address` of every listener, each on a port that is free now.
pub(crate) fn settings() -> Result<Vec<String>> {
    let from = usize::try_from(std::process::id() % 10_000)?;
    let ports = PORTS.cycle().skip(from).take(PORTS.len());
    let free = ports.filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    let held: Vec<TcpListener> = free.take(LISTENERS.len()).collect();
    let pairs = LISTENERS.iter().zip(&held).map(|((_, key), listener)| {
        let address = listener.local_addr().context("its address")?;
        Ok(format!("{key}={address}"))
    });
    pairs.collect()
}
