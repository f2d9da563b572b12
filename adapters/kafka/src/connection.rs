//! A session on the stream driver.

use crate::answer::Answer;
use crate::api::Pending;
use crate::server::Server;
use crate::session::{Closed, Reply, Session};
use crate::wire::frame;
use bytes::{Bytes, BytesMut};
use gantry_connection::{Outgoing, Protocol, Replies, ReplyOrder};
use std::net::SocketAddr;
use std::sync::Arc;
use std::vec::Drain;

/// One client's connection, to be run by [`gantry_connection::run`].
#[derive(Debug)]
pub struct KafkaConnection {
    session: Session,
    request_bytes_max: usize,
    replies: Vec<Reply>,
}

impl KafkaConnection {
    /// A connection from `peer`.
    #[must_use]
    pub fn new(server: Arc<Server>, peer: SocketAddr) -> Self {
        Self {
            request_bytes_max: server.config().request_bytes_max,
            session: Session::new(server, peer),
            replies: Vec::new(),
        }
    }
}

impl Protocol for KafkaConnection {
    type Frame = Bytes;
    type Pending = Pending;
    type Error = Closed;

    const ORDER: ReplyOrder = ReplyOrder::OfRequests;

    fn frame_bytes_max(&self) -> usize {
        self.request_bytes_max
    }

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Closed> {
        Ok(frame::next_frame(buffer, self.request_bytes_max)?)
    }

    fn handle(
        &mut self,
        frames: Drain<'_, Bytes>,
        replies: &mut Replies<Self>,
    ) -> Result<(), Closed> {
        let result = self.session.begin(frames, &mut self.replies);
        for reply in self.replies.drain(..) {
            match reply {
                Reply::Ready(answer) => write(answer, replies.ready()),
                Reply::Pending(pending) => replies.pending(pending),
                Reply::Held(held) => replies.held(held),
            }
        }
        result
    }

    fn finish(output: Result<Answer, Closed>, reply: &mut Outgoing) -> Result<(), Closed> {
        write(output?, reply);
        Ok(())
    }
}

fn write(answer: Answer, reply: &mut Outgoing) {
    for chunk in answer.chunks {
        reply.push(chunk);
    }
}
