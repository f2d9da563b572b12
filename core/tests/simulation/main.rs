//! The broker on a simulated disk: random clients, restarts, kills, power cuts, full disks, failing
//! disks and flipped bits, each run chosen by a seed and the same every time. After each restart
//! what is found is held against a ledger of everything that was attempted.
//!
//! `cargo test -p gantry-core --test simulation` runs 500 seeds. For a long run:
//! `GANTRY_SIM_SEEDS=20000 GANTRY_SIM_FROM=500 cargo test --release -p gantry-core --test
//! simulation seeds`. For one seed: `GANTRY_SIM_SEED=7 cargo test -p gantry-core --test simulation
//! one_seed`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::print_stderr,
    reason = "tests"
)]
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a test binary of several files"
)]

mod checks;
mod driver;
mod faults;
mod ledger;
mod operations;
#[cfg(feature = "planted-bugs")]
mod planted;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Runs seeds on two threads; what was found.
fn run_all(from: u64, count: u64) -> Vec<String> {
    let next = AtomicU64::new(from);
    let work = || {
        let mut found = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + count {
                return found;
            }
            found.extend(driver::run(seed).err());
        }
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn seeds() {
    let count = number("GANTRY_SIM_SEEDS").unwrap_or(500);
    let found = run_all(number("GANTRY_SIM_FROM").unwrap_or(0), count);
    for text in &found {
        eprintln!("{text}\n");
    }
    assert!(
        found.is_empty(),
        "{} of {count} seeds found something",
        found.len()
    );
}

#[test]
fn one_seed() {
    let seed = number("GANTRY_SIM_SEED").unwrap_or(0);
    if let Err(found) = driver::run(seed) {
        panic!("{found}");
    }
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..8 {
        assert_eq!(driver::run(seed), driver::run(seed));
    }
}
