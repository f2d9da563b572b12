//! Damage to a good history of leases is found, and called by its name.

use crate::body::{MessageId, mix};
use crate::check::history::Random;
use crate::check::{Finding, Promise, Report, check};
use crate::ledger::{Entry, Heading, Lease, LeaseStep, Ledger, Outcome};
use crate::seen::{Seen, SeenMessage};
use crate::target::Protocol;

const SEEDS: u64 = 50;
const MESSAGES: u64 = 200;
const MILLI: u64 = 1_000_000;
const BEGAN: u64 = 1_000_000 * MILLI;
const HOLD_MS: u32 = 1_000;
const ATTEMPTS_MAX: u16 = 3;
/// The broker is cut off once; it may forget what happened shortly before.
const CUT: u64 = BEGAN + 3_000 * MILLI;
const WINDOW: u64 = 200 * MILLI;

#[derive(Clone, Debug)]
struct History {
    sent: Ledger,
    popped: Ledger,
    dead: Seen,
}

/// What becomes of a message while its steps are written down.
struct Story<'a> {
    history: &'a mut History,
    entry: Entry,
    now: u64,
    attempt: u16,
    handed_out_ns: u64,
}

impl Story<'_> {
    /// Takes five milliseconds.
    fn step(&mut self, step: LeaseStep, outcome: Outcome, hold_ms: u32) {
        let number = self.entry.id.sequence * 100 + u64::from(self.attempt);
        self.history.popped.leases.push(Lease {
            step,
            outcome,
            lease: number,
            attempt: self.attempt,
            id: self.entry.id,
            queue: self.entry.queue,
            offset: self.entry.offset,
            hold_ms,
            invoked_ns: self.now,
            settled_ns: self.now + 5 * MILLI,
        });
        self.now += 10 * MILLI;
    }

    fn hand_out(&mut self) {
        self.attempt += 1;
        self.handed_out_ns = self.now;
        self.step(LeaseStep::HandedOut, Outcome::Stored, HOLD_MS);
    }

    fn acknowledge(&mut self) {
        self.step(LeaseStep::Acknowledged, Outcome::Stored, 0);
    }

    /// Its lease ends by itself, or the broker does.
    fn wait(&mut self) {
        let end = self.now + u64::from(HOLD_MS) * MILLI;
        self.now = if self.now < CUT && CUT < end {
            CUT + 30 * MILLI
        } else {
            end
        };
    }

    fn die(&mut self) {
        self.history.dead.messages.push(SeenMessage {
            queue: 0,
            offset: i64::try_from(self.history.dead.messages.len()).unwrap(),
            id: self.entry.id,
            crc: self.entry.crc,
            waited_ms: None,
        });
    }

    fn tell(&mut self, random: &mut Random) {
        self.hand_out();
        match random.below(6) {
            0 => {
                self.wait();
                self.hand_out();
                self.acknowledge();
            }
            1 => {
                self.step(LeaseStep::Extended, Outcome::Stored, 2 * HOLD_MS);
                self.now += 1_500 * MILLI;
                self.acknowledge();
            }
            2 => {
                self.step(LeaseStep::Extended, Outcome::Stored, HOLD_MS / 4);
                self.now += 260 * MILLI;
                self.hand_out();
                self.acknowledge();
            }
            3 => {
                while self.attempt < ATTEMPTS_MAX {
                    self.wait();
                    self.hand_out();
                }
                self.die();
                return;
            }
            4 => self.step(LeaseStep::Acknowledged, Outcome::Unknown, 0),
            _ => self.acknowledge(),
        }
        let forgets = self.now <= CUT && self.now + 100 * MILLI > CUT;
        if forgets && random.one_in(2) {
            // The acknowledgement is not known any more, nor the attempt if it is as young.
            self.now = CUT + 30 * MILLI;
            self.attempt -= u16::from(self.handed_out_ns + 100 * MILLI > CUT);
            self.hand_out();
            self.acknowledge();
        }
    }
}

fn entry(sequence: u64, outcome: Outcome) -> Entry {
    let invoked_ns = BEGAN + sequence * 25 * MILLI;
    Entry {
        id: MessageId {
            producer: 2,
            sequence,
        },
        intended_ns: invoked_ns,
        invoked_ns,
        settled_ns: invoked_ns + MILLI,
        outcome,
        attempts: 1,
        queue: 0,
        offset: i64::try_from(sequence).unwrap(),
        crc: u32::try_from(mix(sequence) >> 33).unwrap(),
    }
}

impl History {
    fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let heading = |group: &str| Heading {
            clock: 1,
            topic: "t".to_owned(),
            group: group.to_owned(),
            ..Heading::default()
        };
        let ledger = |group| Ledger {
            heading: heading(group),
            ..Ledger::default()
        };
        let mut history = Self {
            sent: ledger(""),
            popped: ledger("g"),
            dead: Seen {
                topic: "%DLQ%g".to_owned(),
                protocol: Protocol::Rocketmq,
                began_ns: BEGAN + 100_000 * MILLI,
                extents: Vec::new(),
                messages: Vec::new(),
            },
        };
        for sequence in 0..MESSAGES {
            let outcome = match random.below(20) {
                0 => Outcome::Failed,
                1 => Outcome::Unknown,
                _ => Outcome::Stored,
            };
            let entry = entry(sequence, outcome);
            history.sent.entries.push(entry);
            if outcome != Outcome::Failed {
                let mut story = Story {
                    now: entry.settled_ns + random.below(20) * MILLI,
                    history: &mut history,
                    entry,
                    attempt: 0,
                    handed_out_ns: 0,
                };
                story.tell(random);
            }
        }
        history
    }

    fn check(&self) -> Report {
        let promise = Promise {
            cuts_ns: vec![CUT],
            leases_ns: WINDOW,
            ..Promise::KEEPS_ALL
        };
        let ledgers = [self.sent.clone(), self.popped.clone()];
        check(&ledgers, std::slice::from_ref(&self.dead), &promise)
    }

    /// A step after which there is one more of the same message, all of it well after the cut.
    fn followed(&self, random: &mut Random, is_wanted: fn(&Lease, &Lease) -> bool) -> Lease {
        let pairs = self
            .popped
            .leases
            .iter()
            .zip(self.popped.leases.iter().skip(1));
        let is_late = |one: &Lease| one.invoked_ns > CUT + 500 * MILLI;
        let pairs =
            pairs.filter(|(one, next)| one.id == next.id && is_late(one) && is_wanted(one, next));
        let all: Vec<Lease> = pairs.map(|(one, _)| *one).collect();
        *random.pick(&all).unwrap()
    }

    fn acknowledged(&self, random: &mut Random) -> Lease {
        let is_stored = |_: &Lease, next: &Lease| {
            (next.step, next.outcome) == (LeaseStep::Acknowledged, Outcome::Stored)
        };
        let before = self.followed(random, is_stored);
        let mut leases = self.popped.leases.iter();
        let of_message =
            |lease: &&Lease| lease.id == before.id && lease.step == LeaseStep::Acknowledged;
        *leases.find(of_message).unwrap()
    }

    fn of(&mut self, id: MessageId) -> impl Iterator<Item = &mut Lease> {
        let leases = self.popped.leases.iter_mut();
        leases.filter(move |lease| lease.id == id)
    }

    fn entry(&mut self, id: MessageId) -> &mut Entry {
        let mut entries = self.sent.entries.iter_mut();
        entries.find(|entry| entry.id == id).unwrap()
    }

    fn handed_out_after(&mut self, lease: &Lease, after_ms: u64) {
        self.popped.leases.push(Lease {
            step: LeaseStep::HandedOut,
            outcome: Outcome::Stored,
            attempt: lease.attempt + 1,
            lease: 1 << 40,
            hold_ms: HOLD_MS,
            invoked_ns: lease.settled_ns + after_ms * MILLI,
            settled_ns: lease.settled_ns + (after_ms + 5) * MILLI,
            ..*lease
        });
    }
}

const fn is_out(step: LeaseStep) -> bool {
    matches!(step, LeaseStep::HandedOut)
}

type Mutation = fn(&mut History, &mut Random);

const MUTATIONS: &[(&str, Finding, Mutation)] = &[
    ("forget that it waits", Finding::Lost, |history, random| {
        let lease = history.acknowledged(random);
        history.entry(lease.id).outcome = Outcome::Stored;
        history.popped.leases.retain(|one| one.id != lease.id);
    }),
    ("do not try it again", Finding::Lost, |history, random| {
        let lease = history.acknowledged(random);
        history.entry(lease.id).outcome = Outcome::Stored;
        let leases = &mut history.popped.leases;
        leases.retain(|one| one.id != lease.id || one.step != LeaseStep::Acknowledged);
    }),
    ("lose a dead letter", Finding::Lost, |history, random| {
        let letter = *random.pick(&history.dead.messages).unwrap();
        history.entry(letter.id).outcome = Outcome::Stored;
        history.dead.messages.retain(|one| one.id != letter.id);
    }),
    (
        "hand out what is done",
        Finding::HandedOutAgain,
        |history, random| {
            let lease = history.acknowledged(random);
            history.handed_out_after(&lease, 2_000);
        },
    ),
    (
        "forget more than the cut may",
        Finding::HandedOutAgain,
        |history, _| {
            let entry = *history.entry(MessageId {
                producer: 2,
                sequence: 70,
            });
            history.entry(entry.id).outcome = Outcome::Stored;
            history.dead.messages.retain(|one| one.id != entry.id);
            history.popped.leases.retain(|one| one.id != entry.id);
            let mut story = Story {
                history,
                entry,
                now: CUT - WINDOW - 300 * MILLI,
                attempt: 0,
                handed_out_ns: 0,
            };
            story.entry.outcome = Outcome::Stored;
            story.hand_out();
            story.acknowledge();
            story.now = CUT + 30 * MILLI;
            story.hand_out();
            story.acknowledge();
        },
    ),
    (
        "bury what is done",
        Finding::HandedOutAgain,
        |history, random| {
            let lease = history.acknowledged(random);
            let crc = history.entry(lease.id).crc;
            let offset = i64::try_from(history.dead.messages.len()).unwrap();
            history.dead.messages.push(SeenMessage {
                queue: 0,
                offset,
                id: lease.id,
                crc,
                waited_ms: None,
            });
        },
    ),
    (
        "hand out what somebody has",
        Finding::SharedLease,
        |history, random| {
            let lease = history.followed(random, |one, _| is_out(one.step));
            history.handed_out_after(&lease, 3);
        },
    ),
    (
        "forget an extension",
        Finding::SharedLease,
        |history, random| {
            let lease = history.followed(random, |one, _| {
                one.step == LeaseStep::Extended && one.hold_ms > HOLD_MS
            });
            history.handed_out_after(&lease, 1_100);
        },
    ),
    (
        "end a lease early",
        Finding::SharedLease,
        |history, random| {
            let lease = history.followed(random, |one, next| is_out(one.step) && is_out(next.step));
            let next = history
                .of(lease.id)
                .find(|one| one.attempt == lease.attempt + 1)
                .unwrap();
            next.invoked_ns = lease.settled_ns + 900 * MILLI;
            next.settled_ns = lease.settled_ns + 910 * MILLI;
        },
    ),
    ("do not count", Finding::AttemptBack, |history, random| {
        let lease = history.followed(random, |one, next| is_out(one.step) && is_out(next.step));
        for one in history
            .of(lease.id)
            .filter(|one| one.attempt > lease.attempt)
        {
            one.attempt -= 1;
        }
    }),
    (
        "forget all counts",
        Finding::AttemptBack,
        |history, random| {
            let lease = history.followed(random, |one, next| is_out(one.step) && is_out(next.step));
            for one in history.of(lease.id) {
                one.attempt = 1;
            }
        },
    ),
    (
        "hand out what nobody sent",
        Finding::Phantom,
        |history, random| {
            let mut lease = history.acknowledged(random);
            lease.id.sequence += 1_000_000;
            history.handed_out_after(&lease, 1);
        },
    ),
    (
        "hand out what was refused",
        Finding::Phantom,
        |history, random| {
            let lease = history.acknowledged(random);
            history.entry(lease.id).outcome = Outcome::Failed;
        },
    ),
    (
        "bury what nobody sent",
        Finding::Phantom,
        |history, random| {
            let mut letter = *random.pick(&history.dead.messages).unwrap();
            letter.id = MessageId::FOREIGN;
            history.dead.messages.push(letter);
        },
    ),
    (
        "damage a dead letter",
        Finding::Damaged,
        |history, random| {
            let at = usize::try_from(random.below(history.dead.messages.len() as u64)).unwrap();
            history.dead.messages[at].crc ^= 1;
        },
    ),
    (
        "hand out another offset",
        Finding::Moved,
        |history, random| {
            let lease = history.acknowledged(random);
            history.entry(lease.id).outcome = Outcome::Stored;
            history.of(lease.id).for_each(|one| one.offset += 1);
        },
    ),
];

#[test]
fn a_good_history_of_leases_gives_an_empty_report() {
    for seed in 0..SEEDS {
        let report = History::new(seed).check();
        assert!(report.is_clean(), "seed {seed}: {report}");
        assert!(report.leases > 200 && report.redelivered > 50 && report.dead > 10);
        assert!(report.consumed > 60, "seed {seed}: {report}");
    }
}

#[test]
fn every_kind_of_damage_to_leases_is_found() {
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
fn two_dead_letters_of_one_message_need_a_cut() {
    let mut history = History::new(1);
    let letter = history.dead.messages[0];
    history.dead.messages.push(letter);
    assert!(history.check().is_clean());
    let ledgers = [history.sent, history.popped];
    let report = check(&ledgers, &[history.dead], &Promise::KEEPS_ALL);
    assert_eq!(report.count(Finding::Duplicate), 1);
}

#[test]
fn a_broker_that_stores_nothing_remembers_nothing() {
    let mut history = History::new(1);
    let last = CUT - 400 * MILLI;
    let id = MessageId {
        producer: 2,
        sequence: 20,
    };
    let entry = *history.entry(id);
    history.entry(id).outcome = Outcome::Stored;
    history.dead.messages.retain(|one| one.id != id);
    history.popped.leases.retain(|one| one.id != id);
    let mut story = Story {
        history: &mut history,
        entry,
        now: last - 100 * MILLI,
        attempt: 0,
        handed_out_ns: 0,
    };
    story.hand_out();
    story.acknowledge();
    story.now = CUT + 30 * MILLI;
    story.attempt = 0;
    story.hand_out();
    story.acknowledge();
    assert!(history.check().count(Finding::HandedOutAgain) > 0);
    // Nothing was stored for longer than the cut may take by itself.
    for entry in &mut history.sent.entries {
        if (last..=CUT).contains(&entry.settled_ns) {
            entry.settled_ns = CUT + 1;
        }
    }
    let report = history.check();
    assert!(report.is_clean(), "{report}");
}
