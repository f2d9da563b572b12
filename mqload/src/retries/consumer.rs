//! The consumer: goes round the queues, and sends back what is planned.

use super::{RetriesConfig, retry_topic};
use crate::body::{MessageId, mix};
use crate::clock;
use crate::ledger::{Ledger, Outcome, Recorder, Retry, RetryStep};
use crate::rocketmq::{Pulled, RetryConsumer};
use anyhow::Result;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// After a connection failed.
const PAUSE: Duration = Duration::from_millis(20);
/// After a round that brought nothing.
const BREATH: Duration = Duration::from_millis(20);

/// A queue, and how far it was read.
struct Reading {
    topic: String,
    queue: u32,
    next: i64,
}

pub(super) struct Consumer {
    config: RetriesConfig,
    recorder: Recorder,
    stopped: watch::Receiver<bool>,
    readings: Vec<Reading>,
    /// To be sent back, as nobody has answered yet that they were.
    unanswered: VecDeque<Pulled>,
    /// What is to come, for which attempt.
    awaited: HashSet<(MessageId, u16)>,
    /// When it gives up, once it is stopped.
    deadline: Option<Instant>,
}

/// Whether the message is sent back after `attempt`.
fn is_sent_back(id: MessageId, attempt: u16) -> bool {
    let dice = mix(mix(id.sequence).wrapping_add(u64::from(id.producer))) % 32;
    match dice {
        // Always.
        0 => true,
        1..3 => attempt < 3,
        3..7 => attempt < 2,
        _ => false,
    }
}

impl Consumer {
    pub(super) async fn new(
        config: RetriesConfig,
        recorder: Recorder,
        stopped: watch::Receiver<bool>,
    ) -> Result<Self> {
        let mut broker = RetryConsumer::open(&config.target, &config.group).await?;
        let again = retry_topic(&config.group);
        let mut readings = vec![Reading {
            // It is made when something is sent back.
            next: broker.end(&again, 0).await.unwrap_or(0),
            topic: again,
            queue: 0,
        }];
        for queue in config.target.queue_numbers() {
            let topic = config.target.topic.clone();
            readings.push(Reading {
                next: broker.end(&topic, queue).await?,
                topic,
                queue,
            });
        }
        Ok(Self {
            config,
            recorder,
            stopped,
            readings,
            unanswered: VecDeque::new(),
            awaited: HashSet::new(),
            deadline: None,
        })
    }

    /// Goes on until it is stopped and nothing is awaited.
    pub(super) async fn run(&mut self) {
        loop {
            let opened = RetryConsumer::open(&self.config.target, &self.config.group).await;
            // The broker may be down for a while.
            if let Ok(mut broker) = opened
                && self.serve(&mut broker).await.is_ok()
            {
                break;
            }
            if self.is_stopping() && self.is_too_late() {
                break;
            }
            sleep(PAUSE).await;
        }
    }

    pub(super) fn finish(self) -> Result<Ledger> {
        self.recorder.finish()
    }

    async fn serve(&mut self, broker: &mut RetryConsumer) -> Result<()> {
        loop {
            let is_stopping = self.is_stopping();
            self.send_back(broker).await?;
            let mut is_quiet = true;
            for at in 0..self.readings.len() {
                is_quiet &= !self.read(broker, at).await?;
            }
            if is_stopping && is_quiet && self.awaited.is_empty() && self.unanswered.is_empty() {
                return Ok(());
            }
            if is_stopping && self.is_too_late() {
                return Ok(());
            }
            if is_quiet {
                sleep(BREATH).await;
            }
        }
    }

    /// Takes what comes next in a queue; whether there was anything.
    async fn read(&mut self, broker: &mut RetryConsumer, at: usize) -> Result<bool> {
        let Some(reading) = self.readings.get_mut(at) else {
            return Ok(false);
        };
        let invoked_ns = clock::now();
        let (pulled, next) = broker
            .pull(&reading.topic, reading.queue, reading.next)
            .await?;
        let is_any = next > reading.next;
        reading.next = reading.next.max(next);
        for pulled in pulled {
            reading.next = reading.next.max(pulled.next_offset);
            self.awaited.remove(&(pulled.id, pulled.attempt));
            self.recorder.retry(&Retry {
                step: RetryStep::Received,
                outcome: Outcome::Stored,
                attempt: pulled.attempt,
                id: pulled.id,
                delay_ms: 0,
                invoked_ns,
                settled_ns: clock::now(),
            });
            if is_sent_back(pulled.id, pulled.attempt) {
                self.unanswered.push_back(pulled);
            }
        }
        Ok(is_any)
    }

    /// Sends back what is due; what was not answered is sent again, and may so come twice.
    async fn send_back(&mut self, broker: &mut RetryConsumer) -> Result<()> {
        while let Some(pulled) = self.unanswered.front() {
            let invoked_ns = clock::now();
            let (level, max) = (self.config.delay_level, self.config.attempts_max);
            let answer = broker.send_back(pulled, level, max).await;
            let (id, attempt) = (pulled.id, pulled.attempt);
            self.recorder.retry(&Retry {
                step: RetryStep::SentBack,
                outcome: match &answer {
                    Ok(()) => Outcome::Stored,
                    Err(_) => Outcome::Unknown,
                },
                attempt,
                id,
                delay_ms: self.config.delay_ms,
                invoked_ns,
                settled_ns: clock::now(),
            });
            answer?;
            if attempt < max {
                self.awaited.insert((id, attempt.saturating_add(1)));
            }
            self.unanswered.pop_front();
        }
        Ok(())
    }

    fn is_stopping(&mut self) -> bool {
        if self.deadline.is_none() && *self.stopped.borrow() {
            self.deadline = Some(Instant::now() + self.config.patience);
        }
        self.deadline.is_some()
    }

    fn is_too_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() > deadline)
    }
}
