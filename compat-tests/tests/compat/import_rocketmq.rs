//! A store of Apache RocketMQ, taken over: the same client reads the same messages at the same
//! places, and every group goes on where it was.

use crate::kafka_clients::by_command;
use crate::samples::named;
use anyhow::{Context as _, Result, ensure};
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::paths;
use compat_tests::process::{Client, PATIENCE, now};
use compat_tests::rocketmq_broker::RocketmqBroker;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const VERSION: &str = clients::NEWEST_ROCKETMQ;
const QUEUES: usize = 6;
const ORDERS: usize = 3_000;
const BATCH: usize = 300;
/// Refused once by a consumer.
const REFUSED: usize = 5;
/// Delayed by a second, and so delivered before the broker stops.
const DELAYED: usize = 3;
/// What the slow group has read when the broker stops, or a little more.
const SLOWLY: usize = 700;
/// One message of so many is looked up by its id and by its key.
const LOOKED_UP: usize = 50;
/// The topics whose every message is compared.
const READ: [&str; 4] = ["orders", "batches", "%RETRY%quick", "delayed"];
/// Every group's topics.
const PROGRESS: [(&str, &str); 5] = [
    ("quick", "orders"),
    ("quick", "batches"),
    ("quick", "%RETRY%quick"),
    ("slow", "orders"),
    ("late", "delayed"),
];

type Committed = BTreeMap<(String, String, i64), i64>;

/// Everything a client can see of a store.
#[derive(Clone, Debug)]
struct Seen {
    /// Queues with their first and next offsets.
    queues: Vec<Event>,
    /// Every message with every field.
    messages: Vec<Event>,
    /// Some of them, asked for by their offset id.
    viewed: Vec<Event>,
    /// Some of them, asked for by their key.
    found: Vec<Event>,
    /// Group, topic and queue.
    committed: Committed,
}

/// The verbs of one run of the client program.
struct Session {
    command: Command,
    namesrv: String,
    verbs: usize,
}

impl Session {
    fn on(namesrv: &str) -> Self {
        Self {
            command: clients::rocketmq_java(VERSION),
            namesrv: format!("namesrv={namesrv}"),
            verbs: 0,
        }
    }

    fn verb(mut self, verb: &str, arguments: &[&str]) -> Self {
        if self.verbs > 0 {
            self.command.arg("--");
        }
        self.command.args([verb, &self.namesrv]).args(arguments);
        self.verbs += 1;
        self
    }

    /// The events of each verb; `inputs` are the messages of those that send.
    fn run(self, inputs: &[Vec<Message>]) -> Vec<Vec<Event>> {
        let mut client = Client::start(VERSION, self.command).unwrap();
        for messages in inputs {
            client.send(messages).unwrap();
        }
        let commands = by_command(client.finish().unwrap());
        assert_eq!(commands.len(), self.verbs);
        commands
    }
}

fn order(n: usize) -> Message {
    // Long ones are compressed by the client; properties are not ASCII alone.
    let body = format!("order {n} ").repeat(if n.is_multiple_of(100) {
        700
    } else {
        1 + n % 90
    });
    let message = Message::of(body)
        .to((n % QUEUES) as i32)
        .key(format!("order-{n} all"));
    let message = message.header("price", format!("{n} €"));
    match n {
        n if n < REFUSED => message.header("TAGS", "again"),
        n if n.is_multiple_of(3) => message,
        _ => message.header("TAGS", if n.is_multiple_of(2) { "even" } else { "odd" }),
    }
}

fn delayed(n: usize, level: &str) -> Message {
    Message::of(format!("delayed {n}")).header("DELAY", level)
}

/// Sends what there is to import.
fn fill(broker: &RocketmqBroker) {
    let batch = (0..BATCH).map(|n| Message::of(format!("batched {n}")).header("TAGS", "batch"));
    let mut late: Vec<_> = (0..DELAYED).map(|n| delayed(n, "1")).collect();
    // Two hours: still waiting when the broker stops.
    late.push(delayed(DELAYED, "18"));
    let inputs = [(0..ORDERS).map(order).collect(), batch.collect(), late];
    let queues = format!("queues={QUEUES}");
    let sent = Session::on(&broker.namesrv())
        .verb("produce", &["topic=orders", "mode=selector", &queues])
        .verb("produce", &["topic=batches", "mode=batch"])
        .verb("produce", &["topic=delayed"])
        .run(&inputs);
    let places: BTreeSet<_> = named(&sent[0], "sent").map(Event::place).collect();
    assert_eq!(places.len(), ORDERS);
}

/// Three groups: one that has read all and refused some, one that has read a part, and one that
/// waited for the delayed.
fn consume(broker: &RocketmqBroker) {
    let all = format!("count={}", ORDERS + BATCH + REFUSED);
    let part = format!("count={SLOWLY}");
    let late = format!("count={DELAYED}");
    let read = Session::on(&broker.namesrv())
        .verb(
            "push",
            &["group=quick", "topic=orders,batches", "later=again", &all],
        )
        .verb("litepull", &["group=slow", "topic=orders", &part])
        .verb("push", &["group=late", "topic=delayed", &late])
        .run(&[]);
    let again = named(&read[0], "received").filter(|event| event.number("attempt") == Some(1));
    assert_eq!(again.count(), REFUSED);
    let read_slowly = named(&read[1], "received").count() as i64;

    // Clients commit without waiting for an answer, and one that pulls does not commit what it got
    // last from every queue when it ends.
    let is_expected = |group: &str, sum: i64| match group {
        "quick" => sum == (ORDERS + BATCH + REFUSED) as i64,
        "slow" => (1..=read_slowly).contains(&sum),
        _ => sum == DELAYED as i64,
    };
    let deadline = now() + PATIENCE;
    let mut before = Committed::new();
    loop {
        let committed = committed(&broker.namesrv());
        let arrived = ["quick", "slow", "late"].iter().all(|group| {
            let progress = committed.iter().filter(|((name, ..), _)| name == group);
            let sum: i64 = progress.map(|(_, offset)| offset.max(&0)).sum();
            is_expected(group, sum)
        });
        if arrived && committed == before {
            return;
        }
        assert!(now() < deadline, "not committed: {committed:?}");
        before = committed;
    }
}

/// Every group's progress; -1 where it has none.
fn committed(namesrv: &str) -> Committed {
    let mut session = Session::on(namesrv);
    for (group, topic) in PROGRESS {
        let arguments = [format!("group={group}"), format!("topic={topic}")];
        session = session.verb("offsets", &arguments.each_ref().map(String::as_str));
    }
    let mut committed = Committed::new();
    for ((group, topic), events) in PROGRESS.iter().zip(session.run(&[])) {
        for event in named(&events, "committed") {
            let queue = event.number("partition").unwrap();
            let key = ((*group).to_owned(), (*topic).to_owned(), queue);
            committed.insert(key, event.number("offset").unwrap());
        }
    }
    committed
}

fn see(namesrv: &str) -> Seen {
    let topics = format!("topic={}", READ.join(","));
    let view = format!("view={LOOKED_UP}");
    let mut session = Session::on(namesrv).verb("dump", &["group=dump", &topics, &view]);
    for n in (0..ORDERS).step_by(ORDERS / LOOKED_UP) {
        let key = format!("key=order-{n}");
        session = session.verb("query", &["group=dump", "topic=orders", &key]);
    }
    let mut commands = session.run(&[]);
    let found = commands.split_off(1).concat();
    let dump = &commands[0];
    let all = |name: &str| named(dump, name).cloned().collect::<Vec<_>>();
    Seen {
        queues: all("queue"),
        messages: all("message"),
        viewed: all("viewed"),
        found: named(&found, "found").cloned().collect(),
        committed: committed(namesrv),
    }
}

/// What was seen is what was sent, so that comparing it means something.
fn assert_whole(seen: &Seen, store: &Path) {
    let count = |topic: &str| {
        let messages = seen.messages.iter();
        messages
            .filter(|event| event.text("topic") == Some(topic))
            .count()
    };
    assert_eq!(count("orders"), ORDERS);
    assert_eq!(count("batches"), BATCH);
    assert_eq!(count("%RETRY%quick"), REFUSED);
    assert_eq!(count("delayed"), DELAYED);
    assert_eq!(seen.found.len(), LOOKED_UP);
    let by_place = |event: &Event| (event.text("topic").map(str::to_owned), event.place());
    let messages: BTreeMap<_, _> = seen.messages.iter().map(|m| (by_place(m), m)).collect();
    for viewed in &seen.viewed {
        let message = messages[&by_place(viewed)];
        for field in ["id", "offset_id", "value", "keys"] {
            assert_eq!(viewed.text(field), message.text(field));
        }
    }
    assert!(seen.viewed.len() >= ORDERS / LOOKED_UP);
    let files = std::fs::read_dir(store.join("commitlog")).unwrap().count();
    assert!(files > 2, "{files} files of the log");
}

/// `gantry store import-rocketmq`.
fn import(store: &Path, data_directory: &Path) -> Result<()> {
    let binary = paths::gantry_binary().context("no gantry binary")?;
    let output = Command::new(binary)
        .args(["store", "import-rocketmq"])
        .arg(store)
        .arg("--data-dir")
        .arg(data_directory)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", output.status);
    Ok(())
}

/// The slow group gets exactly what it has not read, the quick one exactly what is new.
fn go_on(namesrv: &str, before: &Seen) {
    let progress = |queue: i64| {
        let key = ("slow".to_owned(), "orders".to_owned(), queue);
        before
            .committed
            .get(&key)
            .map_or(0, |offset| *offset.max(&0))
    };
    let orders = before.messages.iter();
    let orders = orders.filter(|event| event.text("topic") == Some("orders"));
    let places = orders.map(|event| event.place().unwrap());
    let rest: BTreeSet<_> = places
        .filter(|(queue, offset)| *offset >= progress(*queue))
        .collect();
    let count = format!("count={}", rest.len());
    let new = Message::of("one more").to(0).header("TAGS", "new");
    let commands = Session::on(namesrv)
        .verb("litepull", &["group=slow", "topic=orders", &count])
        .verb("produce", &["topic=orders", "mode=selector"])
        .verb("push", &["group=quick", "topic=orders", "count=1"])
        .run(&[vec![new]]);

    let received: Vec<_> = named(&commands[0], "received")
        .map(|event| event.place().unwrap())
        .collect();
    assert_eq!(received.len(), rest.len(), "nothing twice");
    assert_eq!(BTreeSet::from_iter(received), rest);
    let end = before.queues.iter().find(|event| {
        event.text("topic") == Some("orders") && event.number("partition") == Some(0)
    });
    let end = end.unwrap().number("end").unwrap();
    let sent = named(&commands[1], "sent").next().unwrap();
    assert_eq!(sent.place(), Some((0, end)), "the next offset");
    let received: Vec<_> = named(&commands[2], "received")
        .map(|event| event.place().unwrap())
        .collect();
    assert_eq!(received, [(0, end)], "the new one alone");
}

/// Told part by part: the whole is thousands of lines.
fn assert_same(after: &Seen, before: &Seen) {
    let events = |seen: &Seen| {
        let Seen {
            queues,
            messages,
            viewed,
            found,
            ..
        } = seen.clone();
        [queues, messages, viewed, found].concat()
    };
    let (after_events, before_events) = (events(after), events(before));
    for (after, before) in after_events.iter().zip(&before_events) {
        assert_eq!(after, before);
    }
    assert_eq!(after_events.len(), before_events.len());
    assert_eq!(after.committed, before.committed);
}

/// A gantry on the imported store, at the address that is a part of the offset message ids.
fn imported(broker: &RocketmqBroker) -> Gantry {
    let listen = [
        format!("remoting.listen={}", broker.address()),
        format!("remoting.vip_listen={}", broker.vip_address()),
    ];
    let prepare = |data_directory: &Path| import(&broker.store(), data_directory);
    Gantry::start_on(&listen.each_ref().map(String::as_str), prepare).unwrap()
}

#[test]
fn an_imported_store_serves_the_same_messages_and_progress() {
    let needed = [Installed::RocketmqBroker, Installed::Rocketmq(VERSION)];
    if !ready(&needed).unwrap() {
        return;
    }
    let mut broker = RocketmqBroker::start(&[]).unwrap();
    fill(&broker);
    consume(&broker);
    let before = see(&broker.namesrv());
    assert_whole(&before, &broker.store());
    if paths::foreign_endpoints().is_none() {
        let nowhere = broker.store().with_file_name("imported");
        let refused = import(&broker.store(), &nowhere).unwrap_err().to_string();
        assert!(refused.contains("a broker runs on it"), "{refused}");
    }
    broker.stop().unwrap();

    // What is expected can be held against the original itself.
    let _gantry;
    let namesrv = if paths::foreign_endpoints().is_some() {
        broker.restart().unwrap();
        broker.namesrv()
    } else {
        let gantry = imported(&broker);
        let namesrv = gantry.namesrv().unwrap();
        _gantry = gantry;
        namesrv
    };
    let after = see(&namesrv);
    assert_same(&after, &before);
    go_on(&namesrv, &before);
}
