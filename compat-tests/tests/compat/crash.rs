//! `kill -9` in the middle of mixed load: what was acknowledged is there, once, where it was
//! acknowledged to be.

use crate::librdkafka;
use crate::samples::named;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::Message;
use compat_tests::process::{Client, PATIENCE, now};
use rdkafka::client::ClientContext;
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const KILLS: usize = 20;
const PARTITIONS: i32 = 4;
/// Acknowledgements of each protocol between two kills.
const KAFKA_ACKS: usize = 400;
const ROCKETMQ_ACKS: usize = 40;

type Place = (i32, i64);

/// What was acknowledged: an id and its place.
#[derive(Default)]
struct Ledger(BTreeMap<String, Place>);

impl Ledger {
    fn enter(&mut self, (id, place): (String, Place)) {
        assert_eq!(
            self.0.insert(id.clone(), place),
            None,
            "{id} acknowledged twice"
        );
    }

    /// Holds the log against the ledger: `found` is every record's id and place.
    fn assert_kept(&self, what: &str, found: &[(String, Place)]) {
        let mut places: BTreeMap<&str, Vec<Place>> = BTreeMap::new();
        let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        for (id, place) in found {
            places.entry(id).or_default().push(*place);
            offsets.entry(place.0).or_default().push(place.1);
        }
        for (partition, offsets) in &mut offsets {
            offsets.sort_unstable();
            let whole = offsets.iter().zip(0..).all(|(offset, at)| *offset == at);
            assert!(
                whole,
                "{what}: partition {partition} has a gap or an offset twice"
            );
        }
        for (id, place) in &self.0 {
            let found = places.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            assert_eq!(found, [*place], "{what}: {id}");
        }
    }
}

/// Hands every delivery to the test.
struct Deliveries(Mutex<Sender<(String, Place)>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        // What failed was not acknowledged: it may be there or not.
        if let Ok(record) = result {
            let id = String::from_utf8(record.key().unwrap().to_vec()).unwrap();
            let place = (record.partition(), record.offset());
            let _ = self.0.lock().unwrap().send((id, place));
        }
    }
}

/// An idempotent Kafka producer that never stops.
struct KafkaLoad {
    acknowledged: Receiver<(String, Place)>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl KafkaLoad {
    fn start(bootstrap: &str) -> Self {
        let settings = [
            ("enable.idempotence", "true"),
            ("linger.ms", "1"),
            ("reconnect.backoff.ms", "20"),
            ("reconnect.backoff.max.ms", "50"),
            ("retry.backoff.ms", "20"),
            ("retry.backoff.max.ms", "50"),
            ("queue.buffering.max.messages", "200"),
        ];
        let (sender, acknowledged) = channel();
        let producer: ThreadedProducer<Deliveries> =
            librdkafka::configuration(bootstrap, &settings)
                .create_with_context(Deliveries(Mutex::new(sender)))
                .unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let body = vec![b'k'; 500];
            let mut n = 0;
            while !stopped.load(Ordering::Relaxed) {
                let id = format!("kafka-{n}");
                let record = BaseRecord::to("kafka-ledger").key(&id).payload(&body);
                match producer.send(record.partition(n % PARTITIONS)) {
                    Ok(()) => n += 1,
                    // The queue is full: wait for deliveries, not for time.
                    Err(_) => producer.poll(Duration::from_millis(5)),
                }
            }
            producer.flush(PATIENCE).unwrap();
        });
        Self {
            acknowledged,
            stop,
            thread,
        }
    }
}

/// A RocketMQ producer that sends one message after the other, each once.
struct RocketmqLoad {
    client: Client,
    sent: usize,
}

impl RocketmqLoad {
    const IN_FLIGHT: usize = 16;

    fn start(namesrv: &str) -> Self {
        let mut java = clients::rocketmq_java(clients::NEWEST_ROCKETMQ);
        java.args([
            "stream",
            &format!("namesrv={namesrv}"),
            "topic=rocketmq-ledger",
        ]);
        java.arg("timeout=2000");
        let mut client = Client::start("rocketmq", java).unwrap();
        client.wait_for(|event| event.name() == "ready").unwrap();
        let mut load = Self { client, sent: 0 };
        for _ in 0..Self::IN_FLIGHT {
            load.send();
        }
        load
    }

    fn send(&mut self) {
        let id = format!("rocketmq-{}", self.sent);
        self.sent += 1;
        let message = Message::of(vec![b'r'; 500]).key(id);
        self.client.write(&message.line()).unwrap();
    }

    /// The fate of the next message, in the order they were sent; a further one takes its place.
    fn next(&mut self, settled: &mut usize, ledger: &mut Ledger, more: bool) -> bool {
        let event = self
            .client
            .next_event()
            .unwrap()
            .expect("the producer ended");
        let id = format!("rocketmq-{settled}");
        *settled += 1;
        if more {
            self.send();
        }
        let kept = event.name() == "sent" && event.text("status") == Some("SEND_OK");
        if kept {
            let (queue, offset) = event.place().unwrap();
            ledger.enter((id, (queue as i32, offset)));
        }
        kept
    }
}

fn survives(flush: &str) {
    if !ready(&[Installed::Rocketmq(clients::NEWEST_ROCKETMQ)]).unwrap() {
        return;
    }
    let mut gantry = Gantry::start(&[&format!("store.flush={flush}")]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    for topic in ["kafka-ledger", "rocketmq-ledger"] {
        librdkafka::create_topic(&bootstrap, topic, PARTITIONS);
    }
    let (mut kafka_ledger, mut rocketmq_ledger) = (Ledger::default(), Ledger::default());
    let kafka = KafkaLoad::start(&bootstrap);
    let mut rocketmq = RocketmqLoad::start(&gantry.namesrv().unwrap());
    let mut settled = 0;
    let mut slowest = Duration::ZERO;
    for _ in 0..KILLS {
        for _ in 0..KAFKA_ACKS {
            kafka_ledger.enter(kafka.acknowledged.recv_timeout(PATIENCE).unwrap());
        }
        let deadline = now() + PATIENCE;
        let mut acknowledged = 0;
        while acknowledged < ROCKETMQ_ACKS {
            assert!(now() < deadline, "RocketMQ does not go on");
            acknowledged += usize::from(rocketmq.next(&mut settled, &mut rocketmq_ledger, true));
        }
        gantry.kill().unwrap();
        let began = now();
        gantry.restart().unwrap();
        // What was acknowledged before the kill is told first.
        kafka
            .acknowledged
            .try_iter()
            .for_each(|entry| kafka_ledger.enter(entry));
        kafka_ledger.enter(kafka.acknowledged.recv_timeout(PATIENCE).unwrap());
        slowest = slowest.max(began.elapsed());
    }
    kafka.stop.store(true, Ordering::Relaxed);
    kafka.thread.join().unwrap();
    kafka
        .acknowledged
        .iter()
        .for_each(|entry| kafka_ledger.enter(entry));
    while settled < rocketmq.sent {
        rocketmq.next(&mut settled, &mut rocketmq_ledger, false);
    }
    drop(rocketmq);

    let count = (kafka_ledger.0.len(), rocketmq_ledger.0.len());
    eprintln!(
        "{flush}: {count:?} acknowledged, {KILLS} kills, slowest to produce again {slowest:?}"
    );
    let found: Vec<_> = librdkafka::read_all(&bootstrap, &["kafka-ledger", "rocketmq-ledger"])
        .iter()
        .map(|record| {
            let id = String::from_utf8(record.key().unwrap().to_vec()).unwrap();
            (id, (record.partition(), record.offset()))
        })
        .collect();
    let of = |prefix: &str| -> Vec<_> {
        found
            .iter()
            .filter(|(id, _)| id.starts_with(prefix))
            .cloned()
            .collect()
    };
    kafka_ledger.assert_kept(flush, &of("kafka-"));
    rocketmq_ledger.assert_kept(flush, &of("rocketmq-"));
    assert_read_by_rocketmq(&gantry, &of("rocketmq-"));
    gantry.stop().unwrap();
}

/// RocketMQ's own reader finds the same as Kafka's.
fn assert_read_by_rocketmq(gantry: &Gantry, expected: &[(String, Place)]) {
    let mut java = clients::rocketmq_java(clients::NEWEST_ROCKETMQ);
    java.arg("push")
        .arg(format!("namesrv={}", gantry.namesrv().unwrap()));
    java.args([
        "topic=rocketmq-ledger",
        "group=auditor",
        &format!("count={}", expected.len()),
    ]);
    let events = compat_tests::process::run("auditor", java, &[]).unwrap();
    let found: BTreeMap<_, _> = named(&events, "received")
        .map(|event| {
            let (queue, offset) = event.place().unwrap();
            (
                event.text("keys").unwrap().to_owned(),
                (queue as i32, offset),
            )
        })
        .collect();
    assert_eq!(found, expected.iter().cloned().collect());
}

#[test]
fn acknowledged_messages_survive_twenty_kills_with_asynchronous_flush() {
    survives("async");
}

#[test]
fn acknowledged_messages_survive_twenty_kills_with_synchronous_flush() {
    survives("sync");
}
