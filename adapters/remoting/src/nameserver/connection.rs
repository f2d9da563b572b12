use super::NameServer;
use crate::reply::Frame;
use bytes::BytesMut;
use gantry_connection::{Outgoing, Protocol, Replies, ReplyOrder};
use gantry_remoting_protocol::{Command, DecodeError, decode};
use std::future::Ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::vec::Drain;

/// One connection to the NameServer, as the stream driver sees it. Nothing takes time here, so
/// every answer is ready at once.
#[derive(Debug)]
pub struct NameServerConnection {
    server: Arc<NameServer>,
    peer: SocketAddr,
}

impl NameServerConnection {
    /// A connection that has just come from `peer`.
    #[must_use]
    pub const fn new(server: Arc<NameServer>, peer: SocketAddr) -> Self {
        Self { server, peer }
    }
}

impl Protocol for NameServerConnection {
    type Frame = Command;
    type Pending = Ready<Frame>;
    type Error = DecodeError;
    const ORDER: ReplyOrder = ReplyOrder::AsReady;

    fn frame_bytes_max(&self) -> usize {
        self.server.config.frame_bytes_max
    }

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Command>, DecodeError> {
        decode(buffer, self.frame_bytes_max())
    }

    fn handle(
        &mut self,
        frames: Drain<'_, Command>,
        replies: &mut Replies<Self>,
    ) -> Result<(), DecodeError> {
        for command in frames.filter(|command| !command.flag.is_response()) {
            let answer = self.server.answer(&command, self.peer);
            if !command.flag.is_oneway() {
                answer.write(replies.ready());
            }
        }
        Ok(())
    }

    fn finish(frame: Frame, reply: &mut Outgoing) -> Result<(), DecodeError> {
        frame.write(reply);
        Ok(())
    }
}
