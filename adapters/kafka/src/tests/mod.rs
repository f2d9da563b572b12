//! The crate against recorded clients, against `kafka-protocol`, and against absurd bytes.

mod absurd;
mod captures;
mod fetch_codec;
mod produce_codec;
mod shapes;

use crate::api::{self, Api};
use crate::wire::frame;
use bytes::{Bytes, BytesMut};
use std::path::PathBuf;

/// A request as it was recorded.
pub(crate) struct Recorded {
    pub(crate) file: String,
    pub(crate) key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) frame: Bytes,
}

impl Recorded {
    pub(crate) fn api(&self) -> Option<&'static Api> {
        api::served(self.key).filter(|api| (api.first..=api.last).contains(&self.version))
    }

    /// The bytes after the header.
    pub(crate) fn body(&self) -> Bytes {
        let api = self.api().unwrap();
        let mut reader = crate::wire::reader::Reader::new(&self.frame);
        frame::RequestHeader::read(&mut reader).unwrap();
        frame::read_client_id(&mut reader, api.is_flexible(self.version)).unwrap();
        self.frame.slice(reader.position()..)
    }
}

pub(crate) fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/captures")
}

/// The whole frames of a recorded direction, without their lengths.
pub(crate) fn frames(file: &str) -> Vec<Bytes> {
    let bytes = std::fs::read(testdata().join(file)).unwrap();
    let mut buffer = BytesMut::from(&bytes[..]);
    std::iter::from_fn(|| {
        // Responses may be shorter than any request, so the requests' lower limit is not theirs.
        let length = u32::from_be_bytes(*buffer.first_chunk::<4>()?) as usize;
        if buffer.len() < 4 + length {
            return None;
        }
        let _ = buffer.split_to(4);
        Some(buffer.split_to(length).freeze())
    })
    .collect()
}

/// Names of the recorded connections, without `.c2s.bin`.
pub(crate) fn connections() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(testdata())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".c2s.bin").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() > 60, "the recorded connections are there");
    names
}

/// Every recorded request.
pub(crate) fn requests() -> Vec<Recorded> {
    let of = |name: String| {
        frames(&format!("{name}.c2s.bin"))
            .into_iter()
            .map(move |frame| Recorded {
                file: name.clone(),
                key: i16::from_be_bytes(frame[0..2].try_into().unwrap()),
                version: i16::from_be_bytes(frame[2..4].try_into().unwrap()),
                correlation_id: i32::from_be_bytes(frame[4..8].try_into().unwrap()),
                frame,
            })
    };
    connections().into_iter().flat_map(of).collect()
}

/// The recorded answer to `request`, without its length.
pub(crate) fn answer_to(request: &Recorded) -> Option<Bytes> {
    let id = request.correlation_id.to_be_bytes();
    frames(&format!("{}.s2c.bin", request.file))
        .into_iter()
        .find(|frame| frame.starts_with(&id))
}

/// A small generator of its own, so that a failing seed can be run again anywhere.
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}
