//! A topic is an exchange: what Kafka's and RocketMQ's producers send to it comes to the queues
//! bound to it.

use crate::librdkafka;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::Message;
use compat_tests::process::run;
use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio::runtime::Runtime;

/// A channel to declare on and to ask for messages.
struct Queues {
    runtime: Runtime,
    channel: Channel,
    _connection: Connection,
}

impl Queues {
    fn of(gantry: &Gantry) -> Self {
        let runtime = librdkafka::runtime();
        let uri = format!("amqp://guest:guest@{}/%2f", gantry.amqp().unwrap());
        let (connection, channel) = runtime.block_on(async {
            let properties = ConnectionProperties::default();
            let connection = Connection::connect(&uri, properties).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            (connection, channel)
        });
        Self {
            runtime,
            channel,
            _connection: connection,
        }
    }

    fn exchange(&self, name: &str) {
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let declared = self.channel.exchange_declare(
            name.into(),
            ExchangeKind::Topic,
            durable,
            FieldTable::default(),
        );
        self.runtime.block_on(declared).unwrap();
    }

    fn queue(&self, name: &str, bound_to: Option<(&str, &str)>) {
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let none = FieldTable::default;
        let declared = self.channel.queue_declare(name.into(), durable, none());
        self.runtime.block_on(declared).unwrap();
        if let Some((exchange, key)) = bound_to {
            let options = QueueBindOptions::default();
            let (exchange, key) = (exchange.into(), key.into());
            let bound = self
                .channel
                .queue_bind(name.into(), exchange, key, options, none());
            self.runtime.block_on(bound).unwrap();
        }
    }

    /// Everything in a queue: exchange, routing key and body of each message.
    fn drain(&self, queue: &str) -> Vec<(String, String, String)> {
        let mut all = Vec::new();
        while let Some(message) = self.get(queue) {
            all.push((
                message.delivery.exchange.to_string(),
                message.delivery.routing_key.to_string(),
                String::from_utf8(message.delivery.data.clone()).unwrap(),
            ));
        }
        all
    }

    fn get(&self, queue: &str) -> Option<BasicGetMessage> {
        let options = BasicGetOptions { no_ack: true };
        let got = self.channel.basic_get(queue.into(), options);
        self.runtime.block_on(got).unwrap()
    }
}

fn expected(exchange: &str, messages: &[(&str, &str)]) -> Vec<(String, String, String)> {
    let whole = |(key, body): &(&str, &str)| {
        let texts = [exchange, key, body].map(str::to_owned);
        let [exchange, key, body] = texts;
        (exchange, key, body)
    };
    messages.iter().map(whole).collect()
}

#[test]
fn kafkas_records_come_to_the_queues_their_tags_are_bound_by() {
    let gantry = Gantry::start(&[]).unwrap();
    let queues = Queues::of(&gantry);
    queues.exchange("orders");
    queues.queue("all", Some(("orders", "#")));
    queues.queue("europe", Some(("orders", "eu.*")));
    let messages = [
        Message::of("a").header("TAGS", "eu.de"),
        Message::of("b"),
        Message::of("c").header("TAGS", "us.ny").key("k"),
    ]
    .map(|message| message.to(0));
    let bootstrap = gantry.kafka().unwrap();
    for codec in ["none", "lz4"] {
        let settings = [("compression.type", codec), ("enable.idempotence", "true")];
        librdkafka::produce(&bootstrap, "orders", &messages, &settings);
        let all = [("eu.de", "a"), ("", "b"), ("us.ny", "c")];
        assert_eq!(queues.drain("all"), expected("orders", &all), "{codec}");
        assert_eq!(queues.drain("europe"), expected("orders", &all[..1]));
    }
    // What is sent to a topic of a queue's name is for the queue.
    librdkafka::produce(&bootstrap, "europe", &[Message::of("by name")], &[]);
    let by_name = expected("europe", &[("", "by name")]);
    assert_eq!(queues.drain("europe"), by_name);
}

#[test]
fn a_topic_others_made_is_an_exchange_once_it_is_bound() {
    let mut gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::produce(&bootstrap, "made", &[Message::of("before")], &[]);
    Queues::of(&gantry).queue("q", Some(("made", "#")));
    gantry.kill().unwrap();
    gantry.restart().unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::produce(&bootstrap, "made", &[Message::of("after")], &[]);
    let after = expected("made", &[("", "after")]);
    assert_eq!(Queues::of(&gantry).drain("q"), after);
}

#[test]
fn rocketmqs_messages_come_to_the_queues_their_tags_are_bound_by() {
    let version = clients::NEWEST_ROCKETMQ;
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let queues = Queues::of(&gantry);
    queues.exchange("orders");
    queues.queue("europe", Some(("orders", "eu.*")));
    let messages = [
        Message::of("a").header("TAGS", "eu.de"),
        Message::of("b").header("TAGS", "us.ny"),
    ];
    let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
    let mut java = clients::rocketmq_java(version);
    java.args(["produce", &namesrv, "topic=orders"]);
    run("produce", java, &messages).unwrap();
    let sent = expected("orders", &[("eu.de", "a")]);
    assert_eq!(queues.drain("europe"), sent);
}
