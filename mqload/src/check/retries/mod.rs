//! Messages sent back: each comes again, after its delay and not more often than it was sent back,
//! and in the end is a dead letter.

use super::{Attempt, Finding, Report, dead_letters, split};
use crate::ledger::{Ledger, Outcome, Retry, RetryStep};
use crate::seen::{Seen, SeenMessage};
use std::collections::{BTreeMap, BTreeSet};

/// How far the broker's clock, by which messages are due, and ours may be apart.
const CLOCKS_APART_NS: u64 = 20_000_000;

/// Looks at each group that sends back messages of the topic of `attempts`, which are sorted by
/// id.
pub(super) fn check(
    attempts: &[Attempt<'_>],
    ledgers: &[&Ledger],
    seen: &[Seen],
    report: &mut Report,
) {
    let mut groups: BTreeMap<&str, Vec<&Retry>> = BTreeMap::new();
    for ledger in ledgers.iter().filter(|ledger| !ledger.retries.is_empty()) {
        let retries = groups.entry(&ledger.heading.group).or_default();
        retries.extend(&ledger.retries);
    }
    for (group, mut retries) in groups {
        retries.sort_by_key(|retry| retry.id);
        let dead = dead_letters(seen, group);
        report.dead += u64::try_from(dead.len()).unwrap_or(u64::MAX);
        let (mut retries, mut dead) = (&retries[..], &dead[..]);
        for attempt in attempts {
            let id = attempt.id();
            let (strangers, after) = split(retries, |retry| retry.id < id);
            let (own, after) = split(after, |retry| retry.id == id);
            retries = after;
            let (strange, after) = split(dead, |letter| letter.id < id);
            let (letters, after) = split(after, |letter| letter.id == id);
            dead = after;
            phantoms(group, strangers, strange, report);
            let line = Line {
                group,
                attempt,
                retries: own,
                letters,
            };
            line.check(report);
        }
        phantoms(group, retries, dead, report);
    }
}

fn phantoms(group: &str, retries: &[&Retry], letters: &[&SeenMessage], report: &mut Report) {
    for retry in retries {
        report.add(Finding::Phantom, || {
            format!("{group}: {retry}: nobody sent it")
        });
    }
    for letter in letters {
        report.add(Finding::Phantom, || {
            format!("a dead letter of {group}: {letter}: nobody sent it")
        });
    }
}

/// What happened to one message, in one group.
struct Line<'a> {
    group: &'a str,
    attempt: &'a Attempt<'a>,
    retries: &'a [&'a Retry],
    letters: &'a [&'a SeenMessage],
}

impl Line<'_> {
    fn check(&self, report: &mut Report) {
        let entry = self.attempt.entry;
        let is_anywhere = !(self.retries.is_empty() && self.letters.is_empty());
        if entry.outcome == Outcome::Failed && is_anywhere {
            report.add(Finding::Phantom, || self.told(1, "was refused"));
            return;
        }
        if self.letters.iter().any(|letter| letter.crc != entry.crc) {
            report.add(Finding::Damaged, || self.told(1, "other dead letters"));
        }
        let first = self.steps(RetryStep::Received, 1).count();
        if first > 1 && !self.attempt.may_be_twice() {
            report.add(Finding::Duplicate, || self.told(1, "came twice"));
        }
        let numbers: BTreeSet<u16> = self.retries.iter().map(|retry| retry.attempt).collect();
        for number in &numbers {
            self.after(*number, report);
        }
        for number in numbers.iter().filter(|number| **number > 1) {
            let sent = self.steps(RetryStep::SentBack, number - 1).count();
            let came = self.steps(RetryStep::Received, *number).count();
            if came > 0 && sent == 0 {
                report.add(Finding::Phantom, || {
                    self.told(*number, "nobody sent it back")
                });
            }
        }
        if !self.letters.is_empty() && self.steps_back().count() == 0 {
            report.add(Finding::Phantom, || self.told(1, "a dead letter"));
        }
    }

    /// What was sent back after the attempt `number` comes again, each time once, or is dead.
    fn after(&self, number: u16, report: &mut Report) {
        let sent = || self.steps(RetryStep::SentBack, number);
        let is_done = |sent: &&Retry| sent.outcome == Outcome::Stored;
        let (all, done) = (sent().count(), sent().filter(is_done).count());
        report.sent_back += u64::try_from(done).unwrap_or(u64::MAX);
        let next = number.saturating_add(1);
        let came = self.steps(RetryStep::Received, next).count();
        let last = self.steps_back().map(|sent| sent.attempt).max();
        let dead = if last == Some(number) {
            self.letters.len()
        } else {
            0
        };
        if came.saturating_add(dead) < done {
            report.add(Finding::Lost, || self.told(number, "is not there again"));
        }
        if all > 0 && came.saturating_add(dead) > all {
            report.add(Finding::Duplicate, || self.told(number, "came too often"));
        }
        let soonest = sent().map(|sent| {
            let delay_ns = u64::from(sent.delay_ms) * 1_000_000;
            sent.invoked_ns.saturating_add(delay_ns)
        });
        let soonest = soonest.min().unwrap_or(0).saturating_sub(CLOCKS_APART_NS);
        let mut again = self.steps(RetryStep::Received, next);
        if again.any(|came| came.settled_ns < soonest) {
            report.add(Finding::Early, || self.told(number, "came too early"));
        }
    }

    fn steps(&self, step: RetryStep, attempt: u16) -> impl Iterator<Item = &Retry> {
        let retries = self.retries.iter().copied();
        retries.filter(move |retry| (retry.step, retry.attempt) == (step, attempt))
    }

    fn steps_back(&self) -> impl Iterator<Item = &Retry> {
        let retries = self.retries.iter().copied();
        retries.filter(|retry| retry.step == RetryStep::SentBack)
    }

    /// What is to be said of the attempt `number`.
    fn told(&self, number: u16, what: &str) -> String {
        let near = self
            .retries
            .iter()
            .filter(|retry| (number..=number.saturating_add(1)).contains(&retry.attempt));
        let steps: Vec<String> = near.map(ToString::to_string).collect();
        format!(
            "{}: {}, attempt {number}, {what}; {} dead letters; {}",
            self.group,
            self.attempt.entry,
            self.letters.len(),
            steps.join("; ")
        )
    }
}

#[cfg(test)]
mod mutations;
