//! `kill -9` while messages go from one queue to another, in transactions and as dead letters: each
//! is in the second queue once.

use super::crash::{open, until_the_next};
use compat_tests::clients::ready;
use compat_tests::gantry::Gantry;
use compat_tests::process::PATIENCE;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, BasicRejectOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};

use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, PublisherConfirm};
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::runtime::Runtime;
use tokio::sync::watch;

const KILLS: usize = 3;
/// Messages of each queue.
const MESSAGES: usize = 2_000;
/// Messages that go together.
const TOGETHER: usize = 7;
/// Messages that go in each of the server's lives at least, by each way.
const STEP: usize = MESSAGES / (KILLS + 2);

/// By which way messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Transaction,
    DeadLetter,
}

const WAYS: [Way; 2] = [Way::Transaction, Way::DeadLetter];

impl Way {
    const fn from(self) -> &'static str {
        match self {
            Self::Transaction => "in",
            Self::DeadLetter => "mortal",
        }
    }

    const fn to(self) -> &'static str {
        match self {
            Self::Transaction => "out",
            Self::DeadLetter => "dead",
        }
    }
}

/// In which of the server's lives so many more went, or that none is left.
type Went = (Way, usize, Option<usize>);

async fn work(way: Way, uri: String, mut life: watch::Receiver<usize>, went: Sender<Went>) {
    loop {
        let number = *life.borrow_and_update();
        let moved = move_all(way, &uri, |count| {
            let _ = went.send((way, number, count));
        });
        if until_the_next(&mut life, moved).await.is_err() {
            return;
        }
    }
}

async fn move_all(way: Way, uri: &str, went: impl Fn(Option<usize>)) -> lapin::Result<()> {
    let (_connection, channel) = open(uri).await?;
    if way == Way::Transaction {
        channel.tx_select().await?;
    }
    loop {
        let count = move_some(way, &channel).await?;
        if way == Way::Transaction {
            channel.tx_commit().await?;
        }
        if count < TOGETHER {
            went(None);
            // The server's next life may have what this one lost.
            return std::future::pending().await;
        }
        went(Some(count));
    }
}

async fn move_some(way: Way, channel: &Channel) -> lapin::Result<usize> {
    for count in 0..TOGETHER {
        let got = channel.basic_get(way.from().into(), BasicGetOptions::default());
        let Some(got) = got.await? else {
            return Ok(count);
        };
        match way {
            Way::Transaction => {
                publish(channel, way.to(), &got.data).await?;
                got.ack(BasicAckOptions::default()).await?;
            }
            Way::DeadLetter => {
                got.reject(BasicRejectOptions::default()).await?;
            }
        }
    }
    Ok(TOGETHER)
}

async fn prepare(uri: &str) -> lapin::Result<()> {
    let (_connection, channel) = open(uri).await?;
    let options = ConfirmSelectOptions::default();
    channel.confirm_select(options).await?;
    for way in WAYS {
        let mut arguments = FieldTable::default();
        let text = |text: &str| AMQPValue::LongString(text.into());
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text(way.to()));
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let (from, to) = (way.from().into(), way.to().into());
        channel.queue_declare(from, durable, arguments).await?;
        let none = FieldTable::default();
        channel.queue_declare(to, durable, none).await?;
        let mut confirms = Vec::new();
        for number in 0..MESSAGES {
            confirms.push(publish(&channel, way.from(), number.to_string().as_bytes()).await?);
        }
        for confirm in confirms {
            confirm.await?;
        }
    }
    Ok(())
}

async fn publish(channel: &Channel, queue: &str, body: &[u8]) -> lapin::Result<PublisherConfirm> {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let published = channel.basic_publish("".into(), queue.into(), options, body, properties);
    published.await
}

/// The bodies in a queue, in their order.
async fn all_of(uri: &str, queue: &str) -> lapin::Result<Vec<usize>> {
    let (_connection, channel) = open(uri).await?;
    let options = BasicGetOptions { no_ack: true };
    let mut all = Vec::new();
    while let Some(got) = channel.basic_get(queue.into(), options).await? {
        let body = String::from_utf8(got.data.clone()).unwrap();
        all.push(body.parse().unwrap());
    }
    Ok(all)
}

/// Waits until so much went by each way in a life of the server, or all.
fn follow(went: &Receiver<Went>, life: usize, step: usize) {
    let mut left = WAYS.map(|_| step);
    while left.iter().any(|left| *left > 0) {
        let (way, of, count) = went.recv_timeout(PATIENCE).expect("messages go");
        if of == life {
            let left = &mut left[usize::from(way == Way::DeadLetter)];
            *left = count.map_or(0, |count| left.saturating_sub(count));
        }
    }
}

#[test]
fn what_moves_is_in_the_second_queue_once_after_kills() {
    if !ready(&[]).unwrap() {
        return;
    }
    let mut gantry = Gantry::start(&[]).unwrap();
    let uri = format!("amqp://{}/%2f", gantry.amqp().unwrap());
    let runtime = Runtime::new().unwrap();
    runtime.block_on(prepare(&uri)).unwrap();
    let (sender, went) = channel();
    let (lives, life) = watch::channel(0);
    for way in WAYS {
        runtime.spawn(work(way, uri.clone(), life.clone(), sender.clone()));
    }
    for life in 0..KILLS {
        follow(&went, life, STEP);
        gantry.kill().unwrap();
        gantry.restart().unwrap();
        lives.send(life + 1).unwrap();
    }
    follow(&went, KILLS, usize::MAX);
    for way in WAYS {
        let mut all = runtime.block_on(all_of(&uri, way.to())).unwrap();
        all.sort_unstable();
        let whole: Vec<usize> = (0..MESSAGES).collect();
        assert!(all == whole, "{way:?}: {} of {MESSAGES}", all.len());
    }
}
