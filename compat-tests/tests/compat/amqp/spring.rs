//! Spring AMQP, with which most of Java's applications speak to RabbitMQ: its templates, its listener
//! containers and its administration.

use super::session::{Kind, Session, body, body_of, properties};
use crate::samples::named;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::{Client, run};
use serde_json::json;
use std::process::Command;

fn is_ready() -> bool {
    ready(&[Installed::SpringAmqp]).unwrap()
}

/// A command's words, with the server's address among them.
fn words(gantry: &Gantry, verb: &str, arguments: &[&str]) -> Vec<String> {
    let address = format!("amqp={}", gantry.amqp().unwrap());
    let all = [&[verb, &address], arguments].concat();
    all.into_iter().map(str::to_owned).collect()
}

fn spring(gantry: &Gantry, verb: &str, arguments: &[&str]) -> Command {
    let mut command = clients::spring_amqp();
    command.args(words(gantry, verb, arguments));
    command
}

/// Declares orders and those that failed, and does a further command in the same program.
fn declare_and(gantry: &Gantry, verb: &str, arguments: &[&str], input: &[Message]) -> Vec<Event> {
    let mut command = spring(gantry, "declare", &[]);
    command.arg("--").args(words(gantry, verb, arguments));
    run(verb, command, input).unwrap()
}

/// Name, messages and consumers of what is declared.
fn counts(event: &Event) -> (&str, i64, i64) {
    let number = |name| event.number(name).unwrap();
    let name = event.text("name").unwrap();
    (name, number("messages"), number("consumers"))
}

/// The bodies of `received`, and whether each had come before.
fn received(events: &[Event]) -> Vec<(String, bool)> {
    named(events, "received")
        .map(|event| (body_of(event), event.flag("redelivered").unwrap()))
        .collect()
}

#[test]
fn rabbit_admin_declares_and_a_template_hears_of_every_message() {
    if !is_ready() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let messages = [
        Message::of("one").key("order.eu"),
        Message::of("lost").key("offer"),
        Message::of("two").key("order.us.ny"),
    ];
    let events = declare_and(&gantry, "publish", &[], &messages);
    let declared: Vec<_> = named(&events, "declared").map(counts).collect();
    assert_eq!(declared[0].1, 0, "a queue named by the server");
    let rest = [("orders.new", 0, 0), ("orders.failed", 0, 0)];
    assert_eq!(declared[1..], rest);
    let missing = named(&events, "missing").next().unwrap();
    assert_eq!(missing.text("name"), Some(declared[0].0));

    let confirmed: Vec<_> = named(&events, "confirmed")
        .map(|event| (event.text("id").unwrap(), event.flag("ack").unwrap()))
        .collect();
    assert_eq!(confirmed, [("one", true), ("lost", true), ("two", true)]);
    let returned: Vec<_> = named(&events, "returned").collect();
    assert_eq!(returned.len(), 1);
    assert_eq!(returned[0].number("code"), Some(312));
    assert_eq!(returned[0].text("text"), Some("NO_ROUTE"));
    assert_eq!(returned[0].text("exchange"), Some("orders"));
    assert_eq!(returned[0].text("key"), Some("offer"));
    assert_eq!(body_of(returned[0]), "lost");

    let mut observer = Session::confirming(Kind::Lapin, &gantry);
    assert_eq!(observer.counts("orders.new"), (2, 0));
    let got = observer.tell("get", &["queue=orders.new", "auto_ack=true"]);
    assert_eq!(got.text("key"), Some("order.eu"));
    // What Spring says of a message unless told otherwise.
    let properties = got.value("properties").unwrap();
    assert_eq!(properties["delivery_mode"], 2);
    assert_eq!(properties["content_type"], "application/octet-stream");
}

#[test]
fn a_listener_acknowledges_by_hand_and_gets_again_what_it_refuses() {
    if !is_ready() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut observer = Session::confirming(Kind::Lapin, &gantry);
    observer.tell("declare-queue", &["name=q", "durable=true"]);
    observer.tell("publish", &["key=q", "count=3"]);
    let arguments = ["queue=q", "ack=manual", "refuse=1", "count=4"];
    let events = run("listen", spring(&gantry, "listen", &arguments), &[]).unwrap();
    let mut received = received(&events);
    // The refused one overtakes what has not been delivered, and nothing else.
    received.sort();
    let expected = [("0", false), ("1", false), ("1", true), ("2", false)];
    assert_eq!(
        received,
        expected.map(|(body, again)| (body.to_owned(), again))
    );
    assert_eq!(observer.counts("q"), (0, 0));
}

#[test]
fn what_a_listener_fails_with_is_a_dead_letter() {
    if !is_ready() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let messages = ["one", "poison", "two"].map(|body| Message::of(body).key("order.eu"));
    declare_and(&gantry, "publish", &[], &messages);
    let mut listens = spring(&gantry, "listen", &["queue=orders.new", "count=3"]);
    let failed = ["queue=orders.failed", "count=1"];
    listens.arg("--").args(words(&gantry, "listen", &failed));
    let events = run("listen", listens, &[]).unwrap();
    let bodies: Vec<_> = received(&events);
    let expected = ["one", "poison", "two", "poison"];
    assert_eq!(bodies, expected.map(|body| (body.to_owned(), false)));
    let dead = named(&events, "received").last().unwrap();
    assert_eq!(dead.text("exchange"), Some("orders.dead"));
    assert_eq!(dead.text("key"), Some("failed"));
    assert_eq!(dead.text("reason"), Some("rejected"));
    assert_eq!(dead.text("queue"), Some("orders.new"));
    assert_eq!(dead.number("deaths"), Some(1));
    assert_eq!(dead.list("keys"), ["order.eu"]);
    let mut observer = Session::confirming(Kind::Lapin, &gantry);
    assert_eq!(observer.counts("orders.new"), (0, 0));
}

#[test]
fn a_template_is_answered_by_direct_reply_to() {
    if !is_ready() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut server = Client::start("answer", spring(&gantry, "answer", &["queue=rpc"])).unwrap();
    server.wait_for(|event| event.name() == "ready").unwrap();
    let shared = words(&gantry, "call", &["queue=rpc", "count=3"]);
    let mut calls = spring(&gantry, "call", &["queue=rpc", "count=2", "consumer=each"]);
    calls.arg("--").args(shared);
    let events = run("call", calls, &[]).unwrap();
    let answers: Vec<_> = named(&events, "answered")
        .map(|event| event.text("text").unwrap())
        .collect();
    let expected = [0, 1, 0, 1, 2].map(|number| format!("answer to question {number}"));
    assert_eq!(answers, expected);
    server.finish().unwrap();
}

#[test]
fn a_transaction_ends_with_all_of_it_or_with_none() {
    if !is_ready() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut observer = Session::confirming(Kind::Lapin, &gantry);
    observer.tell("declare-queue", &["name=q", "durable=true"]);
    let transact = spring(&gantry, "transact", &["queue=q"]);
    let events = run("transact", transact, &[]).unwrap();
    let ends: Vec<_> = named(&events, "ended")
        .map(|event| event.text("by").unwrap())
        .collect();
    assert_eq!(ends, ["commit", "rollback"]);
    let taken = named(&events, "taken").next().unwrap();
    assert_eq!(body_of(taken), "commit 0");
    assert_eq!(observer.counts("q"), (3, 0));
    observer.tell("consume", &["queue=q", "auto_ack=true"]);
    let rest: Vec<_> = observer
        .deliveries(3)
        .into_iter()
        .map(|(body, again, _)| (body, again))
        .collect();
    let expected = [("commit 0", true), ("commit 1", false), ("commit 2", false)];
    assert_eq!(rest, expected.map(|(body, again)| (body.to_owned(), again)));
}

#[test]
fn a_listener_comes_back_after_a_crash() {
    if !is_ready() {
        return;
    }
    let mut gantry = Gantry::start(&[]).unwrap();
    let mut observer = Session::confirming(Kind::Lapin, &gantry);
    observer.tell("declare-queue", &["name=q", "durable=true"]);
    let listen = spring(&gantry, "listen", &["queue=q"]);
    let mut listener = Client::start("listen", listen).unwrap();
    let is_received = |event: &Event| event.name() == "received";
    observer.tell("publish", &["key=q", &body("before")]);
    assert_eq!(body_of(&listener.wait_for(is_received).unwrap()), "before");
    gantry.kill().unwrap();
    gantry.restart().unwrap();
    observer.connect(&gantry);
    observer.tell("open", &["mode=confirm"]);
    let kept = properties(&json!({"delivery_mode": 2}));
    observer.tell("publish", &["key=q", &body("after"), &kept]);
    let is_after = |event: &Event| is_received(event) && body_of(event) == "after";
    // What came before may come again: its acknowledgement was not written down yet.
    listener.wait_for(is_after).unwrap();
    listener.finish().unwrap();
}
