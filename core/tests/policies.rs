//! Policies and limits of virtual hosts: what they change at once, and what of them outlives a
//! kill.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod files;
mod host;

use bytes::Bytes;
use gantry_core::model::{Message, QueueId, Timestamp};
use gantry_core::record::RecordView;
use gantry_core::routing::Value as Argument;
use gantry_core::routing::{Arguments, Binding, Destination, ExchangeKind, ExchangeSpec};
use gantry_core::vhosts::{
    AppliesTo, Policy, PolicyKind, QueueSpec, TopologyError, VhostLimits, WorkQueue,
};
use gantry_core::{Durability, Payload, ProduceItem};
use host::{Bare, Host};
use serde_json::{Value, json};
use std::sync::Arc;

impl Host {
    fn queue(&self, name: &str) -> Arc<WorkQueue> {
        let spec = QueueSpec {
            is_durable: true,
            ..QueueSpec::default()
        };
        let made = self.client.declare_queue(&self.host, name, spec, None);
        made.unwrap().0
    }

    fn put(&self, name: &str, definition: Value) -> bool {
        let policy = policy(definition);
        let put = self
            .client
            .put_policy(&self.host, PolicyKind::User, name, policy);
        put.unwrap()
    }

    fn delete(&self, name: &str) -> bool {
        let deleted = self
            .client
            .delete_policy(&self.host, PolicyKind::User, name);
        deleted.unwrap()
    }

    fn publish(&self, queue: &Arc<WorkQueue>, count: u32) {
        let items = (0..count).map(|number| ProduceItem {
            topic: Arc::clone(queue.topic()),
            queue: QueueId::new(0),
            payload: Payload::Message(Message::new(
                Bytes::from(format!("message {number}")),
                Timestamp::from_millis(1),
            )),
            also: Vec::new(),
        });
        for outcome in self.client.produce(items.collect(), Durability::Appended) {
            outcome.unwrap();
        }
        self.client.dispatch(queue).unwrap();
    }

    fn ready(&self, queue: &WorkQueue) -> u64 {
        self.client.queue_counts(queue).unwrap().ready
    }

    fn expires_in(&self, queue: &str) -> Option<u64> {
        self.host.queue(queue).unwrap().rules().expires_ms
    }
}

fn policy(definition: Value) -> Policy {
    let Value::Object(definition) = definition else {
        panic!("no object: {definition}");
    };
    Policy {
        pattern: "^q".to_owned(),
        applies_to: AppliesTo::All,
        priority: 0,
        definition,
    }
}

#[test]
fn a_shorter_limit_drops_the_oldest_messages_at_once() {
    let host = Host::new();
    let queue = host.queue("q");
    host.publish(&queue, 5);
    assert_eq!(host.ready(&queue), 5);
    assert!(host.put("p", json!({ "max-length": 3 })));
    assert_eq!(host.ready(&queue), 3);
    assert!(!host.put("p", json!({ "max-length": 1 })));
    assert_eq!(host.ready(&queue), 1);
    let session = host.client.lease_session();
    let first = host.client.take_one(&queue, session).unwrap().unwrap();
    let record = RecordView::parse(&first.message.bytes).unwrap();
    assert_eq!(&*record.body(), b"message 4");
    assert!(host.delete("p"));
    host.publish(&queue, 5);
    assert_eq!(host.ready(&queue), 5);
    assert!(!host.delete("p"), "it is gone");
}

#[test]
fn messages_that_are_there_live_as_long_as_they_were_to() {
    let host = Host::new();
    let queue = host.queue("q");
    host.publish(&queue, 2);
    host.put("p", json!({ "message-ttl": 0 }));
    assert_eq!(host.ready(&queue), 2, "nobody loses what is there");
    let again = host.after_kill();
    let queue = again.host.queue("q").unwrap();
    again.client.dispatch(&queue).unwrap();
    assert_eq!(again.ready(&queue), 2, "nor by a restart");
    again.client.purge_queue(&queue).unwrap();
    again.publish(&queue, 2);
    assert_eq!(again.ready(&queue), 0, "later ones expire");
}

#[test]
fn policies_and_limits_outlive_a_kill_and_rule_what_is_declared_later() {
    let host = Host::new();
    host.queue("q1");
    host.put("p", json!({ "expires": 60_000, "alternate-exchange": "x" }));
    host.put("gone", json!({ "expires": 1 }));
    assert!(host.delete("gone"));
    let cap = policy(json!({ "expires": 50_000 }));
    let operator = PolicyKind::Operator;
    let put = host.client.put_policy(&host.host, operator, "cap", cap);
    assert!(put.unwrap());
    let limits = VhostLimits {
        max_queues: Some(2),
        ..VhostLimits::default()
    };
    let limited = host.client.limit_virtual_host(&host.host, Some(limits));
    limited.unwrap();
    let again = host.after_kill();
    assert_eq!(again.expires_in("q1"), Some(50_000));
    again.queue("q2");
    assert_eq!(again.expires_in("q2"), Some(50_000));
    let ruling = again.host.queue_ruling(&again.host.queue("q2").unwrap());
    let names = (ruling.policy.as_deref(), ruling.operator_policy.as_deref());
    assert_eq!(names, (Some("p"), Some("cap")));
    assert_eq!(again.host.policies(PolicyKind::User).len(), 1);
    let third = again
        .client
        .declare_queue(&again.host, "q3", QueueSpec::default(), None);
    assert!(
        matches!(third, Err(TopologyError::QueueLimit(2))),
        "{third:?}"
    );
    assert!(
        again
            .client
            .declare_queue(
                &again.host,
                "q2",
                QueueSpec {
                    is_durable: true,
                    ..QueueSpec::default()
                },
                None
            )
            .is_ok(),
        "one that is there is no other"
    );
}

#[test]
fn policies_and_limits_go_with_their_virtual_host() {
    let host = Host::new();
    let other = host.client.create_virtual_host("v").unwrap();
    let user = PolicyKind::User;
    let put = host
        .client
        .put_policy(&other, user, "p", policy(json!({ "max-length": 1 })));
    assert!(put.unwrap());
    let limits = Some(VhostLimits::default());
    host.client.limit_virtual_host(&other, limits).unwrap();
    assert!(host.client.delete_virtual_host("v").unwrap());
    let again = host.after_kill();
    let other = again.client.create_virtual_host("v").unwrap();
    assert!(other.policies(user).is_empty());
    assert_eq!(other.limits(), None);
}

#[test]
fn an_alternate_exchange_may_come_by_policy() {
    let host = Host::new();
    let made = |name: &str, alternate: Option<&str>| {
        let spec = ExchangeSpec {
            alternate: alternate.map(Arc::from),
            ..ExchangeSpec::durable(ExchangeKind::Fanout)
        };
        let made = host.client.declare_exchange(&host.host, name, spec);
        assert!(made.unwrap());
    };
    for (exchange, queue) in [("theirs", "by-policy"), ("own", "by-argument")] {
        made(exchange, None);
        host.queue(queue);
        let binding = Binding {
            source: exchange.into(),
            destination: Destination::Queue(queue.into()),
            key: "".into(),
            arguments: Arguments::default(),
        };
        assert!(host.client.bind(&host.host, &binding, None).unwrap());
    }
    made("q.before", None);
    host.put("p", json!({ "alternate-exchange": "theirs" }));
    made("q.after", None);
    made("q.own", Some("own"));
    made("other", None);
    let check = |host: &Host| {
        for (exchange, expected) in [
            ("q.before", vec!["by-policy"]),
            ("q.after", vec!["by-policy"]),
            ("q.own", vec!["by-argument"]),
            ("other", vec![]),
        ] {
            let route = host.host.route(exchange, &["k"], &Bare).unwrap();
            let names: Vec<_> = route.queues.iter().map(|queue| &**queue.name()).collect();
            assert_eq!(names, expected, "{exchange}");
        }
    };
    check(&host);
    let again = host.after_kill();
    check(&again);
    assert!(again.delete("p"));
    let route = again.host.route("q.before", &["k"], &Bare).unwrap();
    assert!(route.queues.is_empty());
}

#[test]
fn what_is_no_pattern_is_refused_and_changes_nothing() {
    let host = Host::new();
    let broken = Policy {
        pattern: "(".to_owned(),
        ..policy(json!({ "max-length": 1 }))
    };
    let user = PolicyKind::User;
    let put = host.client.put_policy(&host.host, user, "p", broken);
    assert!(matches!(put, Err(TopologyError::Pattern(_))));
    assert!(host.host.policies(user).is_empty());
}

#[test]
fn a_stream_keeps_what_the_lesser_of_argument_and_policy_says() {
    let host = Host::new();
    let declare = |name: &str, age: Option<&'static str>| {
        let kind = ("x-queue-type", Argument::Text("stream".into()));
        let age = age.map(|age| ("x-max-age", Argument::Text(age.into())));
        let spec = QueueSpec {
            is_durable: true,
            arguments: [Some(kind), age].into_iter().flatten().collect(),
            ..QueueSpec::default()
        };
        let made = host.client.declare_queue(&host.host, name, spec, None);
        made.unwrap().0
    };
    let kept = |queue: &WorkQueue| {
        let spec = queue.topic().spec();
        let said = |name: &str| spec.attributes.get(name).cloned().unwrap_or_default();
        ["retention.ms", "retention.bytes"].map(said)
    };
    let before = declare("q.before", Some("10s"));
    assert_eq!(kept(&before), ["10000", "-1"]);
    host.put("p", json!({ "max-age": "5s", "max-length-bytes": 1_000 }));
    let after = declare("q.after", Some("1s"));
    let plain = declare("q.plain", None);
    assert_eq!(kept(&before), ["5000", "1000"], "at once");
    assert_eq!(kept(&after), ["1000", "1000"]);
    assert_eq!(kept(&plain), ["5000", "1000"]);
    host.delete("p");
    assert_eq!(kept(&before), ["10000", "-1"]);
    assert_eq!(kept(&plain), ["-1", "-1"]);
}
