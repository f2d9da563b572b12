//! The whole state as text that fits a command: JSON, compressed, in base64.

use super::machine::State;
use crate::queue::Producers;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// Fast, and a tenth of the JSON.
const LEVEL: i32 = 1;
/// Largest state that is unpacked, in bytes of JSON.
const BYTES_MAX: u64 = 1 << 30;

/// A state within a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PackedState(String);

/// What is packed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Whole {
    pub(crate) state: State,
    /// What queues remember of idempotent producers, by queue number.
    pub(crate) producers: BTreeMap<u32, Producers>,
}

impl PackedState {
    /// Packs a state.
    pub(crate) fn of(whole: &Whole) -> io::Result<Self> {
        let json = serde_json::to_vec(whole).map_err(io::Error::other)?;
        let packed = zstd::bulk::compress(&json, LEVEL)?;
        Ok(Self(STANDARD_NO_PAD.encode(packed)))
    }

    /// The state again; `None` when it is none.
    pub(crate) fn unpack(&self) -> Option<Whole> {
        let packed = STANDARD_NO_PAD.decode(&self.0).ok()?;
        let reader = zstd::stream::read::Decoder::new(packed.as_slice()).ok()?;
        serde_json::from_reader(io::Read::take(reader, BYTES_MAX)).ok()
    }
}
