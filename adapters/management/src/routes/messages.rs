//! Messages into exchanges and out of queues, one by one.

use super::exchanges::name_in_path;
use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::request::{Body, short};
use crate::server::Management;
use crate::values::{json_of_payload, json_of_properties, properties_of};
use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gantry_amqp::Fault;
use gantry_amqp::operators::{After, Got};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/exchanges/{vhost}/{name}/publish", post(publish))
        .route("/api/queues/{vhost}/{name}/get", post(look))
}

async fn publish(
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let body = Body::parse(&body)?;
    body.need(&["properties", "routing_key", "payload", "payload_encoding"])?;
    let payload = body.text("payload").unwrap_or_default();
    let payload = match body.text("payload_encoding") {
        Some("string") => payload.as_bytes().to_vec(),
        Some("base64") => STANDARD
            .decode(payload)
            .map_err(|_| Refusal::bad("payload is no base64"))?,
        _ => return Err(Refusal::bad("payload_encoding is string or base64")),
    };
    let key = body.text("routing_key").unwrap_or_default();
    short(key)?;
    let properties = properties_of(body.get("properties"))?;
    let operator = caller.operator(&vhost)?;
    let client_max = operator.message_bytes_max();
    if payload.len() > client_max {
        return Err(Refusal::bad(format!(
            "message size {} is larger than configured max size {client_max}",
            payload.len()
        )));
    }
    let exchange = name_in_path(&name);
    let published = operator.publish(exchange, key, properties, payload.into());
    let outcome = published.map_err(|fault| Refusal::unpublished(&fault))?;
    if let Some(receipt) = outcome.receipt {
        let durable = receipt.durable().await;
        durable.map_err(|error| Refusal::from(Fault::from(error)))?;
    }
    Ok(Json(json!({ "routed": outcome.is_routed })))
}

async fn look(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let body = Body::parse(&body)?;
    body.need(&["count", "ackmode", "encoding"])?;
    let number = |name: &str| match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Refusal::bad(format!("{name} is no number"))),
        },
        Some(value) => match value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
        {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::bad(format!("{name} is no number"))),
        },
    };
    let after = match body.text("ackmode") {
        Some("ack_requeue_false") => After::Acknowledge,
        Some("ack_requeue_true" | "reject_requeue_true") => After::Requeue,
        Some("reject_requeue_false") => After::Reject,
        _ => return Err(Refusal::bad("ackmode is none that is known")),
    };
    let as_base64 = match body.text("encoding") {
        Some("auto") => false,
        Some("base64") => true,
        _ => return Err(Refusal::bad("encoding is auto or base64")),
    };
    let truncate = number("truncate")?;
    let count = number("count")?.unwrap_or(1);
    let operator = caller.operator(&vhost)?;
    let config = &management.config;
    let limits = (count.min(config.get_messages_max), config.get_bytes_max);
    let got = operator.get(&name, limits, after)?;
    let told = got.iter().map(|one| told(one, truncate, as_base64));
    Ok(Json(told.collect()))
}

fn told(got: &Got, truncate: Option<usize>, as_base64: bool) -> Value {
    let message = &got.message;
    let shown = truncate.unwrap_or(usize::MAX).min(message.body.len());
    let shown = message.body.get(..shown).unwrap_or_default();
    let (encoding, payload) = json_of_payload(shown, as_base64);
    json!({
        "payload_bytes": message.body.len(),
        "redelivered": got.is_redelivered,
        "exchange": String::from_utf8_lossy(&message.exchange),
        "routing_key": String::from_utf8_lossy(&message.routing_key),
        "message_count": got.left,
        "properties": json_of_properties(&message.properties),
        "payload": payload,
        "payload_encoding": encoding,
    })
}
