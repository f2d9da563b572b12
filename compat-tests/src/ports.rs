//! Free ports for originals that must be told theirs beforehand.

use anyhow::{Result, bail};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that the system gives to connections, so that none comes in between.
const FROM: u16 = 12_000;
const RUNS: u16 = 4_000;
/// Ports in a row.
const IN_A_RUN: u16 = 4;

/// The first of four ports in a row that were free a moment ago.
///
/// # Errors
/// There are none.
pub fn free_run() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that test at the same time begin at different ports.
    let own = u16::try_from(std::process::id() % u32::from(RUNS))?;
    for _ in 0..RUNS {
        let run = (own + NEXT.fetch_add(1, Ordering::Relaxed) % RUNS) % RUNS;
        let first = FROM + run * IN_A_RUN;
        let free = |port| TcpListener::bind(address(port)).is_ok();
        if (first..first + IN_A_RUN).all(free) {
            return Ok(first);
        }
    }
    bail!("no free ports")
}

/// A port of the loopback interface.
#[must_use]
pub fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
