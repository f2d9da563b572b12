//! What every route needs of a request.

use crate::error::Refusal;
use crate::headers;
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use bytes::Bytes;
use futures_util::StreamExt as _;
use gantry_connection::{Connections, Permit, Shutdown};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

impl OpenMessaging {
    /// A request's body, of at most `limit` bytes.
    ///
    /// # Errors
    /// It is longer, does not come in time, or ends early.
    pub(crate) async fn body(&self, body: Body, limit: usize) -> Result<Bytes, Refusal> {
        let too_long = || {
            let text = format!("the body has more than {limit} bytes");
            Refusal::new(OmsStatus::BodyTooLarge, text)
        };
        let patience = Duration::from_millis(self.config.body_timeout_ms);
        let promised = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if promised > limit {
            // Who writes all before he reads hears the answer, unless it is much too much.
            if promised <= limit.saturating_mul(2) {
                let _ = tokio::time::timeout(patience, pass_over(body)).await;
            }
            return Err(too_long());
        }
        let read = axum::body::to_bytes(body, limit);
        let Ok(read) = tokio::time::timeout(patience, read).await else {
            let text = "the body did not come in time";
            return Err(Refusal::new(OmsStatus::RequestTimeout, text));
        };
        read.map_err(|error| {
            let is_long = std::error::Error::source(&error)
                .is_some_and(|source| source.to_string().contains("length limit"));
            if is_long {
                too_long()
            } else {
                Refusal::new(OmsStatus::BadRequest, format!("the body: {error}"))
            }
        })
    }
}

async fn pass_over(body: Body) {
    let mut chunks = body.into_data_stream();
    while let Some(Ok(_)) = chunks.next().await {}
}

/// What a path names: `{name}`, in the namespace of the path or of the header.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) namespace: Option<String>,
    /// Empty where the path has none.
    pub(crate) name: String,
}

impl FromRequestParts<Arc<OpenMessaging>> for Place {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<OpenMessaging>,
    ) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, server).await;
        let params = params.map_err(|error| Refusal::parameter(error.to_string()))?;
        let mut place = Self {
            namespace: None,
            name: String::new(),
        };
        for (key, value) in &params {
            match key {
                "namespace" => place.namespace = Some(value.to_owned()),
                "name" => value.clone_into(&mut place.name),
                _ => {}
            }
        }
        if place.namespace.is_none() {
            let named = headers::field(&parts.headers, &headers::NAMESPACE)?;
            place.namespace = named.map(std::borrow::Cow::into_owned);
        }
        Ok(place)
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let none = || Refusal::new(OmsStatus::Server, "nobody knows who asks");
        peer.map(|peer| Self(peer.0)).ok_or_else(none)
    }
}

/// The connection a request came on, for what goes on after its answer has begun.
#[derive(Clone, Debug)]
pub(crate) struct Underneath {
    /// When it is to end.
    pub(crate) shutdown: Shutdown,
    users: Option<Connections>,
}

impl Underneath {
    /// Keeps it counted as open after HTTP has ended on it.
    pub(crate) fn keep(&self) -> Option<Permit> {
        self.users.as_ref().and_then(Connections::admit)
    }
}

impl<S: Sync> FromRequestParts<S> for Underneath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            shutdown: parts.extensions.get().cloned().unwrap_or_default(),
            users: parts.extensions.get().cloned(),
        })
    }
}
