//! A restart does not read the log: only what no index file covers yet.

use crate::bare::{batch_of, produce};
use crate::librdkafka;
use compat_tests::clients::ready;
use compat_tests::gantry::Gantry;
use compat_tests::process::now;
use std::net::TcpStream;
use std::time::Duration;

const LOG_BYTES: usize = 5_000_000_000;
const BATCH_BYTES: usize = 900_000;
const KILLS: usize = 20;

#[test]
fn a_log_of_five_gigabytes_takes_writes_again_within_a_second() {
    if !ready(&[]).unwrap() {
        return;
    }
    let mut gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, "large", 1);
    let batch = batch_of(BATCH_BYTES);
    let mut next = 0;
    let mut write = |count: usize| {
        let mut socket = TcpStream::connect(&bootstrap).unwrap();
        for _ in 0..count {
            assert_eq!(produce(&mut socket, "large", &batch), (0, next));
            next += 1;
        }
    };
    write(LOG_BYTES / BATCH_BYTES + 1);
    let mut times: Vec<Duration> = (0..KILLS)
        .map(|_| {
            gantry.kill().unwrap();
            let began = now();
            gantry.restart().unwrap();
            write(1);
            began.elapsed()
        })
        .collect();
    times.sort();
    let (median, slowest) = (times[KILLS / 2], times[KILLS - 1]);
    eprintln!(
        "5 GB: first produce after kill -9 in {median:?}, the slowest of {KILLS} in {slowest:?}"
    );
    assert!(median < Duration::from_secs(1), "{times:?}");
}
