//! One connection that sends: what is due, as far as there is room in flight.

use super::book::Book;
use super::pace::{Schedule, Timer};
use super::wire::{Route, Wire};
use super::{Flight, LoadConfig, Settled, Verdict};
use crate::body::{Bodies, MessageId};
use crate::clock;
use crate::kafka::{self, ProducerIdentity};
use crate::ledger::Outcome;
use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, BytesMut};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Interval, interval, sleep};

const BACKOFF: Duration = Duration::from_millis(5);
const BACKOFF_MAX: Duration = Duration::from_millis(100);
/// Between two looks at what takes too long.
const GLANCE: Duration = Duration::from_millis(100);
/// Bytes that may wait for the socket before no more is sent.
const OUT_BYTES_MAX: usize = 4 << 20;
const INPUT_BYTES: usize = 64 << 10;

pub(super) struct Producer<'a> {
    config: &'a LoadConfig,
    number: u32,
    schedule: Schedule,
    bodies: &'a Bodies,
    book: &'a RefCell<Book>,
    stopped: watch::Receiver<bool>,
    timer: Timer,
    route: Route,
    identity: Option<ProducerIdentity>,
    /// By queue, the number of the next message as the broker counts.
    numbers: Vec<i32>,
    /// Requests ever made.
    requests: u64,
    correlation: i32,
    /// In the order they were last sent.
    flights: VecDeque<Flight>,
    backoff: Duration,
    /// When the answers are no longer waited for, once it is stopped.
    deadline_ns: Option<u64>,
}

/// A connection that is served.
struct Served {
    stream: TcpStream,
    wire: Wire,
    out: BytesMut,
    input: BytesMut,
    glance: Interval,
}

/// Why a connection is served no more.
enum End {
    /// All is settled, and there will be no more.
    Done,
    /// The broker counts otherwise: a new identity is needed.
    OutOfSequence,
}

impl<'a> Producer<'a> {
    pub(super) fn new(
        config: &'a LoadConfig,
        place: u32,
        start_ns: u64,
        bodies: &'a Bodies,
        book: &'a RefCell<Book>,
        stopped: watch::Receiver<bool>,
    ) -> Result<Self> {
        Ok(Self {
            config,
            number: config.first_producer.wrapping_add(place),
            schedule: Schedule::new(config, place, start_ns),
            bodies,
            book,
            stopped,
            timer: Timer::new()?,
            route: Route::default(),
            identity: None,
            numbers: vec![0; usize::try_from(config.target.queues)?],
            requests: 0,
            correlation: 0,
            flights: VecDeque::new(),
            backoff: BACKOFF,
            deadline_ns: None,
        })
    }

    /// Sends until it is stopped and all is answered, or not answered in time.
    pub(super) async fn run(&mut self) {
        loop {
            let ended = match self.connect().await {
                Ok(mut served) => self.serve(&mut served).await,
                Err(error) => Err(error),
            };
            match ended {
                Ok(End::Done) => break,
                Ok(End::OutOfSequence) => {
                    self.give_up();
                    self.identity = None;
                    self.numbers.fill(0);
                }
                Err(error) => self.book.borrow_mut().went_wrong(format!("{error:#}")),
            }
            if !self.config.is_idempotent {
                self.give_up();
            }
            if self.is_stopping() && (self.flights.is_empty() || self.is_too_late()) {
                break;
            }
            sleep(self.backoff).await;
            self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        }
        self.give_up();
        self.count_overdue();
    }

    async fn connect(&mut self) -> Result<Served> {
        let (stream, address) = self.route.connect(&self.config.target).await?;
        let identity = match self.identity {
            Some(identity) => identity,
            None if self.config.is_idempotent => kafka::producer_identity(&address).await?,
            None => ProducerIdentity::NONE,
        };
        self.identity = Some(identity);
        self.book.borrow_mut().connected();
        Ok(Served {
            stream,
            wire: Wire::new(self.config, identity),
            out: BytesMut::new(),
            input: BytesMut::with_capacity(INPUT_BYTES),
            glance: interval(GLANCE),
        })
    }

    async fn serve(&mut self, served: &mut Served) -> Result<End> {
        self.send_again(served);
        loop {
            let due = self.send_due(served);
            served.write()?;
            if self.is_stopping() && self.flights.is_empty() {
                return Ok(End::Done);
            }
            let interest = if served.out.is_empty() {
                Interest::READABLE
            } else {
                Interest::READABLE | Interest::WRITABLE
            };
            tokio::select! {
                ready = served.stream.ready(interest) => {
                    if ready?.is_readable() && self.receive(served)? {
                        return Ok(End::OutOfSequence);
                    }
                }
                () = wait(&self.timer, due, self.config.spin) => {}
                _ = served.glance.tick() => self.look()?,
            }
        }
    }

    /// Sends what is due and has room; when the next is due, if there is room for it.
    fn send_due(&mut self, served: &mut Served) -> Option<u64> {
        let room = usize::try_from(self.config.in_flight).unwrap_or(usize::MAX);
        while !self.is_stopping() && self.flights.len() < room && served.out.len() < OUT_BYTES_MAX {
            let now = clock::now();
            let due = self.schedule.due_ns(self.requests).unwrap_or(now);
            if due > now {
                return Some(due);
            }
            let flight = self.next_flight(due);
            self.launch(flight, served, now);
        }
        None
    }

    fn next_flight(&mut self, intended_ns: u64) -> Flight {
        let batch = self.config.batch;
        let queues = u64::from(self.config.target.queues);
        let turn = self.requests.wrapping_add(u64::from(self.number)) % queues;
        let queue = u32::try_from(turn).unwrap_or(0);
        let first = MessageId {
            producer: self.number,
            sequence: self.requests.wrapping_mul(u64::from(batch)),
        };
        self.requests += 1;
        Flight {
            first,
            count: batch,
            queue,
            numbered: self.number_of(queue, batch),
            intended_ns,
            ..Flight::default()
        }
    }

    /// The next number of `queue` as Kafka counts: after the highest comes 0.
    fn number_of(&mut self, queue: u32, batch: u32) -> i32 {
        let place = usize::try_from(queue).ok();
        let next = place.and_then(|place| self.numbers.get_mut(place));
        let Some(next) = next.filter(|_| self.config.is_idempotent) else {
            return -1;
        };
        let number = *next;
        let after = i64::from(number).wrapping_add(i64::from(batch)) % (1 << 31);
        *next = i32::try_from(after).unwrap_or(0);
        number
    }

    fn launch(&mut self, mut flight: Flight, served: &mut Served, now: u64) {
        self.correlation = self.correlation.wrapping_add(1);
        flight.correlation = self.correlation;
        flight.sent_ns = now;
        if flight.attempts == 0 {
            flight.invoked_ns = now;
        }
        flight.attempts = flight.attempts.saturating_add(1);
        served.wire.put(&mut flight, self.bodies, &mut served.out);
        self.book.borrow_mut().sent(&flight);
        self.flights.push_back(flight);
    }

    /// What the connection before left unanswered, in its order.
    fn send_again(&mut self, served: &mut Served) {
        let now = clock::now();
        for flight in std::mem::take(&mut self.flights) {
            self.launch(flight, served, now);
        }
    }

    /// Reads what is there; whether the broker counts otherwise.
    fn receive(&mut self, served: &mut Served) -> Result<bool> {
        let read = served.read();
        let now = clock::now();
        // Answers count that came before the end of the connection.
        while let Some(settled) = served.wire.take(&mut served.input)? {
            self.backoff = BACKOFF;
            if self.settle(settled, now)? {
                return Ok(true);
            }
        }
        read?;
        Ok(false)
    }

    fn settle(&mut self, settled: Settled, now: u64) -> Result<bool> {
        let Settled {
            correlation,
            verdict,
        } = settled;
        let mut flights = self.flights.iter();
        let place = flights.position(|flight| flight.correlation == correlation);
        let place = place.context("an answer to nothing")?;
        let is_idempotent = self.config.is_idempotent;
        if let (true, Verdict::Open { code } | Verdict::RefusedNow { code }) =
            (is_idempotent, verdict)
        {
            // All that is behind it may fail for it: everything once more, in order.
            bail!("error {code}");
        }
        let flight = self.flights.remove(place).context("it was there")?;
        // An attempt before this one may have been stored.
        let refused = if flight.attempts > 1 {
            Outcome::Unknown
        } else {
            Outcome::Failed
        };
        let mut book = self.book.borrow_mut();
        let (outcome, offset, code) = match verdict {
            Verdict::Stored { offset } => (Outcome::Stored, offset, 0),
            Verdict::Open { code } => (Outcome::Unknown, -1, code),
            Verdict::Refused { code }
            | Verdict::RefusedNow { code }
            | Verdict::OutOfSequence { code } => (refused, -1, code),
        };
        if code != 0 {
            book.went_wrong(format!("error {code}"));
        }
        book.settle(&flight, outcome, offset, now);
        // The number of what was refused is never used: the broker would wait for it.
        Ok(is_idempotent && outcome != Outcome::Stored)
    }

    /// Fails when an answer takes too long.
    fn look(&mut self) -> Result<()> {
        let sent = self.flights.iter().map(|flight| flight.sent_ns).min();
        let patience = clock::length(self.config.patience);
        let late = sent.is_some_and(|sent| clock::now().saturating_sub(sent) > patience);
        ensure!(!late, "no answer in time");
        ensure!(!self.is_too_late(), "no answer before the end");
        Ok(())
    }

    fn is_stopping(&mut self) -> bool {
        if self.deadline_ns.is_none() && *self.stopped.borrow() {
            let patience = clock::length(self.config.patience);
            self.deadline_ns = Some(clock::now().saturating_add(patience));
        }
        self.deadline_ns.is_some()
    }

    fn is_too_late(&self) -> bool {
        self.deadline_ns
            .is_some_and(|deadline| clock::now() > deadline)
    }

    /// Enters what is unanswered as of unknown fate.
    fn give_up(&mut self) {
        let now = clock::now();
        let mut book = self.book.borrow_mut();
        for flight in self.flights.drain(..) {
            book.settle(&flight, Outcome::Unknown, -1, now);
        }
    }

    /// Counts what the schedule wanted sent before the stop and was not.
    fn count_overdue(&mut self) {
        let patience = clock::length(self.config.patience);
        let stopped = self
            .deadline_ns
            .map(|deadline| deadline.saturating_sub(patience));
        let stopped = stopped.unwrap_or(0);
        let mut overdue = 0;
        while let Some(due) = self.schedule.due_ns(self.requests.saturating_add(overdue)) {
            if due > stopped {
                break;
            }
            overdue += 1;
        }
        let messages = overdue.saturating_mul(u64::from(self.config.batch));
        self.book.borrow_mut().overdue(messages);
    }
}

/// Waits for `due`, the last bit of it by turning; for ever when nothing is due.
async fn wait(timer: &Timer, due: Option<u64>, spin: Duration) {
    let Some(due) = due else {
        return std::future::pending().await;
    };
    timer
        .wait_until(due.saturating_sub(clock::length(spin)))
        .await;
    while clock::now() < due {
        tokio::task::yield_now().await;
    }
}

impl Served {
    /// Writes as much as the socket takes.
    fn write(&mut self) -> Result<()> {
        while !self.out.is_empty() {
            match self.stream.try_write(&self.out) {
                Ok(written) => self.out.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads all that is there.
    fn read(&mut self) -> Result<()> {
        loop {
            self.input.reserve(INPUT_BYTES);
            match self.stream.try_read_buf(&mut self.input) {
                Ok(0) => bail!("the broker closed the connection"),
                Ok(_) if self.input.len() < INPUT_BYTES => {}
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
