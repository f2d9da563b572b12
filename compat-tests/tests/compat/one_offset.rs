//! A Kafka group and a RocketMQ group of the same name are one group with one progress.

use crate::librdkafka;
use crate::samples::named;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::Message;
use compat_tests::process::run;
use rdkafka::Message as _;

#[test]
fn both_protocols_see_one_committed_offset() {
    let (rocketmq, kafka) = (clients::NEWEST_ROCKETMQ, clients::NEWEST_KAFKA);
    let installed = [Installed::Rocketmq(rocketmq), Installed::Kafka(kafka)];
    if !ready(&installed).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
    librdkafka::create_topic(&bootstrap, "shared", 1);
    let ten: Vec<_> = (0..10).map(|n| Message::of(format!("{n}"))).collect();
    librdkafka::produce(&bootstrap, "shared", &ten, &[]);

    // Kafka reads the first five; RocketMQ finds the offset, and goes on behind it.
    let first = librdkafka::consume(&bootstrap, "shared", "group", 5);
    assert_eq!(first.last().unwrap().offset(), 4);
    let target = [namesrv.as_str(), "topic=shared", "group=group"];
    let mut java = clients::rocketmq_java(rocketmq);
    java.arg("offsets").args(target);
    java.args(["--", "litepull"]).args(target).arg("count=5");
    java.args(["--", "offsets"]).args(target);
    let events = run("litepull", java, &[]).unwrap();
    let committed: Vec<_> = named(&events, "committed")
        .map(|event| event.number("offset"))
        .collect();
    assert_eq!(committed, [Some(5), Some(10)]);
    let read: Vec<_> = named(&events, "received")
        .map(|event| event.number("offset").unwrap())
        .collect();
    assert_eq!(read, [5, 6, 7, 8, 9]);

    // Kafka finds RocketMQ's, and goes on behind that.
    let mut java = clients::kafka_java(kafka);
    let bootstrap_argument = format!("bootstrap={bootstrap}");
    java.args(["group-offsets", &bootstrap_argument, "group=group"]);
    let events = run("group-offsets", java, &[]).unwrap();
    assert_eq!(events[0].number("offset"), Some(10));
    librdkafka::produce(&bootstrap, "shared", &[Message::of("10")], &[]);
    let next = librdkafka::consume(&bootstrap, "shared", "group", 1);
    assert_eq!(next[0].offset(), 10);

    // And a push consumer finds Kafka's.
    librdkafka::produce(&bootstrap, "shared", &[Message::of("11")], &[]);
    let mut java = clients::rocketmq_java(rocketmq);
    java.arg("push").args(target).arg("count=1");
    let events = run("push", java, &[]).unwrap();
    assert_eq!(
        named(&events, "received").next().unwrap().number("offset"),
        Some(11)
    );
}
