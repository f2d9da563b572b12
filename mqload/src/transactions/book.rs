//! What all producers of a load of transactions write into.

use crate::body::MessageId;
use crate::clock;
use crate::ledger::{Ending, Entry, Ledger, Outcome, Recorder};
use anyhow::Result;
use std::collections::HashSet;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Book {
    recorder: Recorder,
    /// Of acknowledged half messages, those whose decision was never told.
    untold: HashSet<MessageId>,
    /// Told at the first question that it is not decided yet.
    put_off: HashSet<MessageId>,
    /// When the broker last asked, or the load was stopped.
    disturbed_ns: u64,
}

impl Book {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self {
            recorder,
            untold: HashSet::new(),
            put_off: HashSet::new(),
            disturbed_ns: 0,
        }
    }

    /// Enters a half message.
    pub(super) fn sent(&mut self, entry: &Entry) {
        if entry.outcome == Outcome::Stored {
            self.untold.insert(entry.id);
        }
        self.recorder.entry(entry);
    }

    /// Enters a decision that was told.
    pub(super) fn told(&mut self, ending: &Ending) {
        self.untold.remove(&ending.id);
        self.put_off.remove(&ending.id);
        self.recorder.ending(ending);
    }

    /// Whether this is the first question for it.
    pub(super) fn put_off(&mut self, id: MessageId) -> bool {
        self.put_off.insert(id)
    }

    /// The broker may ask for more from now on.
    pub(super) fn disturbed(&mut self) {
        self.disturbed_ns = clock::now();
    }

    /// How long it is until the broker has been quiet for `quiet` and owes no question.
    pub(super) fn until_quiet(&self, quiet: Duration) -> Duration {
        let since = clock::now().saturating_sub(self.disturbed_ns);
        let left = quiet.saturating_sub(Duration::from_nanos(since));
        if self.untold.is_empty() { left } else { quiet }
    }

    pub(super) fn finish(self) -> Result<Ledger> {
        self.recorder.finish()
    }
}
