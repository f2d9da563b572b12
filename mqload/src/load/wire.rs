//! One protocol or the other.

use super::{Acks, Flight, LoadConfig, Settled};
use crate::body::Bodies;
use crate::frame::connect;
use crate::kafka::{self, ProducerIdentity, Producing};
use crate::rocketmq::{self, Sending};
use crate::target::{Protocol, Target};
use anyhow::Result;
use bytes::BytesMut;
use tokio::net::TcpStream;

/// How requests and answers look on a connection.
#[derive(Debug)]
pub(super) enum Wire {
    Kafka(Producing),
    Rocketmq(Sending),
}

impl Wire {
    pub(super) fn new(config: &LoadConfig, identity: ProducerIdentity) -> Self {
        let topic = config.target.topic.clone();
        match config.target.protocol {
            Protocol::Kafka => Self::Kafka(Producing {
                topic,
                acks: match config.acks {
                    Acks::All => -1,
                    Acks::Leader => 1,
                },
                identity,
            }),
            Protocol::Rocketmq => Self::Rocketmq(Sending {
                topic,
                delay: config.delay,
            }),
        }
    }

    /// Appends the request of `flight` and notes its bodies' checksums.
    pub(super) fn put(&self, flight: &mut Flight, bodies: &Bodies, out: &mut BytesMut) {
        let mut crcs = std::mem::take(&mut flight.crcs);
        crcs.clear();
        match self {
            Self::Kafka(producing) => producing.put(flight, bodies, out, &mut crcs),
            Self::Rocketmq(sending) => sending.put(flight, bodies, out, &mut crcs),
        }
        flight.crcs = crcs;
    }

    /// Takes an answer off the front of `input`.
    pub(super) fn take(&self, input: &mut BytesMut) -> Result<Option<Settled>> {
        match self {
            Self::Kafka(_) => Producing::take(input),
            Self::Rocketmq(_) => Sending::take(input),
        }
    }
}

/// The way to a topic's broker, as it was last known.
#[derive(Debug, Default)]
pub(super) struct Route {
    known: Option<String>,
}

impl Route {
    /// A connection to the topic's broker and its address. One that nobody tells is looked for
    /// where it was.
    pub(super) async fn connect(&mut self, target: &Target) -> Result<(TcpStream, String)> {
        let asked = match target.protocol {
            Protocol::Kafka => kafka::leader(target).await,
            Protocol::Rocketmq => rocketmq::broker(&target.address).await,
        };
        let address = match (asked, self.known.take()) {
            (Ok(told), _) => told,
            (Err(_), Some(known)) => known,
            (Err(error), None) => return Err(error),
        };
        let connected = connect(&address).await;
        self.known = Some(address.clone());
        Ok((connected?, address))
    }
}
