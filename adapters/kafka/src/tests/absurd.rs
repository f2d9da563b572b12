//! Bytes no client sends: counts and lengths without the elements, cuts, noise.

use super::shapes::{body_of, crate_decode, guarded};
use super::{Seeded, requests};
use crate::api::Api;
use crate::wire::{fetch, frame, produce, shape};
use bytes::Bytes;
use std::process::Command;

const CHILD: &str = "GANTRY_KAFKA_ABSURD_CHILD";
const ELEMENTS_MAX: usize = 10_000;

/// What a peer may put where a count or a length belongs.
const ABSURD: &[&[u8]] = &[
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x00, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff],
    &[0x80, 0x00, 0x00, 0x00],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0x7f, 0xff],
];

/// What happens to a body on the way in: walked, and only then decoded.
fn take_in(api: &Api, version: i16, body: &Bytes) {
    if shape::check(body, &api.body, version, ELEMENTS_MAX).is_ok() {
        let _ = crate_decode(api.key, version, body);
    }
}

fn overwritten(body: &[u8], at: usize, with: &[u8]) -> Bytes {
    let mut body = body.to_vec();
    body.truncate(at.max(body.len().min(at + with.len())));
    body.splice(at..body.len().min(at + with.len()), with.iter().copied());
    body.into()
}

fn replaced(body: &[u8], at: usize, with: &[u8]) -> Bytes {
    let mut body = body.to_vec();
    let end = body.len().min(at + with.len());
    body.splice(at..end, with.iter().copied());
    body.into()
}

fn absurd_bodies() {
    for (api, version) in guarded() {
        let body = body_of(api, version, &mut Seeded::new(7));
        let step = 1 + body.len() / 400;
        for at in (0..body.len()).step_by(step) {
            take_in(api, version, &body.slice(..at));
            for with in ABSURD {
                take_in(api, version, &replaced(&body, at, with));
                take_in(api, version, &overwritten(&body, at, with));
            }
        }
        for with in ABSURD {
            take_in(api, version, &Bytes::from_static(with));
        }
    }
}

/// Noise over recorded requests, for the decoders of our own too.
fn noise_over_recorded_requests() {
    let mut random = Seeded::new(42);
    for recorded in requests() {
        for _ in 0..30 {
            let mut bytes = recorded.frame.to_vec();
            for _ in 0..1 + random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
            }
            bytes.truncate(1 + random.below(bytes.len()));
            frame::fuzz_frame(&bytes);
            produce::fuzz_produce_request(&bytes);
            fetch::fuzz_fetch_request(&bytes);
            if let Some(api) = recorded.api().filter(|_| bytes.len() > 8) {
                take_in(api, recorded.version, &Bytes::from(bytes).slice(8..));
            }
        }
    }
}

/// Runs this test again in a process that may not map more than 512 MiB: what reserved from an
/// unchecked count would abort there.
#[test]
fn absurd_counts_reserve_nothing() {
    if std::env::var_os(CHILD).is_some() {
        absurd_bodies();
        noise_over_recorded_requests();
        return;
    }
    let status = Command::new("sh")
        .args([
            "-c",
            "ulimit -v 524288; exec \"$0\" --exact \"$1\" --test-threads=1",
        ])
        .arg(std::env::current_exe().unwrap())
        .arg("tests::absurd::absurd_counts_reserve_nothing")
        .env(CHILD, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success(), "{output}");
    assert!(output.contains("1 passed"), "{output}");
}

#[test]
fn elements_are_limited_all_arrays_together() {
    let api = crate::api::served(3).unwrap();
    let mut body = vec![0, 0, 0, 200];
    body.extend([0, 0].repeat(200));
    let body = Bytes::from(body);
    assert!(shape::check(&body, &api.body, 0, 200).is_ok());
    assert!(shape::check(&body, &api.body, 0, 199).is_err());
}
