//! Damage to a good history of retries is found, and called by its name.

use crate::body::{MessageId, mix};
use crate::check::history::Random;
use crate::check::{Finding, Promise, Report, check};
use crate::ledger::{Entry, Heading, Ledger, Outcome, Retry, RetryStep};
use crate::seen::{Seen, SeenMessage};
use crate::target::Protocol;

const SEEDS: u64 = 50;
const MESSAGES: u64 = 100;
const MILLI: u64 = 1_000_000;
const BEGAN: u64 = 1_000_000 * MILLI;
const DELAY_MS: u32 = 1_000;
const ATTEMPTS_MAX: u16 = 3;

#[derive(Clone, Debug)]
struct History {
    sent: Ledger,
    tried: Ledger,
    dead: Seen,
}

fn entry(sequence: u64, outcome: Outcome) -> Entry {
    let invoked_ns = BEGAN + sequence * 10 * MILLI;
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
        let ledger = |group: &str| Ledger {
            heading: Heading {
                clock: 1,
                topic: "t".to_owned(),
                group: group.to_owned(),
                ..Heading::default()
            },
            ..Ledger::default()
        };
        let mut history = Self {
            sent: ledger(""),
            tried: ledger("g"),
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
                history.consume(&entry, random);
            }
        }
        history
    }

    fn consume(&mut self, entry: &Entry, random: &mut Random) {
        let tries = random.below(5).min(u64::from(ATTEMPTS_MAX));
        let mut now = entry.settled_ns + 5 * MILLI;
        // How often it comes for the next attempt.
        let mut copies = 1;
        for attempt in 1..=ATTEMPTS_MAX {
            for _ in 0..copies {
                self.step(RetryStep::Received, Outcome::Stored, entry.id, attempt, now);
            }
            if u64::from(attempt) > tries {
                return;
            }
            let (sent, again) = (copies, copies);
            for _ in 0..sent {
                if random.one_in(6) {
                    // Nobody answered, and it was stored or was not.
                    self.step(
                        RetryStep::SentBack,
                        Outcome::Unknown,
                        entry.id,
                        attempt,
                        now,
                    );
                    copies += usize::from(random.one_in(2));
                }
                self.step(RetryStep::SentBack, Outcome::Stored, entry.id, attempt, now);
            }
            assert!(copies >= again);
            now += (u64::from(DELAY_MS) + 20) * MILLI;
        }
        for _ in 0..copies {
            self.bury(entry);
        }
    }

    fn step(&mut self, step: RetryStep, outcome: Outcome, id: MessageId, attempt: u16, at: u64) {
        self.tried.retries.push(Retry {
            step,
            outcome,
            attempt,
            id,
            delay_ms: DELAY_MS,
            invoked_ns: at,
            settled_ns: at + MILLI,
        });
    }

    fn bury(&mut self, entry: &Entry) {
        self.dead.messages.push(SeenMessage {
            queue: 0,
            offset: i64::try_from(self.dead.messages.len()).unwrap(),
            id: entry.id,
            crc: entry.crc,
            waited_ms: None,
        });
    }

    fn check(&self) -> Report {
        let ledgers = [self.sent.clone(), self.tried.clone()];
        let seen = std::slice::from_ref(&self.dead);
        check(&ledgers, seen, &Promise::KEEPS_ALL)
    }

    /// A message that came for its second attempt, once; all its steps.
    fn tried_again(&self, random: &mut Random) -> Vec<Retry> {
        let all = self.sent.entries.iter().map(|entry| {
            let of = self.tried.retries.iter();
            let steps: Vec<Retry> = of.filter(|one| one.id == entry.id).copied().collect();
            steps
        });
        let is_plain = |steps: &Vec<Retry>| {
            let of = |step, attempt| {
                let same = |one: &&Retry| (one.step, one.attempt) == (step, attempt);
                steps.iter().filter(same).count()
            };
            (of(RetryStep::Received, 2), of(RetryStep::SentBack, 1)) == (1, 1)
        };
        let all: Vec<Vec<Retry>> = all.filter(is_plain).collect();
        random.pick(&all).unwrap().clone()
    }

    fn entry(&mut self, id: MessageId) -> &mut Entry {
        let mut entries = self.sent.entries.iter_mut();
        entries.find(|entry| entry.id == id).unwrap()
    }

    fn second(&mut self, random: &mut Random) -> &mut Retry {
        let id = self.tried_again(random)[0].id;
        let mut retries = self.tried.retries.iter_mut();
        let is_second =
            |one: &&mut Retry| one.id == id && (one.step, one.attempt) == (RetryStep::Received, 2);
        retries.find(is_second).unwrap()
    }
}

type Mutation = fn(&mut History, &mut Random);

const MUTATIONS: &[(&str, Finding, Mutation)] = &[
    (
        "lose what was sent back",
        Finding::Lost,
        |history, random| {
            let id = history.tried_again(random)[0].id;
            let is_later = |one: &Retry| one.id == id && one.attempt > 1;
            history.tried.retries.retain(|one| !is_later(one));
            history.dead.messages.retain(|one| one.id != id);
        },
    ),
    ("lose a dead letter", Finding::Lost, |history, random| {
        let letter = *random.pick(&history.dead.messages).unwrap();
        history.dead.messages.retain(|one| one.id != letter.id);
    }),
    (
        "bring it again twice",
        Finding::Duplicate,
        |history, random| {
            let again = *history.second(random);
            history.tried.retries.push(again);
        },
    ),
    (
        "bring the topic's twice",
        Finding::Duplicate,
        |history, random| {
            let first = history.tried_again(random)[0];
            history.tried.retries.push(first);
        },
    ),
    ("bury it twice", Finding::Duplicate, |history, random| {
        let letter = *random.pick(&history.dead.messages).unwrap();
        let unanswered = history.tried.retries.iter();
        let unanswered = unanswered.filter(|one| one.id == letter.id).count();
        for _ in 0..unanswered {
            history.dead.messages.push(letter);
        }
    }),
    ("bring it early", Finding::Early, |history, random| {
        let again = history.second(random);
        again.invoked_ns -= 100 * MILLI;
        again.settled_ns -= 100 * MILLI;
    }),
    (
        "bring again what is consumed",
        Finding::Phantom,
        |history, random| {
            let id = history.tried_again(random)[0].id;
            let is_back = |one: &Retry| (one.step, one.attempt) == (RetryStep::SentBack, 1);
            history
                .tried
                .retries
                .retain(|one| one.id != id || !is_back(one));
        },
    ),
    (
        "bury what is consumed",
        Finding::Phantom,
        |history, random| {
            let id = history.tried_again(random)[0].id;
            let is_back = |one: &Retry| one.step == RetryStep::SentBack;
            history
                .tried
                .retries
                .retain(|one| one.id != id || !is_back(one));
            let entry = *history.entry(id);
            history.bury(&entry);
        },
    ),
    (
        "bring what nobody sent",
        Finding::Phantom,
        |history, random| {
            let id = MessageId {
                producer: 2,
                sequence: 1_000 + random.below(9),
            };
            history.step(RetryStep::Received, Outcome::Stored, id, 1, BEGAN);
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
        "bring what was refused",
        Finding::Phantom,
        |history, random| {
            let id = history.tried_again(random)[0].id;
            history.entry(id).outcome = Outcome::Failed;
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
];

#[test]
fn a_good_history_of_retries_gives_an_empty_report() {
    for seed in 0..SEEDS {
        let report = History::new(seed).check();
        assert!(report.is_clean(), "seed {seed}: {report}");
        assert!(
            report.sent_back > 60 && report.dead > 5,
            "seed {seed}: {report}"
        );
    }
}

#[test]
fn every_kind_of_damage_to_retries_is_found() {
    for (name, finding, mutate) in MUTATIONS {
        for seed in 0..SEEDS {
            let mut history = History::new(seed);
            mutate(&mut history, &mut Random::new(seed));
            let report = history.check();
            assert!(report.count(*finding) > 0, "{name}, seed {seed}: {report}");
        }
    }
}
