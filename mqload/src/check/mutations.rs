//! The checker's own test: each kind of damage to a good history is found, and called by its name.

use super::history::{History, QUEUES, Random};
use super::{Finding, Promise, check};
use crate::body::MessageId;
use crate::ledger::{CommitStep, Entry, Outcome};
use crate::seen::{Seen, SeenMessage};

const SEEDS: u64 = 100;

/// Does damage; `false` when the history has nothing to do it to.
type Mutation = fn(&mut History, &mut Random) -> bool;

const MUTATIONS: &[(&str, Finding, Mutation)] = &[
    ("drop from one drain", Finding::Lost, |history, random| {
        let entry = acknowledged(history, random);
        let last = history.seen.last_mut().unwrap();
        let before = last.messages.len();
        last.messages.retain(|message| message.id != entry.id);
        before > last.messages.len()
    }),
    (
        "drop from the middle of one drain",
        Finding::Hole,
        |history, random| {
            let seen = &mut history.seen[1];
            let inside = |message: &SeenMessage, all: &Seen| {
                let of_queue = |extent: &&crate::seen::Extent| extent.queue == message.queue;
                let extent = all.extents.iter().find(of_queue).unwrap();
                (extent.start..extent.end).contains(&message.offset)
            };
            let message = *random.pick(&seen.messages).unwrap();
            let is_inside = inside(&message, seen);
            seen.messages
                .retain(|one| (one.queue, one.offset) != (message.queue, message.offset));
            is_inside
        },
    ),
    ("cut off a queue's end", Finding::Lost, |history, random| {
        let queue = u32::try_from(random.below(u64::from(QUEUES))).unwrap();
        let entries = history.ledgers.iter().flat_map(|ledger| &ledger.entries);
        let stored = entries.filter(|entry| entry.queue == queue && entry.attempts == 1);
        let end = stored.map(|entry| entry.offset).max().unwrap();
        for seen in &mut history.seen {
            seen.messages
                .retain(|one| one.queue != queue || one.offset < end);
            for extent in seen
                .extents
                .iter_mut()
                .filter(|extent| extent.queue == queue)
            {
                extent.end = extent.end.min(end);
            }
        }
        true
    }),
    ("swap two places", Finding::Moved, |history, random| {
        let (one, other) = (acknowledged(history, random), acknowledged(history, random));
        swap_seen(history, &one, &other);
        one.id != other.id && one.queue == other.queue
    }),
    ("store twice", Finding::Duplicate, |history, random| {
        let entry = acknowledged(history, random);
        let count = appended(history, entry.id, entry.queue, entry.crc);
        let once = history.ledgers[1]
            .entries
            .iter()
            .any(|one| one.id == entry.id)
            || entry.attempts == 1;
        count > 0 && once
    }),
    ("flip a body's bit", Finding::Damaged, |history, random| {
        let entry = acknowledged(history, random);
        for message in history.seen.iter_mut().flat_map(|seen| &mut seen.messages) {
            if message.id == entry.id {
                message.crc ^= 1 << random.below(31);
            }
        }
        true
    }),
    (
        "flip a body's bit in one protocol",
        Finding::Disagreement,
        |history, random| {
            let seen = history.seen.last_mut().unwrap();
            let at = usize::try_from(random.below(seen.messages.len() as u64)).unwrap();
            seen.messages[at].crc ^= 1;
            true
        },
    ),
    (
        "shift a queue's offsets",
        Finding::Moved,
        |history, random| {
            let queue = u32::try_from(random.below(u64::from(QUEUES))).unwrap();
            let seen = history.seen.iter_mut();
            for seen in seen {
                for message in seen.messages.iter_mut().filter(|one| one.queue == queue) {
                    message.offset += 1;
                }
                for extent in seen.extents.iter_mut().filter(|one| one.queue == queue) {
                    extent.start += 1;
                    extent.end += 1;
                }
            }
            true
        },
    ),
    (
        "shift in one protocol",
        Finding::Disagreement,
        |history, random| {
            let queue = u32::try_from(random.below(u64::from(QUEUES))).unwrap();
            let seen = history.seen.last_mut().unwrap();
            for message in seen.messages.iter_mut().filter(|one| one.queue == queue) {
                message.offset -= 1;
            }
            true
        },
    ),
    ("invent a message", Finding::Phantom, |history, random| {
        let id = MessageId {
            producer: u32::try_from(random.below(8)).unwrap(),
            sequence: 1_000_000 + random.below(9),
        };
        appended(history, id, 0, 1) > 0
    }),
    (
        "store a stranger's message",
        Finding::Phantom,
        |history, _| appended(history, MessageId::FOREIGN, 0, 1) > 0,
    ),
    (
        "refuse what is there",
        Finding::Phantom,
        |history, random| {
            let id = acknowledged(history, random).id;
            entry_of(history, id, |entry| {
                entry.outcome = Outcome::Failed;
                entry.offset = -1;
            })
        },
    ),
    (
        "forget that it was sent",
        Finding::Phantom,
        |history, random| {
            let id = acknowledged(history, random).id;
            for ledger in &mut history.ledgers {
                ledger.entries.retain(|entry| entry.id != id);
            }
            true
        },
    ),
    (
        "acknowledge another offset",
        Finding::Moved,
        |history, random| {
            let id = acknowledged(history, random).id;
            entry_of(history, id, |entry| {
                entry.offset += 1 + i64::from(entry.attempts)
            })
        },
    ),
    (
        "acknowledge offset 0 for none",
        Finding::Moved,
        |history, random| {
            let entry = acknowledged(history, random);
            entry_of(history, entry.id, |entry| entry.offset = 0);
            entry.offset > 0 && entry.attempts == 1
        },
    ),
    (
        "store in another queue",
        Finding::Moved,
        |history, random| {
            let id = acknowledged(history, random).id;
            entry_of(history, id, |entry| {
                entry.queue = (entry.queue + 1) % QUEUES;
                entry.outcome = Outcome::Unknown;
            })
        },
    ),
    (
        "store unknown twice",
        Finding::Duplicate,
        |history, random| {
            let entry = acknowledged(history, random);
            entry_of(history, entry.id, |entry| {
                entry.outcome = Outcome::Unknown;
                entry.attempts = 1;
            });
            appended(history, entry.id, entry.queue, entry.crc) > 0
        },
    ),
    (
        "one place twice",
        Finding::Disagreement,
        |history, random| {
            let seen = &mut history.seen[1];
            let message = *random.pick(&seen.messages).unwrap();
            seen.messages.push(message);
            true
        },
    ),
    (
        "reorder a producer's",
        Finding::ProducerOrder,
        |history, random| {
            let (one, other) = (acknowledged(history, random), acknowledged(history, random));
            let line = |entry: &Entry| (entry.id.producer, entry.queue);
            exchange(history, &one, &other);
            one.id != other.id
                && line(&one) == line(&other)
                && history.ledgers[1]
                    .entries
                    .iter()
                    .any(|entry| entry.id == one.id)
        },
    ),
    (
        "reorder what did not overlap",
        Finding::RealTimeOrder,
        |history, random| {
            let (one, other) = (acknowledged(history, random), acknowledged(history, random));
            exchange(history, &one, &other);
            one.queue == other.queue
                && (one.settled_ns < other.invoked_ns || other.settled_ns < one.invoked_ns)
        },
    ),
    ("lower a commit", Finding::CommitBack, |history, random| {
        let commits = &mut history.ledgers[2].commits;
        let at = 2 * usize::try_from(random.below(commits.len() as u64 / 2)).unwrap() + 1;
        commits[at].offset -= 1;
        commits[at].offset >= -1 && lowered_is_certain(commits, at)
    }),
    (
        "raise a commit",
        Finding::CommitPhantom,
        |history, random| {
            let commits = &mut history.ledgers[2].commits;
            let at = 2 * usize::try_from(random.below(commits.len() as u64 / 2)).unwrap() + 1;
            commits[at].offset = 1_000;
            true
        },
    ),
];

/// Whether the read at `at` followed a certain sign of its former offset.
fn lowered_is_certain(commits: &[crate::ledger::Commit], at: usize) -> bool {
    let was = commits[at].offset + 1;
    let before = commits[..at]
        .iter()
        .filter(|one| one.queue == commits[at].queue);
    let mut certain = before.filter(|one| one.outcome == Outcome::Stored);
    certain
        .any(|one| one.offset == was && matches!(one.step, CommitStep::Written | CommitStep::Read))
}

fn acknowledged(history: &History, random: &mut Random) -> Entry {
    let entries = history.ledgers.iter().flat_map(|ledger| &ledger.entries);
    let stored: Vec<&Entry> = entries
        .filter(|entry| entry.outcome == Outcome::Stored)
        .collect();
    **random.pick(&stored).unwrap()
}

fn entry_of(history: &mut History, id: MessageId, change: impl FnOnce(&mut Entry)) -> bool {
    let mut entries = history
        .ledgers
        .iter_mut()
        .flat_map(|ledger| &mut ledger.entries);
    entries.find(|entry| entry.id == id).map(change).is_some()
}

/// Appends a message to `queue` in the drains after the load; its offset.
fn appended(history: &mut History, id: MessageId, queue: u32, crc: u32) -> i64 {
    let mut offset = 0;
    for seen in history.seen.iter_mut().skip(1) {
        let extent = seen.extents.iter_mut().find(|extent| extent.queue == queue);
        let extent = extent.unwrap();
        offset = extent.end;
        extent.end += 1;
        seen.messages.push(SeenMessage {
            queue,
            offset,
            id,
            crc,
            waited_ms: None,
        });
    }
    offset
}

/// Two messages change places where they were seen.
fn swap_seen(history: &mut History, one: &Entry, other: &Entry) {
    for message in history.seen.iter_mut().flat_map(|seen| &mut seen.messages) {
        if (message.queue, message.offset) == (one.queue, one.offset) {
            (message.id, message.crc) = (other.id, other.crc);
        } else if (message.queue, message.offset) == (other.queue, other.offset) {
            (message.id, message.crc) = (one.id, one.crc);
        }
    }
}

/// Two messages change places, and are acknowledged there.
fn exchange(history: &mut History, one: &Entry, other: &Entry) {
    swap_seen(history, one, other);
    entry_of(history, one.id, |entry| entry.offset = other.offset);
    entry_of(history, other.id, |entry| entry.offset = one.offset);
    // A drain in between would tell by itself.
    history.seen.remove(0);
}

#[test]
fn a_good_history_gives_an_empty_report() {
    for seed in 0..SEEDS {
        let history = History::new(seed);
        let report = check(&history.ledgers, &history.seen, &Promise::KEEPS_ALL);
        assert!(report.is_clean(), "seed {seed}: {report}");
        assert!(report.stored > 250 && report.failed > 0 && report.unknown > 0);
        assert!(report.seen > 500 && report.commits > 10);
        let unseen = check(&history.ledgers, &[], &Promise::KEEPS_ALL);
        assert!(unseen.is_clean(), "seed {seed}: {unseen}");
    }
}

#[test]
fn every_kind_of_damage_is_found() {
    for (name, finding, mutate) in MUTATIONS {
        let mut done = 0;
        for seed in 0..SEEDS {
            let whole = History::new(seed);
            let random = &mut Random::new(seed);
            // What is picked may not suit; a pick that does comes soon.
            let mutated = std::iter::repeat_with(|| {
                let mut history = whole.clone();
                mutate(&mut history, random).then_some(history)
            });
            let Some(history) = mutated.take(1_000).flatten().next() else {
                continue;
            };
            done += 1;
            let report = check(&history.ledgers, &history.seen, &Promise::KEEPS_ALL);
            assert!(report.count(*finding) > 0, "{name}, seed {seed}: {report}");
        }
        assert_eq!(done, SEEDS, "{name} was done");
    }
}
