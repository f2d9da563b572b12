//! The simulation finds mistakes that were planted, so it would find others like them.

use crate::driver;
use gantry_core::{PLANTED_BUGS, plant};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seeds in which a mistake must show.
const SEEDS_MAX: u64 = 400;

/// How many seeds it took.
fn find(bug: &'static str) -> Option<u64> {
    plant(Some(bug));
    let seed = (0..SEEDS_MAX).find(|seed| driver::run(*seed).is_err());
    plant(None);
    seed
}

#[test]
fn planted_bugs_are_found_and_without_them_the_same_seeds_are_green() {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut missed = Vec::new();
        while let Some(bug) = PLANTED_BUGS.get(next.fetch_add(1, Ordering::Relaxed)) {
            match find(bug) {
                Some(seed) => {
                    eprintln!("{bug}: found by seed {seed}");
                    assert_eq!(driver::run(seed).err(), None, "without {bug}");
                }
                None => missed.push(*bug),
            }
        }
        missed
    };
    let missed: Vec<&str> = std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        let found = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        found.collect()
    });
    assert!(
        missed.is_empty(),
        "not found in {SEEDS_MAX} seeds: {missed:?}"
    );
}
