//! Histories a faultless broker could have had, for the checker to be tried on.

use crate::body::{MessageId, mix};
use crate::ledger::{Commit, CommitStep, Entry, Heading, Ledger, Outcome};
use crate::seen::{Extent, Seen, SeenMessage};
use crate::target::Protocol;
use std::collections::BTreeMap;

pub(super) const QUEUES: u32 = 3;
const PRODUCERS: u32 = 6;
const MESSAGES: u64 = 60;
const TOPIC: &str = "topic";

/// Two loads, one of them idempotent, a committer, and what was seen: a drain in the middle of
/// the load and one through each protocol after it.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) ledgers: Vec<Ledger>,
    pub(super) seen: Vec<Seen>,
}

pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = mix(self.0);
        (self.0 >> 16) % end.max(1)
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let at = self.below(of.len() as u64);
        of.get(usize::try_from(at).unwrap())
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// When the broker stored which entry (by load and place), in a queue.
type Appended = (u64, usize, usize);

impl History {
    pub(super) fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let mut ledgers = [false, true].map(|is_idempotent| Ledger {
            heading: Heading {
                clock: 1,
                is_idempotent,
                delay_ms: 0,
                is_transactional: false,
                topic: TOPIC.to_owned(),
                group: String::new(),
            },
            ..Ledger::default()
        });
        let mut log: Vec<Appended> = Vec::new();
        for (load, ledger) in ledgers.iter_mut().enumerate() {
            for producer in 0..PRODUCERS / 2 {
                let producer = producer * 2 + u32::try_from(load).unwrap();
                let mut last = BTreeMap::new();
                for sequence in 0..MESSAGES {
                    let id = MessageId { producer, sequence };
                    let (entry, appended) = attempt(id, load == 1, &mut last, random);
                    log.extend(appended.map(|at| (at, load, ledger.entries.len())));
                    ledger.entries.push(entry);
                    if let Some(at) = appended.filter(|_| load == 0 && entry.attempts > 1) {
                        // The first attempt had been stored too.
                        log.push((at - 3, load, ledger.entries.len() - 1));
                    }
                }
            }
        }
        log.sort_unstable();
        let messages = store(&log, &mut ledgers);
        let end = messages.last().map_or(0, |(at, _)| *at) + 1_000;
        let middle = log[log.len() / 2].0;
        let drains = [
            (middle, Protocol::Kafka),
            (end, Protocol::Kafka),
            (end + 1, Protocol::Rocketmq),
        ];
        let seen = drains.map(|(at, protocol)| drain(&messages, at, protocol));
        let mut ledgers = Vec::from(ledgers);
        ledgers.push(committer(random));
        Self {
            ledgers,
            seen: seen.into(),
        }
    }
}

/// A message's fate: its entry, and when the broker stored it, if it did.
fn attempt(
    id: MessageId,
    is_idempotent: bool,
    last: &mut BTreeMap<u32, u64>,
    random: &mut Random,
) -> (Entry, Option<u64>) {
    let queue = u32::try_from(random.below(u64::from(QUEUES))).unwrap();
    let invoked_ns = 1_000 + id.sequence * 40 + random.below(40);
    let earliest = last.get(&queue).map_or(0, |last| last + 1);
    // Room for an attempt before this one.
    let stored = (invoked_ns + 5 + random.below(60)).max(earliest + 4);
    last.insert(queue, stored);
    let outcome = match random.below(20) {
        0 => Outcome::Failed,
        1 | 2 => Outcome::Unknown,
        _ => Outcome::Stored,
    };
    let is_there = match outcome {
        Outcome::Stored => true,
        Outcome::Failed => false,
        Outcome::Unknown => random.one_in(2),
    };
    let attempts = if outcome == Outcome::Stored && random.one_in(if is_idempotent { 3 } else { 8 })
    {
        2
    } else {
        1
    };
    let entry = Entry {
        id,
        intended_ns: invoked_ns - 10,
        invoked_ns,
        settled_ns: stored + 1 + random.below(50),
        outcome,
        attempts,
        queue,
        offset: -1,
        crc: u32::try_from(mix(id.sequence) >> 33).unwrap(),
    };
    (entry, is_there.then_some(stored))
}

/// Gives offsets in the order of the log.
fn store(log: &[Appended], ledgers: &mut [Ledger; 2]) -> Vec<(u64, SeenMessage)> {
    let mut next = BTreeMap::new();
    let mut messages = Vec::new();
    for (at, load, place) in log {
        let entry = &mut ledgers[*load].entries[*place];
        let next: &mut i64 = next.entry(entry.queue).or_default();
        if entry.outcome == Outcome::Stored {
            entry.offset = *next;
        }
        let message = SeenMessage {
            queue: entry.queue,
            offset: *next,
            id: entry.id,
            crc: entry.crc,
            waited_ms: None,
        };
        messages.push((*at, message));
        *next += 1;
    }
    messages
}

/// What a drain at `at` finds.
fn drain(messages: &[(u64, SeenMessage)], at: u64, protocol: Protocol) -> Seen {
    let messages = messages.iter().filter(|(stored, _)| *stored < at);
    let messages: Vec<SeenMessage> = messages.map(|(_, message)| *message).collect();
    let extents = (0..QUEUES).map(|queue| Extent {
        queue,
        start: 0,
        end: i64::try_from(messages.iter().filter(|one| one.queue == queue).count()).unwrap(),
    });
    Seen {
        topic: TOPIC.to_owned(),
        protocol,
        began_ns: at,
        extents: extents.collect(),
        messages,
    }
}

fn committer(random: &mut Random) -> Ledger {
    let mut ledger = Ledger {
        heading: Heading {
            clock: 1,
            is_idempotent: false,
            delay_ms: 0,
            is_transactional: false,
            topic: TOPIC.to_owned(),
            group: "group".to_owned(),
        },
        ..Ledger::default()
    };
    let mut committed = [-1_i64; QUEUES as usize];
    for round in 0..40_u32 {
        let queue = round % QUEUES;
        let invoked_ns = 1_000 + u64::from(round) * 100;
        let outcome = match random.below(8) {
            0 => Outcome::Failed,
            1 => Outcome::Unknown,
            _ => Outcome::Stored,
        };
        let offset = i64::from(round);
        let is_there =
            outcome == Outcome::Stored || (outcome == Outcome::Unknown && random.one_in(2));
        if is_there {
            committed[queue as usize] = offset;
        }
        let mut step = |step, outcome, offset, at| {
            ledger.commits.push(Commit {
                step,
                outcome,
                queue,
                offset,
                invoked_ns: at,
                settled_ns: at + 20,
            });
        };
        step(CommitStep::Written, outcome, offset, invoked_ns);
        let now = committed[queue as usize];
        step(CommitStep::Read, Outcome::Stored, now, invoked_ns + 50);
    }
    ledger
}
