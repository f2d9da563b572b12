//! A group's offset only grows: its committer never commits a lower one.

use super::{Finding, Promise, Report};
use crate::ledger::{Commit, CommitStep, Ledger, Outcome};

/// One committer did the steps of a ledger one after another.
pub(super) fn check(ledger: &Ledger, promise: &Promise, report: &mut Report) {
    let mut commits: Vec<&Commit> = ledger.commits.iter().collect();
    let acknowledged =
        |commit: &&&Commit| (commit.step, commit.outcome) == (CommitStep::Written, Outcome::Stored);
    let acknowledged = commits.iter().filter(acknowledged).count();
    report.commits += u64::try_from(acknowledged).unwrap_or(u64::MAX);
    // Stable: what is of one queue stays in the order it was done.
    commits.sort_by_key(|commit| commit.queue);
    for line in commits.chunk_by(|a, b| a.queue == b.queue) {
        of_queue(line, &ledger.heading.group, promise, report);
    }
}

fn of_queue(line: &[&Commit], group: &str, promise: &Promise, report: &mut Report) {
    // What is certain, in growing order; a cut may take the youngest of it.
    let mut certain: Vec<&Commit> = Vec::new();
    let mut highest = -1;
    for commit in line {
        match (commit.step, commit.outcome) {
            (CommitStep::Written, outcome) => {
                if outcome != Outcome::Failed {
                    highest = highest.max(commit.offset);
                }
                if outcome == Outcome::Stored {
                    certain.push(commit);
                }
            }
            (CommitStep::Read, Outcome::Stored) => {
                while certain
                    .pop_if(|before| promise.may_forget(before, commit.settled_ns))
                    .is_some()
                {}
                if let Some(before) = certain.last().filter(|last| last.offset > commit.offset) {
                    report.add(Finding::CommitBack, || {
                        format!("{group}: {before}; then {commit}")
                    });
                }
                if commit.offset > highest {
                    report.add(Finding::CommitPhantom, || {
                        format!("{group}: at most {highest} was committed before {commit}")
                    });
                }
                certain.push(commit);
            }
            (CommitStep::Read, Outcome::Failed | Outcome::Unknown) => {}
        }
    }
}
