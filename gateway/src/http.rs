//! HTTP listeners: whatever is asked there, connections are counted, and a slow head ends them.

use crate::patient::Patient;
use crate::serve::HttpEndpoint;
use axum::Router;
use axum::extract::ConnectInfo;
use gantry_connection::{Connections, Shutdown};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What the connections of one listener may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpLimits {
    /// At the same time; further ones are closed.
    pub(crate) connections_max: usize,
    /// Longest time for a request's head, in milliseconds.
    pub(crate) head_timeout_ms: u64,
    /// Most bytes of it.
    pub(crate) head_bytes_max: usize,
    /// Longest time a client may take none of what is written, in milliseconds.
    pub(crate) write_timeout_ms: u64,
    /// Requests of one HTTP/2 connection at a time.
    pub(crate) streams_max: u32,
    /// Longest time to answer what is in flight at the end, in milliseconds.
    pub(crate) drain_ms: u64,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections_max: 64,
            head_timeout_ms: 10_000,
            head_bytes_max: 64 << 10,
            write_timeout_ms: 30_000,
            streams_max: 64,
            drain_ms: 0,
        }
    }
}

/// Serves `endpoint` until it is dropped. Its routes find who asks as [`ConnectInfo`].
pub(crate) async fn serve(
    socket: TcpListener,
    listener: &'static str,
    endpoint: HttpEndpoint,
    shutdown: Shutdown,
) {
    let admitted = Connections::new(endpoint.limits.connections_max);
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
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(permit) = admitted.admit() else {
            continue;
        };
        let (endpoint, shutdown) = (endpoint.clone(), shutdown.clone());
        open.spawn(async move {
            if let Err(error) = converse(stream, peer, &endpoint, &shutdown).await {
                tracing::debug!(error, listener, "connection closed");
            }
            drop(permit);
        });
    }
}

/// Serves one connection, of HTTP/1.1 or of HTTP/2 as it begins, until it ends, and whatever it
/// became meanwhile.
///
/// # Errors
/// Why it ended.
pub(crate) async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    endpoint: &HttpEndpoint,
    shutdown: &Shutdown,
) -> Result<(), String> {
    let limits = &endpoint.limits;
    let asker = Asker {
        peer,
        has_asked: Arc::default(),
        upgrades: Connections::new(1),
        shutdown: shutdown.clone(),
    };
    let stream = Patient::new(stream, Duration::from_millis(limits.write_timeout_ms));
    let ended = answer(stream, endpoint, &asker).await;
    let overdue = async {
        shutdown.requested().await;
        sleep(Duration::from_millis(limits.drain_ms)).await;
    };
    // A WebSocket uses the connection when HTTP has ended.
    tokio::select! {
        () = asker.upgrades.all_closed() => ended,
        () = overdue => Err("what the connection became took too long to end".to_owned()),
    }
}

/// Answers requests until none comes any more.
///
/// # Errors
/// Why it ended.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    HttpEndpoint { limits, routes }: &HttpEndpoint,
    asker: &Asker,
) -> Result<(), String> {
    let head_timeout = Duration::from_millis(limits.head_timeout_ms);
    let service = tower_of(routes.clone(), asker.clone());
    let builder = builder(limits, head_timeout);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut is_first = true;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended.map_err(|error| error.to_string()),
            // Neither version's own timeout counts before it is known which it is.
            () = sleep(head_timeout), if is_first => {
                if !asker.has_asked.load(Ordering::Relaxed) {
                    return Err("no request came in time".to_owned());
                }
                is_first = false;
            }
            () = asker.shutdown.requested() => break,
        }
    }
    connection.as_mut().graceful_shutdown();
    match timeout(Duration::from_millis(limits.drain_ms), connection).await {
        Ok(ended) => ended.map_err(|error| error.to_string()),
        Err(_) => Err("what was in flight took too long".to_owned()),
    }
}

/// What requests know of the connection they come on, as extensions.
#[derive(Clone, Debug)]
struct Asker {
    peer: SocketAddr,
    /// Whether any has come.
    has_asked: Arc<AtomicBool>,
    /// Who holds the connection when it is not HTTP any more.
    upgrades: Connections,
    /// When everything is to end.
    shutdown: Shutdown,
}

fn builder(limits: &HttpLimits, head_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        // The least hyper takes.
        .max_buf_size(limits.head_bytes_max.max(8_192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(head_timeout.max(Duration::from_secs(1))))
        .keep_alive_timeout(head_timeout.max(Duration::from_secs(1)));
    builder
}

/// The routes as hyper's service.
fn tower_of(
    routes: Router,
    asker: Asker,
) -> impl hyper::service::Service<
    hyper::Request<hyper::body::Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send + 'static,
> + Send
+ Clone {
    let service = TowerToHyperService::new(routes);
    // The routes with extensions of their own would be a copy of all of them for each connection.
    hyper::service::service_fn(move |mut request| {
        asker.has_asked.store(true, Ordering::Relaxed);
        let known = request.extensions_mut();
        known.insert(ConnectInfo(asker.peer));
        known.insert(asker.upgrades.clone());
        known.insert(asker.shutdown.clone());
        hyper::service::Service::call(&service, request)
    })
}
