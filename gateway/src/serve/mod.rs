//! `gantry serve`: binds, opens the store, serves until it is told to stop.

mod callbacks;
mod descriptors;
mod endpoints;
mod listeners;
mod memory;
mod ready;
mod registration;
mod workers;

use crate::admin::{self, Watched};
use crate::config::{Config, Role};
use crate::http::{self, HttpLimits};
use anyhow::{Context, Result, bail};
use callbacks::{Callbacks, Stopping};
pub(crate) use endpoints::HttpEndpoint;
use endpoints::{Endpoints, advertised_broker};
use gantry_connection::Shutdown;
use gantry_core::Broker;
use gantry_core::model::SystemClock;
use gantry_remoting::BrokerRole;
use gantry_remoting::nameserver::NameServer;
use listeners::{Bound, Listeners};
use registration::Registrations;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use workers::Workers;

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
    let store = config
        .has(Role::Broker)
        .then(|| open_store(config, &listeners));
    let store = store.transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(run(config, store.as_ref(), listeners, ready_file));
    if let Some(store) = store {
        store.shutdown().context("closing the store")?;
    }
    tracing::info!("stopped");
    served
}

fn open_store(config: &Config, listeners: &Listeners) -> Result<Broker> {
    let core = config.core(advertised_broker(config, listeners)?);
    Broker::open(&config.data_dir, core, Arc::new(SystemClock))
        .with_context(|| format!("opening {}", config.data_dir.display()))
}

/// Where nobody authenticates, what can be reached from outside must be wanted.
fn check_exposure(config: &Config) -> Result<()> {
    if config.roles.is_empty() {
        bail!("roles is empty: there is nothing to serve");
    }
    let (namesrv, broker) = (config.has(Role::Namesrv), config.has(Role::Broker));
    let signs = |is_bound| is_bound && !config.remoting.protocol.acl.enabled;
    let open = [
        (signs(namesrv), "namesrv.listen", config.namesrv.listen),
        (signs(broker), "remoting.listen", config.remoting.listen),
        (
            signs(broker),
            "remoting.vip_listen",
            config.remoting.vip_listen,
        ),
        (broker, "kafka.listen", config.kafka.listen),
        (broker, "openmessaging.listen", config.openmessaging.listen),
        (true, "admin.listen", config.admin.listen),
    ];
    for (is_open, key, address) in open {
        if is_open && !address.ip().is_loopback() && !config.security.allow_anonymous {
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
    store: Option<&Broker>,
    listeners: Listeners,
    ready_file: Option<&Path>,
) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let endpoints = Endpoints::new(config, store, &listeners)?;
    let shutdown = Shutdown::new();
    let workers = Workers::start(config, &endpoints, &shutdown)?;
    let mut accepting = JoinSet::new();
    let bound = listeners.bound();
    for listener in listeners.into_tokio()? {
        match listener {
            (Bound::Admin, socket) => {
                let endpoint = admin_endpoint(config, store, &endpoints);
                let shutdown = shutdown.clone();
                accepting.spawn(http::serve(socket, Bound::Admin.name(), endpoint, shutdown));
            }
            (Bound::Management, socket) => {
                if let Some(management) = endpoints.management(config, &bound) {
                    let protocol = &config.management.protocol;
                    let endpoint = HttpEndpoint {
                        limits: HttpLimits {
                            connections_max: protocol.connections_max,
                            head_timeout_ms: protocol.head_timeout_ms,
                            ..HttpLimits::default()
                        },
                        routes: management.routes(),
                    };
                    let (name, shutdown) = (Bound::Management.name(), shutdown.clone());
                    accepting.spawn(http::serve(socket, name, endpoint, shutdown));
                }
            }
            listener => {
                accepting.spawn(workers.accept(listener));
            }
        }
    }
    let registrations = keep_up(config, &endpoints, &mut accepting)?;
    let patience = Duration::from_millis(config.connections.drain_ms);
    let callbacks = endpoints.broker.as_ref();
    let callbacks = callbacks
        .map(|broker| Callbacks::start(Arc::clone(&broker.callbacks), patience))
        .transpose()?;
    ready::announce(&bound, ready_file)?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("terminated: finishing what is in flight"),
        _ = interrupt.recv() => tracing::info!("interrupted: finishing what is in flight"),
    }
    let callbacks = callbacks.map(Callbacks::stop);
    if let Some(registrations) = registrations {
        registrations.finish(patience).await;
    }
    accepting.shutdown().await;
    shutdown.request();
    let finished = workers.finish();
    callbacks.map_or(Ok(()), Stopping::finish)?;
    finished
}

fn admin_endpoint(config: &Config, store: Option<&Broker>, endpoints: &Endpoints) -> HttpEndpoint {
    let watched = Watched {
        store: store.cloned(),
        namesrv: endpoints.namesrv.clone(),
        amqp: endpoints
            .broker
            .as_ref()
            .map(|broker| Arc::clone(&broker.amqp)),
        openmessaging: endpoints
            .broker
            .as_ref()
            .map(|broker| Arc::clone(&broker.callbacks)),
    };
    HttpEndpoint {
        limits: HttpLimits {
            connections_max: config.admin.connections_max,
            head_timeout_ms: config.admin.head_timeout_ms,
            ..HttpLimits::default()
        },
        routes: admin::routes(watched),
    }
}

/// Starts what happens by the clock, and the registrations.
fn keep_up(
    config: &Config,
    endpoints: &Endpoints,
    tasks: &mut JoinSet<()>,
) -> Result<Option<Registrations>> {
    if let Some(namesrv) = &endpoints.namesrv {
        let interval = Duration::from_millis(config.namesrv.protocol.scan_interval_ms.max(1));
        tasks.spawn(scan(Arc::clone(namesrv), interval));
    }
    let Some(broker) = &endpoints.broker else {
        return Ok(None);
    };
    tasks.spawn(expire(Arc::clone(&broker.remoting)));
    let remoting = Arc::clone(&broker.remoting);
    tasks.spawn(async move { remoting.run_transaction_checks().await });
    let kafka = Arc::clone(&broker.kafka);
    tasks.spawn(async move { kafka.run_groups().await });
    let amqp = Arc::clone(&broker.amqp);
    tasks.spawn(async move { amqp.run_queues().await });
    let limits = config.amqp.protocol.memory;
    tasks.spawn(memory::watch(Arc::clone(&broker.amqp), limits));
    Registrations::start(&broker.registrar, &config.remoting.name_servers).map(Some)
}

async fn scan(namesrv: Arc<NameServer>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    loop {
        ticks.tick().await;
        namesrv.expire();
    }
}

async fn expire(remoting: Arc<BrokerRole>) {
    let mut ticks = tokio::time::interval(EXPIRY_INTERVAL);
    loop {
        ticks.tick().await;
        remoting.expire();
    }
}
