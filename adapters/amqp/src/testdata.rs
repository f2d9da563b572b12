//! Recorded traffic for the tests, and damage for the fuzzers.

use crate::codec::{Frame, FrameMax, PROTOCOL_HEADER_BYTES, ProtocolHeader, decode};
use bytes::{Bytes, BytesMut};
use std::path::Path;

/// One direction of a recorded connection.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

impl Recording {
    pub(crate) fn is_from_client(&self) -> bool {
        self.name.ends_with(".c2s.bin")
    }

    /// All of it, without the protocol header.
    pub(crate) fn frame_bytes(&self) -> Bytes {
        let mut buffer = BytesMut::from(&self.bytes[..]);
        if self.is_from_client() {
            let header = ProtocolHeader::read(&mut buffer);
            assert_eq!(header, Some(ProtocolHeader::Amqp091), "{}", self.name);
            return self.bytes.slice(PROTOCOL_HEADER_BYTES..);
        }
        self.bytes.clone()
    }

    pub(crate) fn frames(&self) -> Vec<Frame> {
        let mut buffer = BytesMut::from(&self.frame_bytes()[..]);
        let mut frames = Vec::new();
        while let Some(frame) = decode(&mut buffer, FrameMax::OFFERED).unwrap() {
            frames.push(frame);
        }
        assert!(
            buffer.is_empty(),
            "{}: {} are left",
            self.name,
            buffer.len()
        );
        frames
    }
}

pub(crate) fn recordings() -> Vec<Recording> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut recordings: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .map(|path| Recording {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            bytes: std::fs::read(&path).unwrap().into(),
        })
        .collect();
    recordings.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(recordings.len() > 40, "testdata is there");
    recordings
}

/// Calls `fuzz` with `count` damaged copies of `bytes`, the same ones in every run.
pub(crate) fn mutations(bytes: &[u8], count: u64, fuzz: impl Fn(&[u8])) {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    for _ in 0..count {
        let mut damaged = bytes.to_vec();
        for _ in 0..=random(4) {
            let at = random(damaged.len());
            match random(4) {
                0 => damaged.truncate(at),
                1 => damaged.extend_from_within(at..),
                _ => {
                    if let Some(byte) = damaged.get_mut(at) {
                        *byte = u8::try_from(random(256)).unwrap();
                    }
                }
            }
        }
        fuzz(&damaged);
    }
}
