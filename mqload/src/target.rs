//! What is loaded: a topic of a broker, through one of its protocols.

/// The language the broker is spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Protocol {
    /// Kafka's.
    Kafka,
    /// RocketMQ's remoting.
    Rocketmq,
}

impl Protocol {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Kafka => 1,
            Self::Rocketmq => 2,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Kafka),
            2 => Some(Self::Rocketmq),
            _ => None,
        }
    }
}

/// A topic and how to come to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The language.
    pub protocol: Protocol,
    /// `host:port` of a Kafka broker, or of RocketMQ's NameServer. Where the topic's own broker
    /// is, is asked there at each connect; one broker has all its queues.
    pub address: String,
    /// The topic.
    pub topic: String,
    /// Its queues (partitions): those from 0 on are used.
    pub queues: u32,
}

impl Target {
    /// The queues as the wire numbers them.
    pub(crate) fn queue_numbers(&self) -> std::ops::Range<u32> {
        0..self.queues
    }
}
