//! What happened to one message, in one group.

use super::super::{Finding, Promise, Report};
use super::Memory;
use crate::ledger::{Lease, LeaseStep, Outcome};
use crate::seen::SeenMessage;

/// A lease may be that much shorter by our clock than it was asked for: the broker's has steps of
/// a millisecond, and may be set.
const CLOCKS_APART_NS: u64 = 20_000_000;
const MILLI_NS: u64 = 1_000_000;

pub(super) struct Line<'a> {
    pub(super) group: &'a str,
    pub(super) promise: &'a Promise,
    pub(super) memory: &'a Memory,
    /// The times it was handed out.
    pub(super) outs: &'a [&'a Lease],
    /// Everything, these as well.
    pub(super) leases: &'a [&'a Lease],
}

impl Line<'_> {
    pub(super) fn check(&self, letters: &[&SeenMessage], report: &mut Report) {
        self.again(letters, report);
        for (place, one) in self.outs.iter().enumerate() {
            for other in self.outs.iter().skip(place + 1) {
                self.pair(one, other, report);
            }
        }
    }

    /// Nothing comes after an acknowledgement.
    fn again(&self, letters: &[&SeenMessage], report: &mut Report) {
        let done = self.leases.iter().filter(|lease| {
            (lease.step, lease.outcome) == (LeaseStep::Acknowledged, Outcome::Stored)
        });
        for done in done {
            let after = self.outs.iter().find(|out| {
                out.invoked_ns > done.settled_ns && !self.memory.may_lack(done, out.settled_ns)
            });
            if let Some(after) = after {
                report.add(Finding::HandedOutAgain, || {
                    format!("{}: {done}; then {after}", self.group)
                });
            }
            if let Some(letter) = letters.first()
                && !self.memory.may_lack(done, u64::MAX)
            {
                report.add(Finding::HandedOutAgain, || {
                    format!("{}: {done}; and the dead letter {letter}", self.group)
                });
            }
        }
        // A cut between writing the dead letter and settling its message makes another.
        if letters.len() > 1 && self.promise.cuts_ns.is_empty() {
            report.add(Finding::Duplicate, || {
                let count = letters.len();
                format!("{}: {count} dead letters of one message", self.group)
            });
        }
    }

    /// Two times it was handed out: to one after the other, and each counted.
    fn pair(&self, one: &Lease, other: &Lease, report: &mut Report) {
        let from = one.invoked_ns.min(other.invoked_ns);
        let until = one.settled_ns.max(other.settled_ns);
        let overlap = other.settled_ns < self.end_of(one) && one.settled_ns < self.end_of(other);
        if overlap && !self.promise.is_cut(from, until) {
            report.add(Finding::SharedLease, || {
                format!("{}: {one}; and {other}", self.group)
            });
        }
        let (first, second) = if one.settled_ns <= other.settled_ns {
            (one, other)
        } else {
            (other, one)
        };
        if first.settled_ns < second.invoked_ns
            && second.attempt <= first.attempt
            && !self.memory.may_lack(first, second.settled_ns)
        {
            report.add(Finding::AttemptBack, || {
                format!("{}: {first}; then {second}", self.group)
            });
        }
    }

    /// When the lease that began with `out` ended at the earliest.
    fn end_of(&self, out: &Lease) -> u64 {
        let end_of = |step: &Lease| {
            let length = u64::from(step.hold_ms) * MILLI_NS;
            step.invoked_ns.saturating_add(length)
        };
        let mut end = end_of(out);
        let is_extension =
            |step: &&&Lease| step.step == LeaseStep::Extended && step.lease == out.lease;
        for extension in self.leases.iter().filter(is_extension) {
            end = match extension.outcome {
                Outcome::Stored => end_of(extension),
                Outcome::Unknown => end.min(end_of(extension)),
                Outcome::Failed => end,
            };
        }
        end.saturating_sub(CLOCKS_APART_NS)
    }
}
