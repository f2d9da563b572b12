//! Messages of transactions: there when committed, never when rolled back, and not before.

use super::{Finding, Report};
use crate::body::MessageId;
use crate::clock;
use crate::ledger::{Decision, Ending, Entry, Ledger, Outcome};
use crate::seen::SeenMessage;
use std::collections::BTreeMap;

/// How far the clock of the broker, which says when a message came, and ours may be apart.
const CLOCKS_APART_MS: i64 = 50;

/// What was decided of a transaction, and from when to when the broker was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) decision: Decision,
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
}

/// What was decided of each transaction.
pub(super) fn decided(ledgers: &[&Ledger]) -> BTreeMap<MessageId, Decided> {
    let mut all: BTreeMap<MessageId, Decided> = BTreeMap::new();
    for ending in ledgers.iter().flat_map(|ledger| &ledger.endings) {
        let decided = all.entry(ending.id).or_insert_with(|| of(ending));
        decided.first_ns = decided.first_ns.min(ending.invoked_ns);
        decided.last_ns = decided.last_ns.max(ending.settled_ns);
    }
    all
}

const fn of(ending: &Ending) -> Decided {
    Decided {
        decision: ending.decision,
        first_ns: ending.invoked_ns,
        last_ns: ending.settled_ns,
    }
}

/// Counts the transactions that were ended.
pub(super) fn count(ledgers: &[&Ledger], report: &mut Report) {
    let endings = || ledgers.iter().flat_map(|ledger| &ledger.endings);
    let mut ended: Vec<MessageId> = endings().map(|ending| ending.id).collect();
    let mut asked: Vec<MessageId> = endings()
        .filter(|ending| ending.is_asked)
        .map(|ending| ending.id)
        .collect();
    for (ids, sum) in [
        (&mut ended, &mut report.ended),
        (&mut asked, &mut report.asked),
    ] {
        ids.sort_unstable();
        ids.dedup();
        *sum += u64::try_from(ids.len()).unwrap_or(u64::MAX);
    }
}

/// Whether the message has to come: its transaction was committed, or the broker, which has it,
/// has to ask. Who was told a decision has the half message, whatever it said of it.
pub(super) fn must_be_there(entry: &Entry, decided: Option<Decided>) -> bool {
    match decided {
        Some(decided) => decided.decision == Decision::Commit,
        None => entry.outcome == Outcome::Stored,
    }
}

/// What is wrong with a message being where it was `found`.
pub(super) fn wrong_of(
    entry: &Entry,
    decided: Option<Decided>,
    found: &[&SeenMessage],
) -> Option<Finding> {
    let first = found.first()?;
    let came_before = |told_ns: u64| {
        let told = clock::millis(told_ns).saturating_sub(clock::millis(entry.invoked_ns));
        let mut waited = found.iter().filter_map(|message| message.waited_ms);
        waited.any(|waited| waited.saturating_add(CLOCKS_APART_MS) < told)
    };
    match decided {
        _ if entry.outcome == Outcome::Failed => Some(Finding::Phantom),
        None => Some(Finding::Undecided),
        Some(decided) if decided.decision == Decision::Rollback => Some(Finding::RolledBack),
        Some(decided) if came_before(decided.first_ns) => Some(Finding::Undecided),
        Some(_) if first.queue != entry.queue => Some(Finding::Moved),
        Some(_) => None,
    }
}

#[cfg(test)]
mod mutations;
