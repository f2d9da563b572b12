//! Members of Kafka consumer groups that come, share, leave, die and come back.

use crate::librdkafka;
use crate::samples::{Member, named};
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::Message;
use std::collections::BTreeSet;
use std::process::Command;

const PARTITIONS: usize = 4;

struct Group<F> {
    gantry: Gantry,
    topic: String,
    command: F,
}

impl<F: Fn() -> Command> Group<F> {
    fn new(topic: &str, command: F) -> Self {
        let gantry = Gantry::start(&[]).unwrap();
        librdkafka::create_topic(&gantry.kafka().unwrap(), topic, PARTITIONS as i32);
        Self {
            gantry,
            topic: topic.to_owned(),
            command,
        }
    }

    fn join(&self, settings: &[&str]) -> Member {
        let mut command = (self.command)();
        command.arg("consume").args(settings);
        command.arg(format!("bootstrap={}", self.gantry.kafka().unwrap()));
        command
            .arg(format!("topic={0}", self.topic))
            .arg(format!("group={}-group", self.topic));
        Member::start(&self.topic, command)
    }

    /// Two members that hold half of the partitions each.
    fn pair(&self, settings: &[&str]) -> [Member; 2] {
        let mut first = self.join(settings);
        first.until_assigned(PARTITIONS);
        let mut second = self.join(settings);
        let halves = [
            second.until_assigned(PARTITIONS / 2),
            first.until_assigned(PARTITIONS / 2),
        ];
        let both: BTreeSet<_> = halves.concat().into_iter().collect();
        assert_eq!(
            both.len(),
            PARTITIONS,
            "each partition has one member: {both:?}"
        );
        [first, second]
    }

    /// Sends one record to each partition.
    fn send_round(&self, name: &str) {
        let round: Vec<_> = (0..PARTITIONS)
            .map(|partition| Message::of(format!("{name} {partition}")).to(partition as i32))
            .collect();
        librdkafka::produce(&self.gantry.kafka().unwrap(), &self.topic, &round, &[]);
    }

    /// The survivor takes everything over.
    fn assert_taken_over(&self, survivor: &mut Member) {
        survivor.until_assigned(PARTITIONS);
        self.send_round("after");
        for partition in 0..PARTITIONS {
            survivor.until_received(&format!("after {partition}"));
        }
    }
}

#[test]
fn a_killed_librdkafka_member_is_missed_after_its_session() {
    if !ready(&[Installed::Python]).unwrap() {
        return;
    }
    let group = Group::new("killed-librdkafka", || clients::python("confluent"));
    let [mut first, mut second] = group.pair(&["session.timeout.ms=6000"]);
    second.client.kill();
    group.assert_taken_over(&mut first);
}

#[test]
fn a_kafka_python_member_leaves() {
    if !ready(&[Installed::Python]).unwrap() {
        return;
    }
    let group = Group::new("left-python", || clients::python("kafka-python"));
    let [first, mut second] = group.pair(&["heartbeat.interval.ms=500"]);
    first.leave();
    group.assert_taken_over(&mut second);
}

#[test]
fn a_kafkajs_member_leaves() {
    if !ready(&[Installed::Node]).unwrap() {
        return;
    }
    let group = Group::new("left-node", clients::node);
    let [first, mut second] = group.pair(&[]);
    first.leave();
    group.assert_taken_over(&mut second);
}

#[test]
fn a_franz_go_member_leaves_a_cooperative_group() {
    if !ready(&[Installed::Go]).unwrap() {
        return;
    }
    let group = Group::new("left-franz", clients::franz);
    let [first, mut second] = group.pair(&[]);
    first.leave();
    group.assert_taken_over(&mut second);
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let version = clients::NEWEST_KAFKA;
    if !ready(&[Installed::Kafka(version)]).unwrap() {
        return;
    }
    let group = Group::new("static-java", || clients::kafka_java(version));
    let cooperative =
        "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    let settings = [cooperative, "heartbeat.interval.ms=500"];
    let mut first = group.join(&[&settings[..], &["group.instance.id=one"]].concat());
    first.until_assigned(PARTITIONS);
    let as_two = [&settings[..], &["group.instance.id=two"]].concat();
    let mut second = group.join(&as_two);
    let held = second.until_assigned(PARTITIONS / 2);
    first.until(|events| named(events, "revoked").count() == 1);

    second.client.kill();
    let mut again = group.join(&as_two);
    assert_eq!(again.until_assigned(PARTITIONS / 2), held);
    group.send_round("after");
    for name in &held {
        let partition = name.rsplit('-').next().unwrap();
        again.until_received(&format!("after {partition}"));
    }
    let others: Vec<_> = (0..PARTITIONS)
        .filter(|partition| !held.contains(&format!("static-java-{partition}")))
        .collect();
    for partition in others {
        first.until_received(&format!("after {partition}"));
    }
    assert_eq!(
        named(&first.events, "revoked").count(),
        1,
        "the other member kept its own"
    );
}
