//! Every setting of the gateway. Each part's struct lives with the code it configures; here they
//! are put together, and read from YAML, the environment and the command line.

mod read;
mod tree;

pub(crate) use read::{Sources, read};

use gantry_connection::Limits;
use gantry_core::filter::FilterConfig;
use gantry_core::timers::TimerConfig;
use gantry_core::transactions::TransactionConfig;
use gantry_core::{LeaseConfig, StoreConfig, TopicConfig};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// All settings; `config/gantry.yaml` lists them with their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Where everything is kept.
    pub(crate) data_dir: PathBuf,
    /// What this process does.
    pub(crate) roles: Vec<Role>,
    pub(crate) runtime: Runtime,
    pub(crate) log: Log,
    pub(crate) security: Security,
    /// Limits of the connections of each listener.
    pub(crate) connections: Limits,
    pub(crate) store: StoreConfig,
    pub(crate) topics: TopicConfig,
    pub(crate) timers: TimerConfig,
    pub(crate) filter: FilterConfig,
    pub(crate) transactions: TransactionConfig,
    pub(crate) leases: LeaseConfig,
    pub(crate) namesrv: NameServer,
    pub(crate) remoting: Remoting,
    pub(crate) kafka: Kafka,
    pub(crate) amqp: Amqp,
    pub(crate) management: Management,
    pub(crate) openmessaging: OpenMessaging,
    pub(crate) admin: Admin,
}

/// A part that can run by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// RocketMQ's NameServer; alone it opens no store.
    Namesrv,
    /// The store, with the listeners of RocketMQ, Kafka and AMQP.
    Broker,
}

impl Config {
    /// Core's part, of a broker that clients reach at `store_host`.
    pub(crate) fn core(&self, store_host: SocketAddr) -> gantry_core::Config {
        gantry_core::Config {
            store_host,
            store: self.store.clone(),
            topics: self.topics.clone(),
            timers: self.timers.clone(),
            filter: self.filter.clone(),
            transactions: self.transactions.clone(),
            leases: self.leases.clone(),
        }
    }

    pub(crate) fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// How the gateway uses the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Runtime {
    /// Threads that serve connections; 0 is one a core.
    pub(crate) threads: usize,
}

/// Log lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    /// Which lines are written, as `tracing` filters are.
    pub(crate) filter: String,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// Who may connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Security {
    /// Whether an address that is not loopback may be bound although nobody authenticates.
    pub(crate) allow_anonymous: bool,
}

/// RocketMQ's NameServer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NameServer {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: crate::tls::Config,
    pub(crate) protocol: gantry_remoting::nameserver::Config,
}

/// RocketMQ's broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Remoting {
    pub(crate) listen: SocketAddr,
    /// The VIP channel, which clients expect two below the port of `listen`. With both ports 0
    /// such a pair is picked.
    pub(crate) vip_listen: SocketAddr,
    /// Where clients are told to connect, when that is not `listen`.
    pub(crate) advertised: Option<SocketAddr>,
    /// `host:port` of NameServers in other processes, with which the broker registers.
    pub(crate) name_servers: Vec<String>,
    pub(crate) registration: gantry_remoting::registrar::Config,
    /// Of both listeners.
    pub(crate) tls: crate::tls::Config,
    pub(crate) protocol: gantry_remoting::Config,
}

/// Kafka.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Kafka {
    pub(crate) listen: SocketAddr,
    /// `host:port` clients are told to connect to, when that is not `listen`.
    pub(crate) advertised: Option<String>,
    pub(crate) protocol: gantry_kafka::Config,
}

/// AMQP 0-9-1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Amqp {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: crate::tls::Config,
    pub(crate) protocol: gantry_amqp::Config,
}

/// RabbitMQ's management API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Management {
    pub(crate) listen: SocketAddr,
    pub(crate) protocol: gantry_management::Config,
}

/// OpenMessaging over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OpenMessaging {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: crate::tls::Config,
    pub(crate) protocol: gantry_openmessaging::Config,
}

/// What operators ask over HTTP: `/healthz` and `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    pub(crate) listen: SocketAddr,
    /// Connections at the same time; further ones are closed.
    pub(crate) connections_max: usize,
    /// Longest time a client may take to send a request's head.
    pub(crate) head_timeout_ms: u64,
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("gantry-data"),
            roles: vec![Role::Namesrv, Role::Broker],
            runtime: Runtime::default(),
            log: Log::default(),
            security: Security::default(),
            connections: Limits::default(),
            store: StoreConfig::default(),
            topics: TopicConfig::default(),
            timers: TimerConfig::default(),
            filter: FilterConfig::default(),
            transactions: TransactionConfig::default(),
            leases: LeaseConfig::default(),
            namesrv: NameServer::default(),
            remoting: Remoting::default(),
            kafka: Kafka::default(),
            amqp: Amqp::default(),
            management: Management::default(),
            openmessaging: OpenMessaging::default(),
            admin: Admin::default(),
        }
    }
}

impl Default for Amqp {
    fn default() -> Self {
        Self {
            listen: loopback(5672),
            tls: crate::tls::Config::default(),
            protocol: gantry_amqp::Config::default(),
        }
    }
}

impl Default for Management {
    fn default() -> Self {
        Self {
            listen: loopback(15_672),
            protocol: gantry_management::Config::default(),
        }
    }
}

impl Default for OpenMessaging {
    fn default() -> Self {
        Self {
            listen: loopback(8080),
            tls: crate::tls::Config::default(),
            protocol: gantry_openmessaging::Config::default(),
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: loopback(8088),
            connections_max: 64,
            head_timeout_ms: 10_000,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".to_owned(),
        }
    }
}

impl Default for NameServer {
    fn default() -> Self {
        let protocol = gantry_remoting::nameserver::Config::default();
        Self {
            listen: loopback(9876),
            tls: crate::tls::Config::default(),
            protocol,
        }
    }
}

impl Default for Remoting {
    fn default() -> Self {
        Self {
            listen: loopback(10_911),
            vip_listen: loopback(10_909),
            advertised: None,
            name_servers: Vec::new(),
            registration: gantry_remoting::registrar::Config::default(),
            tls: crate::tls::Config::default(),
            protocol: gantry_remoting::Config::default(),
        }
    }
}

impl Default for Kafka {
    fn default() -> Self {
        let protocol = gantry_kafka::Config::default();
        Self {
            listen: loopback(9092),
            advertised: None,
            protocol,
        }
    }
}
