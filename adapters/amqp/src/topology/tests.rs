use super::*;
use crate::codec::method::{exchange, queue};
use crate::codec::table::{TableBuilder, Value};
use crate::codec::{ShortString, Table};
use gantry_core::model::SystemClock;
use gantry_core::routing::Destination;
use gantry_core::{Broker, Config};
use std::fmt;
use tempfile::TempDir;

struct World {
    _directory: TempDir,
    _broker: Broker,
    client: Client,
    host: Arc<VirtualHost>,
    /// A connection's.
    hand: Topology,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.segment_bytes = 1 << 20;
        let broker = Broker::open(directory.path(), config, Arc::new(SystemClock)).unwrap();
        let client = broker.anonymous();
        let host = client.virtual_host("/").unwrap();
        let session = client.lease_session();
        let hand = Topology::new(client.clone(), Arc::clone(&host), session);
        Self {
            _directory: directory,
            _broker: broker,
            client,
            host,
            hand,
        }
    }

    /// Another connection's.
    fn other(&self) -> Topology {
        let session = self.client.lease_session();
        Topology::new(self.client.clone(), Arc::clone(&self.host), session)
    }
}

fn short(text: &str) -> ShortString {
    ShortString::cut(text)
}

fn table(fields: &[(&str, Value<'_>)]) -> Table {
    let mut table = TableBuilder::new();
    for (name, value) in fields {
        table.put(name, *value);
    }
    table.build()
}

fn exchange(name: &str, kind: &str) -> exchange::Declare {
    exchange::Declare {
        exchange: short(name),
        kind: short(kind),
        ..exchange::Declare::default()
    }
}

fn queue(name: &str) -> queue::Declare {
    queue::Declare {
        queue: short(name),
        ..queue::Declare::default()
    }
}

fn with(name: &str, fields: &[(&str, Value<'_>)]) -> queue::Declare {
    queue::Declare {
        arguments: table(fields),
        ..queue(name)
    }
}

fn declare(hand: &Topology, method: &queue::Declare) -> Result<queue::DeclareOk, String> {
    let mut last = None;
    said(hand.declare_queue(method, &mut last))
}

fn said<T>(outcome: Result<T, Fault>) -> Result<T, String> {
    outcome.map_err(|fault| {
        let close = fault.close(crate::codec::MethodId::NONE);
        format!("{} {}", close.reply_code, close.reply_text)
    })
}

fn refused<T: fmt::Debug>(outcome: Result<T, Fault>) -> String {
    said(outcome).unwrap_err()
}

#[test]
fn exchanges_are_declared_and_checked_as_rabbitmq_does() {
    let World { hand, .. } = World::new();
    let declare = |method: &exchange::Declare| said(hand.declare_exchange(method));
    assert_eq!(declare(&exchange("x", "topic")), Ok(()));
    assert_eq!(declare(&exchange("x", "topic")), Ok(()));
    assert_eq!(
        declare(&exchange("amq.fanout", "fanout")).unwrap_err(),
        "406 PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'amq.fanout' in vhost '/': received 'false' but current is 'true'"
    );
    let texts = [
        (
            exchange("", "direct"),
            "403 ACCESS_REFUSED - operation not permitted on the default exchange",
        ),
        (
            exchange("amq.x", "direct"),
            "403 ACCESS_REFUSED - exchange name 'amq.x' contains reserved prefix 'amq.*'",
        ),
        (
            exchange("y", "nothing"),
            "503 COMMAND_INVALID - unknown exchange type 'nothing'",
        ),
        (
            exchange("x", "fanout"),
            "406 PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'topic'",
        ),
    ];
    for (method, text) in texts {
        assert_eq!(declare(&method).unwrap_err(), text);
    }
    let mut alternate = exchange("y", "direct");
    alternate.arguments = table(&[("alternate-exchange", Value::I32(1))]);
    assert_eq!(
        declare(&alternate).unwrap_err(),
        "406 PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'y' in vhost '/'"
    );
    let mut passive = exchange("z", "");
    passive.passive = true;
    assert_eq!(
        declare(&passive).unwrap_err(),
        "404 NOT_FOUND - no exchange 'z' in vhost '/'"
    );
    passive.exchange = short("x\r\n");
    assert_eq!(
        declare(&passive),
        Ok(()),
        "line ends are stripped, the type is not looked at"
    );
}

#[test]
fn exchanges_are_deleted_unless_they_are_used_or_the_systems() {
    let World { hand, .. } = World::new();
    let declared = hand.declare_exchange(&exchange("x", "topic"));
    assert_eq!(said(declared), Ok(()));
    let delete = |name: &str, if_unused| {
        hand.delete_exchange(&exchange::Delete {
            exchange: short(name),
            if_unused,
            ..exchange::Delete::default()
        })
    };
    let mut last = None;
    hand.declare_queue(&queue("q"), &mut last).unwrap();
    let bind = queue::Bind {
        exchange: short("x"),
        ..queue::Bind::default()
    };
    hand.bind_queue(&bind, last.as_ref()).unwrap();
    assert_eq!(
        refused(delete("x", true)),
        "406 PRECONDITION_FAILED - exchange 'x' in vhost '/' in use"
    );
    assert_eq!(
        refused(delete("amq.nothing", false)),
        "403 ACCESS_REFUSED - deletion of system exchange 'amq.nothing' in vhost '/' not allowed"
    );
    let unbind = queue::Unbind {
        exchange: short("nowhere"),
        ..queue::Unbind::default()
    };
    assert_eq!(said(hand.unbind_queue(&unbind, last.as_ref())), Ok(()));
    assert_eq!(said(delete("x", false)), Ok(()));
    assert_eq!(
        said(delete("x", true)),
        Ok(()),
        "what is not there is deleted"
    );
}

#[test]
fn names_that_are_left_out_are_the_last_queues() {
    let World { hand, host, .. } = World::new();
    let mut last = None;
    let bind = |exchange: &str, last: Option<&ShortString>| {
        let method = queue::Bind {
            exchange: short(exchange),
            ..queue::Bind::default()
        };
        hand.bind_queue(&method, last)
    };
    assert_eq!(
        refused(bind("amq.direct", None)),
        "404 NOT_FOUND - no previously declared queue"
    );
    let made = hand.declare_queue(&queue(""), &mut last).unwrap();
    let name = made.queue.as_str();
    assert!(name.starts_with("amq.gen-") && name.len() == 30, "{name}");
    bind("amq.direct", last.as_ref()).unwrap();
    let bindings = host.bindings_to(&Destination::Queue(name.into()));
    assert_eq!(&*bindings[0].key, name);
    assert_eq!(
        refused(bind("nothing", last.as_ref())),
        "404 NOT_FOUND - no exchange 'nothing' in vhost '/'"
    );
    assert_eq!(
        refused(bind("", last.as_ref())),
        "403 ACCESS_REFUSED - operation not permitted on the default exchange"
    );
    for reserved in ["amq.mine", name] {
        let refused = declare(&hand, &queue(reserved)).unwrap_err();
        assert!(refused.contains("reserved prefix 'amq.*'"), "{refused}");
    }
    assert_eq!(
        declare(&hand, &queue("amq.mine")).unwrap_err(),
        "403 ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'"
    );
    let mut passive = queue("");
    passive.passive = true;
    assert_eq!(
        declare(&hand, &passive).unwrap_err(),
        "404 NOT_FOUND - no queue '' in vhost '/'"
    );
    let purge = queue::Purge::default();
    assert_eq!(hand.purge_queue(&purge, last.as_ref()), Ok(0));
    let delete = queue::Delete::default();
    assert_eq!(hand.delete_queue(&delete, last.as_ref()), Ok(0));
    assert!(host.queue(name).is_none());
}

#[test]
fn another_connections_queue_is_locked_until_it_ends() {
    let world = World::new();
    let other = world.other();
    let mut own = queue("own");
    own.exclusive = true;
    assert!(declare(&world.hand, &own).is_ok());
    let locked = "405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'own' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.";
    let mut passive = queue("own");
    passive.passive = true;
    for method in [&own, &passive, &queue("own")] {
        assert_eq!(declare(&other, method).unwrap_err(), locked);
    }
    let delete = queue::Delete {
        queue: short("own"),
        ..queue::Delete::default()
    };
    assert_eq!(refused(other.delete_queue(&delete, None)), locked);
    world.hand.end().unwrap();
    assert!(declare(&other, &own).is_ok(), "at once");
}

#[test]
fn arguments_that_no_queue_can_have_are_named() {
    let World { hand, .. } = World::new();
    let cases: [(&str, Value<'_>, &str); 12] = [
        ("x-message-ttl", Value::I32(-1), "{value_negative,-1}"),
        (
            "x-message-ttl",
            Value::LongString(b"1"),
            "\"expected integer, got longstr\"",
        ),
        (
            "x-message-ttl",
            Value::I64(315_360_000_001),
            "{value_too_large,315360000001}",
        ),
        ("x-expires", Value::I32(0), "{value_zero,0}"),
        ("x-max-length", Value::I16(-5), "{value_negative,-5}"),
        (
            "x-max-priority",
            Value::I32(256),
            "{max_value_exceeded,256}",
        ),
        (
            "x-overflow",
            Value::LongString(b"spill"),
            "invalid_overflow",
        ),
        ("x-overflow", Value::I32(1), "{unacceptable_type,signedint}"),
        (
            "x-queue-type",
            Value::LongString(b"foo"),
            "\"unsupported queue type 'foo'\"",
        ),
        (
            "x-queue-mode",
            Value::LongString(b"foo"),
            "\"unsupported queue mode 'foo'\"",
        ),
        (
            "x-single-active-consumer",
            Value::I32(1),
            "\"expected boolean, got signedint\"",
        ),
        (
            "x-dead-letter-routing-key",
            Value::LongString(b"k"),
            "routing_key_but_no_dlx_defined",
        ),
    ];
    for (name, value, reason) in cases {
        let text = format!(
            "406 PRECONDITION_FAILED - invalid arg '{name}' for queue 'q' in vhost '/': {reason}"
        );
        assert_eq!(
            declare(&hand, &with("q", &[(name, value)])).unwrap_err(),
            text
        );
    }
    let fields = [("x-dead-letter-exchange", Value::I32(1))];
    assert_eq!(
        declare(&hand, &with("q", &fields)).unwrap_err(),
        "406 PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"
    );
}

#[test]
fn arguments_that_differ_are_named() {
    let World { hand, .. } = World::new();
    let ttl = |value| with("q", &[("x-message-ttl", value)]);
    assert!(declare(&hand, &ttl(Value::I32(5))).is_ok());
    assert!(
        declare(&hand, &ttl(Value::I64(5))).is_ok(),
        "widths are one"
    );
    assert_eq!(
        declare(&hand, &ttl(Value::I32(6))).unwrap_err(),
        "406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '6' but current is '5'"
    );
    assert_eq!(
        declare(&hand, &queue("q")).unwrap_err(),
        "406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value '5' of type 'signedint'"
    );
}
