//! RocketMQ's remoting protocol as a client.

mod connection;
mod follow;
mod offsets;
mod pop;
mod pull;
mod retry;
mod send;
mod transactions;

pub(crate) use connection::{broker, create_topic};
pub(crate) use follow::{follow_queue, queue_end};
pub(crate) use offsets::Committer;
pub(crate) use pop::{PopConsumer, Popped, create_group};
pub(crate) use pull::read_queue;
pub(crate) use retry::{Pulled, RetryConsumer};
pub(crate) use send::Sending;
pub(crate) use transactions::{Half, TransactionProducer};

/// The group of our producers and drains.
const GROUP: &str = "mqload";
