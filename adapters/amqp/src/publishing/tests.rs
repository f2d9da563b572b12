use super::*;
use crate::codec::table::{ArrayBuilder, TableBuilder, Value};
use crate::codec::{MethodId, ShortString};
use crate::message::Delivered;
use bytes::Bytes;
use gantry_core::model::SystemClock;
use gantry_core::record::RecordView;
use gantry_core::routing::{Arguments, Binding, Destination, ExchangeKind, ExchangeSpec};
use gantry_core::vhosts::QueueSpec;
use gantry_core::{Broker, Config, Durability, FetchQueue};
use std::net::Ipv4Addr;
use tempfile::TempDir;

struct World {
    _directory: TempDir,
    broker: Broker,
    publisher: Publisher,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.segment_bytes = 4 << 20;
        let broker = Broker::open(directory.path(), config, Arc::new(SystemClock)).unwrap();
        let client = broker.anonymous();
        let publisher = Publisher {
            rights: Rights::unlimited(&"/".into()),
            host: client.virtual_host("/").unwrap(),
            client,
            user: "guest".into(),
            replies: Arc::default(),
            from: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
        };
        Self {
            _directory: directory,
            broker,
            publisher,
        }
    }

    fn exchange(&self, name: &str, kind: ExchangeKind, is_internal: bool) {
        let spec = ExchangeSpec {
            is_internal,
            ..ExchangeSpec::durable(kind)
        };
        let Publisher { client, host, .. } = &self.publisher;
        client.declare_exchange(host, name, spec).unwrap();
    }

    fn queue(&self, name: &str, bound_to: Option<(&str, &str)>) {
        let Publisher { client, host, .. } = &self.publisher;
        let spec = QueueSpec {
            is_durable: true,
            ..QueueSpec::default()
        };
        client.declare_queue(host, name, spec, None).unwrap();
        if let Some((exchange, key)) = bound_to {
            let binding = Binding {
                source: exchange.into(),
                destination: Destination::Queue(name.into()),
                key: key.into(),
                arguments: Arguments::default(),
            };
            client.bind(host, &binding, None).unwrap();
        }
    }

    /// Publishes; the names of the queues it is in.
    fn publish(
        &self,
        exchange: &str,
        key: &str,
        list: &PropertyList<'_>,
    ) -> Result<Vec<String>, String> {
        let method = basic::Publish {
            exchange: ShortString::cut(exchange),
            routing_key: ShortString::cut(key),
            ..basic::Publish::default()
        };
        let content = Content {
            properties: list.encode(),
            body: Bytes::from_static(b"body"),
        };
        let routed = self
            .publisher
            .route(
                &method,
                &content,
                Timestamp::from_millis(7),
                (&Batch::default(), None),
            )
            .map_err(|fault| {
                let close = fault.close(MethodId::NONE);
                format!("{} {}", close.reply_code, close.reply_text)
            })?;
        for receipt in self
            .publisher
            .client
            .produce(routed.items.into_vec(), Durability::Appended)
        {
            receipt.unwrap();
        }
        let queues = routed.queues.iter();
        let mut names: Vec<_> = queues.map(|queue| queue.name().to_string()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// What stands in a topic's queue 0, as a consumer gets it.
    fn read(&self, topic: &str) -> Vec<Delivered> {
        let client = &self.publisher.client;
        let wanted = FetchQueue {
            topic: client.topic(topic).unwrap(),
            queue: QueueId::new(0),
            offset: gantry_core::model::QueueOffset::ZERO,
            bytes_max: 1 << 20,
            messages_max: 100,
            filter: None,
        };
        let fetched = client.fetch_now(&[wanted], 1 << 20).remove(0).unwrap();
        let records = fetched.records.iter();
        records
            .map(|record| {
                let record = RecordView::parse(&record.bytes).unwrap();
                Delivered::of(&record.to_message(), record.topic())
            })
            .collect()
    }
}

fn none() -> PropertyList<'static> {
    PropertyList::default()
}

#[test]
fn one_record_is_in_all_queues_and_in_the_topic_of_its_exchange() {
    let world = World::new();
    world.exchange("logs", ExchangeKind::Topic, false);
    for name in ["a", "b", "c"] {
        world.queue(name, Some(("logs", "x.*")));
    }
    let bytes = || world.broker.store_figures().appended;
    world.publish("logs", "first", &none()).unwrap();
    let before = bytes();
    assert_eq!(
        world.publish("logs", "x.y", &none()).unwrap(),
        ["a", "b", "c"]
    );
    assert!(bytes() - before < 500, "one record");
    for topic in ["%QUEUE%a", "%QUEUE%b", "%QUEUE%c"] {
        let found = world.read(topic);
        assert_eq!(found.len(), 1, "{topic}");
        assert_eq!(
            (&found[0].exchange[..], &found[0].routing_key[..]),
            (&b"logs"[..], &b"x.y"[..])
        );
    }
    let keys = world
        .read("logs")
        .into_iter()
        .map(|found| found.routing_key);
    assert_eq!(
        keys.collect::<Vec<_>>(),
        ["first", "x.y"],
        "also what no queue wants"
    );
}

#[test]
fn what_is_sent_to_a_queue_by_name_is_in_the_topic_of_that_name() {
    let world = World::new();
    world.queue("hello", None);
    assert_eq!(world.publish("", "hello", &none()).unwrap(), ["hello"]);
    assert_eq!(world.read("hello").len(), 1);
    assert_eq!(world.read("%QUEUE%hello").len(), 1);
    assert!(world.publish("", "nobody", &none()).unwrap().is_empty());
    assert!(world.publisher.client.topic("nobody").is_none());
}

#[test]
fn copies_go_to_their_keys_and_blind_ones_are_not_shown() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.queue(name, None);
    }
    let (mut copies, mut blind) = (ArrayBuilder::new(), ArrayBuilder::new());
    copies
        .push(Value::LongString(b"b"))
        .push(Value::LongString(b"a"));
    blind.push(Value::LongString(b"c"));
    let mut headers = TableBuilder::new();
    headers
        .put("CC", Value::Array(copies.view()))
        .put("BCC", Value::Array(blind.view()))
        .put("kept", Value::I32(1));
    let headers = headers.build();
    let list = PropertyList {
        headers: Some(headers.view()),
        ..none()
    };
    assert_eq!(world.publish("", "a", &list).unwrap(), ["a", "b", "c"]);
    let found = world.read("%QUEUE%c").remove(0);
    let shown = found.properties.list().unwrap().headers.unwrap();
    assert!(shown.get("BCC").is_none());
    assert!(shown.get("CC").is_some() && shown.get("kept") == Some(Value::I32(1)));
    let mut headers = TableBuilder::new();
    headers.put("CC", Value::LongString(b"b"));
    let headers = headers.build();
    let list = PropertyList {
        headers: Some(headers.view()),
        ..none()
    };
    assert_eq!(
        world.publish("", "a", &list).unwrap_err(),
        "406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,\"CC\",longstr}"
    );
}

#[test]
fn what_rabbitmq_refuses_is_refused_in_its_words() {
    let world = World::new();
    world.exchange("inner", ExchangeKind::Direct, true);
    let text =
        |exchange: &str, list: &PropertyList<'_>| world.publish(exchange, "k", list).unwrap_err();
    assert_eq!(
        text("nothing", &none()),
        "404 NOT_FOUND - no exchange 'nothing' in vhost '/'"
    );
    assert_eq!(
        text("inner", &none()),
        "403 ACCESS_REFUSED - cannot publish to internal exchange 'inner' in vhost '/'"
    );
    let expirations: [(&[u8], &str); 6] = [
        (b"abc", "'abc': no_integer"),
        (b"", "'': no_integer"),
        (b"1.5", "'1.5': {leftover_string,\".5\"}"),
        (b"-1", "'-1': {value_negative,-1}"),
        (b" 1", "' 1': no_integer"),
        (
            b"315360000001",
            "'315360000001': {value_too_large,315360000001}",
        ),
    ];
    for (expiration, said) in expirations {
        let list = PropertyList {
            expiration: Some(expiration),
            ..none()
        };
        let expected = format!("406 PRECONDITION_FAILED - invalid expiration {said}");
        assert_eq!(text("", &list), expected);
    }
    for expiration in [&b"+5"[..], b"0", b"315360000000"] {
        let list = PropertyList {
            expiration: Some(expiration),
            ..none()
        };
        assert!(world.publish("", "k", &list).is_ok());
    }
    let list = PropertyList {
        user_id: Some(b""),
        ..none()
    };
    assert_eq!(
        text("", &list),
        "406 PRECONDITION_FAILED - user_id property set to '' but authenticated user was 'guest'"
    );
    let list = PropertyList {
        delivery_mode: Some(7),
        ..none()
    };
    assert_eq!(
        text("", &list),
        "406 PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,7}"
    );
}

#[test]
fn a_deleted_exchange_that_was_published_to_stays_gone() {
    let world = World::new();
    world.exchange("x", ExchangeKind::Direct, false);
    world.queue("q", Some(("x", "k")));
    let list = PropertyList::default();
    assert_eq!(world.publish("x", "k", &list), Ok(vec!["q".to_owned()]));
    let Publisher { client, host, .. } = &world.publisher;
    client.delete_exchange(host, "x", false).unwrap();
    assert!(client.topic("x").is_some(), "its messages are still there");
    let refused = "404 NOT_FOUND - no exchange 'x' in vhost '/'";
    assert_eq!(world.publish("x", "k", &list), Err(refused.to_owned()));
}
