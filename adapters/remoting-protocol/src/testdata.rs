//! Recorded traffic for the tests, and damage for the fuzzers.

use std::path::Path;

/// One direction of a recorded connection.
pub(crate) struct Connection {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Connection {
    /// The Go client writes its JSON in its own order.
    pub(crate) fn is_from_go_client(&self) -> bool {
        self.name.starts_with("go") && self.name.ends_with("c2s.bin")
    }
}

pub(crate) fn connections() -> Vec<Connection> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut connections: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .map(|path| Connection {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            bytes: std::fs::read(&path).unwrap(),
        })
        .collect();
    connections.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(connections.len() > 50, "testdata is there");
    connections
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
