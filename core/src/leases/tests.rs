//! The ledger against a model that keeps every message by itself.

use super::{Handout, Hold, LeaseOutcome, LeaseSession, LeaseToken, Ledger, Progress};
use crate::model::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

const START: i64 = 1_000_000;

#[derive(Clone, Debug)]
enum Step {
    Lease {
        count: u64,
        session: Option<u64>,
        wants: u64,
    },
    Ack(usize),
    Extend(usize, u64),
    GiveBack(usize),
    EndSession(u64),
    Pass(u64),
    Commit(i64),
    Write,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..6_u64, prop::option::of(0..3_u64), 1..4_u64)
            .prop_map(|(count, session, wants)| Step::Lease { count, session, wants }),
        6 => any::<usize>().prop_map(Step::Ack),
        1 => (any::<usize>(), 0..50_u64).prop_map(|(at, millis)| Step::Extend(at, millis)),
        2 => any::<usize>().prop_map(Step::GiveBack),
        1 => (0..3_u64).prop_map(Step::EndSession),
        3 => (0..60_u64).prop_map(Step::Pass),
        1 => (-5..5_i64).prop_map(Step::Commit),
        2 => Just(Step::Write),
        1 => Just(Step::Crash),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Fresh,
    Out {
        token: LeaseToken,
        until: i64,
        session: Option<u64>,
    },
    Back,
    Done,
}

struct Model {
    places: BTreeMap<u64, Place>,
    attempts: BTreeMap<u64, u32>,
    cursor: u64,
    written: (BTreeMap<u64, Place>, BTreeMap<u64, u32>, u64),
    now: i64,
    receipts: Vec<(u64, LeaseToken)>,
    serial: u32,
}

const END: u64 = 120;

impl Model {
    fn new() -> Self {
        let places: BTreeMap<_, _> = (0..END).map(|at| (at, Place::Fresh)).collect();
        Self {
            written: (places.clone(), BTreeMap::new(), 0),
            places,
            attempts: BTreeMap::new(),
            cursor: 0,
            now: START,
            receipts: Vec::new(),
            serial: 0,
        }
    }

    fn floor(&self) -> u64 {
        (0..END)
            .find(|at| self.places[at] != Place::Done)
            .unwrap_or(END)
    }

    fn expire(&mut self) {
        for place in self.places.values_mut() {
            if matches!(place, Place::Out { until, .. } if *until <= self.now) {
                *place = Place::Back;
            }
        }
    }

    fn handout(&mut self, session: Option<u64>) -> Handout {
        self.serial += 1;
        let now = Timestamp::from_millis(self.now);
        Handout {
            token: LeaseToken {
                leased_at: now,
                serial: self.serial,
            },
            hold: session.map_or(Hold::Millis(30), |id| Hold::Session(LeaseSession(id))),
            now,
        }
    }

    fn out(&self, handout: &Handout, session: Option<u64>, millis: u64) -> Place {
        let until = if session.is_some() {
            i64::MAX
        } else {
            self.now.saturating_add_unsigned(millis)
        };
        Place::Out {
            token: handout.token,
            until,
            session,
        }
    }

    /// As a consumer leases: what came back in order, then what is new; of every `wants` new
    /// messages it wants one.
    fn lease(&mut self, ledger: &mut Ledger, count: u64, session: Option<u64>, wants: u64) {
        ledger.expire(Timestamp::from_millis(self.now));
        self.expire();
        let handout = self.handout(session);
        let out = self.out(&handout, session, 30);
        let mut got = Vec::new();
        while (got.len() as u64) < count
            && let Some((offset, attempts)) = ledger.next_returned(0)
        {
            assert_eq!(attempts, self.attempts[&offset]);
            ledger.hand_out(offset, &handout);
            got.push(offset);
        }
        let back = self
            .places
            .iter()
            .filter(|(_, place)| **place == Place::Back);
        let expected: Vec<u64> = back
            .map(|(at, _)| *at)
            .take(usize::try_from(count).unwrap())
            .collect();
        assert_eq!(got, expected, "what came back, in queue order");
        let mut at = ledger.cursor();
        assert_eq!(at, self.cursor);
        while (got.len() as u64) < count && at < END {
            if at.is_multiple_of(wants) && ledger.is_fresh(at) {
                assert_eq!(self.places[&at], Place::Fresh);
                ledger.hand_out(at, &handout);
                got.push(at);
            } else if self.places[&at] == Place::Fresh {
                self.places.insert(at, Place::Done);
            }
            at += 1;
        }
        ledger.pass(at);
        self.cursor = at;
        for offset in got {
            self.places.insert(offset, out);
            *self.attempts.entry(offset).or_default() += 1;
            self.receipts.push((offset, handout.token));
        }
    }

    /// What becomes of a receipt, and whether it holds its message.
    fn expected(&self, offset: u64, token: LeaseToken) -> LeaseOutcome {
        match self.places[&offset] {
            Place::Done => LeaseOutcome::Settled,
            Place::Out { token: holder, .. } if holder == token => LeaseOutcome::Done,
            Place::Out { .. } | Place::Back => LeaseOutcome::Stale,
            Place::Fresh => LeaseOutcome::Unknown,
        }
    }

    fn crash(&mut self) -> Ledger {
        let mut places = self.written.0.clone();
        self.cursor = self.written.2;
        for (at, place) in &mut places {
            if *place != Place::Done && *at < self.cursor {
                *place = Place::Back;
            }
        }
        self.attempts = self.written.1.clone();
        for (at, place) in &places {
            if *place == Place::Back {
                self.attempts.entry(*at).or_insert(1);
            }
        }
        self.attempts.retain(|at, _| places[at] == Place::Back);
        self.places = places;
        // A broker that opens again is a later one.
        self.now += 1;
        let text = WRITTEN.with_borrow(Clone::clone);
        let progress: Progress = serde_json::from_str(&text).unwrap();
        Ledger::new([0; 16], &progress)
    }

    fn end_session(&mut self, ledger: &mut Ledger, session: u64) {
        ledger.end_session(LeaseSession(session));
        for place in self.places.values_mut() {
            if matches!(place, Place::Out { session: Some(of), .. } if *of == session) {
                *place = Place::Back;
            }
        }
    }

    fn commit(&mut self, ledger: &mut Ledger, by: i64) {
        let floor = self.floor();
        let offset = floor.saturating_add_signed(by).min(END);
        ledger.commit(offset);
        for (at, place) in &mut self.places {
            if *at < offset {
                *place = Place::Done;
            } else if offset < floor {
                *place = Place::Fresh;
            }
        }
        if offset < floor {
            self.cursor = offset;
            self.attempts.clear();
        } else {
            self.cursor = self.cursor.max(self.floor());
        }
    }

    fn write(&mut self, ledger: &mut Ledger) {
        let text = serde_json::to_string(&ledger.progress()).unwrap();
        WRITTEN.set(text);
        ledger.written();
        let counted = |at: &u64| !matches!(self.places[at], Place::Done | Place::Fresh);
        let attempts = self.attempts.iter().filter(|(at, _)| counted(at));
        let attempts = attempts.map(|(at, count)| (*at, *count)).collect();
        self.written = (self.places.clone(), attempts, self.cursor);
    }

    fn run(&mut self, ledger: &mut Ledger, step: &Step) {
        let receipt = |at: usize| self.receipts.get(at % self.receipts.len().max(1)).copied();
        match *step {
            Step::Lease {
                count,
                session,
                wants,
            } => self.lease(ledger, count, session, wants),
            Step::Ack(at) => {
                let Some((offset, token)) = receipt(at) else {
                    return;
                };
                let mut expected = self.expected(offset, token);
                if self.places[&offset] == Place::Back {
                    expected = LeaseOutcome::Done;
                }
                let opened_at = Timestamp::from_millis(0);
                let outcome = ledger.acknowledge(offset, token, opened_at);
                assert_eq!(outcome, expected);
                if outcome == LeaseOutcome::Done {
                    self.places.insert(offset, Place::Done);
                }
            }
            Step::Extend(at, millis) => {
                let Some((offset, token)) = receipt(at) else {
                    return;
                };
                let mut handout = self.handout(None);
                handout.hold = Hold::Millis(millis);
                let outcome = ledger.extend(offset, token, &handout, true);
                assert_eq!(outcome, self.expected(offset, token));
                if outcome == LeaseOutcome::Done {
                    let out = self.out(&handout, None, millis);
                    self.places.insert(offset, out);
                    self.receipts.push((offset, handout.token));
                }
            }
            Step::GiveBack(at) => {
                let Some((offset, token)) = receipt(at) else {
                    return;
                };
                let outcome = ledger.give_back(offset, token);
                assert_eq!(outcome, self.expected(offset, token));
                if outcome == LeaseOutcome::Done {
                    self.places.insert(offset, Place::Back);
                }
            }
            Step::EndSession(session) => self.end_session(ledger, session),
            Step::Pass(millis) => self.now = self.now.saturating_add_unsigned(millis),
            Step::Commit(by) => self.commit(ledger, by),
            Step::Write => self.write(ledger),
            Step::Crash => *ledger = self.crash(),
        }
        let deadline = self.places.values().filter_map(|place| match place {
            Place::Out {
                until,
                session: None,
                ..
            } => Some(*until),
            _ => None,
        });
        assert_eq!(
            ledger.next_deadline().map(Timestamp::millis),
            deadline.min()
        );
        assert_eq!(ledger.floor(), self.floor());
    }
}

std::thread_local! {
    static WRITTEN: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_message_is_in_one_place_and_none_is_lost(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        WRITTEN.set(serde_json::to_string(&Progress::at(0)).unwrap());
        let mut ledger = Ledger::new([0; 16], &Progress::at(0));
        let mut model = Model::new();
        for step in &steps {
            model.run(&mut ledger, step);
        }
        // The time of all is over: whoever asks gets everything that is not settled.
        for session in 0..3 {
            model.run(&mut ledger, &Step::EndSession(session));
        }
        model.run(&mut ledger, &Step::Pass(1_000));
        let open = model.places.values().filter(|place| **place != Place::Done).count();
        let before = model.receipts.len();
        model.lease(&mut ledger, END, None, 1);
        prop_assert_eq!(model.receipts.len() - before, open);
        for at in before..model.receipts.len() {
            model.run(&mut ledger, &Step::Ack(at));
        }
        prop_assert_eq!(ledger.floor(), END);
        prop_assert!(ledger.progress().is_plain());
    }
}

#[test]
fn an_attempt_that_was_put_off_does_not_count() {
    let mut ledger = Ledger::new([0; 16], &Progress::at(0));
    let mut model = Model::new();
    model.lease(&mut ledger, 1, None, 1);
    let (offset, token) = model.receipts[0];
    let handout = model.handout(None);
    ledger.extend(offset, token, &handout, false);
    ledger.expire(Timestamp::from_millis(START + 60));
    assert_eq!(ledger.next_returned(0), Some((0, 0)));
}

#[test]
fn room_ends_where_the_limits_are() {
    let mut ledger = Ledger::new([0; 16], &Progress::at(0));
    let mut model = Model::new();
    model.lease(&mut ledger, 10, None, 1);
    assert_eq!(ledger.room(12, 1_000), 2);
    for at in 1..10 {
        model.run(&mut ledger, &Step::Ack(at));
    }
    assert_eq!(ledger.room(12, 1_000), 11);
    assert_eq!(ledger.room(12, 10), 0, "one message holds the floor");
    model.run(&mut ledger, &Step::Ack(0));
    assert_eq!(ledger.room(12, 10), 10);
}
