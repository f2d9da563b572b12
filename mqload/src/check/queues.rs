//! Every queue whole, and the same whenever and through whatever it is read.

use super::{Attempt, Finding, Promise, Report};
use crate::body::MessageId;
use crate::seen::{Extent, Seen, SeenMessage};

/// A message, and the time it was seen.
type Sighting<'a> = (&'a SeenMessage, &'a Seen);

pub(super) fn check(
    attempts: &[Attempt<'_>],
    seen: &[&Seen],
    promise: &Promise,
    report: &mut Report,
) {
    let messages = |seen: &&'_ Seen| seen.messages.len();
    let mut all: Vec<Sighting<'_>> = Vec::with_capacity(seen.iter().map(messages).sum());
    for seen in seen {
        let from = all.len();
        all.extend(seen.messages.iter().map(|message| (message, *seen)));
        let these = all.get_mut(from..).unwrap_or_default();
        these.sort_by_key(|(message, _)| (message.queue, message.offset));
        for extent in &seen.extents {
            whole(extent, these, seen, report);
        }
    }
    // Stable: sightings of one place stay in the order of time.
    all.sort_by_key(|(message, _)| (message.queue, message.offset));
    for ((before, first), (after, second)) in all.iter().zip(all.iter().skip(1)) {
        let same_place = (before.queue, before.offset) == (after.queue, after.offset);
        let same_message = (before.id, before.crc) == (after.id, after.crc);
        let same_drain = first.began_ns == second.began_ns && first.protocol == second.protocol;
        if !same_place || (same_message && !same_drain) {
            continue;
        }
        // The place was free again after a cut.
        if !same_drain && may_lose(before.id, attempts, promise) {
            continue;
        }
        report.add(Finding::Disagreement, || {
            format!(
                "{:?} saw {before}, then {:?} {after}",
                first.protocol, second.protocol
            )
        });
    }
}

fn may_lose(id: MessageId, attempts: &[Attempt<'_>], promise: &Promise) -> bool {
    let at = attempts.partition_point(|attempt| attempt.id() < id);
    let attempt = attempts.get(at).filter(|attempt| attempt.id() == id);
    attempt.is_some_and(|attempt| {
        // What waits comes to its place long after it was acknowledged.
        let came_late = !attempt.has_place() && promise.messages_ns > 0;
        came_late || promise.may_lose(attempt.entry)
    })
}

/// Looks for offsets that are not there in `messages`, sorted by queue and offset.
fn whole(extent: &Extent, messages: &[Sighting<'_>], seen: &Seen, report: &mut Report) {
    let from = messages.partition_point(|(message, _)| message.queue < extent.queue);
    let until = messages.partition_point(|(message, _)| message.queue <= extent.queue);
    let mut next = extent.start;
    let mut lacks = |from: i64, until: i64| {
        if from < until {
            report.add(Finding::Hole, || {
                let queue = extent.queue;
                format!("{:?}: queue {queue} lacks {from}..{until}", seen.protocol)
            });
        }
    };
    for (message, _) in messages.get(from..until).unwrap_or_default() {
        lacks(next, message.offset);
        next = message.offset.saturating_add(1);
    }
    lacks(next, extent.end);
}
