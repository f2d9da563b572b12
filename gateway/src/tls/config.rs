use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// TLS on one protocol's listeners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) mode: Mode,
    /// The certificate and those between it and its root, PEM; without it there is no TLS.
    pub(crate) certificate: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub(crate) key: Option<PathBuf>,
    /// Those who sign the certificates of clients, PEM; without them none is asked for.
    pub(crate) client_ca: Option<PathBuf>,
    /// Whether a client must have one.
    pub(crate) client_certificate: ClientCertificate,
    /// Longest time from a connection's first byte to the end of its handshake, milliseconds.
    pub(crate) handshake_timeout_ms: u64,
    /// Handshakes at the same time; further ones wait for their turn.
    pub(crate) handshakes_max: usize,
}

/// What a listener takes (RocketMQ's `tls.server.mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Plaintext alone.
    Disabled,
    /// Both.
    #[default]
    Permissive,
    /// TLS alone.
    Enforcing,
}

/// What is asked of clients where there is one to sign for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientCertificate {
    /// They may come without.
    #[default]
    Optional,
    /// They may not.
    Required,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Permissive,
            certificate: None,
            key: None,
            client_ca: None,
            client_certificate: ClientCertificate::Optional,
            handshake_timeout_ms: 10_000,
            handshakes_max: 256,
        }
    }
}
