//! What operators and their monitoring ask, over HTTP: whether the store is well (`/healthz`) and
//! its numbers (`/metrics`). Read only.

mod health;
mod metrics;

use axum::Router;
use axum::routing::get;
use gantry_core::Broker;
use gantry_remoting::nameserver::NameServer;
use std::sync::Arc;

/// What is told of: as much as this process has.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) store: Option<Broker>,
    pub(crate) namesrv: Option<Arc<NameServer>>,
    pub(crate) amqp: Option<Arc<gantry_amqp::Server>>,
    pub(crate) openmessaging: Option<Arc<gantry_openmessaging::OpenMessaging>>,
}

/// What is asked.
pub(crate) fn routes(watched: Watched) -> Router {
    Router::new()
        .route("/healthz", get(health::answer))
        .route("/metrics", get(metrics::answer))
        .with_state(watched)
}
