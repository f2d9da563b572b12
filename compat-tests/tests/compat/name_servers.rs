//! Clusters of several brokers and name servers, ours and stock ones.

use crate::kafka_clients::by_command;
use crate::samples::named;
use anyhow::Result;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::{Client, PATIENCE, now};
use compat_tests::remoting::ask;
use compat_tests::rocketmq_broker::RocketmqBroker;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;

const PUT_KV: u32 = 100;
const GET_KV: u32 = 101;
const ROUTE: u32 = 105;
const CLUSTER_INFO: u32 = 106;
const WIPE: u32 = 205;
const COUNT: usize = 32;
/// Of a client that may pick a dead name server.
const TRIES: usize = 12;

/// Between two looks at what cannot be waited for.
const GLANCE: Duration = Duration::from_millis(20);

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = now() + PATIENCE;
    while !is_so() {
        assert!(now() < deadline, "not in time: {what}");
        thread::sleep(GLANCE);
    }
}

fn clusters(name_server: &str) -> String {
    ask(name_server, CLUSTER_INFO, &[]).unwrap().body
}

fn route(name_server: &str, topic: &str) -> String {
    ask(name_server, ROUTE, &[("topic", topic)]).unwrap().body
}

/// An address at which nobody listens.
fn dead() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The ports of the brokers that acknowledged, from the offset message ids they gave.
fn brokers(sent: &[Event]) -> BTreeSet<String> {
    named(sent, "sent")
        .map(|event| {
            let id = event.text("offset_id").unwrap();
            u32::from_str_radix(&id[8..16], 16).unwrap().to_string()
        })
        .collect()
}

/// A stock client sends to every queue there is and reads everything again. The ports of the
/// brokers that took something.
fn produce_and_consume(version: &'static str, name_servers: &str, topic: &str) -> BTreeSet<String> {
    try_to_produce_and_consume(version, name_servers, topic, None).unwrap()
}

/// As [`produce_and_consume`], begun anew with another topic as often as the client gives up: 5.5
/// does at once when the name server it picks first is dead. The topic it succeeded with, too.
fn persist(version: &'static str, name_servers: &str, topic: &str) -> (String, BTreeSet<String>) {
    let begun = (0..TRIES).find_map(|number| {
        let topic = format!("{topic}-{number}");
        let took = try_to_produce_and_consume(version, name_servers, &topic, None);
        took.ok().map(|took| (topic, took))
    });
    begun.expect("one of many tries")
}

/// As [`produce_and_consume`], with an option for the Java machine.
pub fn try_to_produce_and_consume(
    version: &'static str,
    name_servers: &str,
    topic: &str,
    option: Option<&str>,
) -> Result<BTreeSet<String>> {
    let namesrv = format!("namesrv={name_servers}");
    let topic = format!("topic={topic}");
    let group = format!("group=readers-{}", version.replace('.', "-"));
    let mut java = clients::rocketmq_java(version);
    java.envs(option.map(|option| ("JAVA_TOOL_OPTIONS", option)));
    java.args(["produce", &namesrv, &topic, "mode=sync", "--"]);
    java.args(["push", &namesrv, &topic, &group, &format!("count={COUNT}")]);
    let mut client = Client::start(version, java)?;
    let messages: Vec<_> = (0..COUNT).map(|n| Message::of(format!("{n}"))).collect();
    client.send(&messages)?;
    let commands = by_command(client.finish()?);
    let [sent, received] = &commands[..] else {
        panic!("{commands:?}");
    };
    assert_eq!(named(sent, "sent").count(), COUNT);
    let values: BTreeSet<_> = named(received, "received")
        .map(|event| event.bytes("value").unwrap())
        .collect();
    assert_eq!(values.len(), COUNT, "each message arrived");
    Ok(brokers(sent))
}

fn port(address: &str) -> String {
    address.rsplit(':').next().unwrap().to_owned()
}

#[test]
fn a_stock_broker_registers_with_our_name_server_beside_our_broker() {
    let version = clients::NEWEST_ROCKETMQ;
    if !ready(&[Installed::RocketmqBroker, Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let names = gantry.namesrv().unwrap();
    let mut stock = RocketmqBroker::start_broker(&names, &[]).unwrap();
    let both = [
        port(&stock.address()),
        port(&gantry.endpoint("remoting").unwrap()),
    ];

    let took = produce_and_consume(version, &names, "mixed");
    assert_eq!(
        took,
        both.clone().into(),
        "either broker has a part of the topic"
    );
    until("the new topic's queues on either", || {
        let route = route(&names, "mixed");
        both.iter().all(|port| route.contains(port))
    });
    // The broker can be taken out of use before it stops, and its stop is noticed at once.
    let wiped = ask(&names, WIPE, &[("brokerName", "broker-a")]).unwrap();
    let count: u32 = wiped.field("wipeTopicCount").unwrap().parse().unwrap();
    assert!(count > 10, "{count} topics");
    assert!(route(&names, "mixed").contains(r#""perm":4"#));
    stock.stop().unwrap();
    until("the stock broker is forgotten", || {
        !clusters(&names).contains(&both[0])
    });
    assert!(!route(&names, "mixed").contains(&both[0]));
    let took = produce_and_consume(version, &names, "alone");
    assert_eq!(took, [both[1].clone()].into());
}

#[test]
fn our_broker_registers_with_a_stock_name_server_beside_a_stock_broker() {
    let version = clients::ROCKETMQ_CLIENTS[0];
    if !ready(&[Installed::RocketmqBroker, Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let stock = RocketmqBroker::start(&[]).unwrap();
    let names = stock.namesrv();
    let register = format!("remoting.name_servers=[{names}]");
    let mut gantry = Gantry::start(&[&register]).unwrap();
    let own = port(&gantry.endpoint("remoting").unwrap());
    until("it knows the broker", || clusters(&names).contains(&own));
    assert!(route(&names, "TBW102").contains(&own));

    let both = [port(&stock.address()), own.clone()];
    let took = produce_and_consume(version, &names, "mixed");
    assert_eq!(took, both.into(), "either broker has a part of the topic");
    until("the new topic's queues", || {
        route(&names, "mixed").contains(&own)
    });
    gantry.stop().unwrap();
    assert!(!clusters(&names).contains(&own), "it took its leave");
    gantry.restart().unwrap();
    until("it is back", || route(&names, "mixed").contains(&own));
    gantry.kill().unwrap();
    until("its end is seen", || !clusters(&names).contains(&own));
}

#[test]
fn clients_are_spread_over_name_servers_of_which_some_are_dead() {
    let versions = clients::ROCKETMQ_CLIENTS.iter();
    let versions: Vec<_> = versions
        .map(|version| Installed::Rocketmq(version))
        .collect();
    if !ready(&versions).unwrap() {
        return;
    }
    let alone = ["roles=[namesrv]"];
    let mut servers = [(); 2].map(|()| Gantry::start(&alone).unwrap());
    let addresses = [0, 1].map(|at: usize| servers[at].namesrv().unwrap());
    let dead = dead();
    let all = [dead.as_str(), &addresses[0], &addresses[1]];
    let register = format!("remoting.name_servers=[{}]", all.join(","));
    let broker = Gantry::start(&["roles=[broker]", &register]).unwrap();
    assert!(
        broker.namesrv().is_err(),
        "it has no name server of its own"
    );
    let own = port(&broker.endpoint("remoting").unwrap());
    for address in &addresses {
        until("it is registered", || clusters(address).contains(&own));
    }
    for version in clients::ROCKETMQ_CLIENTS {
        let topic = format!("spread-{}", version.replace('.', "-"));
        let (topic, took) = persist(version, &all.join(";"), &topic);
        assert_eq!(took, [own.clone()].into());
        for address in &addresses {
            until("both know the topic", || {
                route(address, &topic).contains(&own)
            });
        }
    }
    servers[0].kill().unwrap();
    let (topic, took) = persist(clients::NEWEST_ROCKETMQ, &addresses.join(";"), "one-left");
    assert_eq!(took, [own.clone()].into());
    servers[0].restart().unwrap();
    until("it is told everything anew", || {
        route(&addresses[0], &topic).contains(&own)
    });
}

#[test]
fn a_name_server_alone_keeps_its_tables_and_no_store() {
    let mut server = Gantry::start(&["roles=[namesrv]"]).unwrap();
    let address = server.namesrv().unwrap();
    let key = [("namespace", "ORDER_TOPIC_CONFIG"), ("key", "T")];
    let entry = [key[0], key[1], ("value", "broker-a:8")];
    assert_eq!(ask(&address, GET_KV, &key).unwrap().code, 22);
    assert_eq!(ask(&address, PUT_KV, &entry).unwrap().code, 0);
    server.kill().unwrap();
    server.restart().unwrap();
    let answer = ask(&address, GET_KV, &key).unwrap();
    assert_eq!(answer.field("value"), Some("broker-a:8"));
    let kept: Vec<_> = server.data_directory().read_dir().unwrap().collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    server.stop().unwrap();
}
