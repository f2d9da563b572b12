//! One producer: a transaction at a time, and whatever the broker asks in between.

use super::TransactionsConfig;
use super::book::Book;
use super::plan::{Plan, Told};
use crate::body::{Bodies, MessageId};
use crate::clock;
use crate::ledger::{Ending, Entry, Outcome};
use crate::rocketmq::{Half, TransactionProducer};
use anyhow::Result;
use bytes::BytesMut;
use std::cell::RefCell;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// After a connection failed.
const PAUSE: Duration = Duration::from_millis(20);
/// As stock clients have it by default.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);
/// Between two looks at whether the load is over.
const GLANCE: Duration = Duration::from_millis(50);

pub(super) struct Producer<'a> {
    config: &'a TransactionsConfig,
    number: u32,
    bodies: &'a Bodies,
    book: &'a RefCell<Book>,
    stopped: watch::Receiver<bool>,
    /// Messages ever sent.
    sent: u64,
    /// When the broker is no longer waited for, once it is stopped.
    deadline: Option<Instant>,
}

impl<'a> Producer<'a> {
    pub(super) fn new(
        config: &'a TransactionsConfig,
        place: u32,
        bodies: &'a Bodies,
        book: &'a RefCell<Book>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            config,
            number: config.first_producer.wrapping_add(place),
            bodies,
            book,
            stopped,
            sent: 0,
            deadline: None,
        }
    }

    /// Goes on until it is stopped and the broker knows all, or does not in time.
    pub(super) async fn run(&mut self) {
        while !self.is_over() {
            let client_id = format!("127.0.0.1@mqload-{}", self.number);
            let opened =
                TransactionProducer::open(&self.config.target, &self.config.group, client_id);
            // The broker may be down for a while.
            if let Ok(mut broker) = opened.await
                && self.serve(&mut broker).await.is_ok()
            {
                break;
            }
            sleep(PAUSE).await;
        }
    }

    async fn serve(&mut self, broker: &mut TransactionProducer) -> Result<()> {
        let mut due = Instant::now();
        let mut beat = due + HEARTBEAT_INTERVAL;
        while !self.is_over() {
            if beat <= Instant::now() {
                broker.beat().await?;
                beat = Instant::now() + HEARTBEAT_INTERVAL;
            }
            let wait = due.saturating_duration_since(Instant::now());
            if let Some(half) = broker.asked(wait).await? {
                self.answer(broker, &half).await?;
            } else if self.deadline.is_some() {
                due = Instant::now() + GLANCE;
            } else if due <= Instant::now() {
                due = Instant::now() + self.config.interval;
                self.transact(broker).await?;
            }
        }
        Ok(())
    }

    /// Sends a half message, and tells what becomes of it if that is not left to be asked for.
    async fn transact(&mut self, broker: &mut TransactionProducer) -> Result<()> {
        let id = MessageId {
            producer: self.number,
            sequence: self.sent,
        };
        self.sent += 1;
        let turn = id.sequence.wrapping_add(u64::from(self.number));
        let queue = u32::try_from(turn % u64::from(self.config.target.queues))?;
        let mut body = BytesMut::with_capacity(self.bodies.body_bytes());
        let crc = self.bodies.put(id, &mut body);
        let invoked_ns = clock::now();
        let sent = broker.send(id, queue, invoked_ns, &body).await;
        let outcome = match &sent {
            Ok(Some(_)) => Outcome::Stored,
            Ok(None) => Outcome::Failed,
            Err(_) => Outcome::Unknown,
        };
        self.book.borrow_mut().sent(&Entry {
            id,
            intended_ns: invoked_ns,
            invoked_ns,
            settled_ns: clock::now(),
            outcome,
            attempts: 1,
            queue,
            offset: -1,
            crc,
        });
        match (sent?, Plan::of(id).told) {
            (Some(half), Told::OneWay) => self.end(broker, &half, false, false).await,
            (Some(half), Told::Answered) => self.end(broker, &half, true, false).await,
            (Some(_), Told::Asked | Told::AskedAgain) | (None, _) => Ok(()),
        }
    }

    /// Answers a question, half of them as stock clients do.
    async fn answer(&mut self, broker: &mut TransactionProducer, half: &Half) -> Result<()> {
        self.book.borrow_mut().disturbed();
        let told = Plan::of(half.id).told;
        if told == Told::AskedAgain && self.book.borrow_mut().put_off(half.id) {
            return broker.tell(half, None, true).await;
        }
        let is_answered = half.id.sequence.is_multiple_of(2);
        self.end(broker, half, is_answered, true).await
    }

    async fn end(
        &mut self,
        broker: &mut TransactionProducer,
        half: &Half,
        is_answered: bool,
        is_asked: bool,
    ) -> Result<()> {
        let decision = Plan::of(half.id).decision;
        let invoked_ns = clock::now();
        let told = if is_answered {
            broker.end(half, decision, is_asked).await.map(Some)
        } else {
            broker
                .tell(half, Some(decision), is_asked)
                .await
                .map(|()| None)
        };
        let outcome = match &told {
            Ok(Some(true)) => Outcome::Stored,
            Ok(Some(false)) => Outcome::Failed,
            Ok(None) | Err(_) => Outcome::Unknown,
        };
        self.book.borrow_mut().told(&Ending {
            id: half.id,
            decision,
            is_asked,
            outcome,
            invoked_ns,
            settled_ns: clock::now(),
        });
        told.map(|_| ())
    }

    /// Whether it is stopped and there is nothing to wait for.
    fn is_over(&mut self) -> bool {
        if self.deadline.is_none() && *self.stopped.borrow() {
            self.book.borrow_mut().disturbed();
            self.deadline = Some(Instant::now() + self.config.patience);
        }
        self.deadline.is_some_and(|deadline| {
            let left = self.book.borrow().until_quiet(self.config.quiet);
            left.is_zero() || Instant::now() > deadline
        })
    }
}
