//! Whether it serves.

use crate::error::Refusal;
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<OpenMessaging>> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
}

/// Whether messages are taken.
async fn ready(State(server): State<Arc<OpenMessaging>>) -> Result<&'static str, Refusal> {
    if server.client.admits_messages() {
        return Ok("ok\n");
    }
    let text = "the broker takes no messages";
    Err(Refusal::new(OmsStatus::NotAvailable, text))
}
