//! What was asked of a broker and what it answered, kept where the broker cannot touch it.

mod cut;
mod ending;
mod format;
mod lease;
mod recorder;
mod retry;

pub use ending::{Decision, Ending};
pub(crate) use format::{put_text, take_text};
pub use lease::{Lease, LeaseStep};
pub(crate) use recorder::Recorder;
pub use recorder::Sink;
pub use retry::{Retry, RetryStep};

use crate::body::MessageId;
use anyhow::{Context as _, Result};
use std::fmt;
use std::path::Path;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The broker said it is done.
    Stored,
    /// The broker said it is not and will not be done.
    Failed,
    /// Anything else: no answer, or one that leaves it open. It may be done once, or not at all.
    Unknown,
}

/// One message: sent, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub id: MessageId,
    /// When the schedule wanted it sent; times are of [`crate::clock`].
    pub intended_ns: u64,
    /// When it was first written to the connection.
    pub invoked_ns: u64,
    /// When its fate was known here.
    pub settled_ns: u64,
    /// Its fate.
    pub outcome: Outcome,
    /// How often it was sent.
    pub attempts: u16,
    /// Where it was sent to.
    pub queue: u32,
    /// Where it was acknowledged to be; -1 when it was not.
    pub offset: i64,
    /// CRC-32 of its body.
    pub crc: u32,
}

impl fmt::Display for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} to {}:{} ({:08x}), {:?}, sent {} at {}, settled at {}",
            self.id,
            self.queue,
            self.offset,
            self.crc,
            self.outcome,
            if self.attempts == 1 { "once" } else { "again" },
            self.invoked_ns,
            self.settled_ns
        )
    }
}

/// What was done to a group's offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommitStep {
    /// It was set.
    Written,
    /// It was asked for.
    Read,
}

/// One commit of a group's offset in a queue, or one look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Which of the two.
    pub step: CommitStep,
    /// Whether it was answered.
    pub outcome: Outcome,
    /// The queue.
    pub queue: u32,
    /// The offset written or read; -1 when there was none to read.
    pub offset: i64,
    /// When it was asked.
    pub invoked_ns: u64,
    /// When it was answered, or given up.
    pub settled_ns: u64,
}

impl fmt::Display for Commit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "queue {} {:?} {}, {:?}, asked at {}, settled at {}",
            self.queue, self.step, self.offset, self.outcome, self.invoked_ns, self.settled_ns
        )
    }
}

/// Of whom a ledger is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heading {
    /// [`crate::clock::id`] of the process that wrote it.
    pub clock: u64,
    /// Whether the producers numbered their messages for the broker, so that none may be there
    /// twice, not even one that was sent again.
    pub is_idempotent: bool,
    /// How long the broker was asked to hold the messages back, milliseconds. They are acknowledged
    /// without a place in the topic.
    pub delay_ms: u32,
    /// Whether the messages are those of transactions: they are acknowledged as half messages,
    /// and come to the topic when their transaction is committed.
    pub is_transactional: bool,
    /// The topic.
    pub topic: String,
    /// The group that committed, leased, sent back, or ended transactions; empty for a load.
    pub group: String,
}

/// A ledger read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Of whom.
    pub heading: Heading,
    /// The messages, as they were settled.
    pub entries: Vec<Entry>,
    /// The commits, in order.
    pub commits: Vec<Commit>,
    /// How transactions were ended, in order.
    pub endings: Vec<Ending>,
    /// What was leased, and what became of it, in order.
    pub leases: Vec<Lease>,
    /// The attempts there were at each message, in order.
    pub retries: Vec<Retry>,
}

impl Ledger {
    /// Reads a ledger's file. A last record that is not whole is left out: its writer was killed.
    ///
    /// # Errors
    /// There is no such file, or it is no ledger.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        format::decode(bytes.into()).with_context(|| path.display().to_string())
    }
}
