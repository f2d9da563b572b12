//! Damage to a good history of transactions is found, and called by its name.

use crate::body::{MessageId, mix};
use crate::check::history::Random;
use crate::check::{Finding, Promise, Report, awaited, check};
use crate::ledger::{Decision, Ending, Entry, Heading, Ledger, Outcome};
use crate::seen::{Extent, Seen, SeenMessage};
use crate::target::Protocol;

const SEEDS: u64 = 50;
const MESSAGES: u64 = 200;
const MILLI: u64 = 1_000_000;
/// When the load began, and when all of it was seen.
const BEGAN: u64 = 1_000_000 * MILLI;
const SEEN: u64 = BEGAN + 60_000 * MILLI;

#[derive(Clone, Debug)]
struct History {
    ledger: Ledger,
    seen: Seen,
}

/// A half message, when it was committed if it was, and how its producer ended it.
struct Fate {
    entry: Entry,
    committed_ns: Option<u64>,
    endings: Vec<Ending>,
}

impl Fate {
    fn new(sequence: u64, random: &mut Random) -> Self {
        let invoked_ns = BEGAN + sequence * 20 * MILLI;
        let (mut outcome, is_there) = match random.below(10) {
            0 => (Outcome::Failed, false),
            1 => (Outcome::Unknown, false),
            2 => (Outcome::Unknown, true),
            _ => (Outcome::Stored, true),
        };
        let id = MessageId {
            producer: 2,
            sequence,
        };
        let decision = if random.one_in(3) {
            Decision::Rollback
        } else {
            Decision::Commit
        };
        let mut endings = Vec::new();
        let mut tell = |after_ms: u64, is_asked, outcome| {
            let told_ns = invoked_ns + after_ms * MILLI;
            endings.push(Ending {
                id,
                decision,
                is_asked,
                outcome,
                invoked_ns: told_ns,
                settled_ns: told_ns + MILLI,
            });
            told_ns + MILLI / 2
        };
        let told_ns = match (is_there, outcome, random.below(3)) {
            (false, ..) => None,
            // Told at once, one-way.
            (true, Outcome::Stored, 0) => Some(tell(2, false, Outcome::Unknown)),
            // Told twice: the first time nobody heard it.
            (true, Outcome::Stored, 1) => {
                tell(2, false, Outcome::Unknown);
                Some(tell(900, true, Outcome::Stored))
            }
            (true, ..) => Some(tell(1_000, true, Outcome::Unknown)),
        };
        if told_ns.is_none() && outcome == Outcome::Stored {
            outcome = Outcome::Unknown;
        }
        let entry = Entry {
            id,
            intended_ns: invoked_ns,
            invoked_ns,
            settled_ns: invoked_ns + MILLI,
            outcome,
            attempts: 1,
            queue: u32::from(sequence % 2 == 1),
            offset: -1,
            crc: u32::try_from(mix(sequence) >> 33).unwrap(),
        };
        Self {
            entry,
            committed_ns: told_ns.filter(|_| decision == Decision::Commit),
            endings,
        }
    }
}

impl History {
    fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let fates: Vec<Fate> = (0..MESSAGES).map(|one| Fate::new(one, random)).collect();
        let entries: Vec<Entry> = fates.iter().map(|fate| fate.entry).collect();
        let mut history = Self {
            ledger: Ledger {
                heading: Heading {
                    clock: 1,
                    is_transactional: true,
                    topic: "t".to_owned(),
                    ..Heading::default()
                },
                entries,
                endings: fates.iter().flat_map(|fate| fate.endings.clone()).collect(),
                ..Ledger::default()
            },
            seen: Seen {
                topic: "t".to_owned(),
                protocol: Protocol::Rocketmq,
                began_ns: SEEN,
                extents: (0..2)
                    .map(|queue| Extent {
                        queue,
                        start: 0,
                        end: 0,
                    })
                    .collect(),
                messages: Vec::new(),
            },
        };
        let committed = fates
            .iter()
            .filter_map(|fate| Some((fate.committed_ns?, &fate.entry)));
        let mut committed: Vec<(u64, &Entry)> = committed.collect();
        committed.sort_by_key(|(at, _)| *at);
        for (at, entry) in committed {
            history.appear(entry, at);
        }
        history
    }

    /// The message comes to its queue.
    fn appear(&mut self, entry: &Entry, at_ns: u64) {
        let extents = &mut self.seen.extents;
        let extent = extents
            .iter_mut()
            .find(|extent| extent.queue == entry.queue);
        let extent = extent.unwrap();
        let waited = (at_ns - entry.invoked_ns) / MILLI;
        self.seen.messages.push(SeenMessage {
            queue: entry.queue,
            offset: extent.end,
            id: entry.id,
            crc: entry.crc,
            waited_ms: Some(i64::try_from(waited).unwrap()),
        });
        extent.end += 1;
    }

    /// The message, and whatever is behind it in its queue moves up.
    fn vanish(&mut self, id: MessageId) {
        let at = self.seen.messages.iter().position(|one| one.id == id);
        let gone = self.seen.messages.remove(at.unwrap());
        for message in &mut self.seen.messages {
            if message.queue == gone.queue && message.offset > gone.offset {
                message.offset -= 1;
            }
        }
        let extents = &mut self.seen.extents;
        let extent = extents.iter_mut().find(|extent| extent.queue == gone.queue);
        extent.unwrap().end -= 1;
    }

    fn decided(&self, decision: Decision, random: &mut Random) -> Entry {
        let endings: Vec<&Ending> = self.ledger.endings.iter().collect();
        let one = std::iter::repeat_with(|| *random.pick(&endings).unwrap());
        let id = one
            .take(1_000)
            .find(|one| one.decision == decision)
            .unwrap()
            .id;
        *self
            .ledger
            .entries
            .iter()
            .find(|entry| entry.id == id)
            .unwrap()
    }

    fn awaited(&self) -> u64 {
        awaited(std::slice::from_ref(&self.ledger), &self.seen)
    }

    fn check(&self) -> Report {
        let ledgers = std::slice::from_ref(&self.ledger);
        check(
            ledgers,
            std::slice::from_ref(&self.seen),
            &Promise::KEEPS_ALL,
        )
    }
}

type Mutation = fn(&mut History, &mut Random);

const MUTATIONS: &[(&str, Finding, Mutation)] = &[
    ("forget a commit", Finding::Lost, |history, random| {
        let entry = history.decided(Decision::Commit, random);
        history.vanish(entry.id);
    }),
    ("commit twice", Finding::Duplicate, |history, random| {
        let entry = history.decided(Decision::Commit, random);
        history.appear(&entry, entry.invoked_ns + 1_001 * MILLI);
    }),
    (
        "deliver what was rolled back",
        Finding::RolledBack,
        |history, random| {
            let entry = history.decided(Decision::Rollback, random);
            history.appear(&entry, entry.invoked_ns + 1_001 * MILLI);
        },
    ),
    (
        "commit when rolled back",
        Finding::RolledBack,
        |history, random| {
            let entry = history.decided(Decision::Commit, random);
            for ending in &mut history.ledger.endings {
                if ending.id == entry.id {
                    ending.decision = Decision::Rollback;
                }
            }
        },
    ),
    (
        "deliver before the commit",
        Finding::Undecided,
        |history, random| {
            let entry = history.decided(Decision::Commit, random);
            for ending in &mut history.ledger.endings {
                if ending.id == entry.id {
                    ending.invoked_ns += 1_200 * MILLI;
                    ending.settled_ns += 1_200 * MILLI;
                }
            }
        },
    ),
    (
        "deliver without a commit",
        Finding::Undecided,
        |history, random| {
            let entry = history.decided(Decision::Commit, random);
            history
                .ledger
                .endings
                .retain(|ending| ending.id != entry.id);
        },
    ),
    ("never ask", Finding::Lost, |history, random| {
        let entry = history.decided(Decision::Rollback, random);
        history
            .ledger
            .endings
            .retain(|ending| ending.id != entry.id);
        let mut entries = history.ledger.entries.iter_mut();
        entries.find(|one| one.id == entry.id).unwrap().outcome = Outcome::Stored;
    }),
    (
        "deliver what was refused",
        Finding::Phantom,
        |history, random| {
            let entry = history.decided(Decision::Commit, random);
            let mut entries = history.ledger.entries.iter_mut();
            entries.find(|one| one.id == entry.id).unwrap().outcome = Outcome::Failed;
        },
    ),
    (
        "deliver into another queue",
        Finding::Moved,
        |history, random| {
            let entry = history.decided(Decision::Commit, random);
            history.vanish(entry.id);
            let elsewhere = Entry {
                queue: 1 - entry.queue,
                ..entry
            };
            history.appear(&elsewhere, entry.invoked_ns + 1_001 * MILLI);
        },
    ),
    ("damage a body", Finding::Damaged, |history, random| {
        let entry = history.decided(Decision::Commit, random);
        let mut messages = history.seen.messages.iter_mut();
        messages.find(|one| one.id == entry.id).unwrap().crc ^= 1;
    }),
];

#[test]
fn a_good_history_of_transactions_gives_an_empty_report() {
    for seed in 0..SEEDS {
        let report = History::new(seed).check();
        assert!(report.is_clean(), "seed {seed}: {report}");
        assert!(report.ended > 120 && report.asked > 50 && report.failed > 5);
        assert!(report.seen > 80, "seed {seed}: {report}");
    }
}

#[test]
fn every_kind_of_damage_to_transactions_is_found() {
    for (name, finding, mutate) in MUTATIONS {
        for seed in 0..SEEDS {
            let mut history = History::new(seed);
            mutate(&mut history, &mut Random::new(seed));
            let report = history.check();
            assert!(report.count(*finding) > 0, "{name}, seed {seed}: {report}");
        }
    }
}

#[test]
fn a_commit_has_time_to_come() {
    let mut history = History::new(1);
    let entry = history.decided(Decision::Commit, &mut Random::new(1));
    history.vanish(entry.id);
    assert_eq!(history.awaited(), 0);
    history.seen.began_ns = entry.settled_ns + 2_000 * MILLI;
    assert_eq!(history.check().count(Finding::Lost), 0);
    assert_eq!(history.awaited(), 1);
}
