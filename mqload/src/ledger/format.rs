//! A ledger as bytes, little-endian: a heading, then records of 56 bytes.
//!
//! ```text
//! heading  | "MQLEDGR3" | clock: u64 | flags: u32 (1 idempotent, 2 of transactions)
//!          | delay, ms: u32
//!          | length: u16 | topic | length: u16 | group |
//! message  | 1: u8 | outcome: u8 | attempts: u16 | producer: u32 | sequence: u64
//!          | intended: u64 | invoked: u64 | settled: u64 | queue: u32 | crc: u32 | offset: i64 |
//! commit   | 2 written, 3 read: u8 | outcome: u8 | 0: u16 | queue: u32 | offset: i64
//!          | invoked: u64 | settled: u64 | 0: 24 |
//! ending   | 4: u8 | outcome: u8 | decision: u8 | asked: u8 | producer: u32 | sequence: u64
//!          | invoked: u64 | settled: u64 | 0: 24 |
//! lease    | 5 handed out, 6 acknowledged, 7 extended: u8 | outcome: u8 | attempt: u16
//!          | producer: u32 | sequence: u64 | invoked: u64 | settled: u64 | queue: u32
//!          | hold, ms: u32 | offset: i64 | lease: u64 |
//! retry    | 8 received, 9 sent back: u8 | outcome: u8 | attempt: u16 | producer: u32
//!          | sequence: u64 | invoked: u64 | settled: u64 | delay, ms: u32 | 0: 20 |
//!
//! decision   0 commit, 1 rollback
//! outcome    0 stored, 1 failed, 2 unknown
//! times      nanoseconds since 1970 by the clock of the heading
//! ```

use super::{
    Commit, CommitStep, Decision, Ending, Entry, Heading, Lease, LeaseStep, Ledger, Outcome, Retry,
    RetryStep,
};
use crate::body::MessageId;
use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

const MAGIC: &[u8; 8] = b"MQLEDGR3";
const RECORD_BYTES: usize = 56;
const IDEMPOTENT: u32 = 1;
const TRANSACTIONAL: u32 = 2;
const MESSAGE: u8 = 1;
const WRITTEN: u8 = 2;
const READ: u8 = 3;
const ENDED: u8 = 4;
const HANDED_OUT: u8 = 5;
const ACKNOWLEDGED: u8 = 6;
const EXTENDED: u8 = 7;
const RECEIVED: u8 = 8;
const SENT_BACK: u8 = 9;

/// Appends the heading.
///
/// # Errors
/// A name is longer than 65,535 bytes.
pub(super) fn put_heading(heading: &Heading, out: &mut BytesMut) -> Result<()> {
    out.put_slice(MAGIC);
    out.put_u64_le(heading.clock);
    let flags = [
        (heading.is_idempotent, IDEMPOTENT),
        (heading.is_transactional, TRANSACTIONAL),
    ];
    let set = flags.iter().filter(|(is_set, _)| *is_set);
    out.put_u32_le(set.map(|(_, flag)| flag).sum());
    out.put_u32_le(heading.delay_ms);
    put_text(out, &heading.topic)?;
    put_text(out, &heading.group)
}

pub(super) fn put_entry(entry: &Entry, out: &mut BytesMut) {
    out.put_u8(MESSAGE);
    out.put_u8(byte(entry.outcome));
    out.put_u16_le(entry.attempts);
    out.put_u32_le(entry.id.producer);
    out.put_u64_le(entry.id.sequence);
    out.put_u64_le(entry.intended_ns);
    out.put_u64_le(entry.invoked_ns);
    out.put_u64_le(entry.settled_ns);
    out.put_u32_le(entry.queue);
    out.put_u32_le(entry.crc);
    out.put_i64_le(entry.offset);
}

pub(super) fn put_commit(commit: &Commit, out: &mut BytesMut) {
    out.put_u8(match commit.step {
        CommitStep::Written => WRITTEN,
        CommitStep::Read => READ,
    });
    out.put_u8(byte(commit.outcome));
    out.put_u16_le(0);
    out.put_u32_le(commit.queue);
    out.put_i64_le(commit.offset);
    out.put_u64_le(commit.invoked_ns);
    out.put_u64_le(commit.settled_ns);
    out.put_bytes(0, 24);
}

pub(super) fn put_ending(ending: &Ending, out: &mut BytesMut) {
    out.put_u8(ENDED);
    out.put_u8(byte(ending.outcome));
    out.put_u8(match ending.decision {
        Decision::Commit => 0,
        Decision::Rollback => 1,
    });
    out.put_u8(u8::from(ending.is_asked));
    out.put_u32_le(ending.id.producer);
    out.put_u64_le(ending.id.sequence);
    out.put_u64_le(ending.invoked_ns);
    out.put_u64_le(ending.settled_ns);
    out.put_bytes(0, 24);
}

pub(super) fn put_lease(lease: &Lease, out: &mut BytesMut) {
    out.put_u8(match lease.step {
        LeaseStep::HandedOut => HANDED_OUT,
        LeaseStep::Acknowledged => ACKNOWLEDGED,
        LeaseStep::Extended => EXTENDED,
    });
    out.put_u8(byte(lease.outcome));
    out.put_u16_le(lease.attempt);
    out.put_u32_le(lease.id.producer);
    out.put_u64_le(lease.id.sequence);
    out.put_u64_le(lease.invoked_ns);
    out.put_u64_le(lease.settled_ns);
    out.put_u32_le(lease.queue);
    out.put_u32_le(lease.hold_ms);
    out.put_i64_le(lease.offset);
    out.put_u64_le(lease.lease);
}

pub(super) fn put_retry(retry: &Retry, out: &mut BytesMut) {
    out.put_u8(match retry.step {
        RetryStep::Received => RECEIVED,
        RetryStep::SentBack => SENT_BACK,
    });
    out.put_u8(byte(retry.outcome));
    out.put_u16_le(retry.attempt);
    out.put_u32_le(retry.id.producer);
    out.put_u64_le(retry.id.sequence);
    out.put_u64_le(retry.invoked_ns);
    out.put_u64_le(retry.settled_ns);
    out.put_u32_le(retry.delay_ms);
    out.put_bytes(0, 20);
}

/// Reads a whole ledger, but for the part of a record at its end.
pub(super) fn decode(mut bytes: Bytes) -> Result<Ledger> {
    let mut ledger = Ledger {
        heading: take_heading(&mut bytes)?,
        ..Ledger::default()
    };
    ledger.entries.reserve_exact(bytes.len() / RECORD_BYTES);
    while bytes.len() >= RECORD_BYTES {
        let mut record = bytes.split_to(RECORD_BYTES);
        let kind = record.get_u8();
        let outcome = outcome(record.get_u8())?;
        let (leases, retries) = (&mut ledger.leases, &mut ledger.retries);
        match kind {
            MESSAGE => ledger.entries.push(take_entry(outcome, &mut record)),
            WRITTEN => ledger
                .commits
                .push(take_commit(CommitStep::Written, outcome, &mut record)),
            READ => ledger
                .commits
                .push(take_commit(CommitStep::Read, outcome, &mut record)),
            ENDED => ledger.endings.push(take_ending(outcome, &mut record)?),
            HANDED_OUT => leases.push(take_lease(LeaseStep::HandedOut, outcome, &mut record)),
            ACKNOWLEDGED => leases.push(take_lease(LeaseStep::Acknowledged, outcome, &mut record)),
            EXTENDED => leases.push(take_lease(LeaseStep::Extended, outcome, &mut record)),
            RECEIVED => retries.push(take_retry(RetryStep::Received, outcome, &mut record)),
            SENT_BACK => retries.push(take_retry(RetryStep::SentBack, outcome, &mut record)),
            _ => bail!("a record of unknown kind {kind}"),
        }
    }
    Ok(ledger)
}

fn take_heading(bytes: &mut Bytes) -> Result<Heading> {
    ensure!(bytes.starts_with(MAGIC), "not a ledger of this version");
    bytes.advance(MAGIC.len());
    let clock = bytes.try_get_u64_le()?;
    let flags = bytes.try_get_u32_le()?;
    Ok(Heading {
        clock,
        is_idempotent: flags & IDEMPOTENT != 0,
        is_transactional: flags & TRANSACTIONAL != 0,
        delay_ms: bytes.try_get_u32_le()?,
        topic: take_text(bytes)?,
        group: take_text(bytes)?,
    })
}

fn take_entry(outcome: Outcome, record: &mut Bytes) -> Entry {
    let attempts = record.get_u16_le();
    let producer = record.get_u32_le();
    let sequence = record.get_u64_le();
    Entry {
        id: MessageId { producer, sequence },
        intended_ns: record.get_u64_le(),
        invoked_ns: record.get_u64_le(),
        settled_ns: record.get_u64_le(),
        outcome,
        attempts,
        queue: record.get_u32_le(),
        crc: record.get_u32_le(),
        offset: record.get_i64_le(),
    }
}

fn take_commit(step: CommitStep, outcome: Outcome, record: &mut Bytes) -> Commit {
    record.advance(2);
    Commit {
        step,
        outcome,
        queue: record.get_u32_le(),
        offset: record.get_i64_le(),
        invoked_ns: record.get_u64_le(),
        settled_ns: record.get_u64_le(),
    }
}

fn take_ending(outcome: Outcome, record: &mut Bytes) -> Result<Ending> {
    let decision = match record.get_u8() {
        0 => Decision::Commit,
        1 => Decision::Rollback,
        other => bail!("a decision {other}"),
    };
    let is_asked = record.get_u8() != 0;
    let producer = record.get_u32_le();
    let sequence = record.get_u64_le();
    Ok(Ending {
        id: MessageId { producer, sequence },
        decision,
        is_asked,
        outcome,
        invoked_ns: record.get_u64_le(),
        settled_ns: record.get_u64_le(),
    })
}

fn take_lease(step: LeaseStep, outcome: Outcome, record: &mut Bytes) -> Lease {
    let attempt = record.get_u16_le();
    let producer = record.get_u32_le();
    let sequence = record.get_u64_le();
    Lease {
        step,
        outcome,
        attempt,
        id: MessageId { producer, sequence },
        invoked_ns: record.get_u64_le(),
        settled_ns: record.get_u64_le(),
        queue: record.get_u32_le(),
        hold_ms: record.get_u32_le(),
        offset: record.get_i64_le(),
        lease: record.get_u64_le(),
    }
}

fn take_retry(step: RetryStep, outcome: Outcome, record: &mut Bytes) -> Retry {
    let attempt = record.get_u16_le();
    let producer = record.get_u32_le();
    let sequence = record.get_u64_le();
    Retry {
        step,
        outcome,
        attempt,
        id: MessageId { producer, sequence },
        invoked_ns: record.get_u64_le(),
        settled_ns: record.get_u64_le(),
        delay_ms: record.get_u32_le(),
    }
}

/// Appends `text` behind its length.
pub(crate) fn put_text(out: &mut BytesMut, text: &str) -> Result<()> {
    out.put_u16_le(u16::try_from(text.len()).context("a name too long")?);
    out.put_slice(text.as_bytes());
    Ok(())
}

/// Takes what [`put_text`] has put.
pub(crate) fn take_text(bytes: &mut Bytes) -> Result<String> {
    let length = usize::from(bytes.try_get_u16_le()?);
    ensure!(length <= bytes.len(), "it ends in a name");
    Ok(String::from_utf8(bytes.split_to(length).into())?)
}

const fn byte(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Stored => 0,
        Outcome::Failed => 1,
        Outcome::Unknown => 2,
    }
}

fn outcome(byte: u8) -> Result<Outcome> {
    Ok(match byte {
        0 => Outcome::Stored,
        1 => Outcome::Failed,
        2 => Outcome::Unknown,
        other => bail!("an outcome {other}"),
    })
}
