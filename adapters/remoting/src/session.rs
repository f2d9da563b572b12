//! What the broker does for one connection, and keeps of it.

use crate::connection::BrokerConnection;
use crate::handlers::{self, SendStage};
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_connection::Replies;
use gantry_core::groups::registry::{Event, SessionId};
use gantry_remoting_protocol::Command;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// What the broker knows of one connection. Dropping it tells the broker that the client is gone.
#[derive(Debug)]
pub(crate) struct Session {
    role: Arc<BrokerRole>,
    id: SessionId,
    sends: SendStage,
    held_pulls: Arc<Semaphore>,
}

impl Session {
    /// A connection from `peer`, and the events it must be told with [`Session::notice`].
    pub(crate) fn new(role: Arc<BrokerRole>, peer: SocketAddr) -> (Self, mpsc::Receiver<Event>) {
        let (id, events) = role.clients.connect();
        // A listener for both families shows IPv4 peers as IPv6, which costs 24 bytes a message.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let held_max = role.config.held_pulls_per_connection_max;
        let session = Self {
            id,
            sends: SendStage::new(Arc::clone(&role), peer),
            held_pulls: Arc::new(Semaphore::new(held_max.min(Semaphore::MAX_PERMITS))),
            role,
        };
        (session, events)
    }

    /// Does what the commands of one read ask for, in their order, and appends the answers to
    /// `replies`. Sends without anything between them are produced together.
    pub(crate) fn begin(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
        replies: &mut Replies<BrokerConnection>,
    ) {
        for command in commands {
            if command.flag.is_response() {
                // An answer to a notice, which wants none.
                continue;
            }
            if handlers::is_send(command.request_code()) {
                self.sends.add(&command, replies);
                continue;
            }
            self.sends.produce(replies);
            self.handle(&command, replies);
        }
        self.sends.produce(replies);
    }

    fn handle(&self, command: &Command, replies: &mut Replies<BrokerConnection>) {
        let reply = handlers::handle(self, command).unwrap_or_else(|refusal| {
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

    /// The frame that tells the client of `event`.
    pub(crate) fn notice(&self, event: &Event) -> Frame {
        handlers::notice(&self.role, event)
    }

    pub(crate) const fn role(&self) -> &Arc<BrokerRole> {
        &self.role
    }

    pub(crate) const fn id(&self) -> SessionId {
        self.id
    }

    pub(crate) const fn held_pulls(&self) -> &Arc<Semaphore> {
        &self.held_pulls
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.role.clients.disconnect(self.id);
    }
}
