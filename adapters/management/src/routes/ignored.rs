//! What clients asked for without effect: a route of our own.

use crate::caller::Caller;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::server::Management;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::json;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new().route("/api/gantry/ignored", get(list))
}

async fn list(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.monitors()?;
    let rows = management.amqp.ledger().rows().into_iter();
    let rows =
        rows.map(|row| json!({ "kind": row.asked.name(), "name": row.name, "times": row.times }));
    query.list(rows.collect())
}
