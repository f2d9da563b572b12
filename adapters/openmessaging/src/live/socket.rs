//! A live stream as a WebSocket: messages one way, credit and answers the other.

use super::Live;
use super::frames::{self, Asked, Told};
use crate::error::Refusal;
use crate::settle::Settled;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures_util::SinkExt as _;
use gantry_connection::Shutdown;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite;

/// How long a client may take to answer that the stream is closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a stream is over.
#[derive(Debug)]
enum End {
    /// The client said so.
    Left,
    /// Without a word.
    Gone,
    /// Nothing was heard of the client for a heartbeat after it was asked.
    Silent,
    Closed(u16, &'static str),
    Failed(Refusal),
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(refusal)
    }
}

impl From<axum::Error> for End {
    /// What was wrong with what a client sent.
    fn from(error: axum::Error) -> Self {
        let error = error.into_inner();
        match error.downcast_ref() {
            Some(tungstenite::Error::Capacity(_)) => Self::Closed(close_code::SIZE, "too long"),
            Some(tungstenite::Error::Utf8(_)) => Self::Closed(close_code::INVALID, "no UTF-8"),
            Some(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => Self::Gone,
            Some(tungstenite::Error::Protocol(_)) => {
                Self::Closed(close_code::PROTOCOL, "no WebSocket")
            }
            _ => Self::Gone,
        }
    }
}

/// Serves a stream until one of both sides ends it.
pub(crate) async fn converse(socket: WebSocket, live: Live, shutdown: Shutdown) {
    let mut conversation = Conversation {
        socket,
        is_heard: true,
    };
    let end = conversation.run(live, &shutdown).await;
    tracing::debug!(?end, "a live stream ended");
    // What was out is back by now.
    let patience = timeout(FAREWELL, conversation.close(end));
    if patience.await.is_err() {
        tracing::debug!("a client did not answer that its stream is closed");
    }
}

struct Conversation {
    socket: WebSocket,
    /// Whether the client was heard of since the last heartbeat.
    is_heard: bool,
}

impl Conversation {
    async fn run(&mut self, mut live: Live, shutdown: &Shutdown) -> End {
        loop {
            if let Err(end) = self.until_beat(&mut live, shutdown).await {
                return end;
            }
            if !std::mem::take(&mut self.is_heard) {
                return End::Silent;
            }
            if let Err(error) = self.socket.send(Message::Ping(Default::default())).await {
                return error.into();
            }
        }
    }

    /// Sends and hears until the next heartbeat is due.
    async fn until_beat(&mut self, live: &mut Live, shutdown: &Shutdown) -> Result<(), End> {
        let beat = live.next_beat();
        loop {
            tokio::select! {
                biased;
                () = shutdown.requested() => {
                    return Err(End::Closed(close_code::AWAY, "the gateway stops"));
                }
                frame = self.socket.recv() => {
                    let frame = frame.ok_or(End::Gone)??;
                    self.is_heard = true;
                    self.hear(live, frame).await?;
                }
                received = live.next(beat) => {
                    let received = received?;
                    for one in &received {
                        let mut text = br#"{"message":"#.to_vec();
                        live.write(one, &mut text)?;
                        text.push(b'}');
                        let text = Utf8Bytes::try_from(text);
                        let text = text.map_err(|_| End::Closed(close_code::ERROR, "no UTF-8"))?;
                        self.socket.feed(Message::Text(text)).await?;
                    }
                    if !received.is_empty() {
                        self.socket.flush().await?;
                    }
                    live.taken(received.len())?;
                    // Whatever the client said until now was heard before.
                    if Instant::now() >= beat {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn hear(&mut self, live: &mut Live, frame: Message) -> Result<(), End> {
        let text = match frame {
            Message::Text(text) => text,
            Message::Binary(_) => {
                return Err(End::Closed(close_code::UNSUPPORTED, "frames are text"));
            }
            Message::Close(_) => return Err(End::Left),
            // Answered below.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        let (id, asked) = frames::read(&text);
        let answer = match asked.and_then(|asked| act(live, id, &asked)) {
            Ok(answer) => answer,
            Err(refusal) => {
                let problem = refusal.problem();
                Some(Told::Error { id, problem }.text())
            }
        };
        if let Some(answer) = answer {
            self.socket.send(Message::Text(answer.into())).await?;
        }
        Ok(())
    }

    /// Tells the client why, and waits until it knows.
    async fn close(mut self, end: End) {
        let (code, reason) = match end {
            End::Gone => return,
            // What it said is answered by reading on.
            End::Left => return self.drain().await,
            End::Silent => (close_code::POLICY, "nothing was heard"),
            End::Closed(code, reason) => (code, reason),
            End::Failed(refusal) => {
                let problem = refusal.problem();
                let text = Told::Error { id: None, problem }.text();
                let told = self.socket.send(Message::Text(text.into())).await;
                if told.is_err() {
                    return;
                }
                (close_code::ERROR, "the stream failed")
            }
        };
        let reason = Utf8Bytes::from_static(reason);
        let frame = Message::Close(Some(CloseFrame { code, reason }));
        if self.socket.send(frame).await.is_ok() {
            self.drain().await;
        }
    }

    async fn drain(&mut self) {
        while let Some(Ok(_)) = self.socket.recv().await {}
    }
}

/// Does what a client asks for; what it is told.
fn act(live: &mut Live, id: Option<u64>, asked: &Asked<'_>) -> Result<Option<String>, Refusal> {
    match asked {
        Asked::Credit(credit) => {
            let limit = live.server.config.live_credit_max;
            if *credit > limit {
                let text = format!("credit is at most {limit}, not {credit}");
                return Err(Refusal::parameter(text));
            }
            if !live.set_credit(*credit) {
                let text = "credit is of a stream with ack=manual";
                return Err(Refusal::parameter(text));
            }
            Ok(None)
        }
        Asked::Settle(verb, settle) => {
            let mut items = live.server.settle(*verb, &live.wanted.consumer, settle)?;
            if id.is_none() {
                items.retain(Settled::is_news);
            }
            let is_told = id.is_some() || !items.is_empty();
            Ok(is_told.then(|| Told::Settled { id, items }.text()))
        }
    }
}
