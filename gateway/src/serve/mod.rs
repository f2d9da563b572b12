//! `gantry serve`: binds, opens the store, serves until it is told to stop.

mod descriptors;
mod listeners;
mod ready;
mod workers;

use crate::config::Config;
use anyhow::{Context, Result, bail};
use gantry_connection::Shutdown;
use gantry_core::Broker;
use gantry_core::model::SystemClock;
use gantry_remoting::BrokerRole;
use gantry_remoting::nameserver::{Advertised, NameServer};
use listeners::{Bound, Listeners};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use workers::{Endpoints, Workers};

/// How often clients and members whose time is over are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT, then drains, flushes and writes a snapshot.
///
/// # Errors
/// Whatever keeps the gateway from starting, or its store from closing.
pub(crate) fn serve(config: &Config, ready_file: Option<&Path>) -> Result<()> {
    check_exposure(config)?;
    descriptors::raise_limit();
    let listeners = Listeners::bind(config)?;
    let core = gantry_core::Config {
        store_host: advertised_broker(config, &listeners)?,
        store: config.store.clone(),
        topics: config.topics.clone(),
    };
    let broker = Broker::open(&config.data_dir, core, Arc::new(SystemClock))
        .with_context(|| format!("opening {}", config.data_dir.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(run(config, &broker, listeners, ready_file));
    broker.shutdown().context("closing the store")?;
    tracing::info!("stopped");
    served
}

/// Nobody authenticates yet, so what can be reached from outside must be wanted.
fn check_exposure(config: &Config) -> Result<()> {
    let listening = [
        ("namesrv.listen", config.namesrv.listen),
        ("remoting.listen", config.remoting.listen),
        ("remoting.vip_listen", config.remoting.vip_listen),
        ("kafka.listen", config.kafka.listen),
    ];
    for (key, address) in listening {
        if !address.ip().is_loopback() && !config.security.allow_anonymous {
            bail!(
                "{key} is {address}, which others can reach, and nobody authenticates: \
                 set security.allow_anonymous to true if that is wanted"
            );
        }
    }
    Ok(())
}

async fn run(
    config: &Config,
    broker: &Broker,
    listeners: Listeners,
    ready_file: Option<&Path>,
) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let endpoints = endpoints(config, broker, &listeners)?;
    let shutdown = Shutdown::new();
    let workers = Workers::start(config, &endpoints, &shutdown)?;
    let mut accepting = tokio::task::JoinSet::new();
    let bound = listeners.bound();
    for listener in listeners.into_tokio()? {
        accepting.spawn(workers.accept(listener));
    }
    accepting.spawn(expire(Arc::clone(&endpoints.remoting)));
    let kafka = Arc::clone(&endpoints.kafka);
    accepting.spawn(async move { kafka.run_groups().await });
    ready::announce(&bound, ready_file)?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("terminated: finishing what is in flight"),
        _ = interrupt.recv() => tracing::info!("interrupted: finishing what is in flight"),
    }
    accepting.shutdown().await;
    shutdown.request();
    workers.finish()
}

fn endpoints(config: &Config, broker: &Broker, listeners: &Listeners) -> Result<Endpoints> {
    let clock = Arc::new(SystemClock);
    let mut kafka = config.kafka.protocol.clone();
    (kafka.advertised_host, kafka.advertised_port) = match &config.kafka.advertised {
        Some(advertised) => split_host_port(advertised)?,
        None => {
            let address = listeners.address(Bound::Kafka)?;
            (reachable(address.ip()).to_string(), address.port())
        }
    };
    let mut remoting = config.remoting.protocol.clone();
    remoting.advertised_address = advertised_broker(config, listeners)?;
    let advertised = Advertised::from(&remoting);
    let client = broker.anonymous();
    Ok(Endpoints {
        namesrv: NameServer::new(client.clone(), advertised, config.namesrv.protocol.clone()),
        remoting: BrokerRole::new(client, remoting, clock),
        kafka: gantry_kafka::Server::new(broker.clone(), kafka)?,
    })
}

/// Where RocketMQ clients are told to connect.
fn advertised_broker(config: &Config, listeners: &Listeners) -> Result<SocketAddr> {
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

fn split_host_port(text: &str) -> Result<(String, u16)> {
    let (host, port) = text
        .rsplit_once(':')
        .context("kafka.advertised is host:port")?;
    Ok((
        host.to_owned(),
        port.parse().context("kafka.advertised is host:port")?,
    ))
}

async fn expire(remoting: Arc<BrokerRole>) {
    let mut ticks = tokio::time::interval(EXPIRY_INTERVAL);
    loop {
        ticks.tick().await;
        remoting.expire();
    }
}
