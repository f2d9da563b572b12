//! A channel: what is asked on it, and what it has begun.

mod confirms;
mod methods;
mod transaction;

pub(crate) use confirms::Outcomes;
pub(crate) use methods::{Desk, unimplemented};
pub(crate) use transaction::Transaction;

use crate::codec::method::basic;
use crate::codec::{Assembler, Content, ShortString};
use crate::consuming::{Consuming, Shared, Taken};
use crate::fault::Fault;
use crate::publishing::{Batch, Publisher};
use crate::registry::{ChannelMode, OpenConnection, Seat};
use crate::server::Server;
use crate::topology::Topology;
use std::sync::Arc;

/// What the channels of a connection share once it is open.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) server: Arc<Server>,
    pub(crate) topology: Topology,
    pub(crate) publisher: Publisher,
    pub(crate) shared: Shared,
    /// The connection as others see it.
    pub(crate) open: Arc<OpenConnection>,
}

/// One that is open.
#[derive(Debug)]
pub(crate) struct Channel {
    number: u16,
    pub(crate) assembler: Assembler,
    pub(crate) consuming: Consuming,
    last_queue: Option<ShortString>,
    mode: Mode,
    /// Acknowledged, and not done yet.
    acknowledged: Taken,
    seat: Seat,
}

/// What becomes of what is published and acknowledged.
#[derive(Debug)]
enum Mode {
    /// It is done.
    Plain,
    /// It is done, and the publisher hears of it.
    Confirming {
        /// The number of the last message.
        last: u64,
    },
    /// It waits for the end of the transaction.
    Transacting(Transaction),
}

impl Channel {
    pub(crate) fn new(session: &Session, number: u16) -> Self {
        let message_bytes_max = session.shared.client.message_bytes_max();
        Self {
            number,
            assembler: Assembler::new(message_bytes_max as u64),
            consuming: Consuming::new(session.shared.clone(), number),
            last_queue: None,
            mode: Mode::Plain,
            acknowledged: Taken::new(),
            seat: Seat::take(&session.open, number),
        }
    }

    /// `basic.publish`
    ///
    /// # Errors
    /// A channel's or a connection's fault.
    pub(crate) fn publish(
        &mut self,
        session: &Session,
        message: (basic::Publish, Content),
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        self.seat.count_published();
        // It has its number even where it is refused.
        let tag = match &mut self.mode {
            Mode::Confirming { last } => {
                *last += 1;
                self.seat.note_last(*last);
                Some(*last)
            }
            _ => None,
        };
        let at = session.server.clock.now();
        let publisher = &session.publisher;
        let answers_to = self.consuming.reply_address();
        let routed = publisher.route(&message.0, &message.1, at, (batch, answers_to))?;
        match &mut self.mode {
            Mode::Transacting(transaction) => {
                transaction.publish(message, routed, &session.server.config)
            }
            _ => {
                batch.put(self.number, tag, message, routed);
                Ok(())
            }
        }
    }

    /// `basic.ack`; done with [`Channel::settle`]. Whether there is something to be done.
    ///
    /// # Errors
    /// A channel's fault.
    pub(crate) fn acknowledge(&mut self, method: &basic::Ack) -> Result<bool, Fault> {
        let taken = self.consuming.take(method.delivery_tag, method.multiple)?;
        self.seat.count_acknowledged(taken.len());
        if let Mode::Transacting(transaction) = &mut self.mode {
            transaction.settle(taken);
            return Ok(false);
        }
        let was_idle = self.acknowledged.is_empty();
        self.acknowledged.extend(taken);
        Ok(was_idle)
    }

    /// Does what was acknowledged.
    ///
    /// # Errors
    /// A failed store.
    pub(crate) fn settle(&mut self) -> Result<(), Fault> {
        if self.acknowledged.is_empty() {
            return Ok(());
        }
        self.note_deliveries();
        self.consuming
            .settle(std::mem::take(&mut self.acknowledged))
    }

    /// The publisher has heard of everything up to a message.
    pub(crate) fn note_answered(&self, tag: u64) {
        self.seat.note_answered(tag);
    }

    /// Messages were sent, or it was heard of them.
    pub(crate) fn note_deliveries(&self) {
        let consuming = &self.consuming;
        self.seat
            .note_deliveries(consuming.delivered_count(), consuming.unsettled_count());
        self.seat.note_consumers(consuming.consumer_count(), || {
            consuming.describe_consumers()
        });
    }

    /// Something was asked on it.
    pub(crate) fn note_all(&self) {
        self.note_deliveries();
        let (prefetch, global) = self.consuming.limits();
        self.seat.note_limits(prefetch, global);
        self.seat.note_mode(match &self.mode {
            Mode::Plain => ChannelMode::Plain,
            Mode::Confirming { .. } => ChannelMode::Confirming,
            Mode::Transacting(_) => ChannelMode::Transacting,
        });
    }

    /// Ends: what it has not acknowledged returns to its place.
    pub(crate) fn end(&mut self) {
        if let Mode::Transacting(transaction) = &mut self.mode {
            self.consuming.put_back(transaction.abandon());
        }
        let (settled, ended) = (self.settle(), self.consuming.end());
        if let Err(fault) = settled.and(ended) {
            tracing::warn!(%fault, channel = self.number, "a channel did not end well");
        }
    }
}
