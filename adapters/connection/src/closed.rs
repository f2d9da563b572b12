//! Why a connection ended.

use std::io;

/// Why [`crate::run`] returned. `E` is the protocol's error.
#[derive(Debug, thiserror::Error)]
pub enum Closed<E: std::error::Error> {
    /// The peer closed its side; replies it was still waiting for were dropped.
    #[error("closed by the peer")]
    ByPeer,
    /// Nothing came, nothing was asked for, or nothing that was answered was read for too long.
    #[error("idle")]
    Idle,
    /// We are stopping.
    #[error("shutting down")]
    Shutdown,
    /// The protocol refused to go on.
    #[error(transparent)]
    Protocol(E),
    /// A frame did not end within the protocol's limit.
    #[error("a frame is longer than {limit} bytes")]
    FrameTooLong {
        /// Bytes a frame may have.
        limit: usize,
    },
    /// The stream failed, mostly because the peer is gone.
    #[error("{0}")]
    Stream(#[from] io::Error),
}

impl<E: std::error::Error> Closed<E> {
    /// Whether the peer sent what it must not. It may still be sending: answer, then let it read.
    pub(crate) const fn is_peers_mistake(&self) -> bool {
        matches!(self, Self::Protocol(_) | Self::FrameTooLong { .. })
    }
}
