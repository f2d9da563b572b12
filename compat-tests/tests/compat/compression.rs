//! Batches a Kafka producer compressed, read by a RocketMQ client.

use crate::kafka_clients::by_command;
use crate::samples::{by_place, named};
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::Message;
use compat_tests::process::{Client, run};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const EACH: usize = 50;

#[test]
fn a_rocketmq_client_reads_what_kafka_compressed() {
    let (kafka, rocketmq) = (clients::NEWEST_KAFKA, clients::NEWEST_ROCKETMQ);
    let installed = [Installed::Kafka(kafka), Installed::Rocketmq(rocketmq)];
    if !ready(&installed).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = format!("bootstrap={}", gantry.kafka().unwrap());
    let mut producer = clients::kafka_java(kafka);
    for codec in CODECS {
        let topic = format!("topic=from-{codec}");
        producer.args(["create-topic", &bootstrap, &topic, "--"]);
        producer.args(["produce", &bootstrap, &topic, "linger.ms=50"]);
        producer.args([&format!("compression.type={codec}"), "--"]);
    }
    let body = |codec: &str, n: usize| format!("{codec} {n} {}", "squeeze ".repeat(n));
    let mut client = Client::start("producer", producer).unwrap();
    for codec in CODECS {
        let messages: Vec<_> = (0..EACH).map(|n| Message::of(body(codec, n))).collect();
        client.send(&messages).unwrap();
    }
    let sent = by_command(client.finish().unwrap());

    let mut consumer = clients::rocketmq_java(rocketmq);
    consumer
        .arg("push")
        .arg(format!("namesrv={}", gantry.namesrv().unwrap()));
    consumer.arg(format!(
        "topic={}",
        CODECS.map(|codec| format!("from-{codec}")).join(",")
    ));
    consumer
        .arg("group=squeezed")
        .arg(format!("count={}", CODECS.len() * EACH));
    let received = run("consumer", consumer, &[]).unwrap();
    for (at, codec) in CODECS.into_iter().enumerate() {
        let topic = format!("from-{codec}");
        let of_topic: Vec<_> = named(&received, "received")
            .filter(|event| event.text("topic") == Some(&topic))
            .cloned()
            .collect();
        let places = by_place(&of_topic, "received");
        assert_eq!(places.len(), EACH);
        // Each topic was created before it was sent to: two commands a codec.
        for (n, event) in named(&sent[2 * at + 1], "sent").enumerate() {
            let read = places[&event.place().unwrap()];
            assert_eq!(read.bytes("value").unwrap(), body(codec, n).into_bytes());
        }
    }
}
