//! The other side of each connection: what it says of itself, and what it is asked.
//!
//! A broker asks a consumer on behalf of a tool. The question is written by the consumer's own
//! connection; its answer is paired by number with who waits for it.

use crate::error::Refusal;
use crate::reply::Frame;
use dashmap::DashMap;
use gantry_core::Error;
use gantry_core::groups::registry::SessionId;
use gantry_remoting_protocol::{Command, LanguageCode};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A client library, as every header of it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Library {
    pub(crate) language: LanguageCode,
    pub(crate) version: i32,
}

/// Why a client did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Its connection has closed.
    Gone,
    /// It took too long.
    TimedOut,
}

/// Who waits for which answer; `None` once the connection has closed.
type Waiting = Option<HashMap<i32, oneshot::Sender<Command>>>;

/// One connection's other side.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    library: Mutex<Library>,
    requests: mpsc::Sender<Frame>,
    waiting: Mutex<Waiting>,
    waiting_max: usize,
}

impl Peer {
    /// The client library there.
    pub(crate) fn library(&self) -> Library {
        *self.library.lock()
    }

    /// Notes what a header says.
    pub(crate) fn note_library(&self, command: &Command) {
        *self.library.lock() = Library {
            language: command.language,
            version: command.version,
        };
    }

    /// Sends the request `opaque` and waits for its answer, `patience` at most. Dropping this
    /// gives up.
    ///
    /// # Errors
    /// Too much is asked of this client already.
    pub(crate) fn ask(
        self: &Arc<Self>,
        opaque: i32,
        request: Frame,
        patience: Duration,
    ) -> Result<impl Future<Output = Result<Command, NoAnswer>> + Send + use<>, Refusal> {
        let (sender, answer) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock();
            match waiting.as_mut() {
                Some(waiting) if waiting.len() >= self.waiting_max => return Err(busy()),
                Some(waiting) => drop(waiting.insert(opaque, sender)),
                // Dropping the sender tells the receiver.
                None => drop(sender),
            }
        }
        let call = PendingCall {
            peer: Arc::clone(self),
            opaque,
        };
        self.tell(request)?;
        // From now on, not from when somebody looks.
        let answer = tokio::time::timeout(patience, answer);
        Ok(async move {
            let answer = answer.await;
            drop(call);
            match answer {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_)) => Err(NoAnswer::Gone),
                Err(_) => Err(NoAnswer::TimedOut),
            }
        })
    }

    /// Sends a request that has no answer.
    ///
    /// # Errors
    /// Too much is asked of this client already.
    pub(crate) fn tell(&self, request: Frame) -> Result<(), Refusal> {
        self.requests.try_send(request).map_err(|_| busy())
    }

    /// Takes an answer; one that nobody waits for is dropped.
    pub(crate) fn answered(&self, answer: Command) {
        let mut waiting = self.waiting.lock();
        let waits = waiting.as_mut().and_then(|w| w.remove(&answer.opaque));
        drop(waiting);
        if let Some(waits) = waits {
            // Who asked may have given up just now.
            let _ = waits.send(answer);
        }
    }

    /// Tells all who wait that no answer comes.
    fn close(&self) {
        *self.waiting.lock() = None;
    }

    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.waiting.lock().as_ref().map_or(0, HashMap::len)
    }
}

fn busy() -> Refusal {
    Error::Busy("remoting.protocol.calls_per_connection_max").into()
}

/// Forgets a question however its wait ends.
struct PendingCall {
    peer: Arc<Peer>,
    opaque: i32,
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        if let Some(waiting) = self.peer.waiting.lock().as_mut() {
            waiting.remove(&self.opaque);
        }
    }
}

/// Every connection's other side.
#[derive(Debug)]
pub(crate) struct Peers {
    by_session: DashMap<SessionId, Arc<Peer>>,
    waiting_max: usize,
}

impl Peers {
    /// Nobody yet; of each at most `waiting_max` answers are awaited at a time.
    pub(crate) fn new(waiting_max: usize) -> Self {
        Self {
            by_session: DashMap::new(),
            waiting_max,
        }
    }

    /// A new connection's other side, and the requests to write to it.
    pub(crate) fn connect(
        &self,
        session: SessionId,
        address: SocketAddr,
    ) -> (Arc<Peer>, mpsc::Receiver<Frame>) {
        let (requests, written) = mpsc::channel(self.waiting_max.max(1));
        let peer = Arc::new(Peer {
            address,
            library: Mutex::default(),
            requests,
            waiting: Mutex::new(Some(HashMap::new())),
            waiting_max: self.waiting_max,
        });
        self.by_session.insert(session, Arc::clone(&peer));
        (peer, written)
    }

    /// The other side of a connection, while it lasts.
    pub(crate) fn find(&self, session: SessionId) -> Option<Arc<Peer>> {
        self.by_session.get(&session).map(|peer| Arc::clone(&peer))
    }

    /// The connection has closed.
    pub(crate) fn disconnect(&self, session: SessionId) {
        if let Some((_, peer)) = self.by_session.remove(&session) {
            peer.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gantry_core::groups::registry::{ClientRegistry, RegistryLimits};

    const PATIENCE: Duration = Duration::from_secs(5);

    fn answer_to(opaque: i32) -> Command {
        Command {
            opaque,
            ..Command::default()
        }
    }

    fn peers() -> (Peers, SessionId, Arc<Peer>, mpsc::Receiver<Frame>) {
        let (session, _events) = ClientRegistry::new(RegistryLimits::default()).connect();
        let peers = Peers::new(2);
        let (peer, requests) = peers.connect(session, SocketAddr::from(([127, 0, 0, 1], 1)));
        (peers, session, peer, requests)
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_goes_to_who_asked_and_a_late_one_to_nobody() {
        let (_peers, _, peer, mut requests) = peers();
        let first = peer.ask(1, Frame::default(), PATIENCE).unwrap();
        let second = peer.ask(2, Frame::default(), PATIENCE).unwrap();
        assert!(requests.recv().await.is_some());
        peer.answered(answer_to(2));
        assert_eq!(second.await.unwrap().opaque, 2);
        assert_eq!(first.await, Err(NoAnswer::TimedOut));
        assert_eq!(peer.waiting(), 0);
        peer.answered(answer_to(1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_that_the_client_is_gone() {
        let (peers, session, peer, _requests) = peers();
        let before = peer.ask(1, Frame::default(), PATIENCE).unwrap();
        peers.disconnect(session);
        assert_eq!(before.await, Err(NoAnswer::Gone));
        let after = peer.ask(2, Frame::default(), PATIENCE).unwrap();
        assert_eq!(after.await, Err(NoAnswer::Gone));
        assert!(peers.find(session).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn so_much_is_asked_and_no_more_and_who_gives_up_makes_room() {
        let (_peers, _, peer, mut requests) = peers();
        let first = peer.ask(1, Frame::default(), PATIENCE).unwrap();
        let _second = peer.ask(2, Frame::default(), PATIENCE).unwrap();
        assert!(peer.ask(3, Frame::default(), PATIENCE).is_err());
        drop(first);
        requests.recv().await.unwrap();
        assert!(peer.ask(3, Frame::default(), PATIENCE).is_ok());
    }
}
