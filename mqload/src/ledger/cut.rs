//! A ledger as it stood when the broker's disk was cut off.

use super::{CommitStep, Ledger, Outcome};

impl Ledger {
    /// What this ledger said when the broker's disk was copied, some time between `began_ns` and
    /// `ended_ns` by [`crate::clock`]: what was answered only after the copy began is of unknown
    /// fate, and what was first asked after it ended was not asked.
    ///
    /// A message sent again after the copy is as unknown as one sent once; of a look at a group's
    /// offset that was answered after the copy began nothing is left.
    #[must_use]
    pub fn as_of(&self, began_ns: u64, ended_ns: u64) -> Self {
        let mut cut = self.clone();
        cut.entries.retain(|entry| entry.invoked_ns <= ended_ns);
        for entry in &mut cut.entries {
            if entry.settled_ns >= began_ns {
                entry.outcome = Outcome::Unknown;
                entry.offset = -1;
            }
        }
        cut.commits.retain(|commit| {
            let is_seen = commit.step == CommitStep::Written || commit.settled_ns < began_ns;
            is_seen && commit.invoked_ns <= ended_ns
        });
        for commit in &mut cut.commits {
            if commit.settled_ns >= began_ns {
                commit.outcome = Outcome::Unknown;
            }
        }
        cut.endings.retain(|ending| ending.invoked_ns <= ended_ns);
        for ending in &mut cut.endings {
            if ending.settled_ns >= began_ns {
                ending.outcome = Outcome::Unknown;
            }
        }
        cut.leases.retain(|lease| lease.invoked_ns <= ended_ns);
        for lease in &mut cut.leases {
            if lease.settled_ns >= began_ns {
                lease.outcome = Outcome::Unknown;
            }
        }
        cut.retries.retain(|retry| retry.invoked_ns <= ended_ns);
        for retry in &mut cut.retries {
            if retry.settled_ns >= began_ns {
                retry.outcome = Outcome::Unknown;
            }
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::MessageId;
    use crate::ledger::{Commit, Entry};

    fn entry(invoked_ns: u64, settled_ns: u64, outcome: Outcome) -> Entry {
        Entry {
            id: MessageId::default(),
            intended_ns: invoked_ns,
            invoked_ns,
            settled_ns,
            outcome,
            attempts: 1,
            queue: 0,
            offset: 7,
            crc: 0,
        }
    }

    fn commit(step: CommitStep, invoked_ns: u64, settled_ns: u64) -> Commit {
        Commit {
            step,
            outcome: Outcome::Stored,
            queue: 0,
            offset: 1,
            invoked_ns,
            settled_ns,
        }
    }

    #[test]
    fn what_the_cut_could_not_know_is_open_or_not_there() {
        let ledger = Ledger {
            entries: vec![
                entry(1, 9, Outcome::Stored),
                entry(2, 10, Outcome::Stored),
                entry(3, 30, Outcome::Failed),
                entry(20, 21, Outcome::Stored),
                entry(21, 22, Outcome::Stored),
            ],
            commits: vec![
                commit(CommitStep::Written, 1, 9),
                commit(CommitStep::Read, 8, 9),
                commit(CommitStep::Written, 9, 10),
                commit(CommitStep::Read, 9, 10),
                commit(CommitStep::Written, 21, 22),
            ],
            ..Ledger::default()
        };
        let cut = ledger.as_of(10, 20);
        let fates: Vec<_> = cut.entries.iter().map(|e| (e.outcome, e.offset)).collect();
        let (stored, open) = ((Outcome::Stored, 7), (Outcome::Unknown, -1));
        assert_eq!(fates, [stored, open, open, open]);
        let fates: Vec<_> = cut.commits.iter().map(|c| (c.step, c.outcome)).collect();
        let (written, read) = (CommitStep::Written, CommitStep::Read);
        let (stored, open) = (Outcome::Stored, Outcome::Unknown);
        assert_eq!(fates, [(written, stored), (read, stored), (written, open)]);
    }
}
