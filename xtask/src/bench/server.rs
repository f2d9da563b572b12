//! A server under measurement.

use super::peer::{Original, kafka};
use super::workload::QUEUES;
use super::{Peer, workload::Protocol};
use anyhow::{Context as _, Result, bail};
use compat_tests::gantry::Gantry;
use compat_tests::rabbitmq_broker::RabbitmqBroker;
use compat_tests::remoting::ask;
use compat_tests::rocketmq_broker::RocketmqBroker;

/// RocketMQ's `GET_MAX_OFFSET`.
const MAX_OFFSET: u32 = 30;

/// A running server; it ends when dropped.
pub(crate) enum Server {
    /// Ours.
    Gantry(Gantry),
    /// Apache Kafka.
    Original(Original),
    /// Apache RocketMQ.
    Rocketmq(RocketmqBroker),
    /// RabbitMQ.
    Rabbitmq(RabbitmqBroker),
}

impl Server {
    /// Starts ours, as it is shipped.
    pub(crate) fn gantry() -> Result<Self> {
        Ok(Self::Gantry(Gantry::start_as_shipped(&[])?))
    }

    /// Starts an original.
    pub(crate) fn peer(peer: Peer) -> Result<Self> {
        Ok(match peer {
            Peer::Kafka => Self::Original(kafka::start()?),
            Peer::Rocketmq => Self::Rocketmq(RocketmqBroker::start_as_shipped()?),
            Peer::Rabbitmq => Self::Rabbitmq(RabbitmqBroker::start(&[])?),
        })
    }

    /// What the figures call it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Gantry(_) => "gantry",
            Self::Original(original) => original.name,
            Self::Rocketmq(_) => "rocketmq",
            Self::Rabbitmq(_) => "rabbitmq",
        }
    }

    /// The process whose CPU time and memory count.
    pub(crate) fn pid(&self) -> Result<u32> {
        match self {
            Self::Gantry(gantry) => gantry.pid(),
            Self::Original(original) => Ok(original.pid()),
            Self::Rocketmq(broker) => Ok(broker.pid()),
            Self::Rabbitmq(broker) => Ok(broker.pid()),
        }
    }

    /// Whether clients of this protocol can use it.
    pub(crate) fn speaks(&self, protocol: Protocol) -> bool {
        self.address(protocol).is_ok()
    }

    /// Where clients of this protocol begin.
    pub(crate) fn address(&self, protocol: Protocol) -> Result<String> {
        match (self, protocol) {
            (Self::Gantry(gantry), Protocol::Kafka) => gantry.kafka(),
            (Self::Gantry(gantry), Protocol::Rocketmq) => gantry.namesrv(),
            (Self::Gantry(gantry), Protocol::Amqp) => gantry.endpoint("amqp"),
            (Self::Rocketmq(broker), Protocol::Rocketmq) => Ok(broker.namesrv()),
            (Self::Rabbitmq(broker), Protocol::Amqp) => Ok(broker.address()),
            (Self::Rocketmq(_) | Self::Rabbitmq(_), _) => bail!("another protocol"),
            (Self::Original(original), wanted) => {
                let same = original.protocol == wanted;
                same.then(|| original.address.clone())
                    .context("another protocol")
            }
        }
    }

    /// Messages ever stored in the queues of a topic that RocketMQ's tools use.
    pub(crate) fn messages_of(&self, topic: &str) -> Result<u64> {
        let broker = match self {
            Self::Gantry(gantry) => gantry.endpoint("remoting")?,
            Self::Rocketmq(broker) => broker.address(),
            Self::Original(_) | Self::Rabbitmq(_) => bail!("another protocol"),
        };
        let mut messages = 0;
        for queue in 0..QUEUES {
            let fields = [("topic", topic), ("queueId", &queue.to_string())];
            let answer = ask(&broker, MAX_OFFSET, &fields)?;
            let offset = answer.field("offset");
            let offset = offset.with_context(|| format!("no offset of {topic}: {answer:?}"))?;
            messages += offset.parse::<u64>()?;
        }
        Ok(messages)
    }
}
