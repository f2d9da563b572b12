//! Requests to receivers, each with a limit to its time and to what is read of its answer.
//! Redirects are answers as any other: nobody goes where a receiver points.

use super::config::Config;
use super::connector::{Connector, Unreachable};
use super::target::Place;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Calls receivers.
#[derive(Debug)]
pub(crate) struct Caller {
    connector: Connector,
    /// Over connections that are kept.
    deliveries: Client<Connector, Full<Bytes>>,
    /// Over a new one each.
    handshakes: Client<Connector, Full<Bytes>>,
    answer_bytes_max: usize,
}

/// What a receiver answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// Nothing was sent.
    #[error("{0}")]
    Unreachable(#[from] Unreachable),
    /// It took longer than it may.
    #[error("no answer came within {0} ms")]
    TimedOut(u64),
    /// The connection broke.
    #[error("{0}")]
    Broken(String),
}

impl Caller {
    pub(crate) fn new(config: &Config) -> Self {
        let connector = Connector::new(config.clone());
        let client = |idle| {
            Client::builder(TokioExecutor::new())
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_max_idle_per_host(idle)
                .pool_idle_timeout(Duration::from_millis(config.idle_ms))
                // The least hyper takes.
                .http1_max_buf_size(config.answer_head_bytes_max.max(8_192))
                .build(connector.clone())
        };
        Self {
            deliveries: client(config.idle_connections_max),
            handshakes: client(0),
            connector,
            answer_bytes_max: config.answer_bytes_max,
        }
    }

    /// The addresses of a host that may be called.
    ///
    /// # Errors
    /// There is none, or none was found in time.
    pub(crate) async fn addresses(
        &self,
        place: &Place,
        patience: Duration,
    ) -> Result<Vec<SocketAddr>, CallError> {
        let found = timeout(patience, self.connector.addresses(place)).await;
        let found = found.map_err(|_| CallError::TimedOut(millis(patience)))?;
        found.map_err(CallError::Unreachable)
    }

    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn deliver(
        &self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Answer, CallError> {
        self.call(&self.deliveries, request, patience).await
    }

    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Answer, CallError> {
        self.call(&self.handshakes, request, patience).await
    }

    async fn call(
        &self,
        client: &Client<Connector, Full<Bytes>>,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Answer, CallError> {
        let deadline = Instant::now() + patience;
        let answered = timeout_at(deadline, client.request(request)).await;
        let answered = answered.map_err(|_| CallError::TimedOut(millis(patience)))?;
        let (head, body) = answered.map_err(|error| cause(&error))?.into_parts();
        // The answer is known. What is read of the rest is for the connection, which is closed
        // when more comes than may, or when it does not come in time.
        let rest = Limited::new(body, self.answer_bytes_max).collect();
        let _ = timeout_at(deadline, rest).await;
        Ok(Answer {
            status: head.status,
            fields: head.headers,
        })
    }
}

fn cause(error: &hyper_util::client::legacy::Error) -> CallError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut last = error.to_string();
    while let Some(error) = source {
        if let Some(unreachable) = error.downcast_ref::<Unreachable>() {
            return unreachable.clone().into();
        }
        last = error.to_string();
        source = error.source();
    }
    CallError::Broken(format!("the connection broke: {last}"))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
