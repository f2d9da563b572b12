//! Both lines of RocketMQ's Java client sign their requests with their own hook.

use crate::kafka_clients::by_command;
use crate::samples::{messages, named};
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::process::{Client, run};

const SIGNED: [&str; 2] = [
    "remoting.protocol.acl.enabled=true",
    "remoting.protocol.acl.users=[{access_key: rocket, secret_key: 'a secret'}]",
];

fn signs(version: &'static str) {
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&SIGNED).unwrap();
    let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
    let credentials = ["access-key=rocket", "secret-key=a secret"];
    let sent = messages("signed");

    // Sends one by one and as a batch, consumes in both ways, and asks for a message by its key.
    let mut java = clients::rocketmq_java(version);
    for mode in ["mode=sync", "mode=batch"] {
        java.args(["produce", &namesrv, "topic=signed", mode]);
        java.args(credentials).arg("--");
    }
    for (verb, group) in [("push", "group=pushed"), ("litepull", "group=pulled")] {
        java.args([verb, &namesrv, "topic=signed", group, "count=8"]);
        java.args(credentials).arg("--");
    }
    java.args(["query", &namesrv, "topic=signed", "group=q", "key=signed-1"]);
    java.args(credentials);
    let mut client = Client::start(version, java).unwrap();
    client.send(&sent).unwrap();
    client.send(&sent).unwrap();
    let commands = by_command(client.finish().unwrap());
    let counts = [
        named(&commands[0], "sent").count(),
        named(&commands[2], "received").count(),
        named(&commands[3], "received").count(),
        named(&commands[4], "found").count(),
    ];
    assert_eq!(counts, [sent.len(), 2 * sent.len(), 2 * sent.len(), 2]);

    for wrong in [
        &["access-key=rocket", "secret-key=another"][..],
        &["access-key=nobody", "secret-key=a secret"],
        &[],
    ] {
        let mut java = clients::rocketmq_java(version);
        java.args(["produce", &namesrv, "topic=signed", "mode=sync"]);
        java.args(wrong);
        let refused = run(version, java, &sent[..1]);
        assert!(refused.is_err(), "{wrong:?}");
    }
    let log = gantry.log();
    assert!(!log.contains("a secret"), "{log}");
}

#[test]
fn version_4_signs_its_requests() {
    signs(clients::ROCKETMQ_CLIENTS[0]);
}

#[test]
fn version_5_signs_its_requests() {
    signs(clients::NEWEST_ROCKETMQ);
}
