//! RabbitMQ's six tutorials, each with the client of a language at both ends.

use super::session::{Kind, Session, body, body_of, properties};
use compat_tests::gantry::Gantry;
use serde_json::json;

macro_rules! tutorials {
    ($($client:ident: $kind:expr,)*) => {$(
        mod $client {
            use super::super::session::Kind;
            tutorials!($kind; hello_world, work_queues, publish_subscribe, routing, topics, remote_procedure_call);
        }
    )*};
    ($kind:expr; $($tutorial:ident),*) => {$(
        #[test]
        fn $tutorial() {
            if $kind.is_ready() {
                super::$tutorial($kind);
            }
        }
    )*};
}

tutorials! {
    aio_pika: Kind::AioPika,
    amqplib: Kind::Amqplib,
    go: Kind::Go,
    java: Kind::Java,
    lapin: Kind::Lapin,
    pika: Kind::Pika,
}

/// A program that publishes and waits for nothing.
fn sender(kind: Kind, gantry: &Gantry) -> Session {
    Session::with_channel(kind, gantry, "mode=plain")
}

fn hello_world(kind: Kind) {
    let gantry = Gantry::start(&[]).unwrap();
    let mut receive = sender(kind, &gantry);
    receive.tell("declare-queue", &["name=hello"]);
    receive.tell("consume", &["queue=hello", "auto_ack=true"]);
    let mut send = sender(kind, &gantry);
    send.tell("declare-queue", &["name=hello"]);
    send.tell("publish", &["key=hello", &body("Hello World!")]);
    // As the tutorial does, the sender leaves at once: what it sent is not lost.
    send.tell("disconnect", &[]);
    assert_eq!(receive.bodies(1), ["Hello World!"]);
}

fn work_queues(kind: Kind) {
    let gantry = Gantry::start(&[]).unwrap();
    let task_queue = ["name=task_queue", "durable=true"];
    let worker = || {
        let mut worker = sender(kind, &gantry);
        worker.tell("declare-queue", &task_queue);
        worker.tell("qos", &["prefetch=1"]);
        worker.tell("consume", &["queue=task_queue"]);
        worker
    };
    let (mut first, mut second) = (worker(), worker());
    let mut task = sender(kind, &gantry);
    task.tell("declare-queue", &task_queue);
    let persistent = properties(&json!({"delivery_mode": 2}));
    task.tell("publish", &["key=task_queue", "count=4", &persistent]);
    let one = first.deliveries(1).remove(0);
    let two = second.deliveries(1).remove(0);
    assert_eq!((one.0.as_str(), two.0.as_str()), ("0", "1"));
    // Nobody has a second task before it is done with the first.
    assert_eq!(task.counts("task_queue"), (2, 2));
    second.tell("ack", &[&format!("delivery={}", two.2)]);
    let three = second.deliveries(1).remove(0);
    assert_eq!(three.0, "2");
    // A worker dies, and another does its task, at once or behind the next.
    first.kill();
    second.tell("ack", &[&format!("delivery={}", three.2)]);
    let mut rest = second.deliveries(1);
    second.tell("ack", &[&format!("delivery={}", rest[0].2)]);
    rest.extend(second.deliveries(1));
    rest.sort();
    assert_eq!((rest[0].0.as_str(), rest[0].1), ("0", true));
    assert_eq!((rest[1].0.as_str(), rest[1].1), ("3", false));
}

fn publish_subscribe(kind: Kind) {
    let gantry = Gantry::start(&[]).unwrap();
    let mut emit = sender(kind, &gantry);
    emit.tell("declare-exchange", &["name=logs", "type=fanout"]);
    emit.tell("publish", &["exchange=logs", &body("nobody listens")]);
    let receive = || {
        let mut receive = sender(kind, &gantry);
        receive.tell("declare-exchange", &["name=logs", "type=fanout"]);
        subscribe(&mut receive, "logs", &[""]);
        receive
    };
    let (mut one, mut other) = (receive(), receive());
    emit.tell("publish", &["exchange=logs", "count=3"]);
    for receiver in [&mut one, &mut other] {
        assert_eq!(receiver.bodies(3), ["0", "1", "2"]);
    }
}

/// A queue of the receiver's own, bound to `exchange` by every key.
fn subscribe(receiver: &mut Session, exchange: &str, keys: &[&str]) {
    let declared = receiver.tell("declare-queue", &["exclusive=true"]);
    let queue = format!("queue={}", declared.text("name").unwrap());
    for key in keys {
        let (exchange, key) = (format!("exchange={exchange}"), format!("key={key}"));
        receiver.tell("bind", &[&queue, &exchange, &key]);
    }
    receiver.tell("consume", &[&queue, "auto_ack=true"]);
}

fn routing(kind: Kind) {
    let gantry = Gantry::start(&[]).unwrap();
    let exchange = ["name=direct_logs", "type=direct"];
    let mut emit = sender(kind, &gantry);
    emit.tell("declare-exchange", &exchange);
    let receive = |severities: &[&str]| {
        let mut receive = sender(kind, &gantry);
        receive.tell("declare-exchange", &exchange);
        subscribe(&mut receive, "direct_logs", severities);
        receive
    };
    let mut to_disk = receive(&["error"]);
    let mut to_screen = receive(&["info", "warning", "error"]);
    for severity in ["info", "error", "debug", "warning", "error"] {
        let key = format!("key={severity}");
        emit.tell("publish", &["exchange=direct_logs", &key, &body(severity)]);
    }
    assert_eq!(to_disk.bodies(2), ["error", "error"]);
    assert_eq!(to_screen.bodies(4), ["info", "error", "warning", "error"]);
}

fn topics(kind: Kind) {
    let gantry = Gantry::start(&[]).unwrap();
    let exchange = ["name=topic_logs", "type=topic"];
    let mut emit = sender(kind, &gantry);
    emit.tell("declare-exchange", &exchange);
    let receive = |patterns: &[&str]| {
        let mut receive = sender(kind, &gantry);
        receive.tell("declare-exchange", &exchange);
        subscribe(&mut receive, "topic_logs", patterns);
        receive
    };
    let mut all = receive(&["#"]);
    let mut kernel_or_critical = receive(&["kern.*", "*.critical"]);
    let keys = [
        "kern.info",
        "cron.info",
        "kern.critical",
        "cron.critical",
        "a.kern.info",
    ];
    for key in keys {
        let (key, text) = (format!("key={key}"), body(key));
        emit.tell("publish", &["exchange=topic_logs", &key, &text]);
    }
    assert_eq!(all.bodies(5), keys);
    // What two bindings match comes once.
    let matched = ["kern.info", "kern.critical", "cron.critical"];
    assert_eq!(kernel_or_critical.bodies(3), matched);
}

fn remote_procedure_call(kind: Kind) {
    let gantry = Gantry::start(&[]).unwrap();
    let mut server = sender(kind, &gantry);
    server.tell("declare-queue", &["name=rpc_queue"]);
    server.tell("qos", &["prefetch=1"]);
    server.tell("consume", &["queue=rpc_queue"]);
    let mut client = sender(kind, &gantry);
    let declared = client.tell("declare-queue", &["exclusive=true"]);
    let replies = declared.text("name").unwrap().to_owned();
    client.tell("consume", &[&format!("queue={replies}"), "auto_ack=true"]);
    for number in [30, 4] {
        let request = json!({"reply_to": replies, "correlation_id": format!("call {number}")});
        let argument = body(number.to_string());
        client.tell(
            "publish",
            &["key=rpc_queue", &argument, &properties(&request)],
        );
        let called = server.next("received");
        let reply_to = format!("key={}", property(&called, "reply_to"));
        let correlation = json!({"correlation_id": property(&called, "correlation_id")});
        let result = fibonacci(body_of(&called).parse().unwrap());
        let reply = [
            &reply_to,
            &body(result.to_string()),
            &properties(&correlation),
        ];
        server.tell("publish", &reply.map(String::as_str));
        let delivery = called.number("delivery").unwrap();
        server.tell("ack", &[&format!("delivery={delivery}")]);
        let reply = client.next("received");
        assert_eq!(property(&reply, "correlation_id"), format!("call {number}"));
        let result = if number == 30 { "832040" } else { "3" };
        assert_eq!(body_of(&reply), result);
    }
}

fn property(event: &compat_tests::lines::Event, name: &str) -> String {
    let properties = event.value("properties").unwrap();
    properties[name].as_str().unwrap().to_owned()
}

fn fibonacci(n: u64) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}
