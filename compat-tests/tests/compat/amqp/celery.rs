//! Celery and the library it stands on: tasks, their results and the control of workers by AMQP.

use crate::samples::named;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::{Client, run};
use serde_json::{Value, json};
use std::process::Command;

fn celery(gantry: &Gantry, verb: &str, argument: &str) -> Command {
    let mut command = clients::python("celery");
    let address = format!("amqp={}", gantry.amqp().unwrap());
    command.args([verb, &address, argument]);
    command
}

/// A worker that waits for tasks.
fn worker(gantry: &Gantry, name: &str) -> Client {
    let command = celery(gantry, "worker", &format!("name={name}"));
    let mut worker = Client::start("worker", command).unwrap();
    worker.wait_for(|event| event.name() == "ready").unwrap();
    worker
}

fn results(events: &[Event]) -> Vec<(String, Value)> {
    let results = named(events, "result");
    results
        .map(|event| {
            let what = event.text("what").unwrap().to_owned();
            (what, event.value("value").unwrap().clone())
        })
        .collect()
}

/// Everything that Celery does without another store for its results, which chords need.
fn tasks_have_results(settings: &[&str]) {
    if !ready(&[Installed::Python]).unwrap() {
        return;
    }
    let gantry = Gantry::start(settings).unwrap();
    let _worker = worker(&gantry, "one");
    let doubles: Vec<i64> = (0..10).map(|number| 2 * number).collect();
    let expected = [
        ("add", json!(5)),
        ("group", json!(doubles)),
        ("chain", json!(7)),
        ("fail", json!("as it is meant to")),
        ("insist", json!(2)),
        ("countdown", json!(3)),
        ("revoked", json!("revoked")),
        ("ping", json!(["pong"])),
        ("queues", json!(["celery"])),
    ];
    let what = expected.each_ref().map(|(what, _)| *what).join(",");
    let call = celery(&gantry, "call", &format!("what={what}"));
    let events = run("call", call, &[]).unwrap();
    let expected = expected.map(|(what, value)| (what.to_owned(), value));
    assert_eq!(results(&events), expected);
}

#[test]
fn celerys_tasks_have_results() {
    tasks_have_results(&[]);
}

/// It limits a worker's messages by channel where it believes to talk to an old RabbitMQ.
#[test]
fn celerys_tasks_have_results_from_what_calls_itself_rabbitmq() {
    let profile = [
        "amqp.protocol.product=RabbitMQ",
        "amqp.protocol.version=3.13.7",
    ];
    tasks_have_results(&profile);
}

#[test]
fn a_killed_workers_task_is_done_by_another() {
    if !ready(&[Installed::Python]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut first = worker(&gantry, "first");
    let call = celery(&gantry, "call", "what=hold");
    let call = Client::start("call", call).unwrap();
    let started = |event: &Event| event.name() == "started";
    let again = first.wait_for(started).unwrap().flag("again");
    assert_eq!(again, Some(false));
    let mut second = worker(&gantry, "second");
    first.kill();
    let again = second.wait_for(started).unwrap().flag("again");
    assert_eq!(again, Some(true));
    let events = call.finish().unwrap();
    let held = ("hold".to_owned(), json!("held again"));
    assert_eq!(results(&events), [held]);
}

#[test]
fn kombu_consumes_what_it_published_and_gets_again_what_it_refused() {
    if !ready(&[Installed::Python]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let address = format!("amqp={}", gantry.amqp().unwrap());
    let target = [
        address.as_str(),
        "exchange=events",
        "queue=mine",
        "key=eu.#",
    ];
    let messages = [("eu.de", "one"), ("us.ny", "not for it"), ("eu", "two")]
        .map(|(key, body)| Message::of(body).key(key).header("colour", "röt"));
    let mut produce = clients::python("kombu");
    produce.arg("produce").args(target);
    let sent = run("produce", produce, &messages).unwrap();
    assert_eq!(named(&sent, "sent").count(), 3);
    let mut consume = clients::python("kombu");
    consume
        .arg("consume")
        .args(target)
        .args(["count=2", "refuse=true"]);
    let events = run("consume", consume, &[]).unwrap();
    let received: Vec<_> = named(&events, "received")
        .map(|event| {
            assert_eq!(event.headers(), messages[0].headers);
            let redelivered = event.flag("redelivered").unwrap();
            (event.bytes("value").unwrap(), redelivered)
        })
        .collect();
    let expected = [("one", false), ("one", true), ("two", false)];
    assert_eq!(received, expected.map(|(body, again)| (body.into(), again)));
}
