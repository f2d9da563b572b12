//! What the listeners are served by, made of the settings and the addresses that were bound.

use super::listeners::{Bound, Listeners};
use crate::config::{Config, Role};
use crate::http::HttpLimits;
use crate::tls::Gate;
use anyhow::{Context, Result};
use axum::Router;
use gantry_core::Broker;
use gantry_core::model::{Clock, SystemClock};
use gantry_management::{Listening, Management};
use gantry_openmessaging::OpenMessaging;
use gantry_remoting::BrokerRole;
use gantry_remoting::acl::Acl;
use gantry_remoting::nameserver::{Advertised, KvTables, NameServer};
use gantry_remoting::registrar::Registrar;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Where a NameServer without a store keeps its tables, below the data directory.
const KV_FILE: &str = "namesrv/kvConfig.json";

/// What connections are served by: as much as the roles of this process need.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    pub(crate) namesrv: Option<Arc<NameServer>>,
    pub(crate) broker: Option<BrokerEndpoints>,
    pub(crate) gates: Gates,
}

/// How connections are let in.
#[derive(Clone, Debug)]
pub(crate) struct Gates {
    pub(crate) namesrv: Arc<Gate>,
    pub(crate) remoting: Arc<Gate>,
    pub(crate) amqp: Arc<Gate>,
    pub(crate) openmessaging: Arc<Gate>,
}

/// What connections to the broker are served by, and how others hear of it.
#[derive(Clone, Debug)]
pub(crate) struct BrokerEndpoints {
    pub(crate) store: Broker,
    pub(crate) remoting: Arc<BrokerRole>,
    pub(crate) registrar: Arc<Registrar>,
    pub(crate) kafka: Arc<gantry_kafka::Server>,
    pub(crate) amqp: Arc<gantry_amqp::Server>,
    pub(crate) openmessaging: HttpEndpoint,
    /// The same, whose consumers' messages are sent to them.
    pub(crate) callbacks: Arc<OpenMessaging>,
}

/// What HTTP connections are served by.
#[derive(Clone, Debug)]
pub(crate) struct HttpEndpoint {
    pub(crate) limits: HttpLimits,
    pub(crate) routes: Router,
}

impl Endpoints {
    /// All of them, over `store` when there is one.
    ///
    /// # Errors
    /// A setting that does not fit, or the NameServer's file cannot be read.
    pub(crate) fn new(
        config: &Config,
        store: Option<&Broker>,
        listeners: &Listeners,
    ) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let broker = match store {
            Some(store) => Some(BrokerEndpoints::new(config, store, listeners, &clock)?),
            None => None,
        };
        let mut endpoints = Self {
            namesrv: None,
            broker,
            gates: Gates {
                namesrv: Arc::new(Gate::new("namesrv", &config.namesrv.tls)?),
                remoting: Arc::new(Gate::new("remoting", &config.remoting.tls)?),
                amqp: Arc::new(Gate::new("amqp", &config.amqp.tls)?),
                openmessaging: Arc::new(Gate::of_http("openmessaging", &config.openmessaging.tls)?),
            },
        };
        if config.has(Role::Namesrv) {
            let names = endpoints.name_server(config, listeners, clock)?;
            endpoints.namesrv = Some(names);
        }
        Ok(endpoints)
    }

    /// What the management API is of, when there is a broker.
    pub(crate) fn management(
        &self,
        config: &Config,
        bound: &[(Bound, SocketAddr)],
    ) -> Option<Arc<Management>> {
        let amqp = Arc::clone(&self.broker.as_ref()?.amqp);
        let listening = bound.iter().filter_map(|(bound, address)| {
            let protocol = match bound {
                Bound::Amqp => "amqp",
                Bound::Management => "http",
                _ => return None,
            };
            Some(Listening {
                protocol,
                address: *address,
            })
        });
        let protocol = config.management.protocol.clone();
        Some(Management::new(amqp, protocol, listening.collect()))
    }

    fn name_server(
        &self,
        config: &Config,
        listeners: &Listeners,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<NameServer>> {
        let protocol = config.namesrv.protocol.clone();
        let (own, tables) = match &self.broker {
            Some(broker) => {
                let client = broker.store.anonymous();
                let advertised = Advertised::from(&remoting_config(config, listeners)?);
                (
                    Some((client.clone(), advertised)),
                    KvTables::in_store(client),
                )
            }
            None => {
                let file = config.data_dir.join(KV_FILE);
                let tables = KvTables::in_file(&file);
                (None, tables.with_context(|| file.display().to_string())?)
            }
        };
        let acl = &config.remoting.protocol.acl;
        acl.check().context("remoting.protocol.acl")?;
        Ok(NameServer::new(own, tables, protocol, Acl::new(acl), clock))
    }
}

impl BrokerEndpoints {
    fn new(
        config: &Config,
        store: &Broker,
        listeners: &Listeners,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        let mut kafka = config.kafka.protocol.clone();
        (kafka.advertised_host, kafka.advertised_port) = match &config.kafka.advertised {
            Some(advertised) => split_host_port("kafka.advertised", advertised)?,
            None => {
                let address = listeners.address(Bound::Kafka)?;
                (reachable(address.ip()).to_string(), address.port())
            }
        };
        let remoting = remoting_config(config, listeners)?;
        remoting.acl.check().context("remoting.protocol.acl")?;
        let client = store.anonymous();
        let registrar = Registrar::new(
            client.clone(),
            Advertised::from(&remoting),
            config.remoting.registration.clone(),
            clock,
        );
        let amqp = config.amqp.protocol.clone();
        let amqp = gantry_amqp::Server::new(client.clone(), amqp, Arc::clone(clock));
        let openmessaging = config.openmessaging.protocol.clone();
        let openmessaging = OpenMessaging::new(client.clone(), openmessaging, Arc::clone(clock));
        Ok(Self {
            amqp,
            openmessaging: HttpEndpoint::openmessaging(config, &openmessaging),
            callbacks: openmessaging,
            store: store.clone(),
            remoting: BrokerRole::new(client, remoting, Arc::clone(clock)),
            registrar,
            kafka: gantry_kafka::Server::new(store.clone(), kafka)?,
        })
    }
}

impl HttpEndpoint {
    fn openmessaging(config: &Config, server: &Arc<OpenMessaging>) -> Self {
        let protocol = &config.openmessaging.protocol;
        Self {
            limits: HttpLimits {
                head_timeout_ms: protocol.head_timeout_ms,
                head_bytes_max: protocol.head_bytes_max,
                write_timeout_ms: protocol.write_timeout_ms,
                streams_max: protocol.streams_max,
                drain_ms: config.connections.drain_ms,
                ..HttpLimits::default()
            },
            routes: server.routes(),
        }
    }
}

fn remoting_config(config: &Config, listeners: &Listeners) -> Result<gantry_remoting::Config> {
    let mut remoting = config.remoting.protocol.clone();
    remoting.advertised_address = advertised_broker(config, listeners)?;
    Ok(remoting)
}

/// Where RocketMQ clients are told to connect.
///
/// # Errors
/// The broker is not bound.
pub(crate) fn advertised_broker(config: &Config, listeners: &Listeners) -> Result<SocketAddr> {
    if let Some(advertised) = config.remoting.advertised {
        return Ok(advertised);
    }
    let address = listeners.address(Bound::Remoting)?;
    Ok(SocketAddr::new(reachable(address.ip()), address.port()))
}

/// An address clients on this machine can use when every address is bound.
const fn reachable(ip: IpAddr) -> IpAddr {
    if ip.is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        ip
    }
}

/// # Errors
/// It is no `host:port`.
pub(crate) fn split_host_port(key: &str, text: &str) -> Result<(String, u16)> {
    let wrong = || format!("{key}: {text} is no host:port");
    let (host, port) = text.rsplit_once(':').with_context(wrong)?;
    Ok((host.to_owned(), port.parse().with_context(wrong)?))
}
