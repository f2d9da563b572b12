//! A live stream as the body of an answer: server-sent events, or a line of JSON each.

use super::Live;
use crate::error::Refusal;
use crate::places;
use crate::receive::Received;
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use gantry_connection::Shutdown;
use gantry_core::model::{QueueId, QueueOffset};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::vec::IntoIter;

/// About what a message has in JSON beside its body.
const ENVELOPE_BYTES: usize = 512;
/// A buffer that has grown to twice what it holds is not kept.
const WASTE_BYTES_MAX: usize = 8 << 10;

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Events,
    Lines,
}

/// By queue, what follows the last message that the client was sent.
pub(crate) type Positions = BTreeMap<QueueId, QueueOffset>;

/// What is written.
pub(crate) struct Events {
    live: Live,
    form: Form,
    /// What an event's id says, of a stream that is gone on with by it.
    positions: Option<Positions>,
    shutdown: Shutdown,
    /// What is leased and not written yet: a message's JSON may be several times as long as it is.
    backlog: IntoIter<Received>,
    /// Messages of the chunk that the connection took last.
    written: usize,
    is_over: bool,
}

impl Events {
    pub(crate) fn new(
        live: Live,
        form: Form,
        positions: Option<Positions>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            live,
            form,
            positions,
            shutdown,
            backlog: Vec::new().into_iter(),
            written: 0,
            is_over: false,
        }
    }

    /// It ends when the client goes, or the gateway stops.
    pub(crate) fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(self, |mut events| async {
            if events.is_over {
                return None;
            }
            let chunk = events.chunk().await.unwrap_or_else(|refusal| {
                events.is_over = true;
                events.problem(&refusal)
            });
            Some((Ok::<_, Infallible>(chunk), events))
        }))
    }

    /// Settles what the connection took before, and waits for more or for the next heartbeat.
    async fn chunk(&mut self) -> Result<Bytes, Refusal> {
        self.live.taken(std::mem::take(&mut self.written))?;
        if self.backlog.as_slice().is_empty() {
            let beat = self.live.next_beat();
            let received = tokio::select! {
                biased;
                () = self.shutdown.requested() => {
                    self.is_over = true;
                    return Ok(self.blank(": the gateway stops\n\n"));
                }
                received = self.live.next(beat) => received?,
            };
            if received.is_empty() {
                return Ok(self.blank(":\n\n"));
            }
            self.backlog = received.into_iter();
        }
        let mut chunk = Vec::with_capacity(self.chunk_bytes());
        while chunk.len() < self.live.bytes_max()
            && let Some(one) = self.backlog.next()
        {
            self.write(&one, &mut chunk)?;
            self.written += 1;
        }
        // A slow client's chunk is kept for long.
        if chunk.capacity() - chunk.len() > WASTE_BYTES_MAX {
            return Ok(Bytes::copy_from_slice(&chunk));
        }
        Ok(chunk.into())
    }

    /// Bytes that the next chunk has if nothing in it is escaped.
    fn chunk_bytes(&self) -> usize {
        let mut bytes = 0;
        for one in self.backlog.as_slice() {
            if bytes >= self.live.bytes_max() {
                break;
            }
            bytes += one.message.body_bytes() + ENVELOPE_BYTES;
        }
        bytes
    }

    /// What is no message.
    fn blank(&self, comment: &'static str) -> Bytes {
        Bytes::from_static(match self.form {
            Form::Events => comment.as_bytes(),
            Form::Lines => b"\n",
        })
    }

    fn write(&mut self, one: &Received, chunk: &mut Vec<u8>) -> Result<(), Refusal> {
        if self.form == Form::Events {
            chunk.extend_from_slice(b"event: message\n");
            if let Some(positions) = &mut self.positions {
                let after = one.receipt.offset.advance(1);
                let position = positions.entry(one.receipt.queue).or_default();
                *position = after.max(*position);
                // All that the client has, once it has that event.
                let id = places::write(positions.iter().map(|(queue, at)| (*queue, *at)));
                chunk.extend_from_slice(format!("id: {id}\n").as_bytes());
            }
            chunk.extend_from_slice(b"data: ");
        }
        self.live.write(one, chunk)?;
        chunk.extend_from_slice(match self.form {
            Form::Events => b"\n\n",
            Form::Lines => b"\n",
        });
        Ok(())
    }

    /// Why a stream is over.
    fn problem(&self, refusal: &Refusal) -> Bytes {
        let problem = serde_json::to_string(&refusal.problem()).unwrap_or_default();
        let text = match self.form {
            Form::Events => format!("event: problem\ndata: {problem}\n\n"),
            Form::Lines => format!("{{\"problem\":{problem}}}\n"),
        };
        text.into()
    }
}
