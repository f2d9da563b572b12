//! The settings.

use super::allowed::Allowed;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What operators may set of callbacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who may be called: `public` is every public address, else networks, hosts, and with a dot
    /// before them all hosts below.
    pub allow: Vec<Allowed>,
    /// Who is called without being asked before, as `allow` has it.
    pub without_handshake: Vec<Allowed>,
    /// Who calls, as receivers are told (`WebHook-Request-Origin`).
    pub origin: String,
    /// PEM file of those who sign receivers' certificates, instead of those the machine trusts.
    pub ca: Option<PathBuf>,
    /// Consumers with a callback; further ones are refused with 429.
    pub callbacks_max: usize,
    /// Requests under way at a time, of all callbacks.
    pub requests_max: usize,
    /// Requests under way at a time that one callback may have.
    pub concurrency_max: u32,
    /// Messages that one request may have.
    pub batch_messages_max: u32,
    /// How long a receiver may take to answer when its callback does not say.
    pub timeout_ms: u64,
    /// How long a callback may let it take.
    pub timeout_ms_max: u64,
    /// Most bytes of an answer's head.
    pub answer_head_bytes_max: usize,
    /// Most bytes of an answer's body that are read, so that the connection can be used again.
    pub answer_bytes_max: usize,
    /// How long a message waits after its first failure when its callback does not say; twice as
    /// long after each further one.
    pub retry_first_ms: u64,
    /// How long it waits at most when its callback does not say.
    pub retry_ms: u64,
    /// How long it may be told to wait, by its callback or by Retry-After.
    pub retry_ms_max: u64,
    /// Connections to one receiver that are kept while nothing is sent.
    pub idle_connections_max: usize,
    /// How long they are kept.
    pub idle_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow: vec![Allowed::Public],
            without_handshake: Vec::new(),
            origin: "gantry".to_owned(),
            ca: None,
            callbacks_max: 256,
            requests_max: 256,
            concurrency_max: 32,
            batch_messages_max: 256,
            timeout_ms: 10_000,
            timeout_ms_max: 120_000,
            answer_head_bytes_max: 64 << 10,
            answer_bytes_max: 64 << 10,
            retry_first_ms: 1_000,
            retry_ms: 600_000,
            retry_ms_max: 3_600_000,
            idle_connections_max: 4,
            idle_ms: 30_000,
        }
    }
}
