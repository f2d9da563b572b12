//! Messages leased one by one: each consumed in the end or a dead letter, by nobody else while it
//! is somebody's, not once more after it was acknowledged, and each time counted.

mod line;
mod memory;

use super::{Attempt, Finding, Promise, Report, dead_letters, split};
use crate::ledger::{Entry, Lease, LeaseStep, Ledger, Outcome};
use crate::seen::{Seen, SeenMessage};
use line::Line;
pub(super) use memory::Memory;
use std::collections::BTreeMap;

/// Looks at each group that leases from the topic of `attempts`, which are sorted by id.
pub(super) fn check(
    attempts: &[Attempt<'_>],
    ledgers: &[&Ledger],
    seen: &[Seen],
    (promise, memory): (&Promise, &Memory),
    report: &mut Report,
) {
    let mut groups: BTreeMap<&str, Vec<&Lease>> = BTreeMap::new();
    for ledger in ledgers.iter().filter(|ledger| !ledger.leases.is_empty()) {
        let leases = groups.entry(&ledger.heading.group).or_default();
        leases.extend(&ledger.leases);
    }
    for (group, mut leases) in groups {
        // Stable: what one consumer did stays in its order.
        leases.sort_by_key(|lease| lease.id);
        let mut of_group = OfGroup {
            group,
            dead: dead_letters(seen, group),
            promise,
            memory,
            report,
        };
        of_group.check(attempts, &leases);
    }
}

struct OfGroup<'a> {
    group: &'a str,
    /// Sorted by id.
    dead: Vec<&'a SeenMessage>,
    promise: &'a Promise,
    memory: &'a Memory,
    report: &'a mut Report,
}

impl OfGroup<'_> {
    /// Walks through what was sent, handed out and given up, all sorted by id.
    fn check(&mut self, attempts: &[Attempt<'_>], leases: &[&Lease]) {
        let dead = std::mem::take(&mut self.dead);
        self.report.dead += u64::try_from(dead.len()).unwrap_or(u64::MAX);
        let (mut leases, mut dead) = (leases, &dead[..]);
        for attempt in attempts {
            let id = attempt.id();
            let (strangers, after) = split(leases, |lease| lease.id < id);
            self.strangers(strangers);
            let (own, after) = split(after, |lease| lease.id == id);
            leases = after;
            let (strange, after) = split(dead, |message| message.id < id);
            self.strange_letters(strange);
            let (letters, after) = split(after, |message| message.id == id);
            dead = after;
            self.message(attempt, own, letters);
        }
        self.strangers(leases);
        self.strange_letters(dead);
    }

    fn strangers(&mut self, leases: &[&Lease]) {
        for lease in leases {
            let group = self.group;
            self.report.add(Finding::Phantom, || {
                format!("{group}: {lease}: nobody sent it")
            });
        }
    }

    fn strange_letters(&mut self, letters: &[&SeenMessage]) {
        for letter in letters {
            let group = self.group;
            self.report.add(Finding::Phantom, || {
                format!("a dead letter of {group}: {letter}: nobody sent it")
            });
        }
    }

    fn message(&mut self, attempt: &Attempt<'_>, leases: &[&Lease], letters: &[&SeenMessage]) {
        let (entry, group) = (attempt.entry, self.group);
        let is_out = |lease: &&&Lease| lease.step == LeaseStep::HandedOut;
        let outs: Vec<&Lease> = leases.iter().filter(is_out).copied().collect();
        self.count(&outs, leases);
        if entry.outcome == Outcome::Failed && !(outs.is_empty() && letters.is_empty()) {
            self.report.add(Finding::Phantom, || {
                format!("{group}: {entry}: handed out {} times", outs.len())
            });
            return;
        }
        if letters.iter().any(|letter| letter.crc != entry.crc) {
            self.report.add(Finding::Damaged, || {
                format!("{group}: {entry}: otherwise as a dead letter")
            });
        }
        self.place(attempt, &outs);
        let line = Line {
            group,
            promise: self.promise,
            memory: self.memory,
            outs: &outs,
            leases,
        };
        line.check(letters, self.report);
        let is_acknowledged = leases
            .iter()
            .any(|lease| lease.step == LeaseStep::Acknowledged && lease.outcome != Outcome::Failed);
        if entry.outcome == Outcome::Stored && !is_acknowledged && letters.is_empty() {
            self.report
                .add(Finding::Lost, || unserved(group, entry, &outs));
        }
    }

    /// Where it was handed out is where it was acknowledged to be.
    fn place(&mut self, attempt: &Attempt<'_>, outs: &[&Lease]) {
        let entry = attempt.entry;
        let is_placed =
            entry.outcome == Outcome::Stored && attempt.has_place() && !attempt.may_be_twice();
        let place = (entry.queue, entry.offset);
        let elsewhere = outs.iter().find(|out| (out.queue, out.offset) != place);
        if let (true, Some(out)) = (is_placed, elsewhere) {
            let group = self.group;
            self.report
                .add(Finding::Moved, || format!("{group}: {entry}; {out}"));
        }
    }

    fn count(&mut self, outs: &[&Lease], leases: &[&Lease]) {
        let sum = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let is_done = |lease: &&&Lease| {
            (lease.step, lease.outcome) == (LeaseStep::Acknowledged, Outcome::Stored)
        };
        self.report.leases += sum(outs.len());
        self.report.redelivered += sum(outs.iter().filter(|out| out.attempt > 1).count());
        self.report.consumed += sum(leases.iter().filter(is_done).count());
    }
}

fn unserved(group: &str, entry: &Entry, outs: &[&Lease]) -> String {
    match outs.last() {
        Some(last) => format!("{group}: {entry}: never acknowledged, last {last}"),
        None => format!("{group}: {entry}: never handed out"),
    }
}

#[cfg(test)]
mod mutations;
