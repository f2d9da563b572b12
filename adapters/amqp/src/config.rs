//! The endpoint's settings.

use crate::codec::FrameMax;
use crate::control::{LoginFrom, Mechanism, Offer, Profile, RABBITMQ_CAPABILITIES, Settings};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What operators may set; filled by the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the server calls itself. Some clients do for `RabbitMQ` what they do for no other.
    pub product: String,
    /// The version it says it has; `None` is its own.
    pub version: Option<String>,
    /// Most channels of a connection at a time.
    pub channels_max: u16,
    /// Longest frame.
    pub frame_bytes_max: u32,
    /// Interval of heartbeats that clients are offered, in seconds; 0 is none.
    pub heartbeat_s: u16,
    /// Most consumers of a channel.
    pub consumers_per_channel_max: usize,
    /// How long an acknowledgement may take, in milliseconds, where the queue does not say; 0 is for
    /// ever.
    pub consumer_timeout_ms: u64,
    /// Messages for one connection's consumers that are not written yet. One counts as many as it
    /// has begun to fill 4 KiB.
    pub undelivered_max: u32,
    /// Most messages that one transaction publishes.
    pub transaction_messages_max: usize,
    /// Most bytes of their bodies.
    pub transaction_bytes_max: usize,
    /// Which part of a client's certificate is the user's name, with the mechanism EXTERNAL.
    pub certificate_login_from: LoginFrom,
    /// From how much memory of the process on publishers wait.
    pub memory: Memory,
    /// Most users, permissions and topic permissions together.
    pub accounts_max: usize,
    /// Most policies and global parameters together.
    pub parameters_max: usize,
    /// Most bytes of one of them.
    pub parameter_bytes_max: usize,
    /// Most names of what is asked for without effect that are counted one by one.
    pub ignored_names_max: usize,
    /// Who may connect and do everything, as long as no account was made or changed.
    pub users: Vec<User>,
}

/// When publishers wait because of the memory that the process has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// From this part of the machine's memory on (`vm_memory_high_watermark`); 0 is never.
    pub high_percent: u8,
    /// The same in bytes, in its place; 0 is that part.
    pub high_bytes: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            high_percent: 40,
            high_bytes: 0,
        }
    }
}

impl Memory {
    /// The limit in bytes on a machine with `total`; 0 is none.
    #[must_use]
    pub fn limit(&self, total: u64) -> u64 {
        match self.high_bytes {
            0 => total / 100 * u64::from(self.high_percent.min(100)),
            bytes => bytes,
        }
    }
}

/// One who may connect.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// What it is called.
    pub name: String,
    /// Its password.
    pub password: String,
    /// Whether it may come from another machine.
    #[serde(default)]
    pub remote: bool,
}

impl Default for Config {
    fn default() -> Self {
        let offer = Offer::default();
        Self {
            product: Profile::default().product,
            version: None,
            channels_max: offer.channel_max,
            frame_bytes_max: offer.frame_max.bytes(),
            heartbeat_s: offer.heartbeat,
            consumers_per_channel_max: 10_000,
            consumer_timeout_ms: 1_800_000,
            undelivered_max: 1_024,
            transaction_messages_max: 100_000,
            transaction_bytes_max: 64 << 20,
            certificate_login_from: LoginFrom::default(),
            memory: Memory::default(),
            accounts_max: 100_000,
            parameters_max: 10_000,
            parameter_bytes_max: 64 << 10,
            ignored_names_max: 1_000,
            users: vec![User {
                name: "guest".to_owned(),
                password: "guest".to_owned(),
                remote: false,
            }],
        }
    }
}

impl Config {
    pub(crate) fn settings(&self) -> Arc<Settings> {
        let capabilities = RABBITMQ_CAPABILITIES.iter();
        let own = Profile::default();
        Arc::new(Settings {
            profile: Profile {
                capabilities: capabilities.map(|name| (*name).to_owned()).collect(),
                product: self.product.clone(),
                version: self.version.clone().unwrap_or(own.version),
                ..own
            },
            offer: Offer {
                channel_max: self.channels_max.max(1),
                frame_max: FrameMax::new(self.frame_bytes_max),
                heartbeat: self.heartbeat_s,
            },
            mechanisms: vec![Mechanism::AmqPlain, Mechanism::Plain],
        })
    }
}

/// Not with the password.
impl std::fmt::Debug for User {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("User")
            .field("name", &self.name)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}
