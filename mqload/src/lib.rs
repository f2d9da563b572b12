//! An open-loop load with a ledger, and the checker of what a broker kept.
//!
//! A [`Load`] sends numbered messages on schedule and writes down what each was answered; a
//! [`Drain`] reads back what is there, through the same or another protocol; [`check()`] holds one
//! against the other. Any broker of the Kafka or the RocketMQ protocol can be loaded.
//!
//! It knows the protocols and nothing of Gantry: what it finds, it finds as a client.

mod check;
pub mod clock;

mod body;
mod commits;
mod delay;
mod drain;
mod follow;
mod frame;
mod kafka;
mod ledger;
mod load;
mod pops;
mod retries;
mod rocketmq;
mod seen;
mod target;
mod transactions;

pub use body::{BODY_BYTES_MIN, MessageId};
pub use check::{Finding, Promise, Report, awaited, check};
pub use commits::{Commits, committed};
pub use delay::Delay;
pub use drain::Drain;
pub use follow::{Follow, Lateness};
pub use ledger::{
    Commit, CommitStep, Decision, Ending, Entry, Heading, Lease, LeaseStep, Ledger, Outcome, Retry,
    RetryStep, Sink,
};
pub use load::{Acks, Figures, Finished, Load, LoadConfig, Quantiles};
pub use pops::{Pops, PopsConfig, dead_letter_topic};
pub use retries::{Retries, RetriesConfig};
pub use seen::{Extent, Seen, SeenMessage};
pub use target::{Protocol, Target};
pub use transactions::{Transactions, TransactionsConfig};

use anyhow::{Result, bail};
use tokio::runtime::{Builder, Runtime};

/// Creates the target's topic with one replica. Asked again it does nothing.
///
/// # Errors
/// The broker cannot be reached or refuses.
pub fn create_topic(target: &Target) -> Result<()> {
    alone()?.block_on(async {
        match target.protocol {
            Protocol::Kafka => kafka::create_topic(target).await,
            Protocol::Rocketmq => rocketmq::create_topic(target).await,
        }
    })
}

/// Deletes the target's topic, through Kafka's protocol alone.
///
/// # Errors
/// The broker cannot be reached or refuses.
pub fn delete_topic(target: &Target) -> Result<()> {
    alone()?.block_on(async {
        match target.protocol {
            Protocol::Kafka => kafka::delete_topic(target).await,
            Protocol::Rocketmq => bail!("topics are deleted through Kafka's protocol"),
        }
    })
}

/// A runtime of the thread that blocks on it.
fn alone() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
