//! Members of RocketMQ consumer groups that come, share, leave and die.

use crate::samples::{Member, named};
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::Message;
use std::collections::BTreeSet;

pub const QUEUES: usize = 4;

/// A producer that sends when told to, and knows that it was acknowledged.
pub struct Producer(Member);

impl Producer {
    pub fn start(version: &'static str, gantry: &Gantry, topic: &str) -> Self {
        let mut java = clients::rocketmq_java(version);
        java.arg("stream")
            .arg(format!("namesrv={}", gantry.namesrv().unwrap()));
        java.arg(format!("topic={topic}"));
        Self(Member::start("producer", java))
    }

    /// Sends one message to each queue.
    pub fn send_round(&mut self, name: &str) {
        let sent = |member: &Member| named(&member.events, "sent").count();
        let before = sent(&self.0);
        for queue in 0..QUEUES {
            let message = Message::of(format!("{name} {queue}")).to(queue as i32);
            self.0.client.write(&message.line()).unwrap();
        }
        self.0.until(|events| {
            assert_eq!(named(events, "lost").next(), None);
            named(events, "sent").count() == before + QUEUES
        });
    }
}

pub fn consumer(version: &'static str, gantry: &Gantry, arguments: &[&str]) -> Member {
    let mut java = clients::rocketmq_java(version);
    java.arg("push")
        .arg(format!("namesrv={}", gantry.namesrv().unwrap()))
        .args(arguments);
    Member::start("consumer", java)
}

fn share(version: &'static str, topic: &str) {
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut producer = Producer::start(version, &gantry, topic);
    producer.send_round("zeroth");
    let arguments = [&format!("topic={topic}"), &format!("group={topic}-group")];
    let join = || consumer(version, &gantry, &arguments.map(String::as_str));

    let mut first = join();
    assert_eq!(first.until_assigned(QUEUES).len(), QUEUES);
    let mut second = join();
    let both: BTreeSet<_> = [
        second.until_assigned(QUEUES / 2),
        first.until_assigned(QUEUES / 2),
    ]
    .concat()
    .into_iter()
    .collect();
    assert_eq!(both.len(), QUEUES, "each queue has one member: {both:?}");

    // One leaves in order: the other takes its queues over, and nothing is lost or repeated.
    first.leave();
    second.until_assigned(QUEUES);
    producer.send_round("first");
    for queue in 0..QUEUES {
        second.until_received(&format!("first {queue}"));
    }

    // One dies: the same.
    let mut third = join();
    third.until_assigned(QUEUES / 2);
    second.until_assigned(QUEUES / 2);
    third.client.kill();
    second.until_assigned(QUEUES);
    producer.send_round("second");
    for queue in 0..QUEUES {
        second.until_received(&format!("second {queue}"));
    }
}

#[test]
fn version_4_members_share_leave_and_die() {
    share(clients::ROCKETMQ_CLIENTS[0], "shared-4");
}

#[test]
fn version_5_members_share_leave_and_die() {
    share(clients::NEWEST_ROCKETMQ, "shared-5");
}

#[test]
fn each_broadcasting_member_gets_every_message() {
    let version = clients::NEWEST_ROCKETMQ;
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut producer = Producer::start(version, &gantry, "broadcast");
    producer.send_round("before");
    let arguments = ["topic=broadcast", "group=everyone", "model=broadcasting"];
    let members = [(); 2].map(|()| consumer(version, &gantry, &arguments));
    let mut members = members.map(|mut member| {
        member.until_assigned(QUEUES);
        member
    });
    producer.send_round("after");
    for member in &mut members {
        for queue in 0..QUEUES {
            member.until_received(&format!("before {queue}"));
            member.until_received(&format!("after {queue}"));
        }
    }
}
