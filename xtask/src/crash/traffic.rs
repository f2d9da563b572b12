//! Loads of both protocols that outlive the server, and what they were promised.

use super::deliveries::{Deliveries, LEASED, LEASES_WINDOW, RETRIED, dead_letters};
use super::transactions::{self, TRANSACTIONS};
use anyhow::{Context as _, Result, bail, ensure};
use compat_tests::gantry::Gantry;
use compat_tests::process::now;
use mqload::{
    Commits, Delay, Drain, Finished, Ledger, Load, LoadConfig, Promise, Protocol, Report, Seen,
    Sink, Target, Transactions, awaited, check, clock, committed,
};
use std::thread;
use std::time::Duration;

/// Queues of every topic.
const QUEUES: u32 = 2;
/// How long the server may take to acknowledge anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at what is acknowledged.
const GLANCE: Duration = Duration::from_millis(1);
/// Between two looks at what is in a topic.
const LOOK: Duration = Duration::from_millis(50);
/// Between two commits of a group.
const COMMIT_INTERVAL: Duration = Duration::from_millis(10);
/// How long the broker holds back what is delayed.
const DELAY_MS: u32 = 300;
const DELAYED: &str = "delayed";
/// The topic whose groups commit.
const SHARED: &str = "shared";
/// Producer numbers of one load, and of all loads started together.
const NUMBERS: (u32, u32) = (10, 1_000);
/// Behind the places of all kinds of loads.
const BESIDES_PLACE: u32 = 10;
/// Starts of the loads of ledgers that came from elsewhere, at most.
const STARTS_BEFORE: u32 = 1_000;
const PROTOCOLS: [Protocol; 2] = [Protocol::Kafka, Protocol::Rocketmq];

/// One load.
#[derive(Clone, Copy)]
struct Kind {
    topic: &'static str,
    protocol: Protocol,
    batch: u32,
    is_idempotent: bool,
    delay_ms: u32,
}

const fn kind(topic: &'static str, protocol: Protocol, batch: u32, is_idempotent: bool) -> Kind {
    Kind {
        topic,
        protocol,
        batch,
        is_idempotent,
        delay_ms: 0,
    }
}

const KINDS: [Kind; 7] = [
    kind("kafka-idempotent", Protocol::Kafka, 5, true),
    kind("kafka-plain", Protocol::Kafka, 3, false),
    kind("rocketmq-single", Protocol::Rocketmq, 1, false),
    kind("rocketmq-batch", Protocol::Rocketmq, 10, false),
    Kind {
        delay_ms: DELAY_MS,
        ..kind(DELAYED, Protocol::Rocketmq, 1, false)
    },
    kind(SHARED, Protocol::Kafka, 5, true),
    kind(SHARED, Protocol::Rocketmq, 1, false),
];

/// How much each load sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Messages a second.
    pub(crate) rate: u64,
    /// Bytes of a body.
    pub(crate) body_bytes: usize,
}

/// What there is besides loads and committers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Besides {
    Nothing,
    Transactions,
    /// These, and consumption message by message.
    Deliveries,
}

/// Where clients begin.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    kafka: String,
    namesrv: String,
}

impl Addresses {
    pub(crate) fn of(gantry: &Gantry) -> Result<Self> {
        Ok(Self {
            kafka: gantry.kafka()?,
            namesrv: gantry.namesrv()?,
        })
    }

    /// A topic through one protocol.
    pub(crate) fn target(&self, protocol: Protocol, topic: &str) -> Target {
        let address = match protocol {
            Protocol::Kafka => &self.kafka,
            Protocol::Rocketmq => &self.namesrv,
        };
        Target {
            protocol,
            address: address.clone(),
            topic: topic.to_owned(),
            queues: QUEUES,
        }
    }

    /// Every checked topic as both protocols give it.
    pub(crate) fn drained(&self) -> Result<Vec<Seen>> {
        let mut seen = Vec::new();
        for topic in TOPICS {
            for protocol in PROTOCOLS {
                let target = self.target(protocol, topic);
                let drained = Drain::read_all(&target);
                seen.push(drained.with_context(|| format!("{topic} through {protocol:?}"))?);
            }
        }
        Ok(seen)
    }

    /// Adds to the committers' ledgers what their groups have committed now.
    pub(crate) fn look(&self, ledgers: &mut [Ledger]) -> Result<()> {
        for protocol in PROTOCOLS {
            let group = group(protocol);
            let of_group = |ledger: &&mut Ledger| ledger.heading.group == group;
            for ledger in ledgers.iter_mut().filter(of_group) {
                let target = self.target(protocol, SHARED);
                ledger.commits.extend(committed(&target, group)?);
            }
        }
        Ok(())
    }
}

/// The checked topics.
pub(crate) const TOPICS: [&str; 9] = [
    "kafka-idempotent",
    "kafka-plain",
    "rocketmq-single",
    "rocketmq-batch",
    DELAYED,
    SHARED,
    TRANSACTIONS,
    LEASED,
    RETRIED,
];
/// Those of them to which messages come later than they are acknowledged.
const AWAITED: [&str; 2] = [DELAYED, TRANSACTIONS];

/// The group that commits through `protocol`.
const fn group(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Kafka => "kafka-committer",
        Protocol::Rocketmq => "rocketmq-committer",
    }
}

/// The loads, the committers, and what they wrote down.
#[derive(Debug)]
pub(crate) struct Traffic {
    addresses: Addresses,
    pace: Pace,
    loads: Vec<Load>,
    commits: Vec<Commits>,
    besides: Besides,
    transactions: Option<Transactions>,
    deliveries: Option<Deliveries>,
    /// Of the loads that were started before.
    ledgers: Vec<Ledger>,
    /// What was there when it was last looked.
    seen: Vec<Seen>,
    /// When the server was killed.
    kills_ns: Vec<u64>,
    starts: u32,
}

impl Traffic {
    /// Starts loads and committers into topics that are there.
    pub(crate) fn start(gantry: &Gantry, pace: Pace) -> Result<Self> {
        Self::new(gantry, pace)?.started()
    }

    /// Starts loads, committers and what there is `besides` into topics that are there.
    pub(crate) fn start_with(gantry: &Gantry, pace: Pace, besides: Besides) -> Result<Self> {
        let traffic = Self {
            besides,
            ..Self::new(gantry, pace)?
        };
        traffic.started()
    }

    fn started(mut self) -> Result<Self> {
        for protocol in PROTOCOLS {
            let target = self.addresses.target(protocol, SHARED);
            let commits = Commits::start(target, group(protocol), COMMIT_INTERVAL, Sink::Memory);
            self.commits.push(commits?);
        }
        self.go_on()?;
        Ok(self)
    }

    /// Starts loads without committers behind what `ledgers` tell and `seen` has.
    pub(crate) fn start_after(
        gantry: &Gantry,
        pace: Pace,
        ledgers: Vec<Ledger>,
        seen: Vec<Seen>,
    ) -> Result<Self> {
        let mut traffic = Self {
            ledgers,
            seen,
            starts: STARTS_BEFORE,
            ..Self::new(gantry, pace)?
        };
        traffic.go_on()?;
        Ok(traffic)
    }

    fn new(gantry: &Gantry, pace: Pace) -> Result<Self> {
        Ok(Self {
            addresses: Addresses::of(gantry)?,
            pace,
            loads: Vec::new(),
            commits: Vec::new(),
            besides: Besides::Nothing,
            transactions: None,
            deliveries: None,
            ledgers: Vec::new(),
            seen: Vec::new(),
            kills_ns: Vec::new(),
            starts: 0,
        })
    }

    pub(crate) const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Starts the loads anew, with producers of their own.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        let first_producer = self.starts * NUMBERS.1;
        self.starts += 1;
        for (kind, place) in KINDS.iter().zip(0..) {
            let config = LoadConfig {
                producers: 2,
                first_producer: first_producer + place * NUMBERS.0,
                rate: self.pace.rate,
                batch: kind.batch,
                is_idempotent: kind.is_idempotent,
                delay: Delay::of(kind.delay_ms),
                body_bytes: self.pace.body_bytes,
                ..LoadConfig::new(self.addresses.target(kind.protocol, kind.topic))
            };
            self.loads.push(Load::start(config, Sink::Memory)?);
        }
        let first_producer = first_producer + BESIDES_PLACE * NUMBERS.0;
        let (addresses, pace) = (&self.addresses, self.pace);
        if self.besides != Besides::Nothing {
            self.transactions = Some(transactions::start(addresses, pace, first_producer)?);
        }
        if self.besides == Besides::Deliveries {
            self.deliveries = Some(Deliveries::start(addresses, pace, first_producer)?);
        }
        for load in &self.loads {
            load.wait_for(1, PATIENCE)?;
        }
        Ok(())
    }

    /// Notes that the server was killed just now.
    pub(crate) fn was_killed(&mut self) {
        self.kills_ns.push(clock::now());
    }

    /// Waits until anything more is acknowledged.
    pub(crate) fn wait_for_more(&self) -> Result<()> {
        let acknowledged = || self.loads.iter().map(Load::acknowledged).sum::<u64>();
        let (before, deadline) = (acknowledged(), now() + PATIENCE);
        while acknowledged() == before {
            ensure!(now() < deadline, "nothing is acknowledged any more");
            thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// Stops the loads and holds everything so far against what is there.
    pub(crate) fn check(&mut self) -> Result<Report> {
        self.stop_loads()?;
        self.wait_for_what_comes()?;
        let mut seen = self.addresses.drained()?;
        if self.besides == Besides::Deliveries {
            seen.extend(dead_letters(&self.addresses)?);
        }
        let now = seen.len();
        seen.append(&mut self.seen);
        let promise = Promise {
            cuts_ns: self.kills_ns.clone(),
            leases_ns: u64::try_from(LEASES_WINDOW.as_nanos())?,
            ..Promise::KEEPS_ALL
        };
        let report = check(&self.ledgers, &seen, &promise);
        seen.truncate(now);
        self.seen = seen;
        if !report.is_clean() {
            bail!("{report}");
        }
        Ok(report)
    }

    /// As [`Traffic::check`], the groups' offsets as well, and ends everything.
    pub(crate) fn finish(mut self) -> Result<Report> {
        self.stop_commits()?;
        self.addresses.look(&mut self.ledgers)?;
        self.check()
    }

    /// Ends everything; what was written down.
    pub(crate) fn into_ledgers(mut self) -> Result<Vec<Ledger>> {
        self.stop_loads()?;
        self.stop_commits()?;
        Ok(self.ledgers)
    }

    fn stop_commits(&mut self) -> Result<()> {
        for commits in self.commits.drain(..) {
            self.ledgers.push(commits.stop()?);
        }
        Ok(())
    }

    /// Waits for what was acknowledged and comes later.
    fn wait_for_what_comes(&self) -> Result<()> {
        for topic in AWAITED {
            let target = self.addresses.target(Protocol::Rocketmq, topic);
            // In the end nothing is awaited, but lost.
            while awaited(&self.ledgers, &Drain::read_all(&target)?) > 0 {
                thread::sleep(LOOK);
            }
        }
        Ok(())
    }

    fn stop_loads(&mut self) -> Result<()> {
        for load in self.loads.drain(..) {
            let Finished { ledger, .. } = load.stop()?;
            self.ledgers.push(ledger);
        }
        if let Some(deliveries) = self.deliveries.take() {
            self.ledgers.extend(deliveries.stop()?);
        }
        if let Some(transactions) = self.transactions.take() {
            self.ledgers.push(transactions.stop()?);
        }
        Ok(())
    }
}
