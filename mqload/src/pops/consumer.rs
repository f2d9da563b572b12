//! One consumer: pops, and does with each message what is planned.

use super::PopsConfig;
use super::book::{Book, Held};
use super::plan::Plan;
use crate::clock;
use crate::ledger::{LeaseStep, Outcome};
use crate::rocketmq::PopConsumer;
use anyhow::Result;
use std::cell::RefCell;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// After a connection failed.
const PAUSE: Duration = Duration::from_millis(20);
/// Messages of one pop.
const MESSAGES_MAX: u16 = 16;
/// How long a pop waits.
const POLL_MS: u32 = 200;
/// How much longer than a lease the last one waits.
const LATENESS_MS: u32 = 500;
/// What a message is kept longer and shorter by: twice as long, or a quarter.
const LONGER: u32 = 2;
const SHORTER: u32 = 4;

pub(super) struct Consumer<'a> {
    config: &'a PopsConfig,
    book: &'a RefCell<Book>,
    stopped: watch::Receiver<bool>,
    /// Acknowledgements nobody answered; their messages may be somebody's by now.
    unanswered: Vec<Held>,
    /// When it gives up, once it is stopped.
    deadline: Option<Instant>,
}

impl<'a> Consumer<'a> {
    pub(super) fn new(
        config: &'a PopsConfig,
        book: &'a RefCell<Book>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            config,
            book,
            stopped,
            unanswered: Vec::new(),
            deadline: None,
        }
    }

    /// Goes on until it is stopped and nothing comes any more.
    pub(super) async fn run(&mut self) {
        loop {
            let opened = PopConsumer::open(&self.config.target, &self.config.group).await;
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

    /// Until nothing comes any more.
    async fn serve(&mut self, broker: &mut PopConsumer) -> Result<()> {
        let again = std::mem::take(&mut self.unanswered);
        self.acknowledge_each(broker, again).await?;
        loop {
            let is_stopping = self.is_stopping();
            let hold_ms = self.config.hold_ms;
            let poll_ms = if is_stopping {
                hold_ms.saturating_mul(LONGER).saturating_add(LATENESS_MS)
            } else {
                POLL_MS
            };
            let invoked_ns = clock::now();
            let popped = broker.pop(MESSAGES_MAX, hold_ms, poll_ms).await?;
            if is_stopping && (popped.is_empty() || self.is_too_late()) {
                return Ok(());
            }
            // All of them first: they are this consumer's whatever becomes of the connection.
            let enter = |popped| {
                let mut book = self.book.borrow_mut();
                book.handed_out(popped, hold_ms, invoked_ns)
            };
            let held: Vec<Held> = popped.into_iter().map(enter).collect();
            self.consume(broker, held).await?;
        }
    }

    async fn consume(&mut self, broker: &mut PopConsumer, all: Vec<Held>) -> Result<()> {
        let mut together: Vec<Held> = Vec::new();
        let hold_ms = self.config.hold_ms;
        for mut held in all {
            match Plan::of(held.popped.id, held.popped.attempt) {
                Plan::Acknowledge => self.acknowledge_each(broker, vec![held]).await?,
                Plan::AcknowledgeTogether => together.push(held),
                Plan::Keep => {
                    self.extend(broker, &mut held, hold_ms.saturating_mul(LONGER))
                        .await?;
                    self.acknowledge_each(broker, vec![held]).await?;
                }
                Plan::Leave => {}
                Plan::LeaveSoon => self.extend(broker, &mut held, hold_ms / SHORTER).await?,
            }
        }
        together.sort_by_key(|held| held.popped.queue);
        for of_queue in together.chunk_by(|one, next| one.popped.queue == next.popped.queue) {
            self.acknowledge_together(broker, of_queue).await?;
        }
        Ok(())
    }

    /// Acknowledges one by one; what is not answered is left for another connection.
    async fn acknowledge_each(&mut self, broker: &mut PopConsumer, held: Vec<Held>) -> Result<()> {
        let mut left = held.into_iter();
        while let Some(held) = left.next() {
            let invoked_ns = clock::now();
            let answer = broker.ack(&held.popped).await;
            let outcome = match &answer {
                Ok(true) => Outcome::Stored,
                Ok(false) => Outcome::Failed,
                Err(_) => Outcome::Unknown,
            };
            self.enter(LeaseStep::Acknowledged, outcome, &held, 0, invoked_ns);
            if let Err(error) = answer {
                self.unanswered.push(held);
                self.unanswered.extend(left);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn acknowledge_together(
        &mut self,
        broker: &mut PopConsumer,
        of_queue: &[Held],
    ) -> Result<()> {
        let invoked_ns = clock::now();
        let popped: Vec<_> = of_queue.iter().map(|held| &held.popped).collect();
        let answer = broker.batch_ack(&popped).await;
        let now = clock::now();
        for held in of_queue {
            let outcome = match &answer {
                Ok(()) if now < held.until_ns => Outcome::Stored,
                // A receipt that is no good any more is passed over without a word.
                Ok(()) | Err(_) => Outcome::Unknown,
            };
            self.enter(LeaseStep::Acknowledged, outcome, held, 0, invoked_ns);
            if answer.is_err() {
                self.unanswered.push(held.clone());
            }
        }
        answer
    }

    async fn extend(
        &mut self,
        broker: &mut PopConsumer,
        held: &mut Held,
        hold_ms: u32,
    ) -> Result<()> {
        let invoked_ns = clock::now();
        let answer = broker.extend(&mut held.popped, hold_ms).await;
        let outcome = match &answer {
            Ok(true) => Outcome::Stored,
            Ok(false) => Outcome::Failed,
            Err(_) => Outcome::Unknown,
        };
        self.enter(LeaseStep::Extended, outcome, held, hold_ms, invoked_ns);
        answer.map(|_| ())
    }

    fn enter(&self, step: LeaseStep, outcome: Outcome, held: &Held, hold_ms: u32, asked_ns: u64) {
        let mut book = self.book.borrow_mut();
        book.enter(step, outcome, held, hold_ms, asked_ns);
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
