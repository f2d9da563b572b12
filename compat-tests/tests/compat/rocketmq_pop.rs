//! Members of a group that pop: Java's push consumer with `clientRebalance` off, where `mqadmin`
//! has set the group to POP.

use crate::rocketmq_groups::{Producer, QUEUES, consumer};
use crate::samples::{Member, named};
use compat_tests::clients::{self, Installed, Jvm, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::{PATIENCE, now, run};
use std::collections::BTreeSet;
use std::time::Duration;

const VERSION: &str = clients::NEWEST_ROCKETMQ;
const MQADMIN: &str = "org.apache.rocketmq.tools.command.MQAdminStartup";
/// The shortest time the client lets messages be invisible.
const INVISIBLE: &str = "pop=5000";

fn is_ready() -> bool {
    ready(&[Installed::Rocketmq(VERSION), Installed::RocketmqBenchmark]).unwrap()
}

/// Has the members of a group pop a topic.
fn set_pop(gantry: &Gantry, topic: &str, group: &str) {
    let mut admin = clients::rocketmq_tool(Jvm::Brief, MQADMIN);
    let broker = gantry.endpoint("remoting").unwrap();
    admin.args(["setConsumeMode", "-b", &broker, "-t", topic, "-g", group]);
    admin.args(["-m", "POP", "-q", "0", "-n", &gantry.namesrv().unwrap()]);
    let output = admin.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("success"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn member(gantry: &Gantry, name: &str, pause: &str) -> Member {
    let (topic, group) = (format!("topic={name}"), format!("group={name}-group"));
    let pause = format!("pause={pause}");
    consumer(
        VERSION,
        gantry,
        &[&topic, &group, INVISIBLE, &pause, "later=later"],
    )
}

fn values(events: &[Event]) -> BTreeSet<String> {
    let value = |event: &Event| String::from_utf8(event.bytes("value")?).ok();
    named(events, "received").filter_map(value).collect()
}

/// Reads on from `members` in turn until they have received all of `wanted`.
fn until_all(members: &mut [Member], wanted: &BTreeSet<String>) {
    let deadline = now() + PATIENCE;
    loop {
        let got: BTreeSet<_> = members
            .iter()
            .flat_map(|member| values(&member.events))
            .collect();
        if got.is_superset(wanted) {
            return;
        }
        let missing: Vec<_> = wanted.difference(&got).collect();
        assert!(now() < deadline, "{} missing: {missing:?}", missing.len());
        for member in &mut *members {
            while let Some(event) = member
                .client
                .event_within(Duration::from_millis(50))
                .unwrap()
            {
                member.events.push(event);
            }
        }
    }
}

fn send_rounds(producer: &mut Producer, name: &str, rounds: usize) -> BTreeSet<String> {
    let mut sent = BTreeSet::new();
    for round in 0..rounds {
        let round = format!("{name} {round}");
        producer.send_round(&round);
        sent.extend((0..QUEUES).map(|queue| format!("{round} {queue}")));
    }
    sent
}

/// What a group has left, as a client asks for it.
fn committed(gantry: &Gantry, name: &str) -> i64 {
    let mut java = clients::rocketmq_java(VERSION);
    java.args(["offsets", &format!("namesrv={}", gantry.namesrv().unwrap())]);
    java.args([&format!("topic={name}"), &format!("group={name}-group")]);
    let events = run("offsets", java, &[]).unwrap();
    named(&events, "committed")
        .map(|event| event.number("offset").unwrap())
        .sum()
}

#[test]
fn what_a_killed_member_popped_comes_to_the_others_and_nothing_is_lost() {
    if !is_ready() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut producer = Producer::start(VERSION, &gantry, "popped");
    let mut sent = send_rounds(&mut producer, "before", 10);
    set_pop(&gantry, "popped", "popped-group");
    // It takes what it gets and finishes nothing.
    let mut stuck = member(&gantry, "popped", "3600000");
    stuck.until(|events| named(events, "received").count() >= 2);
    let mut others = [
        member(&gantry, "popped", "0"),
        member(&gantry, "popped", "0"),
    ];
    sent.extend(send_rounds(&mut producer, "during", 10));
    stuck.client.kill();
    sent.extend(send_rounds(&mut producer, "after", 10));
    until_all(&mut others, &sent);
    let seen_by_stuck = values(&stuck.events);
    for event in others
        .iter()
        .flat_map(|member| named(&member.events, "received"))
    {
        assert_eq!(event.text("topic"), Some("popped"));
        let value = String::from_utf8(event.bytes("value").unwrap()).unwrap();
        if seen_by_stuck.contains(&value) {
            assert!(event.number("attempt") >= Some(1), "{event:?}");
        }
    }
    let [first, second] = others;
    let both = [first.leave(), second.leave()].concat();
    let places: Vec<_> = named(&both, "received")
        .map(|event| event.place().unwrap())
        .collect();
    let distinct: BTreeSet<_> = places.iter().collect();
    assert_eq!(distinct.len(), sent.len());
    assert_eq!(committed(&gantry, "popped"), sent.len() as i64);
}

#[test]
fn a_refused_message_comes_again_and_says_so() {
    if !is_ready() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut java = clients::rocketmq_java(VERSION);
    let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
    java.args(["produce", &namesrv, "topic=refused"]);
    let message = Message::of("again").header("TAGS", "later");
    run("producer", java, &[message]).unwrap();
    set_pop(&gantry, "refused", "refused-group");
    let mut only = member(&gantry, "refused", "0");
    only.until(|events| named(events, "received").count() >= 2);
    let attempts = named(&only.events, "received").map(|event| event.number("attempt"));
    assert_eq!(attempts.collect::<Vec<_>>(), [Some(0), Some(1)]);
    only.leave();
    assert_eq!(committed(&gantry, "refused"), 1);
}

#[test]
fn a_killed_server_loses_nothing_of_what_is_popped() {
    if !is_ready() {
        return;
    }
    let mut gantry = Gantry::start(&[]).unwrap();
    let mut producer = Producer::start(VERSION, &gantry, "survives");
    let sent = send_rounds(&mut producer, "message", 100);
    set_pop(&gantry, "survives", "survives-group");
    let mut members = [
        member(&gantry, "survives", "20"),
        member(&gantry, "survives", "20"),
    ];
    for member in &mut members {
        member.until(|events| named(events, "received").count() >= 20);
    }
    gantry.kill().unwrap();
    gantry.restart().unwrap();
    until_all(&mut members, &sent);
    let events = members.map(Member::leave).concat();
    let received = named(&events, "received").count();
    assert!(
        received < sent.len() * 2,
        "what was acknowledged did not come again: {received}"
    );
    assert_eq!(committed(&gantry, "survives"), sent.len() as i64);
}
