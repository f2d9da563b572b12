//! Transactions: ended at once, when the broker asks, or when it asks again.

use super::traffic::{Addresses, Pace};
use anyhow::Result;
use mqload::{Protocol, Sink, Transactions, TransactionsConfig};
use std::time::Duration;

/// The topic of committed messages, and who commits.
pub(crate) const TRANSACTIONS: &str = "transactions";
const PRODUCERS: &str = "transaction-producers";
/// What the broker is set to, so that it asks soon for what it does not know.
pub(crate) const SETTINGS: [&str; 2] = [
    "transactions.timeout_ms=200",
    "transactions.check_interval_ms=150",
];
/// More than a round of questions and the age of what it asks for.
const QUIET: Duration = Duration::from_millis(1_000);
/// How long the broker may take to be quiet.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections, and of every so many messages of a load one transaction.
const CONNECTIONS: u32 = 4;
const MESSAGES_A_TRANSACTION: u32 = 3;

/// Starts the load, with producers of its own from `first_producer` on.
pub(crate) fn start(
    addresses: &Addresses,
    pace: Pace,
    first_producer: u32,
) -> Result<Transactions> {
    let target = addresses.target(Protocol::Rocketmq, TRANSACTIONS);
    let rate = u32::try_from(pace.rate)?.max(1);
    let config = TransactionsConfig {
        producers: CONNECTIONS,
        first_producer,
        interval: Duration::from_secs(1) * CONNECTIONS * MESSAGES_A_TRANSACTION / rate,
        body_bytes: pace.body_bytes,
        quiet: QUIET,
        patience: PATIENCE,
        ..TransactionsConfig::new(target, PRODUCERS)
    };
    Transactions::start(config, Sink::Memory)
}
