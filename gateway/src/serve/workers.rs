//! One thread and one runtime a core: a connection stays where it was given, and its requests
//! run to completion there.

use super::endpoints::Endpoints;
use super::listeners::Bound;
use crate::config::Config;
use crate::http;
use crate::tls::{Admitted, Gate};
use anyhow::{Context, Result, anyhow};
use gantry_amqp::AmqpConnection;
use gantry_amqp::control::{Certificate, Secured};
use gantry_connection::{Connections, Limits, Permit, Protocol, Shutdown};
use gantry_kafka::KafkaConnection;
use gantry_remoting::BrokerConnection;
use gantry_remoting::nameserver::NameServerConnection;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The threads.
#[derive(Debug)]
pub(crate) struct Workers {
    list: Arc<Vec<Worker>>,
    threads: Vec<JoinHandle<()>>,
    connections_max: usize,
}

#[derive(Debug)]
struct Worker {
    accepted: UnboundedSender<Accepted>,
    /// Connections it has.
    load: Arc<AtomicUsize>,
}

/// A connection on its way to a worker.
#[derive(Debug)]
struct Accepted {
    bound: Bound,
    stream: TcpStream,
    peer: SocketAddr,
    permit: Permit,
}

impl Workers {
    /// Starts them.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn start(
        config: &Config,
        endpoints: &Endpoints,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let count = if config.runtime.threads == 0 {
            cores
        } else {
            config.runtime.threads
        };
        let mut list = Vec::with_capacity(count);
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let (accepted, arrivals) = unbounded_channel();
            let load = Arc::new(AtomicUsize::new(0));
            let worker = Thread {
                endpoints: endpoints.clone(),
                limits: Arc::new(config.connections.clone()),
                shutdown: shutdown.clone(),
                load: Arc::clone(&load),
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let body = move || {
                let local = tokio::task::LocalSet::new();
                runtime.block_on(local.run_until(worker.run(arrivals)));
                drop(local);
                // A name that is being resolved may take longer than anybody waits.
                runtime.shutdown_background();
            };
            let name = format!("gantry-worker-{number}");
            threads.push(std::thread::Builder::new().name(name).spawn(body)?);
            list.push(Worker { accepted, load });
        }
        let connections_max = config.connections.connections_max;
        Ok(Self {
            list: Arc::new(list),
            threads,
            connections_max,
        })
    }

    /// Accepts for ever, and gives each connection to the worker with the fewest.
    pub(crate) fn accept(
        &self,
        (bound, listener): (Bound, TcpListener),
    ) -> impl Future<Output = ()> + Send + 'static {
        let connections = Connections::new(self.connections_max);
        let workers = Arc::clone(&self.list);
        async move {
            loop {
                let (stream, peer) = match listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, listener = bound.name(), "accepting failed");
                        // Out of descriptors, usually: others must close theirs first.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                };
                let Some(permit) = connections.admit() else {
                    tracing::debug!(%peer, listener = bound.name(), "too many connections");
                    continue;
                };
                let handed = stream.set_nodelay(true).and_then(|()| stream.into_std());
                let worker = workers
                    .iter()
                    .min_by_key(|worker| worker.load.load(Ordering::Relaxed));
                if let (Ok(stream), Some(worker)) = (handed, worker) {
                    worker.load.fetch_add(1, Ordering::Relaxed);
                    // A worker ends only with the gateway.
                    let _ended = worker.accepted.send(Accepted {
                        bound,
                        stream,
                        peer,
                        permit,
                    });
                }
            }
        }
    }

    /// Waits until all connections have ended.
    ///
    /// # Errors
    /// A worker panicked.
    pub(crate) fn finish(self) -> Result<()> {
        drop(self.list);
        for thread in self.threads {
            thread
                .join()
                .map_err(|_| anyhow!("a worker panicked"))
                .context("stopping")?;
        }
        Ok(())
    }
}

/// What a worker's thread holds.
struct Thread {
    endpoints: Endpoints,
    limits: Arc<Limits>,
    shutdown: Shutdown,
    load: Arc<AtomicUsize>,
}

impl Thread {
    async fn run(self, mut arrivals: UnboundedReceiver<Accepted>) {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                arrival = arrivals.recv() => match arrival {
                    Some(accepted) => drop(connections.spawn_local(self.serve(accepted))),
                    None => break,
                },
                Some(_) = connections.join_next() => {}
            }
        }
        while connections.join_next().await.is_some() {}
    }

    fn serve(&self, accepted: Accepted) -> impl Future<Output = ()> + 'static {
        let endpoints = self.endpoints.clone();
        let (limits, shutdown) = (Arc::clone(&self.limits), self.shutdown.clone());
        let load = Arc::clone(&self.load);
        async move {
            let Accepted {
                bound,
                stream,
                peer,
                permit,
            } = accepted;
            if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
                serve(&endpoints, bound, stream, peer, &limits, &shutdown).await;
            }
            load.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        }
    }
}

async fn serve(
    endpoints: &Endpoints,
    bound: Bound,
    stream: tokio::net::TcpStream,
    peer: SocketAddr,
    limits: &Limits,
    shutdown: &Shutdown,
) {
    let listener = bound.name();
    // Only what has an endpoint is bound.
    match (bound, &endpoints.namesrv, &endpoints.broker) {
        (Bound::NameServer, Some(namesrv), _) => {
            let protocol = |_: &Admitted| NameServerConnection::new(Arc::clone(namesrv), peer);
            let gate = &endpoints.gates.namesrv;
            admit_and_run(gate, stream, (bound, peer), protocol, limits, shutdown).await;
        }
        (Bound::Remoting | Bound::Vip, _, Some(broker)) => {
            let protocol = |_: &Admitted| BrokerConnection::new(Arc::clone(&broker.remoting), peer);
            let gate = &endpoints.gates.remoting;
            admit_and_run(gate, stream, (bound, peer), protocol, limits, shutdown).await;
        }
        (Bound::Kafka, _, Some(broker)) => {
            let protocol = KafkaConnection::new(Arc::clone(&broker.kafka), peer);
            let closed = gantry_connection::run(stream, protocol, limits, shutdown).await;
            tracing::debug!(%peer, listener, %closed, "connection closed");
        }
        (Bound::Amqp, _, Some(broker)) => {
            let local = stream.local_addr().unwrap_or(peer);
            let protocol = |admitted: &Admitted| {
                let connection = AmqpConnection::new(Arc::clone(&broker.amqp), peer).at(local);
                match admitted.secured() {
                    None => connection,
                    Some(shown) => connection.secured(Secured {
                        certificate: shown.map(|subject| Certificate {
                            subject: subject.whole,
                            common_name: subject.common_name,
                        }),
                    }),
                }
            };
            let gate = &endpoints.gates.amqp;
            admit_and_run(gate, stream, (bound, peer), protocol, limits, shutdown).await;
        }
        (Bound::OpenMessaging, _, Some(broker)) => {
            let endpoint = &broker.openmessaging;
            let patience = Duration::from_millis(limits.idle_ms);
            let gate = &endpoints.gates.openmessaging;
            let Some(admitted) = admit(gate, stream, (bound, peer), patience, shutdown).await
            else {
                return;
            };
            let closed = match admitted {
                Admitted::Plain(stream) => http::converse(stream, peer, endpoint, shutdown).await,
                Admitted::Secured(stream) => http::converse(stream, peer, endpoint, shutdown).await,
            };
            if let Err(error) = closed {
                tracing::debug!(%peer, listener, error, "connection closed");
            }
        }
        // Served where it is accepted, or not bound without its endpoint.
        (
            Bound::Admin
            | Bound::Management
            | Bound::NameServer
            | Bound::Remoting
            | Bound::Vip
            | Bound::Kafka
            | Bound::Amqp
            | Bound::OpenMessaging,
            _,
            _,
        ) => {}
    }
}

/// Serves a protocol that may come in TLS.
async fn admit_and_run<P: Protocol>(
    gate: &Gate,
    stream: tokio::net::TcpStream,
    (bound, peer): (Bound, SocketAddr),
    protocol: impl FnOnce(&Admitted) -> P,
    limits: &Limits,
    shutdown: &Shutdown,
) {
    let listener = bound.name();
    let patience = Duration::from_millis(limits.idle_ms);
    let Some(admitted) = admit(gate, stream, (bound, peer), patience, shutdown).await else {
        return;
    };
    let protocol = protocol(&admitted);
    let closed = match admitted {
        Admitted::Plain(stream) => gantry_connection::run(stream, protocol, limits, shutdown).await,
        Admitted::Secured(stream) => {
            gantry_connection::run(stream, protocol, limits, shutdown).await
        }
    };
    tracing::debug!(%peer, listener, %closed, "connection closed");
}

/// Lets a connection in; not when the gateway stops meanwhile.
async fn admit(
    gate: &Gate,
    stream: tokio::net::TcpStream,
    (bound, peer): (Bound, SocketAddr),
    patience: Duration,
    shutdown: &Shutdown,
) -> Option<Admitted> {
    let admitted = tokio::select! {
        biased;
        admitted = gate.admit(stream, patience) => admitted,
        () = shutdown.requested() => return None,
    };
    let refused = |error: anyhow::Error| {
        let error = format!("{error:#}");
        tracing::debug!(%peer, listener = bound.name(), error, "connection not admitted");
    };
    admitted.map_err(refused).ok()
}
