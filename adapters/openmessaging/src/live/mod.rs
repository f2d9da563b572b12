//! Live streams: a consumer's messages as they come. They are leased as the client takes them,
//! and nothing is leased ahead.

mod events;
mod frames;
mod outstanding;
mod socket;

pub(crate) use events::{Events, Form, Positions};
pub(crate) use outstanding::Outstanding;
pub(crate) use socket::converse;

use crate::error::Refusal;
use crate::receive::{Received, Wanted};
use crate::server::OpenMessaging;
use gantry_core::{Error, Hold, LeaseReceipt, LeaseSession};
use outstanding::Held;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

/// A stream that a client reads.
pub(crate) struct Live {
    server: Arc<OpenMessaging>,
    wanted: Wanted,
    /// As the client calls it.
    source: String,
    settling: Settling,
    _permit: OwnedSemaphorePermit,
}

/// When messages are settled.
enum Settling {
    /// Once the connection has taken them; these wait for it.
    Auto(Vec<LeaseReceipt>),
    Manual(Manual),
}

/// When the client says so. Until then they are the stream's, for as long as it lives.
struct Manual {
    session: LeaseSession,
    held: Arc<Held>,
    /// Most that may be out.
    credit: u32,
}

impl Live {
    /// A stream whose messages are settled as they are sent.
    pub(crate) fn auto(
        server: Arc<OpenMessaging>,
        wanted: Wanted,
        source: String,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            server,
            wanted,
            source,
            settling: Settling::Auto(Vec::new()),
            _permit: permit,
        }
    }

    /// The same, with at most `credit` messages out that the client has not answered.
    pub(crate) fn manual(mut self, credit: u32) -> Self {
        let session = self.server.client.lease_session();
        self.wanted.hold = Hold::Session(session);
        self.settling = Settling::Manual(Manual {
            session,
            held: Held::new(self.wanted.consumer.clone()),
            credit,
        });
        self
    }

    pub(crate) const fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Allows another number of messages out; one that is smaller takes none back. Not of a stream
    /// that settles by itself: `false`.
    fn set_credit(&mut self, credit: u32) -> bool {
        match &mut self.settling {
            Settling::Auto(_) => false,
            Settling::Manual(manual) => {
                manual.credit = credit;
                true
            }
        }
    }

    /// When silence has lasted long enough.
    fn next_beat(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.server.config.heartbeat_ms.max(1))
    }

    /// What the client may have now; waits for it, and has nothing at `deadline`. Cancel by
    /// dropping.
    ///
    /// # Errors
    /// The stream is at its end.
    async fn next(&mut self, deadline: Instant) -> Result<Vec<Received>, Refusal> {
        loop {
            let room = match &self.settling {
                Settling::Auto(_) => u32::MAX,
                Settling::Manual(manual) => {
                    let count = u32::try_from(manual.held.count()).unwrap_or(u32::MAX);
                    let room = manual.credit.saturating_sub(count);
                    if room == 0 {
                        if timeout_at(deadline, manual.held.freed()).await.is_err() {
                            return Ok(Vec::new());
                        }
                        continue;
                    }
                    room
                }
            };
            self.wanted.max = room.min(self.server.config.receive_messages_max.max(1));
            let request = self.server.lease_request(&self.wanted);
            let left = deadline.saturating_duration_since(Instant::now());
            // It holds one of `live_streams_max`, and none of `waiting_max`.
            let leased = self.server.client.lease(&request, left).await?;
            if leased.deliveries.is_empty() {
                return Ok(Vec::new());
            }
            let received = self.server.received(&request, &leased)?;
            if !received.is_empty() {
                self.note(&received);
                return Ok(received);
            }
        }
    }

    fn note(&mut self, received: &[Received]) {
        let receipts = received.iter().map(|one| &one.receipt);
        match &mut self.settling {
            Settling::Auto(unsettled) => unsettled.extend(receipts.cloned()),
            Settling::Manual(manual) => self.server.outstanding.note(&manual.held, receipts),
        }
    }

    /// The connection has taken so many of those that were given.
    fn taken(&mut self, count: usize) -> Result<(), Refusal> {
        if let Settling::Auto(unsettled) = &mut self.settling
            && count > 0
        {
            let rest = unsettled.split_off(count.min(unsettled.len()));
            let taken = std::mem::replace(unsettled, rest);
            self.server.client.ack(&self.wanted.consumer, &taken)?;
        }
        Ok(())
    }

    /// Bytes to write at a time, but always a message.
    fn bytes_max(&self) -> usize {
        self.server.config.live_bytes_max.max(1)
    }

    /// Writes a message as its envelope.
    fn write(&self, one: &Received, text: &mut Vec<u8>) -> Result<(), Refusal> {
        let (body, compression) = one.message.body(None);
        let mut head = one.message.envelope(&self.source, &body, compression);
        head.delivery_count = Some(one.attempt);
        if matches!(self.settling, Settling::Manual(_)) {
            head.receipt_handle = Some(one.handle().into());
        }
        let written = serde_json::to_writer(text, &head);
        Ok(written.map_err(|error| Error::Storage(error.to_string()))?)
    }
}

impl Drop for Live {
    /// What was not settled comes back at once, in order.
    fn drop(&mut self) {
        let (client, group) = (&self.server.client, &self.wanted.consumer);
        match &self.settling {
            Settling::Auto(unsettled) if unsettled.is_empty() => {}
            Settling::Auto(unsettled) => {
                if let Err(error) = client.give_back(group, unsettled) {
                    tracing::debug!(%error, %group, "a stream's messages come back when their time is over");
                }
            }
            Settling::Manual(manual) => {
                self.server.outstanding.forget(&manual.held);
                client.end_session(manual.session);
            }
        }
    }
}
