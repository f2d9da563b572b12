//! Consumption message by message: what is popped, and what is sent back to come again.

use super::traffic::{Addresses, Pace};
use anyhow::Result;
use mqload::{
    Drain, Ledger, Load, LoadConfig, Pops, PopsConfig, Protocol, Retries, RetriesConfig, Seen,
    Sink, Target, create_topic, dead_letter_topic,
};
use std::time::Duration;

/// The topic that is popped, and who pops.
pub(crate) const LEASED: &str = "leased";
const POPPERS: &str = "poppers";
/// The topic of which messages are sent back, and who sends them back.
pub(crate) const RETRIED: &str = "retried";
const RETRIERS: &str = "retriers";
/// What the broker is set to, so that it forgets little.
pub(crate) const SETTINGS: [&str; 1] = ["leases.persist_interval_ms=50"];
/// How long before a kill what is said of leases may be forgotten: the interval, and a machine
/// that has much to do.
pub(crate) const LEASES_WINDOW: Duration = Duration::from_millis(300);
/// Of every so many messages of a load one is popped, and one consumed by who sends back.
const MESSAGES_A_DELIVERY: u64 = 5;

/// The consumers, and who sends to them.
#[derive(Debug)]
pub(crate) struct Deliveries {
    leased: Load,
    pops: Pops,
    retried: Load,
    retries: Retries,
}

/// What was given up.
pub(crate) fn dead_letters(addresses: &Addresses) -> Result<Vec<Seen>> {
    let topics = dead_letter_topics(addresses);
    topics.iter().map(Drain::read_all).collect()
}

fn dead_letter_topics(addresses: &Addresses) -> [Target; 2] {
    [POPPERS, RETRIERS].map(|group| Target {
        queues: 1,
        ..addresses.target(Protocol::Rocketmq, &dead_letter_topic(group))
    })
}

impl Deliveries {
    /// Starts them, with producers of their own from `first_producer` on.
    pub(crate) fn start(addresses: &Addresses, pace: Pace, first_producer: u32) -> Result<Self> {
        dead_letter_topics(addresses)
            .iter()
            .try_for_each(create_topic)?;
        let deliver = |topic| {
            let target = addresses.target(Protocol::Rocketmq, topic);
            let config = LoadConfig {
                first_producer,
                rate: (pace.rate / MESSAGES_A_DELIVERY).max(1),
                body_bytes: pace.body_bytes,
                ..LoadConfig::new(target.clone())
            };
            (target, config)
        };
        let (target, leased) = deliver(LEASED);
        let pops = Pops::start(PopsConfig::new(target, POPPERS), Sink::Memory)?;
        // It begins at the end of what is there.
        let (target, retried) = deliver(RETRIED);
        let retries = Retries::start(RetriesConfig::new(target, RETRIERS), Sink::Memory)?;
        Ok(Self {
            leased: Load::start(leased, Sink::Memory)?,
            pops,
            retried: Load::start(retried, Sink::Memory)?,
            retries,
        })
    }

    /// Ends them, when nothing is delivered any more; what was written down.
    pub(crate) fn stop(self) -> Result<[Ledger; 4]> {
        let (leased, retried) = (self.leased.stop()?.ledger, self.retried.stop()?.ledger);
        Ok([leased, retried, self.pops.stop()?, self.retries.stop()?])
    }
}
