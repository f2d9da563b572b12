//! Holds ledgers against what was seen. Each rule is a sort and a walk: n log n in the messages.

mod commits;
mod leases;
mod order;
mod places;
mod promise;
mod queues;
mod report;
mod retries;
mod transactions;

pub use promise::Promise;
pub use report::{Finding, Report};

use crate::body::MessageId;
use crate::ledger::{Entry, Heading, Ledger, Outcome};
use crate::pops::dead_letter_topic;
use crate::seen::{Seen, SeenMessage};
use std::collections::BTreeSet;
use transactions::Decided;

/// How late a message may come that is delayed, or whose transaction was ended, a restart of the
/// broker in between.
const LATENESS_MS: u64 = 5_000;

/// A message of a ledger, with what its ledger says of all of them.
#[derive(Clone, Copy, Debug)]
struct Attempt<'a> {
    entry: &'a Entry,
    clock: u64,
    is_idempotent: bool,
    delay_ms: u32,
    /// Of a transaction's message, what was decided if anything was.
    transaction: Option<Option<Decided>>,
}

impl Attempt<'_> {
    /// Whether the broker may have it twice: it was sent twice and the broker could not know.
    const fn may_be_twice(&self) -> bool {
        self.entry.attempts > 1 && !self.is_idempotent
    }

    /// The message may not be there yet in what was read before.
    fn expected_ns(&self) -> u64 {
        let lateness = if self.has_place() { 0 } else { LATENESS_MS };
        let after = u64::from(self.delay_ms).saturating_add(lateness);
        let decided = self.transaction.flatten();
        let from_ns = decided.map_or(0, |decided| decided.last_ns);
        let from_ns = from_ns.max(self.entry.settled_ns);
        from_ns.saturating_add(after * 1_000_000)
    }

    /// Whether its acknowledgement says where it is. What waits first comes to its place later.
    const fn has_place(&self) -> bool {
        self.delay_ms == 0 && self.transaction.is_none()
    }

    const fn id(&self) -> MessageId {
        self.entry.id
    }
}

/// What in `ledgers` and `seen` cannot be if the broker keeps `promise`.
///
/// All ledgers of a topic must be there, or their messages are phantoms. Without anything seen
/// of a topic only the orders among acknowledgements are looked at.
#[must_use]
pub fn check(ledgers: &[Ledger], seen: &[Seen], promise: &Promise) -> Report {
    let mut report = Report::default();
    let all_seen = seen;
    let memory = leases::Memory::new(ledgers, promise);
    let topics = ledgers.iter().map(|ledger| &ledger.heading.topic);
    let topics: BTreeSet<&String> = topics.chain(seen.iter().map(|seen| &seen.topic)).collect();
    let dead = dead_letter_topics(ledgers);
    for topic in topics {
        if dead.contains(topic) {
            // What is there is looked at with what it came from.
            continue;
        }
        let of_topic = |ledger: &&Ledger| ledger.heading.topic == *topic;
        let ledgers: Vec<&Ledger> = ledgers.iter().filter(of_topic).collect();
        let mut seen: Vec<&Seen> = seen.iter().filter(|seen| seen.topic == *topic).collect();
        seen.sort_by_key(|seen| seen.began_ns);
        check_topic(&ledgers, &seen, promise, &mut report);
        let attempts = attempts_of(&ledgers);
        leases::check(
            &attempts,
            &ledgers,
            all_seen,
            (promise, &memory),
            &mut report,
        );
        retries::check(&attempts, &ledgers, all_seen, &mut report);
    }
    report
}

/// How many messages may still come to the topic of `seen`, and have to: what is delayed, and what
/// waits for the end of its transaction. Later than they may they are lost, and awaited no more.
#[must_use]
pub fn awaited(ledgers: &[Ledger], seen: &Seen) -> u64 {
    let of_topic = |ledger: &&Ledger| ledger.heading.topic == seen.topic;
    let ledgers: Vec<&Ledger> = ledgers.iter().filter(of_topic).collect();
    let there: BTreeSet<MessageId> = seen.messages.iter().map(|message| message.id).collect();
    let is_awaited = |attempt: &Attempt<'_>| {
        let must_come = match attempt.transaction {
            Some(decided) => transactions::must_be_there(attempt.entry, decided),
            None => attempt.delay_ms > 0 && attempt.entry.outcome == Outcome::Stored,
        };
        must_come && attempt.expected_ns() > seen.began_ns && !there.contains(&attempt.id())
    };
    let attempts = attempts_of(&ledgers);
    let awaited = attempts.iter().filter(|attempt| is_awaited(attempt));
    u64::try_from(awaited.count()).unwrap_or(u64::MAX)
}

fn check_topic(ledgers: &[&Ledger], seen: &[&Seen], promise: &Promise, report: &mut Report) {
    let attempts = attempts_of(ledgers);
    for attempt in &attempts {
        match attempt.entry.outcome {
            Outcome::Stored => report.stored += 1,
            Outcome::Failed => report.failed += 1,
            Outcome::Unknown => report.unknown += 1,
        }
    }
    transactions::count(ledgers, report);
    let placed = places::check(&attempts, seen, promise, report);
    queues::check(&attempts, seen, promise, report);
    order::check(&attempts, &placed, promise, report);
    for ledger in ledgers {
        commits::check(ledger, promise, report);
    }
}

/// The topics of what the groups of `ledgers` have given up.
fn dead_letter_topics(ledgers: &[Ledger]) -> BTreeSet<String> {
    let consumes = |ledger: &&Ledger| !(ledger.leases.is_empty() && ledger.retries.is_empty());
    let groups = ledgers.iter().filter(consumes);
    let topics = groups.map(|ledger| dead_letter_topic(&ledger.heading.group));
    topics.collect()
}

/// What `group` has given up, by id. What was seen last has all there is.
fn dead_letters<'a>(seen: &'a [Seen], group: &str) -> Vec<&'a SeenMessage> {
    let topic = dead_letter_topic(group);
    let seen = seen.iter().filter(|seen| seen.topic == topic);
    let last = seen.max_by_key(|seen| seen.began_ns);
    let mut dead: Vec<&SeenMessage> = last.iter().flat_map(|seen| &seen.messages).collect();
    dead.sort_by_key(|message| message.id);
    dead
}

/// The front of `sorted` for which `is_front` is true, and the rest.
fn split<T>(sorted: &[T], is_front: impl Fn(&T) -> bool) -> (&[T], &[T]) {
    let at = sorted.partition_point(is_front);
    sorted.split_at_checked(at).unwrap_or_default()
}

/// All that was sent to a topic, by id.
fn attempts_of<'a>(ledgers: &[&'a Ledger]) -> Vec<Attempt<'a>> {
    let decided = transactions::decided(ledgers);
    let of_ledger = |ledger: &&'a Ledger| {
        let Heading {
            clock,
            is_idempotent,
            delay_ms,
            is_transactional,
            ..
        } = ledger.heading;
        let decided = &decided;
        ledger.entries.iter().map(move |entry| Attempt {
            entry,
            clock,
            is_idempotent,
            delay_ms,
            transaction: is_transactional.then(|| decided.get(&entry.id).copied()),
        })
    };
    let mut attempts: Vec<Attempt<'a>> = ledgers.iter().flat_map(of_ledger).collect();
    attempts.sort_by_key(Attempt::id);
    attempts
}

#[cfg(test)]
mod history;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod tests;
