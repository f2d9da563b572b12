use super::{Finding, Promise, check};
use crate::body::MessageId;
use crate::ledger::{Commit, CommitStep, Entry, Heading, Ledger, Outcome};
use crate::seen::{Extent, Seen, SeenMessage};
use crate::target::Protocol;

const CUT: u64 = 10_000;

/// Acknowledged at offset `sequence`, ten before `settled_ns` sent.
fn stored(sequence: u64, settled_ns: u64) -> Entry {
    Entry {
        id: MessageId {
            producer: 1,
            sequence,
        },
        intended_ns: settled_ns - 10,
        invoked_ns: settled_ns - 10,
        settled_ns,
        outcome: Outcome::Stored,
        attempts: 1,
        queue: 0,
        offset: i64::try_from(sequence).unwrap(),
        crc: 5,
    }
}

fn ledger(entries: Vec<Entry>) -> Ledger {
    Ledger {
        heading: Heading {
            topic: "t".to_owned(),
            ..Heading::default()
        },
        entries,
        ..Ledger::default()
    }
}

fn seen(began_ns: u64, ids: &[u64]) -> Seen {
    let messages = ids.iter().zip(0..).map(|(sequence, offset)| SeenMessage {
        queue: 0,
        offset,
        id: MessageId {
            producer: 1,
            sequence: *sequence,
        },
        crc: 5,
        waited_ms: None,
    });
    Seen {
        topic: "t".to_owned(),
        protocol: Protocol::Kafka,
        began_ns,
        extents: vec![Extent {
            queue: 0,
            start: 0,
            end: i64::try_from(ids.len()).unwrap(),
        }],
        messages: messages.collect(),
    }
}

fn loses(messages_ns: u64) -> Promise {
    Promise {
        cuts_ns: vec![CUT],
        messages_ns,
        ..Promise::KEEPS_ALL
    }
}

#[test]
fn a_cut_takes_only_what_was_acknowledged_shortly_before() {
    let ledgers = [ledger(vec![stored(0, CUT - 500), stored(1, CUT - 100)])];
    let youngest = [seen(CUT + 1_000, &[0])];
    let report = check(&ledgers, &youngest, &loses(100));
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.excused, 1);
    for promise in [loses(99), loses(0), Promise::KEEPS_ALL] {
        assert_eq!(check(&ledgers, &youngest, &promise).count(Finding::Lost), 1);
    }
    let both = [seen(CUT + 1_000, &[])];
    assert_eq!(check(&ledgers, &both, &loses(100)).count(Finding::Lost), 1);
}

#[test]
fn an_acknowledgement_read_after_the_cut_is_of_before_it() {
    let mut entry = stored(0, CUT + 3);
    entry.invoked_ns = CUT - 7;
    let nothing = [seen(CUT + 1_000, &[])];
    let report = check(&[ledger(vec![entry])], &nothing, &loses(100));
    assert!(report.is_clean(), "{report}");
    // Sent again and then acknowledged: that was after the cut.
    entry.attempts = 2;
    let report = check(&[ledger(vec![entry])], &nothing, &loses(100));
    assert_eq!(report.count(Finding::Lost), 1);
    // As was what was sent after it.
    let later = [ledger(vec![stored(0, CUT + 50)])];
    assert_eq!(check(&later, &nothing, &loses(100)).count(Finding::Lost), 1);
}

#[test]
fn a_place_lost_in_a_cut_may_be_taken_again() {
    let mut again = stored(2, CUT + 100);
    again.offset = 1;
    let ledgers = [ledger(vec![
        stored(0, CUT - 500),
        stored(1, CUT - 100),
        again,
    ])];
    let drains = [seen(CUT - 50, &[0, 1]), seen(CUT + 1_000, &[0, 2])];
    let report = check(&ledgers, &drains, &loses(100));
    assert!(report.is_clean(), "{report}");
    let report = check(&ledgers, &drains, &loses(10));
    assert_eq!(report.count(Finding::Disagreement), 1);
    assert_eq!(report.count(Finding::Lost), 1);
}

#[test]
fn what_is_acknowledged_while_a_drain_runs_need_not_be_in_it() {
    let ledgers = [ledger(vec![stored(0, 100), stored(1, 200)])];
    assert!(check(&ledgers, &[seen(150, &[0])], &Promise::KEEPS_ALL).is_clean());
    let late = check(&ledgers, &[seen(201, &[0])], &Promise::KEEPS_ALL);
    assert_eq!(late.count(Finding::Lost), 1);
}

#[test]
fn messages_may_overtake_each_other_only_where_that_is_promised() {
    let mut overtaken = [stored(0, 100), stored(1, 101)];
    overtaken[0].offset = 1;
    overtaken[1].offset = 0;
    let ledgers = [ledger(overtaken.into())];
    let drains = [seen(1_000, &[1, 0])];
    let report = check(&ledgers, &drains, &Promise::KEEPS_ALL);
    assert_eq!(report.count(Finding::ProducerOrder), 1, "{report}");
    let promise = Promise {
        may_overtake: true,
        ..Promise::KEEPS_ALL
    };
    assert!(check(&ledgers, &drains, &promise).is_clean());
}

#[test]
fn a_cut_forgets_only_commits_shortly_before() {
    let commit = |step, offset, settled_ns| Commit {
        step,
        outcome: Outcome::Stored,
        queue: 0,
        offset,
        invoked_ns: settled_ns - 10,
        settled_ns,
    };
    let mut ledger = ledger(Vec::new());
    ledger.commits = vec![
        commit(CommitStep::Written, 5, CUT - 500),
        commit(CommitStep::Written, 6, CUT - 100),
        commit(CommitStep::Read, 6, CUT - 50),
        commit(CommitStep::Read, 5, CUT + 50),
    ];
    let promise = |commits_ns| Promise {
        cuts_ns: vec![CUT],
        commits_ns,
        ..Promise::KEEPS_ALL
    };
    let found = |ledger: &Ledger, window| {
        let report = check(std::slice::from_ref(ledger), &[], &promise(window));
        report.count(Finding::CommitBack)
    };
    assert_eq!(found(&ledger, 100), 0);
    assert_eq!(found(&ledger, 99), 1);
    ledger.commits[3].offset = 4;
    assert_eq!(found(&ledger, 100), 1);
    // After the cut it counts again.
    ledger.commits[3].offset = 5;
    ledger.commits.push(commit(CommitStep::Read, 4, CUT + 99));
    assert_eq!(found(&ledger, 100), 1);
}

#[test]
fn topics_have_nothing_to_do_with_each_other() {
    let mut other = seen(1_000, &[0]);
    other.topic = "u".to_owned();
    let ledgers = [ledger(vec![stored(0, 100)])];
    let report = check(&ledgers, &[seen(1_000, &[0]), other], &Promise::KEEPS_ALL);
    assert_eq!(report.count(Finding::Phantom), 1);
    assert_eq!(report.findings().count(), 1, "{report}");
    assert!(report.to_string().contains("Phantom: 1"), "{report}");
}

/// A message delayed by 100 ms and acknowledged at 1 s, and what was seen of it how much later.
fn delayed(seen_after_ms: u64, waited: &[i64]) -> crate::check::Report {
    let mut ledger = ledger(vec![stored(0, 1_000_000_000)]);
    ledger.heading.delay_ms = 100;
    ledger.entries[0].offset = 77;
    let mut seen = seen(
        1_000_000_000 + seen_after_ms * 1_000_000,
        &vec![0; waited.len()],
    );
    for (message, waited) in seen.messages.iter_mut().zip(waited) {
        message.waited_ms = Some(*waited);
    }
    check(&[ledger], &[seen], &Promise::KEEPS_ALL)
}

#[test]
fn a_delayed_message_comes_in_time_and_once() {
    for (after, waited) in [(20_000, &[100][..]), (50, &[]), (150, &[]), (150, &[140])] {
        let report = delayed(after, waited);
        assert!(report.is_clean(), "{after} {waited:?}: {report}");
    }
    assert_eq!(delayed(20_000, &[99]).count(Finding::Early), 1);
    assert_eq!(delayed(20_000, &[]).count(Finding::Lost), 1);
    assert_eq!(delayed(20_000, &[100, 100]).count(Finding::Duplicate), 1);
}
