//! A client's connection to the broker role, as the stream driver sees it.

use crate::reply::{Frame, LaterFrame};
use crate::role::BrokerRole;
use crate::session::Session;
use bytes::BytesMut;
use gantry_connection::{Outgoing, Protocol, Replies, ReplyOrder};
use gantry_core::groups::registry::Event;
use gantry_remoting_protocol::{Command, DecodeError, decode};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec::Drain;
use tokio::sync::mpsc;

/// One connection to the broker. Bytes that are no frame close it without an answer, as stock
/// brokers do.
#[derive(Debug)]
pub struct BrokerConnection {
    session: Session,
    events: mpsc::Receiver<Event>,
    /// Requests to the client on behalf of others.
    requests: mpsc::Receiver<Frame>,
}

impl BrokerConnection {
    /// A connection that has just come from `peer`.
    #[must_use]
    pub fn new(role: Arc<BrokerRole>, peer: SocketAddr) -> Self {
        let (session, events, requests) = Session::new(role, peer);
        Self {
            session,
            events,
            requests,
        }
    }
}

impl Protocol for BrokerConnection {
    type Frame = Command;
    type Pending = LaterFrame;
    type Error = DecodeError;
    const ORDER: ReplyOrder = ReplyOrder::AsReady;

    fn frame_bytes_max(&self) -> usize {
        self.session.role().config.frame_bytes_max
    }

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Command>, DecodeError> {
        decode(buffer, self.frame_bytes_max())
    }

    fn handle(
        &mut self,
        frames: Drain<'_, Command>,
        replies: &mut Replies<Self>,
    ) -> Result<(), DecodeError> {
        self.session.begin(frames, replies);
        Ok(())
    }

    fn finish(frame: Frame, reply: &mut Outgoing) -> Result<(), DecodeError> {
        frame.write(reply);
        Ok(())
    }

    fn poll_notice(
        &mut self,
        cx: &mut Context<'_>,
        notice: &mut Outgoing,
    ) -> Poll<Result<(), DecodeError>> {
        // Either sender lives as long as the session.
        if let Poll::Ready(Some(request)) = self.requests.poll_recv(cx) {
            request.write(notice);
            return Poll::Ready(Ok(()));
        }
        loop {
            let Some(event) = ready!(self.events.poll_recv(cx)) else {
                return Poll::Pending;
            };
            if let Some(frame) = self.session.notice(&event) {
                frame.write(notice);
                return Poll::Ready(Ok(()));
            }
        }
    }
}
