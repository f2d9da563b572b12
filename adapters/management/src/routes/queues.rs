//! Queues.

use super::{deleted, put};
use crate::caller::Caller;
use crate::describe::{binding, by_name};
use crate::query::Query;
use crate::refusal::Refusal;
use crate::request::{Body, short};
use crate::server::Management;
use crate::values::table_of;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{delete, get};
use bytes::Bytes;
use gantry_amqp::codec::method::queue::{Declare, Delete, Purge};
use gantry_amqp::operators::Operator;
use gantry_core::routing::Destination;
use gantry_core::vhosts::{VirtualHost, WorkQueue};
use serde_json::Value;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/queues", get(list))
        .route("/api/queues/{vhost}", get(of_vhost))
        .route(
            "/api/queues/{vhost}/{name}",
            get(one).put(declare).delete(remove),
        )
        .route("/api/queues/{vhost}/{name}/contents", delete(purge))
        .route("/api/queues/{vhost}/{name}/bindings", get(bindings))
}

fn all_of(management: &Management, host: &VirtualHost) -> Vec<Value> {
    let queues = host.queues();
    let described = queues.iter().filter_map(|queue| management.queue(queue));
    described.collect()
}

fn queue_of(caller: &Caller, vhost: &str, name: &str) -> Result<Arc<WorkQueue>, Refusal> {
    let queue = caller.vhost(vhost)?.queue(name);
    queue.ok_or_else(Refusal::not_found)
}

async fn list(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    let hosts = caller.vhosts();
    let all = hosts.iter().flat_map(|host| all_of(&management, host));
    query.list(all.collect())
}

async fn of_vhost(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(vhost): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    let host = caller.vhost(&vhost)?;
    query.list(all_of(&management, &host))
}

async fn one(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    let queue = queue_of(&caller, &vhost, &name)?;
    let described = management.queue_with_consumers(&queue);
    Ok(query.one(described.ok_or_else(Refusal::not_found)?))
}

/// Declares what a body says; whether it is new.
///
/// # Errors
/// What makes no sense, or may not be.
pub(super) fn declare_queue(operator: &Operator, name: &str, body: &Body) -> Result<bool, Refusal> {
    let is_new = operator.declare_queue(&Declare {
        ticket: 0,
        queue: short(name)?,
        passive: false,
        durable: body.flag("durable", true)?,
        // It would go with the request.
        exclusive: false,
        auto_delete: body.flag("auto_delete", false)?,
        no_wait: false,
        arguments: table_of(body.get("arguments"))?,
    })?;
    Ok(is_new)
}

async fn declare(
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let operator = caller.operator(&vhost)?;
    let is_new = declare_queue(&operator, &name, &Body::parse(&body)?)?;
    Ok(put(is_new))
}

async fn remove(
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    let operator = caller.operator(&vhost)?;
    queue_of(&caller, &vhost, &name)?;
    let delete = Delete {
        ticket: 0,
        queue: short(&name)?,
        if_unused: query.is("if-unused"),
        if_empty: query.is("if-empty"),
        no_wait: false,
    };
    operator.topology().delete_queue(&delete, None)?;
    deleted(true)
}

async fn purge(
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let operator = caller.operator(&vhost)?;
    queue_of(&caller, &vhost, &name)?;
    let purge = Purge {
        ticket: 0,
        queue: short(&name)?,
        no_wait: false,
    };
    operator.topology().purge_queue(&purge, None)?;
    deleted(true)
}

async fn bindings(
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    let host = caller.vhost(&vhost)?;
    let queue = host.queue(&name).ok_or_else(Refusal::not_found)?;
    let own = std::iter::once(by_name(&queue));
    let to = Destination::Queue(Arc::clone(queue.name()));
    let all = own.chain(host.bindings_to(&to));
    query.list(all.map(|one| binding(&vhost, &one)).collect())
}
