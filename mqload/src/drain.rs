//! Everything of a topic, read through one protocol.

use crate::frame::PATIENCE;
use crate::seen::Seen;
use crate::target::{Protocol, Target};
use crate::{clock, kafka, rocketmq};
use anyhow::Result;
use futures_util::future::try_join_all;

/// Reads topics.
#[derive(Clone, Copy, Debug)]
pub struct Drain;

impl Drain {
    /// Reads each queue of `target` from its start to what was its end when it was asked. What
    /// the broker says is there and does not give is left out, for the checker to miss.
    ///
    /// # Errors
    /// The broker cannot be reached, refuses, or gives what is damaged on the way.
    pub fn read_all(target: &Target) -> Result<Seen> {
        crate::alone()?.block_on(read_all(target))
    }
}

async fn read_all(target: &Target) -> Result<Seen> {
    let began_ns = clock::now();
    let queues = match target.protocol {
        Protocol::Kafka => {
            let leader = kafka::leader(target).await?;
            let read = |queue| kafka::read_queue(&leader, &target.topic, queue);
            try_join_all(target.queue_numbers().map(read)).await?
        }
        Protocol::Rocketmq => {
            let broker = rocketmq::broker(&target.address).await?;
            let read = |queue| rocketmq::read_queue(&broker, &target.topic, queue);
            try_join_all(target.queue_numbers().map(read)).await?
        }
    };
    let (extents, messages): (Vec<_>, Vec<_>) = queues.into_iter().unzip();
    Ok(Seen {
        topic: target.topic.clone(),
        protocol: target.protocol,
        began_ns,
        extents,
        messages: messages.into_iter().flatten().collect(),
    })
}

/// How long a queue has given nothing though it should have.
#[derive(Debug)]
pub(crate) struct Stalled {
    since_ns: u64,
}

impl Default for Stalled {
    fn default() -> Self {
        Self {
            since_ns: clock::now(),
        }
    }
}

impl Stalled {
    pub(crate) fn is_for_long(&self) -> bool {
        clock::now().saturating_sub(self.since_ns) > clock::length(PATIENCE)
    }
}
