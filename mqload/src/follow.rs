//! A consumer that takes a load's messages as they come, and how late they are.

use crate::body::MessageId;
use crate::clock;
use crate::delay::Delay;
use crate::load::{Quantiles, histogram};
use crate::rocketmq;
use crate::target::{Protocol, Target};
use anyhow::{Context as _, Result, anyhow, ensure};
use futures_util::future::{select, try_join_all};
use gantry_remoting_protocol::record::Record;
use hdrhistogram::Histogram;
use std::cell::RefCell;
use std::pin::pin;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

/// How much later than they were due messages were stored and taken.
#[derive(Clone, Debug)]
pub struct Lateness {
    /// How many were taken.
    pub messages: u64,
    /// The earliest of them came so much too late; negative, it came too early.
    pub earliest_ms: i64,
    /// By the broker's clock, when it put them where consumers find them.
    pub stored: Quantiles,
    /// By ours, when they were here.
    pub taken: Quantiles,
}

/// A running consumer, on a thread of its own. It belongs to no group.
#[derive(Debug)]
pub struct Follow {
    taken: watch::Receiver<u64>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<Lateness>>,
}

#[derive(Debug)]
struct Tally {
    delay: Delay,
    earliest_ms: i64,
    stored: Histogram<u64>,
    taken: Histogram<u64>,
    count: watch::Sender<u64>,
}

impl Follow {
    /// Takes what comes into `target` from now on, sent by loads with this `delay`, and returns
    /// once it knows where each queue ends.
    ///
    /// # Errors
    /// The protocol is not RocketMQ's, or the broker cannot be asked.
    pub fn start(target: Target, delay: Delay) -> Result<Self> {
        ensure!(
            target.protocol == Protocol::Rocketmq,
            "topics are followed through RocketMQ's protocol"
        );
        let (count, taken) = watch::channel(0);
        let (stop, stopped) = oneshot::channel();
        let runtime = crate::alone()?;
        let (broker, ends) = runtime.block_on(async {
            let broker = rocketmq::broker(&target.address).await?;
            let end = |queue| rocketmq::queue_end(&broker, &target.topic, queue);
            let ends = try_join_all(target.queue_numbers().map(end)).await?;
            anyhow::Ok((broker, ends))
        })?;
        let mut tally = Tally::new(delay, count)?;
        let thread = thread::Builder::new().name("follow".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(follow(&broker, &target, &ends, &mut tally, stopped))?;
            Ok(tally.lateness())
        })?;
        Ok(Self {
            taken,
            stop,
            thread,
        })
    }

    /// Waits until `messages` were taken.
    ///
    /// # Errors
    /// They are not within `patience`, or the consumer has died.
    pub fn wait_for(&self, messages: u64, patience: Duration) -> Result<()> {
        let mut taken = self.taken.clone();
        crate::alone()?.block_on(async {
            let enough = async { taken.wait_for(|taken| *taken >= messages).await.map(drop) };
            let enough = timeout(patience, enough).await;
            let count = *self.taken.borrow();
            enough.with_context(|| format!("{count} of {messages} taken in time"))??;
            Ok(())
        })
    }

    /// Stops; how late everything was.
    ///
    /// # Errors
    /// The broker broke off, or what it gave was damaged.
    pub fn stop(self) -> Result<Lateness> {
        // One that has died has nobody who hears it.
        let _ = self.stop.send(());
        self.thread
            .join()
            .map_err(|_| anyhow!("the consumer died"))?
    }
}

async fn follow(
    broker: &str,
    target: &Target,
    ends: &[i64],
    tally: &mut Tally,
    stopped: oneshot::Receiver<()>,
) -> Result<()> {
    let tally = RefCell::new(tally);
    let queues = target.queue_numbers().zip(ends).map(|(queue, end)| {
        let take = |records: &[Record]| tally.borrow_mut().enter(records);
        rocketmq::follow_queue(broker, &target.topic, queue, *end, take)
    });
    let all = pin!(try_join_all(queues));
    match select(all, stopped).await {
        futures_util::future::Either::Left((Err(error), _)) => Err(error),
        _ => Ok(()),
    }
}

impl Tally {
    fn new(delay: Delay, count: watch::Sender<u64>) -> Result<Self> {
        Ok(Self {
            delay,
            earliest_ms: i64::MAX,
            stored: histogram()?,
            taken: histogram()?,
            count,
        })
    }

    fn enter(&mut self, records: &[Record]) {
        let now = clock::millis(clock::now());
        for record in records {
            let id = MessageId::of(&record.body);
            let delay = i64::try_from(self.delay.millis(id)).unwrap_or(i64::MAX);
            let due = record.born_timestamp.saturating_add(delay);
            let (stored, taken) = (record.store_timestamp - due, now - due);
            self.earliest_ms = self.earliest_ms.min(stored).min(taken);
            self.stored.saturating_record(nanos(stored));
            self.taken.saturating_record(nanos(taken));
        }
        let more = u64::try_from(records.len()).unwrap_or(0);
        self.count.send_modify(|count| *count += more);
    }

    fn lateness(&self) -> Lateness {
        Lateness {
            messages: self.taken.len(),
            earliest_ms: self.earliest_ms,
            stored: Quantiles::of(&self.stored),
            taken: Quantiles::of(&self.taken),
        }
    }
}

/// What is too early counts as in time here.
fn nanos(millis: i64) -> u64 {
    u64::try_from(millis).unwrap_or(0).saturating_mul(1_000_000)
}
