//! HTTP listeners: whatever is asked there, connections are counted, and a slow head ends them.

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use gantry_connection::Connections;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What the connections of one listener may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpLimits {
    /// At the same time; further ones are closed.
    pub(crate) connections_max: usize,
    /// Longest time for a request's head, in milliseconds.
    pub(crate) head_timeout_ms: u64,
}

/// Serves `routes` until it is dropped. They find who asks as [`ConnectInfo`].
pub(crate) async fn serve(
    socket: TcpListener,
    listener: &'static str,
    limits: HttpLimits,
    routes: Router,
) {
    let admitted = Connections::new(limits.connections_max);
    let head_timeout = Duration::from_millis(limits.head_timeout_ms);
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            Some(_) = open.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, listener, "accepting failed");
                // Out of descriptors, usually: others must close theirs first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(permit) = admitted.admit() else {
            continue;
        };
        let service = routes.clone().layer(Extension(ConnectInfo(peer)));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        open.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, listener, "connection closed");
            }
            drop(permit);
        });
    }
}
