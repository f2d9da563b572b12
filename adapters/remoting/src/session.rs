//! What the broker does for one connection, and keeps of it.

use crate::connection::BrokerConnection;
use crate::error::Refusal;
use crate::handlers::{self, EndStage, SendStage};
use crate::peers::Peer;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_connection::Replies;
use gantry_core::groups::registry::{Event, SessionId};
use gantry_remoting_protocol::{Command, RequestCode};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// What the broker knows of one connection. Dropping it tells the broker that the client is gone.
#[derive(Debug)]
pub(crate) struct Session {
    role: Arc<BrokerRole>,
    id: SessionId,
    sends: SendStage,
    ends: EndStage,
    held_pulls: Arc<Semaphore>,
    peer: Arc<Peer>,
}

impl Session {
    /// A connection from `peer`, the events it must be told with [`Session::notice`], and the
    /// requests to write to it.
    pub(crate) fn new(
        role: Arc<BrokerRole>,
        peer: SocketAddr,
    ) -> (Self, mpsc::Receiver<Event>, mpsc::Receiver<Frame>) {
        let (id, events) = role.clients.connect();
        // A listener for both families shows IPv4 peers as IPv6, which costs 24 bytes a message.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let held_max = role.config.held_pulls_per_connection_max;
        let (other_side, requests) = role.peers.connect(id, peer);
        let session = Self {
            id,
            peer: other_side,
            sends: SendStage::new(Arc::clone(&role), peer),
            ends: EndStage::new(Arc::clone(&role)),
            held_pulls: Arc::new(Semaphore::new(held_max.min(Semaphore::MAX_PERMITS))),
            role,
        };
        (session, events, requests)
    }

    /// Does what the commands of one read ask for, in their order, and appends the answers to
    /// `replies`. Sends without anything between them are produced together, and so are ends of
    /// transactions, before sends that came with them: no end can be about those.
    pub(crate) fn begin(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
        replies: &mut Replies<BrokerConnection>,
    ) {
        for command in commands {
            if command.flag.is_response() {
                // To what was asked of this client; a notice wants none.
                self.peer.answered(command);
                continue;
            }
            if let Err(refusal) = self.admit(&command) {
                self.ends.finish(replies);
                self.sends.produce(replies);
                answer(&command, Err(refusal), replies);
                continue;
            }
            if handlers::is_send(command.request_code()) {
                self.sends.add(&command, replies);
            } else if command.request_code() == RequestCode::EndTransaction {
                self.ends.add(&command, replies);
            } else {
                self.ends.finish(replies);
                self.sends.produce(replies);
                answer(&command, handlers::handle(self, &command), replies);
            }
        }
        self.ends.finish(replies);
        self.sends.produce(replies);
    }

    /// Whether the command's sender may ask for it.
    fn admit(&self, command: &Command) -> Result<(), Refusal> {
        let acl = self.role.acl.as_ref();
        acl.map_or(Ok(()), |acl| acl.check(command))
    }

    /// The frame that tells the client of `event`, if it is to be told.
    pub(crate) fn notice(&self, event: &Event) -> Option<Frame> {
        handlers::notice(&self.role, event)
    }

    pub(crate) const fn role(&self) -> &Arc<BrokerRole> {
        &self.role
    }

    /// Where the client is.
    pub(crate) fn peer_address(&self) -> SocketAddr {
        self.peer.address
    }

    pub(crate) const fn id(&self) -> SessionId {
        self.id
    }

    pub(crate) const fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    pub(crate) const fn held_pulls(&self) -> &Arc<Semaphore> {
        &self.held_pulls
    }
}

/// Appends what `command` is answered with, unless it wants no answer.
fn answer(
    command: &Command,
    outcome: Result<Reply, Refusal>,
    replies: &mut Replies<BrokerConnection>,
) {
    let reply = outcome.unwrap_or_else(|refusal| {
        let code = command.request_code();
        tracing::debug!(
            code = code.name(),
            remark = refusal.remark,
            "request refused"
        );
        Frame::refusal(command.reply_to(), &refusal).into()
    });
    if command.flag.is_oneway() {
        return;
    }
    match reply {
        Reply::Ready(frame) => frame.write(replies.ready()),
        Reply::Held(later) => replies.held(later),
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.role.peers.disconnect(self.id);
        self.role.clients.disconnect(self.id);
    }
}
