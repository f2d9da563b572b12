//! Ten thousand topics cost neither files nor time that grows with them.

use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::process::{now, run};
use std::fs;

const TOPICS: usize = 10_000;

#[test]
fn ten_thousand_topics_are_created_and_used() {
    let (kafka, rocketmq) = (clients::NEWEST_KAFKA, clients::NEWEST_ROCKETMQ);
    let installed = [Installed::Kafka(kafka), Installed::Rocketmq(rocketmq)];
    if !ready(&installed).unwrap() {
        return;
    }
    let mut gantry = Gantry::start(&[]).unwrap();
    let bootstrap = format!("bootstrap={}", gantry.kafka().unwrap());
    let began = now();
    let mut java = clients::kafka_java(kafka);
    java.args([
        "many-topics",
        &bootstrap,
        "prefix=many-",
        &format!("count={TOPICS}"),
    ]);
    let events = run("many-topics", java, &[]).unwrap();
    let counts: Vec<_> = events
        .iter()
        .filter_map(|event| event.number("count"))
        .collect();
    assert_eq!(counts, [TOPICS as i64; 3], "created, sent, received");
    eprintln!(
        "{TOPICS} topics created, written and read in {:?}",
        began.elapsed()
    );

    let files = fs::read_dir(gantry.data_directory()).unwrap().count();
    assert!(files < 100, "{files} entries in the store");
    gantry.kill().unwrap();
    let restarted = gantry.restart().unwrap();
    eprintln!("restarted with {TOPICS} topics in {restarted:?}");

    let mut java = clients::rocketmq_java(rocketmq);
    java.arg("push")
        .arg(format!("namesrv={}", gantry.namesrv().unwrap()));
    java.args(["topic=many-0,many-5000,many-9999", "group=few", "count=3"]);
    run("push", java, &[]).unwrap();
}
