//! The HTTP server.

use crate::Config;
use crate::routes;
use axum::Extension;
use gantry_amqp::Server;
use gantry_connection::Connections;
use gantry_core::model::Timestamp;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A socket of this process.
#[derive(Clone, Debug)]
pub struct Listening {
    /// As RabbitMQ calls what is spoken there: `amqp`, `http`.
    pub protocol: &'static str,
    /// Where.
    pub address: SocketAddr,
}

/// What is managed.
#[derive(Debug)]
pub struct Management {
    pub(crate) amqp: Arc<Server>,
    pub(crate) config: Config,
    pub(crate) listening: Vec<Listening>,
    pub(crate) started_at: Timestamp,
}

/// Who has sent a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Management {
    /// Of an endpoint, in a process that listens there.
    #[must_use]
    pub fn new(amqp: Arc<Server>, config: Config, listening: Vec<Listening>) -> Arc<Self> {
        Arc::new(Self {
            started_at: amqp.now(),
            amqp,
            config,
            listening,
        })
    }
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, management: Arc<Management>) {
    let admitted = Connections::new(management.config.connections_max);
    let head_timeout = Duration::from_millis(management.config.head_timeout_ms);
    let routes = routes::all(management);
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, listener = "management", "accepting failed");
                // Out of descriptors, usually: others must close theirs first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(permit) = admitted.admit() else {
            continue;
        };
        let service = routes.clone().layer(Extension(Peer(peer)));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        open.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, listener = "management", "connection closed");
            }
            drop(permit);
        });
    }
}
