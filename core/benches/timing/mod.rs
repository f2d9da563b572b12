//! Times closures: the best of several rounds, which is what the code costs when nobody disturbs.

use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 7;

/// How long to measure, and what to measure with.
#[derive(Debug)]
pub struct Bench {
    round: Duration,
    sizes: Vec<usize>,
}

impl Bench {
    /// `cargo bench` passes `--bench`; without it (as a test) every case runs once and prints nothing. Numbers
    /// among the arguments are sizes.
    pub fn from_arguments() -> Self {
        let is_measured = std::env::args().any(|argument| argument == "--bench");
        Self {
            round: Duration::from_millis(if is_measured { 60 } else { 0 }),
            sizes: std::env::args()
                .filter_map(|argument| argument.parse().ok())
                .collect(),
        }
    }

    /// The sizes asked for, in pairs, or `default`.
    pub fn size_pairs(&self, default: &[(usize, usize)]) -> Vec<(usize, usize)> {
        let (pairs, _) = self.sizes.as_chunks::<2>();
        if pairs.is_empty() {
            return default.to_vec();
        }
        pairs
            .iter()
            .map(|[first, second]| (*first, *second))
            .collect()
    }

    /// Runs `work` over `items` items of `bytes` bytes in all and prints what one run, one item
    /// and one byte cost.
    pub fn run<T>(&self, name: &str, items: usize, bytes: usize, mut work: impl FnMut() -> T) {
        if self.round.is_zero() {
            black_box(work());
            return;
        }
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let mut runs = 0_u32;
            while start.elapsed() < self.round {
                // Looking at the clock costs more than the shortest cases.
                for _ in 0..8 {
                    black_box(work());
                }
                runs += 8;
            }
            best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(runs));
        }
        let per_item = best / items as f64;
        let megabytes_per_second = bytes as f64 * 1e3 / best;
        println!(
            "{name:<44} {best:>12.0} ns {per_item:>10.1} ns/item {megabytes_per_second:>9.0} MB/s"
        );
    }
}
