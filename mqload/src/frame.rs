//! Bytes that come over a connection, cut into frames by whoever knows how.

use anyhow::{Context as _, Result, bail};
use bytes::BytesMut;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a cold answer or a connection may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to `address`, `host:port`.
pub(crate) async fn connect(address: &str) -> Result<TcpStream> {
    let stream = timeout(PATIENCE, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection and what of it was read but not understood yet.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) stream: TcpStream,
    pub(crate) buffer: BytesMut,
}

impl Incoming {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: BytesMut::with_capacity(64 << 10),
        }
    }

    /// The next frame as `take` finds it.
    pub(crate) async fn next<F>(
        &mut self,
        take: impl Fn(&mut BytesMut) -> Result<Option<F>>,
    ) -> Result<F> {
        let read = async {
            loop {
                if let Some(frame) = take(&mut self.buffer)? {
                    return Ok(frame);
                }
                if self.stream.read_buf(&mut self.buffer).await? == 0 {
                    bail!("the broker closed the connection");
                }
            }
        };
        timeout(PATIENCE, read).await.context("no answer")?
    }
}
