//! Every message where it was acknowledged to be, once, and none that was not sent.

use super::{Attempt, Decided, Finding, Promise, Report, transactions};
use crate::ledger::{Entry, Outcome};
use crate::seen::{Seen, SeenMessage};

/// Which of `attempts`, sorted by id, were seen in their place whenever they had to be.
pub(super) fn check(
    attempts: &[Attempt<'_>],
    seen: &[&Seen],
    promise: &Promise,
    report: &mut Report,
) -> Vec<bool> {
    let stored = |attempt: &Attempt<'_>| attempt.entry.outcome == Outcome::Stored;
    let mut placed: Vec<bool> = attempts.iter().map(stored).collect();
    for (one, next) in attempts.iter().zip(attempts.iter().skip(1)) {
        if one.id() == next.id() {
            report.add(Finding::Duplicate, || {
                format!("{} stands in the ledgers twice", one.id())
            });
        }
    }
    for seen in seen {
        report.seen += u64::try_from(seen.messages.len()).unwrap_or(u64::MAX);
        let mut walk = Walk {
            seen,
            promise,
            report,
        };
        walk.run(attempts, &mut placed);
    }
    placed
}

/// One drain held against the ledgers.
struct Walk<'a> {
    seen: &'a Seen,
    promise: &'a Promise,
    report: &'a mut Report,
}

impl Walk<'_> {
    fn run(&mut self, attempts: &[Attempt<'_>], placed: &mut [bool]) {
        let mut messages: Vec<&SeenMessage> = self.seen.messages.iter().collect();
        messages.sort_by_key(|message| (message.id, message.queue, message.offset));
        let mut rest = &messages[..];
        for (attempt, placed) in attempts.iter().zip(placed) {
            let before = rest.partition_point(|message| message.id < attempt.id());
            let (strangers, after) = rest.split_at_checked(before).unwrap_or_default();
            self.phantoms(strangers);
            let here = after.partition_point(|message| message.id == attempt.id());
            let (found, after) = after.split_at_checked(here).unwrap_or_default();
            rest = after;
            *placed &= self.message(attempt, found);
        }
        self.phantoms(rest);
    }

    fn phantoms(&mut self, strangers: &[&SeenMessage]) {
        for message in strangers {
            let seen = self.seen;
            self.report.add(Finding::Phantom, || {
                format!("{:?}: {message}: nobody sent it", seen.protocol)
            });
        }
    }

    /// Whether the message is where it was acknowledged to be.
    fn message(&mut self, attempt: &Attempt<'_>, found: &[&SeenMessage]) -> bool {
        let (seen, entry) = (self.seen, attempt.entry);
        let at = || sighting(seen, entry, found);
        if found.iter().any(|message| message.crc != entry.crc) {
            self.report.add(Finding::Damaged, at);
        }
        let delay = i64::from(attempt.delay_ms);
        let mut waited = found.iter().filter_map(|message| message.waited_ms);
        if delay > 0 && waited.any(|waited| waited < delay) {
            self.report.add(Finding::Early, at);
        }
        if found.len() > 1 && !attempt.may_be_twice() {
            self.report.add(Finding::Duplicate, at);
        }
        if let Some(decided) = attempt.transaction {
            self.transaction(attempt, decided, found);
            return false;
        }
        let elsewhere = || found.iter().any(|message| message.queue != entry.queue);
        match entry.outcome {
            Outcome::Stored => return self.acknowledged(attempt, found),
            Outcome::Failed if !found.is_empty() => self.report.add(Finding::Phantom, at),
            Outcome::Unknown if elsewhere() => self.report.add(Finding::Moved, at),
            Outcome::Failed | Outcome::Unknown => {}
        }
        false
    }

    fn acknowledged(&mut self, attempt: &Attempt<'_>, found: &[&SeenMessage]) -> bool {
        let (seen, entry) = (self.seen, attempt.entry);
        // It may have been stored after the drain passed.
        let is_late = attempt.expected_ns() > seen.began_ns;
        let is_place =
            |message: &&SeenMessage| (message.queue, message.offset) == (entry.queue, entry.offset);
        if !attempt.has_place() && (!found.is_empty() || is_late) {
            return false;
        }
        if found.iter().any(is_place) {
            return true;
        }
        if is_late && (found.is_empty() || attempt.may_be_twice()) {
            return true;
        }
        if !found.is_empty() {
            self.report
                .add(Finding::Moved, || sighting(seen, entry, found));
            return false;
        }
        self.lost(entry);
        false
    }

    /// All of a transaction or nothing, as was decided, and not before.
    fn transaction(
        &mut self,
        attempt: &Attempt<'_>,
        decided: Option<Decided>,
        found: &[&SeenMessage],
    ) {
        if let Some(finding) = transactions::wrong_of(attempt.entry, decided, found) {
            let (seen, entry) = (self.seen, attempt.entry);
            self.report.add(finding, || sighting(seen, entry, found));
        }
        if found.is_empty()
            && transactions::must_be_there(attempt.entry, decided)
            && attempt.expected_ns() <= self.seen.began_ns
        {
            self.lost(attempt.entry);
        }
    }

    fn lost(&mut self, entry: &Entry) {
        if self.promise.may_lose(entry) {
            self.report.excused += 1;
        } else {
            self.report.add(Finding::Lost, || {
                format!("{:?}: {entry}: nowhere", self.seen.protocol)
            });
        }
    }
}

/// A message and the first places it was seen at.
fn sighting(seen: &Seen, entry: &Entry, found: &[&SeenMessage]) -> String {
    let places: Vec<String> = found.iter().take(3).map(ToString::to_string).collect();
    format!(
        "{:?}: {entry}; seen {} times: {}",
        seen.protocol,
        found.len(),
        places.join(", ")
    )
}
