//! Offsets in the order of sending: of one producer, and in real time of all.

use super::{Attempt, Finding, Promise, Report};
use crate::ledger::Entry;

/// Looks at those of `attempts`, sorted by id, that are `placed`.
pub(super) fn check(
    attempts: &[Attempt<'_>],
    placed: &[bool],
    promise: &Promise,
    report: &mut Report,
) {
    let placed = attempts.iter().zip(placed).filter(|(_, placed)| **placed);
    let mut placed: Vec<&Attempt<'_>> = placed.map(|(attempt, _)| attempt).collect();
    if !promise.may_overtake {
        // Stable: what is of one producer and queue stays in the order of its sequence.
        placed.sort_by_key(|attempt| (attempt.entry.id.producer, attempt.entry.queue));
        let lines = placed.chunk_by(|a, b| {
            let line = |of: &Attempt<'_>| (of.entry.id.producer, of.entry.queue);
            line(a) == line(b)
        });
        lines.for_each(|line| of_producer(line, report));
    }
    placed.sort_by_key(|attempt| (attempt.clock, attempt.entry.queue, attempt.entry.offset));
    let queue = |of: &Attempt<'_>| (of.clock, of.entry.queue);
    for line in placed.chunk_by(|a, b| queue(a) == queue(b)) {
        in_real_time(line, report);
    }
}

/// `line` is sorted by sequence: offsets must grow, but for what was sent twice unnumbered.
fn of_producer(line: &[&Attempt<'_>], report: &mut Report) {
    let mut before: Option<&Entry> = None;
    for attempt in line.iter().filter(|attempt| !attempt.may_be_twice()) {
        let entry = attempt.entry;
        if let Some(before) = before.filter(|before| before.offset >= entry.offset) {
            report.add(Finding::ProducerOrder, || {
                format!("{before}; was sent before {entry}")
            });
        }
        before = Some(entry);
    }
}

/// `line` is sorted by offset: nothing lower may have been sent after this was acknowledged.
fn in_real_time(line: &[&Attempt<'_>], report: &mut Report) {
    let mut latest: Option<&Entry> = None;
    for attempt in line {
        let entry = attempt.entry;
        if let Some(latest) = latest.filter(|latest| latest.invoked_ns > entry.settled_ns) {
            report.add(Finding::RealTimeOrder, || {
                format!("{entry}; was acknowledged before this was sent: {latest}")
            });
        }
        if latest.is_none_or(|latest| latest.invoked_ns < entry.invoked_ns) {
            latest = Some(entry);
        }
    }
}
