//! What operators and their monitoring ask, over HTTP: whether the store is well (`/healthz`) and
//! its numbers (`/metrics`). Read only.

mod health;
mod metrics;

use crate::config::Admin;
use axum::Router;
use axum::routing::get;
use gantry_connection::Connections;
use gantry_core::Broker;
use gantry_remoting::nameserver::NameServer;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What is told of: as much as this process has.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) store: Option<Broker>,
    pub(crate) namesrv: Option<Arc<NameServer>>,
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, watched: Watched, config: Admin) {
    let admitted = Connections::new(config.connections_max);
    let routes = Router::new()
        .route("/healthz", get(health::answer))
        .route("/metrics", get(metrics::answer))
        .with_state(watched);
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
        };
        let (stream, _) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, listener = "admin", "accepting failed");
                // Out of descriptors, usually: others must close theirs first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(permit) = admitted.admit() else {
            continue;
        };
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(config.head_timeout_ms))
            .serve_connection(
                TokioIo::new(stream),
                TowerToHyperService::new(routes.clone()),
            );
        open.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, listener = "admin", "connection closed");
            }
            drop(permit);
        });
    }
}
