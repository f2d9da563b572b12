//! The end of a connection: what is answered is written, then the stream is closed.

use super::Driver;
use crate::{Closed, Limits, Protocol};
use std::future::poll_fn;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Duration, timeout};

/// How long a peer that sent what it must not may go on sending. Closing before it stops would
/// reset the connection, and the peer might never see its last answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_READ_BYTES: usize = 4096;

pub(super) async fn close<S, P>(
    driver: &mut Driver<'_, S, P>,
    closed: &Closed<P::Error>,
    limits: &Limits,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Protocol,
{
    if matches!(closed, Closed::Stream(_) | Closed::Idle) {
        return;
    }
    let answered = driver.unflushed || driver.replies.unsent_bytes() > 0;
    let write = poll_fn(|context| driver.poll_write(context));
    let Ok(Ok(())) = timeout(limits.drain(), write).await else {
        return;
    };
    let Ok(Ok(())) = timeout(limits.drain(), driver.stream.shutdown()).await else {
        return;
    };
    if answered && closed.is_peers_mistake() {
        let _ = timeout(LINGER, discard(&mut driver.stream)).await;
    }
}

/// Reads until the peer has nothing more to say.
async fn discard<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut scratch = Vec::with_capacity(LINGER_READ_BYTES);
    while let Ok(count @ 1..) = stream.read_buf(&mut scratch).await {
        debug_assert!(count <= LINGER_READ_BYTES);
        scratch.clear();
    }
}
