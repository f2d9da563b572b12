//! The settings.

use crate::callbacks;
use serde::{Deserialize, Serialize};

/// What operators may set; filled by the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Paths that take the specification's own requests.
    pub paths: Vec<String>,
    /// Longest time a client may take to send a request's head, and between two requests.
    pub head_timeout_ms: u64,
    /// Most bytes of a request's head.
    pub head_bytes_max: usize,
    /// Longest time a client may take to send a request's body.
    pub body_timeout_ms: u64,
    /// Longest time a client may take none of an answer, or of a live stream.
    pub write_timeout_ms: u64,
    /// Longest message.
    pub message_bytes_max: usize,
    /// Longest body of a request that is not one message.
    pub batch_bytes_max: usize,
    /// Most messages of a batch, and receipts of one request.
    pub batch_messages_max: usize,
    /// Most messages one request may receive.
    pub receive_messages_max: u32,
    /// Most bytes of them, but always one message.
    pub receive_bytes_max: usize,
    /// Longest time a request waits for messages.
    pub wait_ms_max: u64,
    /// Requests that wait for messages at a time; further ones are answered at once.
    pub waiting_max: usize,
    /// Requests at a time; further ones are refused with 429.
    pub requests_max: usize,
    /// Live streams at a time; further ones are refused with 429.
    pub live_streams_max: usize,
    /// Most bytes of messages that a live stream has for a client who reads slowly, but always one
    /// message.
    pub live_bytes_max: usize,
    /// Most messages that a live stream with `ack=manual` may have out unacknowledged.
    pub live_credit_max: u32,
    /// Longest frame that a WebSocket's client may send.
    pub live_frame_bytes_max: usize,
    /// How long a live stream is silent before a heartbeat.
    pub heartbeat_ms: u64,
    /// Requests of one HTTP/2 connection at a time.
    pub streams_max: u32,
    /// How long a received message is its consumer's when the request does not say.
    pub invisible_ms: u64,
    /// Longest time it may be.
    pub invisible_ms_max: u64,
    /// Times a message is handed out before it goes to the group's dead letters (`%DLQ%group`).
    pub attempts_max: u32,
    /// How long a message is not sent again whose producer names its id; 0 is not at all.
    pub dedup_window_ms: u64,
    /// Ids that are remembered for it.
    pub dedup_ids_max: usize,
    /// What 429 and 503 tell clients to wait (Retry-After), in seconds.
    pub retry_after_s: u32,
    /// Origins whose pages may call (CORS); `*` is all.
    pub cors_origins: Vec<String>,
    /// Messages that are sent to their consumers.
    pub callbacks: callbacks::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            paths: vec!["/".to_owned(), "/oms".to_owned()],
            head_timeout_ms: 10_000,
            head_bytes_max: 64 << 10,
            body_timeout_ms: 30_000,
            write_timeout_ms: 30_000,
            message_bytes_max: 4 << 20,
            batch_bytes_max: 16 << 20,
            batch_messages_max: 1_024,
            receive_messages_max: 256,
            receive_bytes_max: 4 << 20,
            wait_ms_max: 30_000,
            waiting_max: 8_192,
            requests_max: 16_384,
            live_streams_max: 1_024,
            live_bytes_max: 64 << 10,
            live_credit_max: 256,
            live_frame_bytes_max: 128 << 10,
            heartbeat_ms: 15_000,
            streams_max: 256,
            invisible_ms: 30_000,
            invisible_ms_max: 43_200_000,
            attempts_max: 16,
            dedup_window_ms: 300_000,
            dedup_ids_max: 100_000,
            retry_after_s: 1,
            cors_origins: Vec::new(),
            callbacks: callbacks::Config::default(),
        }
    }
}
