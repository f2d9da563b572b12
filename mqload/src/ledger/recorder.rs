//! A ledger while it is written: a chunk in memory, the rest in the file, written by a thread of
//! its own so that the load does not wait for the disk.

use super::{Commit, Ending, Entry, Heading, Lease, Ledger, Retry, format};
use anyhow::{Context as _, Result, anyhow};
use bytes::BytesMut;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that may wait for the disk before the load does.
const CHUNKS_MAX: usize = 64;

/// Where a ledger goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// It stays in memory, for short runs.
    Memory,
    /// A new file, on another disk than the broker's.
    File(PathBuf),
}

/// A ledger being written.
#[derive(Debug)]
pub(crate) struct Recorder {
    chunk: BytesMut,
    file: Option<Writing>,
}

#[derive(Debug)]
struct Writing {
    path: PathBuf,
    chunks: SyncSender<BytesMut>,
    thread: JoinHandle<io::Result<()>>,
}

impl Recorder {
    /// Opens the ledger.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn start(sink: Sink, heading: &Heading) -> Result<Self> {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        format::put_heading(heading, &mut chunk)?;
        let file = match sink {
            Sink::Memory => None,
            Sink::File(path) => Some(Writing::start(path)?),
        };
        Ok(Self { chunk, file })
    }

    /// Enters a message.
    pub(crate) fn entry(&mut self, entry: &Entry) {
        format::put_entry(entry, &mut self.chunk);
        self.pass_on();
    }

    /// Enters a commit.
    pub(crate) fn commit(&mut self, commit: &Commit) {
        format::put_commit(commit, &mut self.chunk);
        self.pass_on();
    }

    /// Enters the end of a transaction.
    pub(crate) fn ending(&mut self, ending: &Ending) {
        format::put_ending(ending, &mut self.chunk);
        self.pass_on();
    }

    /// Enters a step of a lease.
    pub(crate) fn lease(&mut self, lease: &Lease) {
        format::put_lease(lease, &mut self.chunk);
        self.pass_on();
    }

    /// Enters a step of an attempt.
    pub(crate) fn retry(&mut self, retry: &Retry) {
        format::put_retry(retry, &mut self.chunk);
        self.pass_on();
    }

    fn pass_on(&mut self) {
        let Some(file) = self.file.as_ref() else {
            return;
        };
        if self.chunk.len() >= CHUNK_BYTES - 64 {
            let next = BytesMut::with_capacity(CHUNK_BYTES);
            // A writer that has ended tells why at the end.
            let _ = file.chunks.send(std::mem::replace(&mut self.chunk, next));
        }
    }

    /// Closes the ledger and reads it back.
    ///
    /// # Errors
    /// The file could not be written, or not be read.
    pub(crate) fn finish(self) -> Result<Ledger> {
        let Some(file) = self.file else {
            return format::decode(self.chunk.freeze());
        };
        let _ = file.chunks.send(self.chunk);
        drop(file.chunks);
        let written = file.thread.join().map_err(|_| anyhow!("the writer died"))?;
        written.with_context(|| file.path.display().to_string())?;
        Ledger::read(&file.path)
    }
}

impl Writing {
    fn start(path: PathBuf) -> Result<Self> {
        let mut file = File::create(&path).with_context(|| path.display().to_string())?;
        let (chunks, received): (_, Receiver<BytesMut>) = sync_channel(CHUNKS_MAX);
        let write = move || received.iter().try_for_each(|chunk| file.write_all(&chunk));
        let thread = thread::Builder::new().name("ledger".to_owned());
        Ok(Self {
            path,
            chunks,
            thread: thread.spawn(write)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::MessageId;
    use crate::ledger::{CommitStep, Decision, LeaseStep, Outcome, RetryStep};

    fn entry(sequence: u64) -> Entry {
        Entry {
            id: MessageId {
                producer: 4,
                sequence,
            },
            intended_ns: 1,
            invoked_ns: 2,
            settled_ns: u64::MAX,
            outcome: Outcome::Unknown,
            attempts: 5,
            queue: 6,
            offset: -1,
            crc: 7,
        }
    }

    const COMMIT: Commit = Commit {
        step: CommitStep::Read,
        outcome: Outcome::Stored,
        queue: 3,
        offset: 9,
        invoked_ns: 10,
        settled_ns: 11,
    };

    fn ending(decision: Decision, is_asked: bool) -> Ending {
        Ending {
            id: entry(3).id,
            decision,
            is_asked,
            outcome: Outcome::Failed,
            invoked_ns: 13,
            settled_ns: 14,
        }
    }

    fn endings() -> [Ending; 2] {
        [
            ending(Decision::Commit, true),
            ending(Decision::Rollback, false),
        ]
    }

    fn leases() -> [Lease; 3] {
        let steps = [
            LeaseStep::HandedOut,
            LeaseStep::Extended,
            LeaseStep::Acknowledged,
        ];
        steps.map(|step| Lease {
            step,
            outcome: Outcome::Stored,
            lease: 15,
            attempt: 16,
            id: entry(5).id,
            queue: 17,
            offset: 18,
            hold_ms: 19,
            invoked_ns: 20,
            settled_ns: 21,
        })
    }

    fn retries() -> [Retry; 2] {
        [RetryStep::Received, RetryStep::SentBack].map(|step| Retry {
            step,
            outcome: Outcome::Stored,
            attempt: 22,
            id: entry(6).id,
            delay_ms: 23,
            invoked_ns: 24,
            settled_ns: 25,
        })
    }

    fn heading() -> Heading {
        Heading {
            clock: 12,
            is_idempotent: true,
            is_transactional: true,
            delay_ms: 7,
            topic: "topic".to_owned(),
            group: "group".to_owned(),
        }
    }

    fn write(sink: Sink, count: u64) -> Ledger {
        let mut recorder = Recorder::start(sink, &heading()).unwrap();
        recorder.commit(&COMMIT);
        endings().iter().for_each(|one| recorder.ending(one));
        leases().iter().for_each(|one| recorder.lease(one));
        retries().iter().for_each(|one| recorder.retry(one));
        (0..count).for_each(|sequence| recorder.entry(&entry(sequence)));
        recorder.finish().unwrap()
    }

    #[test]
    fn a_ledger_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        // More than all chunks that may wait.
        let count = 100_000;
        let ledger = write(Sink::File(path.clone()), count);
        assert_eq!(ledger.heading, heading());
        assert_eq!(ledger.commits, [COMMIT]);
        assert_eq!(ledger.endings, endings());
        assert_eq!(ledger.leases, leases());
        assert_eq!(ledger.retries, retries());
        assert!(ledger.entries.iter().copied().eq((0..count).map(entry)));
        assert_eq!(ledger, write(Sink::Memory, count));
        assert_eq!(ledger, Ledger::read(&path).unwrap());
    }

    #[test]
    fn the_last_record_of_a_killed_writer_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let whole = write(Sink::File(path.clone()), 3);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let cut = Ledger::read(&path).unwrap();
        assert_eq!(cut.entries, whole.entries[..2]);
        std::fs::write(&path, b"something else").unwrap();
        assert!(Ledger::read(&path).is_err());
    }
}
