//! Orderly members of RocketMQ groups: each queue has one of them at a time, and keeps its order
//! whoever has it.

use crate::matrix::Producer;
use crate::samples::{Member, named};
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use std::time::Duration;

const QUEUES: usize = 4;
/// The dead one's locks live for a minute, and the other asks for them every twenty seconds.
const TAKEOVER: Duration = Duration::from_secs(150);

fn member(version: &'static str, gantry: &Gantry, verb: &str, arguments: &[&str]) -> Member {
    let mut java = clients::rocketmq_java(version);
    java.arg(verb)
        .arg(format!("namesrv={}", gantry.namesrv().unwrap()))
        .args(arguments);
    Member::start(verb, java)
}

/// The numbers from `from` on for each queue, in turn; every fifth is refused once.
fn messages(from: i64) -> Vec<Message> {
    let message = |number: i64, queue| {
        let tag = if number % 5 == 4 { "later" } else { "now" };
        let message = Message::of(format!("{queue} {number}")).to(queue);
        message.header("TAGS", tag)
    };
    let numbers = from..from + 10;
    let of_all = |number| (0..QUEUES as i32).map(move |queue| message(number, queue));
    numbers.flat_map(of_all).collect()
}

/// The offset and the attempt of each message of a queue, as they came.
fn came(events: &[Event], queue: usize) -> Vec<(i64, i64)> {
    let of_queue = |event: &&Event| event.number("partition") == Some(queue as i64);
    let received = named(events, "received").filter(of_queue);
    let place = |event: &Event| Some((event.number("offset")?, event.number("attempt")?));
    received.map(|event| place(event).unwrap()).collect()
}

/// No message came before one that was sent before it, nor after one that was sent after it had
/// been taken: a refused one comes again at once, and nothing is left out.
fn assert_in_order(came: &[(i64, i64)]) {
    for pair in came.windows(2) {
        let [(offset, attempt), (then, next_attempt)] = [pair[0], pair[1]];
        let is_refused = offset % 5 == 4 && attempt == 0;
        if is_refused {
            assert_eq!((then, next_attempt), (offset, 1), "{came:?}");
        } else {
            assert_eq!((then, next_attempt), (offset + 1, 0), "{came:?}");
        }
    }
}

fn orderly(version: &'static str, name: &str) {
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let topic = format!("topic={name}");
    let mut producer = Producer(member(version, &gantry, "stream", &[&topic]));
    producer.send(&messages(0));
    let group = format!("group={name}-group");
    let arguments = [&topic, &group, "orderly=true", "later=later"];
    let join = || member(version, &gantry, "push", &arguments);
    let mut first = join();
    for queue in 0..QUEUES {
        first.until_received(&format!("{queue} 9"));
    }
    let mut second = join();
    second.until_assigned(QUEUES / 2);
    let kept = first.until_assigned(QUEUES / 2);
    producer.send(&messages(10));
    let is_kept = |queue: usize| kept.contains(&format!("{name}-{queue}"));
    for queue in 0..QUEUES {
        let owner = if is_kept(queue) {
            &mut first
        } else {
            &mut second
        };
        owner.until_received(&format!("{queue} 19"));
    }
    for queue in 0..QUEUES {
        // Locks keep the one who joins away until the queue's last member has let it go.
        let [of_first, of_second] = [&first, &second].map(|member| came(&member.events, queue));
        assert_in_order(&of_first);
        assert_in_order(&of_second);
        assert_eq!(of_second.is_empty(), is_kept(queue), "one of them has it");
    }

    // One dies while it has messages: the other takes its queues over where it had come to.
    producer.send(&messages(20));
    let queues = 0..QUEUES;
    let some_kept = queues.clone().find(|queue| is_kept(*queue)).unwrap();
    first.until_received(&format!("{some_kept} 20"));
    first.client.kill();
    while let Some(event) = first.client.next_event().unwrap() {
        first.events.push(event);
    }
    for queue in queues.clone() {
        second.until_received_within(TAKEOVER, &format!("{queue} 29"));
    }
    for queue in queues {
        let of_second = came(&second.events, queue);
        assert_in_order(&of_second);
        if is_kept(queue) {
            let of_first = came(&first.events, queue);
            assert_in_order(&of_first);
            // What the dead one had not told the broker comes again.
            let (last, _) = of_first[of_first.len() - 1];
            assert!(of_second[0].0 <= last + 1, "nothing is lost");
        }
    }
}

#[test]
fn version_4_members_keep_the_order_of_each_queue() {
    orderly(clients::ROCKETMQ_CLIENTS[0], "ordered-4");
}

#[test]
fn version_5_members_keep_the_order_of_each_queue() {
    orderly(clients::NEWEST_ROCKETMQ, "ordered-5");
}
