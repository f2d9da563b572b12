//! What AMQP's clients declare: what of it outlives a kill, what goes with what, and where
//! messages go.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod files;
mod host;

use bytes::Bytes;
use gantry_core::model::{Message, QueueId, Timestamp, TopicName, TopicSpec};
use gantry_core::routing::{Arguments, Binding, Destination, ExchangeKind, ExchangeSpec, Value};
use gantry_core::vhosts::{DeleteOnly, Home, QueueSpec, TopologyError, VirtualHost};
use gantry_core::{Client, Durability, Payload, ProduceItem};
use host::{Bare, Host};
use std::sync::Arc;

impl Host {
    fn exchange(&self, name: &str, kind: ExchangeKind) {
        let spec = ExchangeSpec::durable(kind);
        let made = self.client.declare_exchange(&self.host, name, spec);
        assert_eq!(made, Ok(true), "{name}");
    }

    fn queue(&self, name: &str, spec: QueueSpec) {
        let made = self.client.declare_queue(&self.host, name, spec, None);
        assert!(made.unwrap().1, "{name}");
    }

    fn bind(&self, binding: &Binding) {
        let made = self.client.bind(&self.host, binding, None);
        assert_eq!(made, Ok(true), "{binding:?}");
    }

    fn unbind(&self, binding: &Binding) {
        self.client.unbind(&self.host, binding, None).unwrap();
    }

    fn routed(&self, exchange: &str, keys: &[&str]) -> Vec<String> {
        let route = self.host.route(exchange, keys, &Bare).unwrap();
        let names = route.queues.iter().map(|queue| queue.name().to_string());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    }

    fn home(&self, exchange: &str, key: &str) -> Home {
        self.host.route(exchange, &[key], &Bare).unwrap().home
    }
}

fn durable() -> QueueSpec {
    QueueSpec {
        is_durable: true,
        ..QueueSpec::default()
    }
}

fn to_queue(source: &str, queue: &str, key: &str) -> Binding {
    Binding {
        source: source.into(),
        destination: Destination::Queue(queue.into()),
        key: key.into(),
        arguments: Arguments::default(),
    }
}

fn to_exchange(source: &str, exchange: &str) -> Binding {
    Binding {
        destination: Destination::Exchange(exchange.into()),
        ..to_queue(source, "", "")
    }
}

fn files_of_queues(client: &Client) -> usize {
    let topics = client.topics();
    let names = topics.iter().map(|topic| topic.name().as_str());
    names.filter(|name| name.starts_with("%QUEUE%")).count()
}

#[test]
fn what_is_durable_outlives_a_kill_and_the_rest_leaves_nothing() {
    let before = Host::new();
    let connection = before.client.lease_session();
    before.exchange("logs", ExchangeKind::Topic);
    before.exchange("all", ExchangeKind::Fanout);
    before.queue("kept", durable());
    before.queue("lost", QueueSpec::default());
    let exclusive = QueueSpec {
        is_exclusive: true,
        ..durable()
    };
    let owner = Some(connection);
    let made = before
        .client
        .declare_queue(&before.host, "own", exclusive, owner);
    assert!(made.unwrap().1);
    let mut with_arguments = to_queue("logs", "kept", "a.*");
    let float = Value::Float(f64::INFINITY);
    let bytes = Value::Bytes(Bytes::from_static(&[0, 255]));
    with_arguments.arguments = [("f", float), ("b", bytes)].into_iter().collect();
    before.bind(&with_arguments);
    before.bind(&to_queue("logs", "lost", "#"));
    before.bind(&to_exchange("all", "logs"));
    let other = before.client.create_virtual_host("other").unwrap();
    let spec = ExchangeSpec::durable(ExchangeKind::Direct);
    let made = before.client.declare_exchange(&other, "logs", spec);
    assert_eq!(made, Ok(true), "another virtual host's");
    let kept = before.host.queue("kept").unwrap();
    let message = Message::new(Bytes::from_static(b"body"), Timestamp::from_millis(1));
    let item = ProduceItem {
        topic: Arc::clone(kept.topic()),
        queue: QueueId::new(0),
        payload: Payload::Message(message),
        also: Vec::new(),
    };
    before.client.produce(vec![item], Durability::Appended)[0]
        .as_ref()
        .unwrap();
    assert_eq!(before.routed("all", &["a.b"]), ["kept", "lost"]);
    assert_eq!(before.routed("logs", &["a.b"]), ["kept", "lost"]);

    let after = before.after_kill();
    assert_eq!(after.routed("logs", &["a.b"]), ["kept"]);
    assert!(after.host.queue("lost").is_none() && after.host.queue("own").is_none());
    assert_eq!(
        files_of_queues(&after.client),
        1,
        "nothing of the others is left"
    );
    assert_eq!(after.host.bindings_of("logs"), [with_arguments]);
    assert_eq!(after.host.bindings_of("all"), [to_exchange("all", "logs")]);
    let kept = after.host.queue("kept").unwrap();
    assert_eq!(kept.spec(), &durable());
    let range = after.client.offset_range(kept.topic(), QueueId::new(0));
    assert_eq!(range.unwrap().end.get(), 1);
    let other = after.client.virtual_host("other").unwrap();
    let logs = other.exchange("logs").unwrap();
    assert_eq!(logs.kind, ExchangeKind::Direct);
    let another = after.client.declare_exchange(&after.host, "logs", logs);
    assert!(matches!(another, Err(TopologyError::Inequivalent(_))));
}

#[test]
fn what_is_deleted_takes_its_bindings_along_for_good() {
    let before = Host::new();
    before.exchange("first", ExchangeKind::Fanout);
    let spec = ExchangeSpec {
        is_auto_delete: true,
        ..ExchangeSpec::durable(ExchangeKind::Fanout)
    };
    let made = before
        .client
        .declare_exchange(&before.host, "second", spec.clone());
    assert_eq!(made, Ok(true));
    before.queue("q", durable());
    before.queue("other", durable());
    before.bind(&to_exchange("first", "second"));
    before.bind(&to_queue("second", "q", ""));
    before.bind(&to_queue("first", "other", ""));
    let in_use = before.client.delete_exchange(&before.host, "first", true);
    assert_eq!(in_use, Err(TopologyError::InUse("first".into())));
    let deleted = before
        .client
        .delete_queue(&before.host, "q", None, DeleteOnly::default());
    assert_eq!(deleted, Ok(0));
    let gone = |host: &Host| {
        assert!(host.host.exchange("second").is_none(), "it went with q");
        assert_eq!(host.routed("first", &[""]), ["other"]);
        assert_eq!(files_of_queues(&host.client), 1);
        // A new one of its name has nothing of the old one's.
        let made = host
            .client
            .declare_exchange(&host.host, "second", spec.clone());
        assert_eq!(made, Ok(true));
        host.queue("q", durable());
        assert!(host.host.bindings_of("second").is_empty());
        assert_eq!(host.routed("first", &[""]), ["other"]);
    };
    gone(&before.after_kill());
    gone(&before);
    before.unbind(&to_queue("first", "other", ""));
    let deleted = before.client.delete_exchange(&before.host, "first", true);
    assert_eq!(deleted, Ok(true));
    let after = before.after_kill();
    assert!(after.host.exchange("first").is_none());
    let missing = after.host.route("first", &[""], &Bare);
    assert!(matches!(missing, Err(TopologyError::NoExchange(_))));
}

#[test]
fn a_queue_of_one_connection_is_locked_to_others_and_goes_with_it() {
    let host = Host::new();
    let (owner, other) = (host.client.lease_session(), host.client.lease_session());
    let spec = QueueSpec {
        is_exclusive: true,
        ..QueueSpec::default()
    };
    let declare = |asking| {
        let declared = host
            .client
            .declare_queue(&host.host, "own", spec.clone(), Some(asking));
        declared.map(|(_, is_new)| is_new)
    };
    let locked = TopologyError::Locked("own".into());
    assert_eq!(declare(owner), Ok(true));
    assert_eq!(declare(owner), Ok(false));
    assert_eq!(declare(other), Err(locked.clone()));
    let binding = to_queue("amq.direct", "own", "k");
    let bound = host.client.bind(&host.host, &binding, Some(other));
    assert_eq!(bound, Err(locked.clone()));
    let deleted = host
        .client
        .delete_queue(&host.host, "own", Some(other), DeleteOnly::default());
    assert_eq!(deleted, Err(locked));
    let bound = host.client.bind(&host.host, &binding, Some(owner));
    assert_eq!(bound, Ok(true));
    host.client.delete_queues_of(&host.host, other).unwrap();
    assert_eq!(host.routed("amq.direct", &["k"]), ["own"]);
    host.client.delete_queues_of(&host.host, owner).unwrap();
    assert!(host.routed("amq.direct", &["k"]).is_empty());
    assert_eq!(files_of_queues(&host.client), 0);
    assert_eq!(declare(other), Ok(true), "the name is free at once");
}

#[test]
fn a_topic_that_is_only_named_as_a_queues_is_left_alone() {
    let before = Host::new();
    let name = TopicName::new("%QUEUE%mine").unwrap();
    let theirs = before
        .client
        .create_topic(&name, TopicSpec::with_queues(2))
        .unwrap();
    before.queue("mine", durable());
    let check = |host: &Host| {
        let found = host.client.topic(name.as_str()).unwrap();
        assert_eq!(found.uuid(), theirs.uuid());
        let queue = host.host.queue("mine").unwrap();
        assert_ne!(queue.topic().name(), &name);
        assert_eq!(files_of_queues(&host.client), 2);
    };
    check(&before);
    check(&before.after_kill());
    before
        .client
        .delete_queue(&before.host, "mine", None, DeleteOnly::default())
        .unwrap();
    assert!(before.client.topic(name.as_str()).is_some());
}

#[test]
fn a_queue_declared_again_must_be_the_same() {
    let host = Host::new();
    let declare = |arguments: &[(&'static str, Value)]| {
        let spec = QueueSpec {
            arguments: arguments.iter().cloned().collect(),
            ..durable()
        };
        let declared = host.client.declare_queue(&host.host, "q", spec, None);
        declared.map(|(_, is_new)| is_new)
    };
    let text = |text: &'static str| Value::Text(Bytes::from_static(text.as_bytes()));
    assert_eq!(declare(&[("x-message-ttl", Value::Integer(5))]), Ok(true));
    let same = [
        ("x-message-ttl", Value::Integer(5)),
        ("x-queue-type", text("classic")),
        ("x-something", text("unknown to queues")),
    ];
    assert_eq!(declare(&same), Ok(false));
    let Err(error) = declare(&[("x-message-ttl", text("5"))]) else {
        panic!("a text is no number");
    };
    assert_eq!(
        error.to_string(),
        "inequivalent arg 'x-message-ttl': received '5' but current is '5'"
    );
    assert_eq!(
        declare(&[]).unwrap_err().to_string(),
        "inequivalent arg 'x-message-ttl': received none but current is the value '5' of type \
         'signedint'"
    );
    let spec = QueueSpec {
        arguments: [("x-message-ttl", Value::Integer(5))].into_iter().collect(),
        ..QueueSpec::default()
    };
    let declared = host.client.declare_queue(&host.host, "q", spec, None);
    assert_eq!(
        declared.unwrap_err().to_string(),
        "inequivalent arg 'durable': received 'false' but current is 'true'"
    );
}

#[test]
fn a_message_has_a_home_that_other_protocols_can_name() {
    let host = Host::new();
    host.exchange("orders", ExchangeKind::Direct);
    host.queue("orders", durable());
    host.queue("work, hard", durable());
    host.queue("passing", QueueSpec::default());
    host.bind(&to_queue("orders", "orders", "k"));
    let topic = |name: &str| Home::Topic(TopicName::new(name).unwrap());
    assert_eq!(host.home("orders", "k"), topic("orders"));
    assert_eq!(host.home("orders", "nobody's"), topic("orders"));
    assert_eq!(host.home("", "work, hard"), topic("work, hard"));
    assert_eq!(host.home("", "passing"), Home::Queue);
    assert!(host.routed("", &["missing"]).is_empty());
    assert_eq!(
        host.routed("", &["orders", "passing", "orders"]),
        ["orders", "passing"]
    );
    let other = host.client.create_virtual_host("a").unwrap();
    let declare = |host_: &VirtualHost, name| {
        let declared = host.client.declare_queue(host_, name, durable(), None);
        declared.unwrap().0.topic().name().clone()
    };
    let apart = [
        declare(&host.host, "a%b"),
        declare(&other, "b"),
        declare(&host.host, "a%25b"),
        declare(&host.host, &"long".repeat(63)),
        declare(&other, &"long".repeat(63)),
    ];
    let mut names: Vec<_> = apart.iter().collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), apart.len(), "{apart:?}");
    assert!(apart.iter().all(TopicName::is_system));
}
