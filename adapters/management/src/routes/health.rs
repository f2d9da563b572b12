//! Whether all is well: 200, or 503 and why.

use crate::caller::Caller;
use crate::describe::NODE;
use crate::refusal::Refusal;
use crate::request::short;
use crate::server::Management;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use gantry_amqp::codec::method::queue;
use gantry_amqp::codec::{Properties, Table};
use gantry_amqp::operators::After;
use serde_json::{Value, json};
use std::sync::Arc;

const ALIVENESS_QUEUE: &str = "aliveness-test";

pub(super) fn routes() -> Router<Arc<Management>> {
    let check = |name: &str| format!("/api/health/checks/{name}");
    Router::new()
        .route(&check("alarms"), get(alarms))
        .route(&check("local-alarms"), get(local_alarms))
        .route(&check("ready"), get(fine))
        .route(&check("ready-to-serve-clients"), get(fine))
        .route(&check("is-in-service"), get(fine))
        .route(&check("virtual-hosts"), get(fine))
        .route(&check("node-is-mirror-sync-critical"), get(fine))
        .route(&check("node-is-quorum-critical"), get(fine))
        .route(&check("port-listener/{port}"), get(port))
        .route(&check("protocol-listener/{protocol}"), get(protocol))
        .route("/api/healthchecks/node", get(alarms))
        .route("/api/healthchecks/node/{name}", get(alarms))
        .route("/api/aliveness-test/{vhost}", get(aliveness))
}

fn ok() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

fn failed(answer: Value) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response()
}

async fn fine(_: Caller) -> Response {
    ok()
}

async fn alarms(State(management): State<Arc<Management>>, _: Caller) -> Response {
    told_of(&management, "in the cluster")
}

async fn local_alarms(State(management): State<Arc<Management>>, _: Caller) -> Response {
    told_of(&management, "on the node")
}

fn told_of(management: &Management, place: &str) -> Response {
    let alarms = management.amqp.alarms();
    if !alarms.is_any() {
        return ok();
    }
    let resources = [(alarms.memory, "memory"), (alarms.disk, "disk")];
    let raised = resources.iter().filter(|(is_on, _)| *is_on);
    let raised = raised.map(|(_, resource)| json!({ "node": NODE, "resource": resource }));
    failed(json!({
        "status": "failed",
        "reason": format!("There are alarms in effect {place}"),
        "alarms": raised.collect::<Vec<_>>(),
    }))
}

async fn port(
    State(management): State<Arc<Management>>,
    _: Caller,
    Path(port): Path<String>,
) -> Result<Response, Refusal> {
    let wrong = |_| Refusal::bad(format!("{port} is no port"));
    let port: u16 = port.parse().map_err(wrong)?;
    let ports = management.listening.iter();
    let ports: Vec<_> = ports.map(|listening| listening.address.port()).collect();
    if ports.contains(&port) {
        return Ok(Json(json!({ "status": "ok", "port": port })).into_response());
    }
    let reason = "No active listener";
    Ok(failed(json!({
        "status": "failed",
        "reason": reason,
        "missing": port,
        "ports": ports,
    })))
}

async fn protocol(
    State(management): State<Arc<Management>>,
    _: Caller,
    Path(protocol): Path<String>,
) -> Response {
    let known = match protocol.as_str() {
        "amqp091" | "amqp0.9.1" | "amqp-0-9-1" => "amqp",
        other => other,
    };
    let protocols = management.listening.iter();
    let protocols: Vec<_> = protocols.map(|listening| listening.protocol).collect();
    if protocols.contains(&known) {
        return Json(json!({ "status": "ok", "protocol": protocol })).into_response();
    }
    failed(json!({
        "status": "failed",
        "reason": "No active listener",
        "missing": protocol,
        "protocols": protocols,
    }))
}

/// A queue is declared, and a message goes in and out.
async fn aliveness(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(vhost): Path<String>,
) -> Result<Response, Refusal> {
    caller.vhost(&vhost)?;
    let operator = caller.operator(&vhost)?;
    operator.declare_queue(&queue::Declare {
        ticket: 0,
        queue: short(ALIVENESS_QUEUE)?,
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: Table::default(),
    })?;
    let body = Bytes::from_static(b"test_message");
    operator.publish("", ALIVENESS_QUEUE, Properties::NONE, body)?;
    let limits = (1, management.config.get_bytes_max);
    let got = operator.get(ALIVENESS_QUEUE, limits, After::Acknowledge)?;
    if got.is_empty() {
        let answer = json!({ "status": "failed", "reason": "the message is not there" });
        return Ok(failed(answer));
    }
    Ok(ok())
}
