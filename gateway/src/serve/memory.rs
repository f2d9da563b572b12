//! How much memory this process has taken, and the machine has.

use gantry_amqp::{Memory, MemoryUse, Server};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Where a container's limit stands: of the second version of control groups, and the first.
const LIMITS: [&str; 2] = [
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
];

/// Tells the endpoint what is used, for ever. A machine that does not say is never short of it.
pub(super) async fn watch(amqp: Arc<Server>, memory: Memory) {
    let limit = total().map_or(0, |total| memory.limit(total));
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        if let Some(used) = used() {
            amqp.note_memory(MemoryUse { used, limit });
        }
    }
}

/// What the process has to itself, in bytes: not what it sees of files.
fn used() -> Option<u64> {
    bytes_of("/proc/self/status", "RssAnon:")
}

/// A line of the kernel's that counts kilobytes.
fn bytes_of(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let count = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = count.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// What this process may use of it at most, in bytes.
fn total() -> Option<u64> {
    let machine = bytes_of("/proc/meminfo", "MemTotal:")?;
    let limit = |file: &&str| -> Option<u64> { fs::read_to_string(file).ok()?.trim().parse().ok() };
    let limits = LIMITS.iter().filter_map(limit);
    limits.chain([machine]).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_some_of_the_machines_memory() {
        let (used, total) = (used().unwrap(), total().unwrap());
        assert!(used > 100_000, "{used}");
        assert!(used < total, "{used} of {total}");
        let grown = vec![1_u8; 50_000_000];
        assert!(super::used().unwrap() > used + 40_000_000);
        drop(grown);
    }
}
