//! Transactions.

use crate::store::{HOUR_MS, Store, text};
use bytes::Bytes;
use gantry_core::model::{
    Message, PhysicalOffset, Properties, QueueId, QueueOffset, SysFlag, TopicName,
};
use gantry_core::record::RecordView;
use gantry_core::transactions::{
    CheckAnswer, EndError, HalfCheck, TransactionEnd, TransactionOutcome,
};
use gantry_core::{Durability, Error, Payload};
use std::collections::BTreeMap;

use TransactionOutcome::{Commit, Rollback, Unknown};

const SECOND: i64 = 1_000;
const GIVEN_UP: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
const HALF: &str = "RMQ_SYS_TRANS_HALF_TOPIC";

/// A half message's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Half {
    position: PhysicalOffset,
    offset: QueueOffset,
}

impl Half {
    fn of(check: &HalfCheck) -> Self {
        Self {
            position: check.position,
            offset: check.offset,
        }
    }

    fn end(self, outcome: TransactionOutcome) -> TransactionEnd {
        TransactionEnd {
            group: "P".to_owned(),
            position: self.position,
            offset: self.offset,
            outcome,
            answers_check: false,
        }
    }
}

impl Store {
    fn message(&self, body: &str, properties: &[(&str, &str)]) -> Message {
        let mut message = Message::new(Bytes::from(body.to_owned()), self.now());
        message.properties = Properties::from_pairs(properties.iter().copied()).unwrap();
        message
    }

    fn try_half(&self, body: &str, more: &[(&str, &str)]) -> Result<Half, Error> {
        let properties = [&[("TRAN_MSG", "true"), ("PGROUP", "P")], more].concat();
        let mut message = self.message(body, &properties);
        message.sys_flag = SysFlag::from_bits(0x4);
        let receipt = self.produce("t", Payload::Half(message))?;
        Ok(Half {
            position: receipt.position,
            offset: receipt.base_offset,
        })
    }

    fn half(&self, body: &str) -> Half {
        self.try_half(body, &[]).unwrap()
    }

    fn end(&self, half: Half, outcome: TransactionOutcome) -> Result<(), EndError> {
        self.end_as(half.end(outcome))
    }

    fn end_as(&self, end: TransactionEnd) -> Result<(), EndError> {
        let ended = self
            .client()
            .end_transactions(&[end], Durability::Configured);
        ended.into_iter().next().unwrap().map(|_| ())
    }

    /// The questions of a round after `millis`, each answered with `answer`: the bodies of the
    /// half messages.
    fn asked_after(&mut self, millis: i64, answer: CheckAnswer) -> Vec<String> {
        self.relay_after(millis);
        let mut asked = Vec::new();
        while let Ok(check) = self.checks.try_recv() {
            asked.push(text(&RecordView::parse(&check.record).unwrap()));
            self.client().answer_check(check, answer);
            self.steps.relay();
        }
        asked
    }
}

#[test]
fn a_message_is_there_once_it_is_committed_and_as_it_was_sent() {
    let store = Store::new(|_| {});
    let kept = store
        .try_half("kept", &[("UNIQ_KEY", "id"), ("k", "v")])
        .unwrap();
    let dropped = store.half("dropped");
    let open = store.half("open");
    assert_eq!((kept.offset.get(), dropped.offset.get()), (0, 1));
    assert!(store.bodies("t").is_empty());
    let half = &store.records(HALF)[0];
    assert_eq!(half.sys_flag().bits(), 0, "a half message has no bits");
    assert_eq!(half.properties().value("REAL_TOPIC"), Some("t"));
    assert_eq!(half.properties().value("REAL_QID"), Some("0"));
    assert_eq!(store.end(kept, Commit), Ok(()));
    assert_eq!(store.end(dropped, Rollback), Ok(()));
    assert_eq!(store.end(open, Unknown), Ok(()));
    assert_eq!(store.bodies("t"), ["kept"]);
    let record = &store.records("t")[0];
    assert_eq!(record.sys_flag().bits(), 0x8);
    assert_eq!(record.prepared_at(), kept.position);
    let properties = record.properties();
    assert_eq!(properties.value("TRAN_MSG"), Some("true"));
    assert_eq!(properties.value("k"), Some("v"));
    for gone in ["REAL_TOPIC", "REAL_QID"] {
        assert_eq!(properties.value(gone), None);
    }
    assert_eq!(store.end(open, Commit), Ok(()), "unknown leaves it open");
    assert_eq!(store.bodies("t"), ["kept", "open"]);
}

#[test]
fn what_names_no_half_message_is_refused_and_a_second_end_changes_nothing() {
    let mut store = Store::new(|_| {});
    let none = Half {
        position: PhysicalOffset::ZERO,
        offset: QueueOffset::ZERO,
    };
    assert_eq!(store.end(none, Commit), Err(EndError::NotFound));
    let (one, two) = (store.half("one"), store.half("two"));
    let plain = store
        .produce("t", Payload::Message(store.message("plain", &[])))
        .unwrap();
    let mut end = one.end(Commit);
    end.group = "Q".to_owned();
    assert_eq!(store.end_as(end), Err(EndError::WrongGroup));
    let (crossed, elsewhere) = (
        Half {
            offset: two.offset,
            ..one
        },
        Half {
            position: plain.position,
            ..one
        },
    );
    assert_eq!(store.end(crossed, Commit), Err(EndError::WrongOffset));
    assert_eq!(store.end(elsewhere, Commit), Err(EndError::WrongPosition));
    let far = Half {
        position: PhysicalOffset::new(u64::MAX),
        offset: QueueOffset::new(u64::MAX >> 1),
    };
    assert_eq!(store.end(far, Commit), Err(EndError::NotFound));
    assert_eq!(store.bodies("t"), ["plain"]);
    for derived in [true, false] {
        let ends = [
            one.end(Commit),
            two.end(Rollback),
            one.end(Rollback),
            two.end(Commit),
        ];
        let ended = store
            .client()
            .end_transactions(&ends, Durability::Configured);
        let ended: Vec<bool> = ended.iter().map(Result::is_ok).collect();
        let is_first = derived;
        assert_eq!(ended, [is_first, is_first, false, false]);
        assert_eq!(store.bodies("t"), ["plain", "one"]);
        store.keep();
        store.reopen(derived);
        for (half, outcome) in [
            (one, Commit),
            (one, Rollback),
            (two, Commit),
            (two, Rollback),
        ] {
            assert_eq!(store.end(half, outcome), Err(EndError::Ended));
        }
    }
    assert_eq!(store.bodies("t"), ["plain", "one"]);
}

#[test]
fn a_half_message_needs_a_group_and_a_legal_delay() {
    let store = Store::new(|_| {});
    let nobodys = Payload::Half(store.message("x", &[("TRAN_MSG", "true")]));
    assert!(matches!(
        store.produce("t", nobodys),
        Err(Error::Invalid(_))
    ));
    let refused = store.try_half("x", &[("TIMER_DELAY_SEC", "x")]);
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let refused = store.try_half("x", &[("__SETTLES", "1:0")]);
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let long = "x".repeat(32_500);
    let refused = store.try_half("x", &[("long", &long), ("more", &long[..200])]);
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn producers_are_asked_at_intervals_and_not_for_ever() {
    for derived in [true, false] {
        let mut store = Store::new(|config| config.transactions.check_max = 3);
        store.relay_after(29 * SECOND);
        store.half("young");
        store
            .try_half("shy", &[("CHECK_IMMUNITY_TIME_IN_SECONDS", "100")])
            .unwrap();
        let old = store.half("known");
        assert!(
            store.asked_after(SECOND, CheckAnswer::Asked).is_empty(),
            "younger than 6 s"
        );
        store.end(old, Commit).unwrap();
        for round in 0..3 {
            let asked = store.asked_after(29 * SECOND, CheckAnswer::Asked);
            assert!(asked.is_empty(), "{round}: between two rounds");
            let asked = store.asked_after(SECOND, CheckAnswer::Asked);
            assert_eq!(asked, ["young"], "{round}");
            assert_eq!(store.client().check_count(QueueOffset::ZERO), round + 1);
            store.keep();
            // Counting goes on; the first round comes an interval later.
            store.reopen(derived);
        }
        assert!(store.bodies(GIVEN_UP).is_empty());
        assert_eq!(store.asked_after(30 * SECOND, CheckAnswer::Asked), ["shy"]);
        assert_eq!(store.bodies(GIVEN_UP), ["young"]);
        let given_up = &store.records(GIVEN_UP)[0];
        assert_eq!(given_up.properties().value("REAL_TOPIC"), Some("t"));
        store.reopen(derived);
        assert_eq!(store.asked_after(30 * SECOND, CheckAnswer::Asked), ["shy"]);
        assert_eq!(store.bodies(GIVEN_UP), ["young"], "once");
        assert_eq!(store.bodies("t"), ["known"]);
    }
}

#[test]
fn a_question_that_reached_nobody_does_not_count() {
    let mut store = Store::new(|config| config.transactions.check_max = 1);
    let half = store.half("x");
    store.half("y");
    for _ in 0..20 {
        let asked = store.asked_after(30 * SECOND, CheckAnswer::NobodyThere);
        assert_eq!(asked.len(), 2, "both were posed before the first answer");
        assert_eq!(store.asked_after(30 * SECOND, CheckAnswer::Busy).len(), 2);
    }
    assert_eq!(store.client().check_count(half.offset), 0);
    // Without anybody who asks, nothing happens at all.
    store.checks.close();
    store.relay_after(100 * SECOND);
    assert!(store.bodies(GIVEN_UP).is_empty());
    store.end(half, Commit).unwrap();
    assert_eq!(store.bodies("t"), ["x"]);
}

#[test]
fn the_shown_message_is_the_one_that_was_sent_and_its_place_ends_it() {
    let mut store = Store::new(|_| {});
    store.try_half("x", &[("UNIQ_KEY", "id")]).unwrap();
    store.relay_after(30 * SECOND);
    let check = store.checks.try_recv().unwrap();
    let shown = RecordView::parse(&check.record).unwrap();
    assert_eq!((shown.topic(), shown.queue()), ("t", QueueId::new(0)));
    assert_eq!(shown.position(), check.position);
    assert_eq!(shown.queue_offset(), check.offset);
    assert_eq!(shown.properties().value("UNIQ_KEY"), Some("id"));
    assert_eq!(check.group.as_str(), "P");
    let mut end = Half::of(&check).end(Commit);
    end.answers_check = true;
    store.end_as(end).unwrap();
    assert_eq!(store.bodies("t"), ["x"]);
    store.client().answer_check(check, CheckAnswer::Asked);
    store.steps.relay();
    assert_eq!(
        store.client().check_count(QueueOffset::ZERO),
        0,
        "it is settled"
    );
}

#[test]
fn an_end_that_was_not_asked_for_comes_in_the_time_the_message_gave() {
    let store = Store::new(|_| {});
    let immune = [("CHECK_IMMUNITY_TIME_IN_SECONDS", "10")];
    let (one, two) = (
        store.try_half("1", &immune).unwrap(),
        store.try_half("2", &immune).unwrap(),
    );
    store.clock.advance(10 * SECOND);
    store.end(one, Commit).unwrap();
    store.clock.advance(1);
    assert_eq!(store.end(two, Commit), Err(EndError::TooLate));
    let mut end = two.end(Commit);
    end.answers_check = true;
    store.end_as(end).unwrap();
    assert_eq!(store.bodies("t"), ["1", "2"]);
}

#[test]
fn more_may_be_open_than_may_be_asked_at_a_time() {
    let mut store = Store::new(|config| {
        config.transactions.checks_pending_max = 7;
        config.transactions.check_max = 1;
    });
    let halves: Vec<Half> = (0..600)
        .map(|number| store.half(&number.to_string()))
        .collect();
    for half in halves.iter().step_by(3) {
        store.end(*half, Rollback).unwrap();
    }
    let expected: Vec<String> = (0..600)
        .filter(|number| number % 3 != 0)
        .map(|number: u32| number.to_string())
        .collect();
    assert_eq!(store.asked_after(30 * SECOND, CheckAnswer::Asked), expected);
    assert!(
        store
            .asked_after(30 * SECOND, CheckAnswer::Asked)
            .is_empty()
    );
    assert_eq!(store.bodies(GIVEN_UP), expected);
}

#[test]
fn a_delay_begins_when_the_transaction_is_committed() {
    for derived in [true, false] {
        let mut store = Store::new(|_| {});
        let half = store.try_half("x", &[("DELAY", "2")]).unwrap();
        store.relay_after(20 * SECOND);
        store.end(half, Commit).unwrap();
        assert_eq!(store.end(half, Commit), Err(EndError::Ended));
        store.reopen(derived);
        store.relay_after(4_999);
        assert!(store.bodies("t").is_empty(), "never early");
        store.relay_after(1);
        assert_eq!(store.bodies("t"), ["x"]);
        assert_eq!(store.records("t")[0].sys_flag().bits(), 0x8);
        store.reopen(derived);
        assert!(
            store
                .asked_after(60 * SECOND, CheckAnswer::Asked)
                .is_empty()
        );
        assert_eq!(store.bodies("t"), ["x"], "once");
    }
}

#[test]
fn open_transactions_outlive_retention_only_as_given_up() {
    let mut store = Store::new(|config| {
        config.store.retention_ms = 40 * HOUR_MS as u64;
        config.transactions.check_max = 100;
    });
    let (old, late) = (store.half("old"), store.half("late"));
    let body = "x".repeat(1_000);
    for hour in 0..39 {
        for _ in 0..10 {
            let noise = Payload::Message(store.message(&body, &[]));
            store.produce("other", noise).unwrap();
        }
        assert_eq!(
            store.asked_after(HOUR_MS, CheckAnswer::NobodyThere).len(),
            2
        );
        store.keep();
        if hour % 13 == 0 {
            store.reopen(hour % 2 == 0);
        }
    }
    // What was copied forward is found by where it was.
    store.config.store.retention_ms = 10 * HOUR_MS as u64;
    store.config.transactions.check_interval_ms = 100 * HOUR_MS as u64;
    store.reopen(true);
    store.keep();
    let start = store.client().log_range().start;
    assert!(start > late.position, "the half messages' segment went");
    let wrong = Half {
        offset: QueueOffset::new(5),
        ..late
    };
    assert_eq!(store.end(wrong, Commit), Err(EndError::NotFound));
    store.end(late, Commit).unwrap();
    assert_eq!(store.bodies("t"), ["late"]);
    assert_eq!(store.end(late, Commit), Err(EndError::Ended));
    store.config.transactions.check_interval_ms = 30_000;
    store.reopen(false);
    assert!(store.asked_after(HOUR_MS, CheckAnswer::Asked).is_empty());
    assert_eq!(store.bodies(GIVEN_UP), ["old"], "older than what is kept");
    assert_eq!(store.end(old, Commit), Err(EndError::Ended));
}

#[test]
fn what_was_given_up_may_be_taken_up_again_once() {
    let mut store = Store::new(|config| config.transactions.check_max = 0);
    store.half("x");
    store.relay_after(30 * SECOND);
    assert_eq!(store.bodies(GIVEN_UP), ["x"]);
    let position = store.records(GIVEN_UP)[0].position();
    store.config.transactions.check_max = 5;
    store.reopen(false);
    assert_eq!(
        store.client().resume_transaction(PhysicalOffset::ZERO),
        Err(EndError::NotFound)
    );
    store.client().resume_transaction(position).unwrap();
    assert_eq!(
        store.client().resume_transaction(position),
        Err(EndError::Ended)
    );
    store.reopen(false);
    assert_eq!(
        store.client().resume_transaction(position),
        Err(EndError::Ended)
    );
    store.relay_after(30 * SECOND);
    let check = store.checks.try_recv().unwrap();
    store.end(Half::of(&check), Commit).unwrap();
    assert_eq!(store.bodies("t"), ["x"]);
}

#[test]
fn a_topic_that_is_no_more_takes_nothing_and_its_transactions_are_given_up() {
    let mut store = Store::new(|config| config.transactions.check_max = 1);
    let half = store.half("x");
    let name = TopicName::new("t").unwrap();
    store.client().delete_topic(&name).unwrap();
    let refused = store.end(half, Commit);
    assert_eq!(refused, Err(EndError::Other(Error::TopicNotFound(name))));
    assert_eq!(store.asked_after(30 * SECOND, CheckAnswer::Asked), ["x"]);
    assert!(
        store
            .asked_after(30 * SECOND, CheckAnswer::Asked)
            .is_empty()
    );
    assert_eq!(store.bodies(GIVEN_UP), ["x"]);
}

/// Ten half messages, every fourth delayed: two stay open, of the others every third is rolled
/// back.
fn ten_halves(store: &Store) -> (BTreeMap<String, Half>, Vec<TransactionEnd>) {
    let delay = [("DELAY", "1")];
    let halves = (0..10).map(|number: u32| {
        let body = number.to_string();
        let more: &[(&str, &str)] = if number % 4 == 3 { &delay } else { &[] };
        let half = store.try_half(&body, more).unwrap();
        (body, half)
    });
    let halves: BTreeMap<String, Half> = halves.collect();
    let ended = halves.iter().filter(|(body, _)| body.as_str() < "8");
    let ends = ended.map(|(body, half)| {
        half.end(if is_rolled_back(body) {
            Rollback
        } else {
            Commit
        })
    });
    let ends = ends.collect();
    (halves, ends)
}

fn is_rolled_back(body: &str) -> bool {
    ["1", "4", "7"].contains(&body)
}

/// The store with what stands in its only file before `cut`.
fn cut_off(store: &Store, cut: PhysicalOffset) -> Store {
    store.image(|image| {
        let log = image.join("commitlog").join(format!("{:020}", 0));
        let mut bytes = std::fs::read(&log).unwrap();
        bytes[cut.get() as usize..].fill(0);
        std::fs::write(&log, bytes).unwrap();
    })
}

/// Whatever part of the log survives, every message is either open or committed or rolled back,
/// and those that are open can be committed, once.
#[test]
fn after_a_crash_anywhere_each_message_is_there_once_or_open() {
    let mut store = Store::new(|config| {
        config.transactions.check_max = 1;
        config.store.segment_bytes = 1 << 20;
        config.store.stretch_bytes = 1 << 20;
    });
    let (halves, ends) = ten_halves(&store);
    for some in ends.chunks(3) {
        let ended = store
            .client()
            .end_transactions(some, Durability::Configured);
        assert!(ended.iter().all(Result::is_ok));
    }
    store.relay_after(SECOND);
    store.asked_after(30 * SECOND, CheckAnswer::Asked);
    store.asked_after(30 * SECOND, CheckAnswer::Asked);
    assert_eq!(store.bodies(GIVEN_UP), ["8", "9"]);
    assert_eq!(store.bodies("t").len(), 5);
    let mut cuts = vec![store.client().log_range().end];
    let mut position = PhysicalOffset::ZERO;
    while let Ok(record) = store.client().record_at(position) {
        cuts.push(position);
        position = position.advance(record.bytes.len() as u64);
    }
    assert!(cuts.len() > 20);
    for cut in cuts {
        let mut store = cut_off(&store, cut);
        for (body, half) in halves.iter().filter(|(_, half)| half.position < cut) {
            let end = store.end(*half, Commit);
            assert!(
                matches!(end, Ok(()) | Err(EndError::Ended)),
                "{body} at {cut}: {end:?}"
            );
            assert_eq!(
                store.end(*half, Commit),
                Err(EndError::Ended),
                "{body} at {cut}"
            );
        }
        store.relay_after(SECOND);
        store.relay_after(SECOND);
        let mut seen = [store.bodies("t"), store.bodies(GIVEN_UP)].concat();
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(count, seen.len(), "at {cut}: each once: {seen:?}");
        for (body, half) in &halves {
            let is_seen = seen.contains(body);
            assert!(half.position < cut || !is_seen, "{body} at {cut}");
            assert!(
                half.position >= cut || is_seen || is_rolled_back(body),
                "{body} at {cut}"
            );
        }
    }
}
