//! A server under measurement.

use super::peer::{Original, kafka, rocketmq};
use super::{Peer, workload::Protocol};
use anyhow::{Context as _, Result};
use compat_tests::gantry::Gantry;

/// A running server; it ends when dropped.
pub(crate) enum Server {
    /// Ours.
    Gantry(Gantry),
    /// The original of one protocol.
    Original(Original),
}

impl Server {
    /// Starts ours, as it is shipped.
    pub(crate) fn gantry() -> Result<Self> {
        Ok(Self::Gantry(Gantry::start(&[])?))
    }

    /// Starts an original.
    pub(crate) fn peer(peer: Peer) -> Result<Self> {
        Ok(Self::Original(match peer {
            Peer::Kafka => kafka::start()?,
            Peer::Rocketmq => rocketmq::start()?,
        }))
    }

    /// What the figures call it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Gantry(_) => "gantry",
            Self::Original(original) => original.name,
        }
    }

    /// The process whose CPU time and memory count.
    pub(crate) fn pid(&self) -> Result<u32> {
        match self {
            Self::Gantry(gantry) => gantry.pid(),
            Self::Original(original) => Ok(original.pid()),
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
            (Self::Original(original), wanted) => {
                let same = original.protocol == wanted;
                same.then(|| original.address.clone())
                    .context("another protocol")
            }
        }
    }
}
