use super::NameServer;
use super::registry::{MinBrokerChange, Session};
use crate::reply::Frame;
use bytes::BytesMut;
use gantry_connection::{Outgoing, Protocol, Replies, ReplyOrder};
use gantry_remoting_protocol::header::MinBrokerId;
use gantry_remoting_protocol::{Command, DecodeError, Request, RequestCode, decode};
use std::future::Ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec::Drain;
use tokio::sync::mpsc;

/// Notices that wait for a broker that does not read. More are dropped: brokers ask, too.
const NOTICES_MAX: usize = 16;

/// One connection to the NameServer, as the stream driver sees it. Nothing takes time here, so
/// every answer is ready at once. When it ends, the brokers that registered over it are gone.
#[derive(Debug)]
pub struct NameServerConnection {
    server: Arc<NameServer>,
    peer: SocketAddr,
    session: Session,
    notices: mpsc::Receiver<MinBrokerChange>,
    is_broker: bool,
}

impl NameServerConnection {
    /// A connection that has just come from `peer`.
    #[must_use]
    pub fn new(server: Arc<NameServer>, peer: SocketAddr) -> Self {
        let (sender, notices) = mpsc::channel(NOTICES_MAX);
        let session = Session {
            id: server.next_session(),
            notices: sender,
        };
        Self {
            server,
            peer,
            session,
            notices,
            is_broker: false,
        }
    }
}

impl Drop for NameServerConnection {
    fn drop(&mut self) {
        if self.is_broker {
            self.server.disconnect(self.session.id);
        }
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
            self.is_broker |= command.request_code() == RequestCode::RegisterBroker;
            let answer = self.server.answer(&command, self.peer, &self.session);
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

    fn poll_notice(
        &mut self,
        context: &mut Context<'_>,
        notice: &mut Outgoing,
    ) -> Poll<Result<(), DecodeError>> {
        // The sender lives as long as the session.
        let Some(change) = ready!(self.notices.poll_recv(context)) else {
            return Poll::Pending;
        };
        let fields = MinBrokerId {
            min_broker_id: change.id,
            broker_name: &change.broker_name,
            min_broker_addr: change.address.as_deref(),
            offline_broker_addr: change.gone.as_deref(),
            ha_broker_addr: change.ha_address.as_deref(),
        };
        let request = Request {
            code: RequestCode::NotifyMinBrokerIdChange,
            opaque: 0,
            is_oneway: true,
            fields: Some(&fields),
            body_len: 0,
        };
        Frame::request(request, Vec::new()).write(notice);
        Poll::Ready(Ok(()))
    }
}
