//! Consumers of streams: each reads the log where it is, on its connection's thread, as far as its
//! credit goes, and is woken by what is appended.

use super::outbox::Slot;
use super::stream_filter::StreamFilter;
use super::stream_offset::Start;
use super::{LetterContent, delivered_of_record};
use crate::codec::Value;
use crate::message::Delivered;
use gantry_core::model::{QueueId, QueueOffset};
use gantry_core::vhosts::{Consumer, WorkQueue};
use gantry_core::{Client, Error, FetchQueue, Selected, TailWatch};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// Most messages that a consumer is given before others of its connection have their turn.
const TURN_MESSAGES: u32 = 256;
/// Bytes of log it reads for them, roughly: at least one record.
const TURN_BYTES: usize = 256 << 10;
/// The header that tells a message's offset.
const OFFSET: &str = "x-stream-offset";

/// Has a consumer's connection look whether it can have more.
#[derive(Debug)]
pub(super) struct Bell {
    slot: Slot,
    /// The connection has not heard it yet.
    is_rung: AtomicBool,
}

impl Bell {
    pub(super) fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            self.slot.put(LetterContent::Readable);
        }
    }
}

/// On the thread of whoever appends.
impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// A message that was sent, and takes its consumer's credit until it is acknowledged.
#[derive(Clone, Debug)]
pub struct Streamed {
    queue: Arc<WorkQueue>,
    consumer: Arc<Consumer>,
    bell: Arc<Bell>,
}

impl Streamed {
    /// Its stream's.
    pub(super) fn queue_name(&self) -> &str {
        self.queue.name()
    }

    /// It is done with: its consumer may have another.
    pub(super) fn give_back(&self) {
        self.consumer.give_credit(1);
        self.bell.ring();
    }
}

/// One consumer's reading.
#[derive(Debug)]
pub(super) struct StreamReader {
    queue: Arc<WorkQueue>,
    consumer: Arc<Consumer>,
    /// Nothing before it is delivered.
    from: QueueOffset,
    /// Where it goes on reading.
    next: QueueOffset,
    filter: Option<StreamFilter>,
    bell: Arc<Bell>,
    _watch: TailWatch,
}

/// Messages of one turn, in the stream's order.
pub(super) type Turn = Vec<Delivered>;

impl StreamReader {
    /// Reads from `start` on; nothing until its bell is rung.
    ///
    /// # Errors
    /// The stream is gone.
    pub(super) fn new(
        client: &Client,
        (queue, consumer): (Arc<WorkQueue>, Arc<Consumer>),
        start: Start,
        filter: Option<StreamFilter>,
        slot: Slot,
    ) -> Result<Self, Error> {
        let bell = Arc::new(Bell {
            slot,
            is_rung: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&bell));
        let watch = client.watch_tail(queue.topic(), QueueId::new(0), waker)?;
        Ok(Self {
            queue,
            consumer,
            from: start.from,
            next: start.next,
            filter,
            bell,
            _watch: watch,
        })
    }

    pub(super) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// What is kept of a message that was sent.
    pub(super) fn streamed(&self) -> Streamed {
        Streamed {
            queue: Arc::clone(&self.queue),
            consumer: Arc::clone(&self.consumer),
            bell: Arc::clone(&self.bell),
        }
    }

    /// What the consumer may have now; credit is taken for it. The bell is rung again while there
    /// is more.
    ///
    /// # Errors
    /// What core says of the log; a stream that is gone has nothing.
    pub(super) fn take_turn(&mut self, client: &Client) -> Result<Turn, Error> {
        self.bell.is_rung.store(false, Ordering::Release);
        let credit = self.consumer.credit_left();
        if credit == 0 {
            return Ok(Turn::new());
        }
        let wanted = match self.filter {
            // Most may be passed over.
            Some(_) => TURN_MESSAGES,
            None => credit.min(TURN_MESSAGES),
        };
        let selected = match self.select(client, wanted) {
            Err(Error::TopicNotFound(_)) => return Ok(Turn::new()),
            selected => selected?,
        };
        let mut turn = Turn::new();
        self.next = selected.next_offset;
        for view in &selected.messages {
            let delivered = delivered_of_record(&view.bytes);
            let passes = |filter: &StreamFilter| filter.passes(&delivered);
            if view.offset < self.from || !self.filter.as_ref().is_none_or(passes) {
                continue;
            }
            if !self.consumer.take_credit() {
                self.next = view.offset;
                break;
            }
            let mut delivered = delivered;
            delivered.put_header(OFFSET, Value::I64(view.offset.to_wire()));
            turn.push(delivered);
        }
        if self.next < selected.range.end {
            self.bell.ring();
        }
        Ok(turn)
    }

    /// Reads what is there; who stands where nothing is any more goes on at the oldest message.
    fn select(&mut self, client: &Client, messages_max: u32) -> Result<Selected, Error> {
        let mut wanted = FetchQueue {
            topic: Arc::clone(self.queue.topic()),
            queue: QueueId::new(0),
            offset: self.next,
            bytes_max: TURN_BYTES,
            messages_max,
            filter: None,
        };
        match client.select_now(&wanted) {
            Err(Error::OffsetOutOfRange { range, .. }) => {
                wanted.offset = self.next.clamp(range.start, range.end);
                client.select_now(&wanted)
            }
            selected => selected,
        }
    }
}
