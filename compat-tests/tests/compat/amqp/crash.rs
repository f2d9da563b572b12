//! `kill -9` while lapin publishes and consumes: what was confirmed is there, in order, and what was
//! acknowledged stays acknowledged.

use super::session::{Kind, Session, body_of};
use compat_tests::clients::ready;
use compat_tests::gantry::Gantry;
use compat_tests::process::{PATIENCE, now};
use futures_util::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch::{self, error::RecvError};

/// How often the server is killed: `GANTRY_AMQP_KILLS`, or else this often.
const KILLS: usize = 3;
/// Confirms and acknowledgements between two kills.
const STEPS: usize = 300;
/// An acknowledgement older than this outlives the server: `leases.persist_interval_ms`, and what
/// writing may take on a busy machine.
const FORGOTTEN_AFTER: Duration = Duration::from_millis(200 + 300);
/// Messages not yet confirmed.
const IN_FLIGHT: usize = 64;

/// What a client did or saw; numbers are bodies.
enum Happened {
    Confirmed(usize),
    /// The publisher has no more to publish, and nothing that is not confirmed.
    Published,
    /// By the consumer of the server's n-th life.
    Delivered(usize, usize),
    /// In the server's n-th life.
    Acknowledged(usize, usize, Instant),
}

/// A publisher and a consumer, which wait for the server's next life when it ends.
struct Load {
    _runtime: Runtime,
    happened: Receiver<Happened>,
    lives: watch::Sender<usize>,
    is_over: Arc<AtomicBool>,
}

impl Load {
    fn start(address: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (sender, happened) = channel();
        let (lives, life) = watch::channel(0);
        let is_over = Arc::new(AtomicBool::new(false));
        let uri = format!("amqp://{address}/%2f");
        runtime.spawn(publish(
            uri.clone(),
            life.clone(),
            sender.clone(),
            Arc::clone(&is_over),
        ));
        runtime.spawn(consume(uri, life, sender));
        Self {
            _runtime: runtime,
            happened,
            lives,
            is_over,
        }
    }
}

async fn publish(
    uri: String,
    mut life: watch::Receiver<usize>,
    happened: Sender<Happened>,
    is_over: Arc<AtomicBool>,
) {
    let mut next = 0;
    while !is_over.load(Ordering::Relaxed) {
        // It ends with the server; what it did not confirm may be there or not.
        let published = publish_from(&mut next, &uri, &happened, &is_over);
        if until_the_next(&mut life, published).await.is_err() {
            return;
        }
    }
    let _ = happened.send(Happened::Published);
}

async fn publish_from(
    next: &mut usize,
    uri: &str,
    happened: &Sender<Happened>,
    is_over: &AtomicBool,
) -> lapin::Result<()> {
    let (_connection, channel) = open(uri).await?;
    let options = ConfirmSelectOptions::default();
    channel.confirm_select(options).await?;
    let mut waiting = VecDeque::new();
    loop {
        while waiting.len() < IN_FLIGHT && !is_over.load(Ordering::Relaxed) {
            let body = next.to_string();
            let properties = BasicProperties::default().with_delivery_mode(2);
            let options = BasicPublishOptions::default();
            let published =
                channel.basic_publish("x".into(), "".into(), options, body.as_bytes(), properties);
            waiting.push_back((*next, published.await?));
            *next += 1;
        }
        let Some((number, confirm)) = waiting.pop_front() else {
            return Ok(());
        };
        if confirm.await?.is_ack() {
            let _ = happened.send(Happened::Confirmed(number));
        }
    }
}

async fn consume(uri: String, mut life: watch::Receiver<usize>, happened: Sender<Happened>) {
    loop {
        let number = *life.borrow_and_update();
        let consumed = consume_in(number, &uri, &happened);
        if until_the_next(&mut life, consumed).await.is_err() {
            return;
        }
    }
}

/// Has `work` done, which may fail, until the server's next life begins: when the connection ends,
/// lapin leaves an acknowledgement or two without an answer.
pub(super) async fn until_the_next(
    life: &mut watch::Receiver<usize>,
    work: impl Future<Output = lapin::Result<()>>,
) -> Result<(), RecvError> {
    tokio::select! {
        done = work => match done {
            Ok(()) => Ok(()),
            Err(_) => life.changed().await,
        },
        next = life.changed() => next,
    }
}

async fn consume_in(life: usize, uri: &str, happened: &Sender<Happened>) -> lapin::Result<()> {
    let (_connection, channel) = open(uri).await?;
    channel.basic_qos(100, BasicQosOptions::default()).await?;
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let consumer = channel.basic_consume("taken".into(), "".into(), options, arguments);
    let mut consumer = consumer.await?;
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let number = String::from_utf8(delivery.data.clone()).unwrap();
        let number = number.parse().unwrap();
        let _ = happened.send(Happened::Delivered(number, life));
        delivery.ack(BasicAckOptions::default()).await?;
        let _ = happened.send(Happened::Acknowledged(number, life, now()));
    }
    // Its stream ends with the connection, as it fails with it.
    std::future::pending().await
}

pub(super) async fn open(uri: &str) -> lapin::Result<(Connection, Channel)> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

/// What is known of every message.
#[derive(Default)]
struct Ledger {
    confirmed: BTreeSet<usize>,
    /// In the order they came, in each life of the server.
    delivered: BTreeMap<usize, Vec<usize>>,
    acknowledged: BTreeMap<(usize, usize), Instant>,
    killed: Vec<Instant>,
}

impl Ledger {
    fn enter(&mut self, happened: Happened) {
        match happened {
            Happened::Confirmed(number) => {
                assert!(self.confirmed.insert(number), "{number} confirmed twice");
            }
            Happened::Published => {}
            Happened::Delivered(number, life) => {
                self.delivered.entry(life).or_default().push(number);
            }
            Happened::Acknowledged(number, life, at) => {
                self.acknowledged.insert((number, life), at);
            }
        }
    }

    /// Takes part in the load until there was enough in `life`.
    fn follow(&mut self, life: usize, load: &Load) {
        let before = self.confirmed.len();
        let mut first = None;
        let mut acknowledged = 0;
        let began = now();
        loop {
            assert!(
                began.elapsed() < PATIENCE,
                "life {life}: {acknowledged} acknowledged, {} confirmed",
                self.confirmed.len() - before
            );
            let happened = load
                .happened
                .recv_timeout(PATIENCE)
                .expect("the load stands");
            if let Happened::Acknowledged(_, in_life, at) = &happened
                && *in_life == life
            {
                first.get_or_insert(*at);
                acknowledged += 1;
            }
            self.enter(happened);
            // Some are to be so old that they may not be forgotten.
            let is_old = first.is_some_and(|first| first.elapsed() > 2 * FORGOTTEN_AFTER);
            if is_old && acknowledged >= STEPS && self.confirmed.len() >= before + STEPS {
                return;
            }
        }
    }

    /// Has the publisher end, and waits until all that was confirmed in the last `life` has been
    /// acknowledged, behind which there is nothing.
    fn drain(&mut self, life: usize, load: &Load) {
        load.is_over.store(true, Ordering::Relaxed);
        let mut is_published = false;
        let is_acknowledged = |ledger: &Self| {
            let last = ledger.confirmed.last().unwrap();
            ledger.acknowledged.contains_key(&(*last, life))
        };
        while !is_published || !is_acknowledged(self) {
            let happened = load.happened.recv_timeout(PATIENCE).expect("the load ends");
            is_published |= matches!(happened, Happened::Published);
            self.enter(happened);
        }
    }

    fn assert_kept(&self) {
        for (life, numbers) in &self.delivered {
            let pairs = numbers.windows(2).filter(|pair| pair[0] >= pair[1]);
            let disorder: Vec<_> = pairs.collect();
            assert!(disorder.is_empty(), "life {life}: {disorder:?}");
        }
        let delivered: BTreeSet<_> = self.delivered.values().flatten().copied().collect();
        let lost: Vec<_> = self.confirmed.difference(&delivered).collect();
        assert!(lost.is_empty(), "confirmed and not delivered: {lost:?}");
        let mut last = BTreeMap::new();
        let of_lives = self.delivered.iter();
        for (life, number) in of_lives.flat_map(|(life, all)| all.iter().map(move |n| (life, n))) {
            let Some(before) = last.insert(number, life) else {
                continue;
            };
            let Some(at) = self.acknowledged.get(&(*number, *before)) else {
                continue;
            };
            let age = self.killed[*before].saturating_duration_since(*at);
            assert!(
                age <= FORGOTTEN_AFTER,
                "{number} came in life {before} and {life}, {age:?} after its acknowledgement"
            );
        }
    }
}

#[test]
fn what_is_confirmed_or_acknowledged_survives_kill() {
    if !ready(&[]).unwrap() {
        return;
    }
    let kills = std::env::var("GANTRY_AMQP_KILLS").ok();
    let kills = kills.map_or(KILLS, |kills| kills.parse().unwrap());
    let mut gantry = Gantry::start(&[]).unwrap();
    let mut observer = Session::confirming(Kind::Lapin, &gantry);
    observer.tell(
        "declare-exchange",
        &["name=x", "type=fanout", "durable=true"],
    );
    for queue in ["taken", "kept"] {
        observer.tell("declare-queue", &[&format!("name={queue}"), "durable=true"]);
        observer.tell("bind", &[&format!("queue={queue}"), "exchange=x"]);
    }
    let load = Load::start(&gantry.amqp().unwrap());
    let mut ledger = Ledger::default();
    for life in 0..kills {
        ledger.follow(life, &load);
        gantry.kill().unwrap();
        ledger.killed.push(now());
        gantry.restart().unwrap();
        load.lives.send(life + 1).unwrap();
    }
    ledger.follow(kills, &load);
    ledger.drain(kills, &load);
    ledger.assert_kept();

    observer.connect(&gantry);
    observer.tell("open", &[]);
    assert_eq!(observer.counts("taken"), (0, 1));
    let kept = observer.counts("kept").0;
    observer.tell("consume", &["queue=kept", "auto_ack=true"]);
    let kept: Vec<usize> = (0..kept)
        .map(|_| body_of(&observer.next("received")).parse().unwrap())
        .collect();
    assert!(kept.is_sorted_by(|a, b| a < b), "kept in order, each once");
    let kept: BTreeSet<_> = kept.into_iter().collect();
    let lost: Vec<_> = ledger.confirmed.difference(&kept).collect();
    assert!(lost.is_empty(), "confirmed and not kept: {lost:?}");
}
