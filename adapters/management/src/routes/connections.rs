//! Connections, channels and consumers.

use super::deleted;
use crate::caller::Caller;
use crate::describe::channel_name;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::server::Management;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use gantry_amqp::registry::OpenConnection;
use serde_json::{Value, json};
use std::sync::Arc;

const REASON: &str = "x-reason";
const NO_REASON: &str = "Closed via management plugin";

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/connections", get(connections))
        .route("/api/connections/{name}", get(one).delete(close))
        .route("/api/connections/{name}/channels", get(channels_of))
        .route(
            "/api/connections/username/{user}",
            get(of_user).delete(close_all),
        )
        .route("/api/vhosts/{name}/connections", get(of_vhost))
        .route("/api/channels", get(channels))
        .route("/api/channels/{name}", get(one_channel))
        .route("/api/vhosts/{name}/channels", get(channels_in))
        .route("/api/consumers", get(consumers))
        .route("/api/consumers/{vhost}", get(consumers_in))
}

/// Those a user may see: its own, or as a monitor all.
fn seen(management: &Management, caller: &Caller) -> Vec<Arc<OpenConnection>> {
    let mut all = management.amqp.registry().connections();
    all.retain(|connection| caller.is_monitor() || *connection.user == caller.name);
    all
}

fn find(
    management: &Management,
    caller: &Caller,
    name: &str,
) -> Result<Arc<OpenConnection>, Refusal> {
    let mut all = seen(management, caller).into_iter();
    let found = all.find(|connection| connection.name() == name);
    found.ok_or_else(Refusal::not_found)
}

async fn connections(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    let all = seen(&management, &caller);
    query.list(all.iter().map(|one| management.connection(one)).collect())
}

async fn of_vhost(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.vhost(&name)?;
    let mut all = seen(&management, &caller);
    all.retain(|connection| *connection.vhost == *name);
    query.list(all.iter().map(|one| management.connection(one)).collect())
}

async fn of_user(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(user): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    let mut all = seen(&management, &caller);
    all.retain(|connection| *connection.user == *user);
    let told = all.iter().map(|one| {
        json!({
            "name": one.name(),
            "user": &*one.user,
            "vhost": &*one.vhost,
            "node": crate::describe::NODE,
        })
    });
    query.list(told.collect())
}

async fn one(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    let found = find(&management, &caller, &name)?;
    Ok(query.one(management.connection(&found)))
}

fn reason(headers: &HeaderMap) -> &str {
    let given = headers.get(REASON);
    let given = given.and_then(|given| given.to_str().ok());
    given.unwrap_or(NO_REASON)
}

async fn close(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let found = find(&management, &caller, &name)?;
    if *found.user != caller.name {
        caller.administers()?;
    }
    found.close(reason(&headers));
    deleted(true)
}

async fn close_all(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(user): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    if user != caller.name {
        caller.administers()?;
    }
    let registry = management.amqp.registry();
    registry.close_all(reason(&headers), |connection| *connection.user == *user);
    deleted(true)
}

fn channels_of_all(management: &Management, connections: &[Arc<OpenConnection>]) -> Vec<Value> {
    let all = connections.iter().flat_map(|connection| {
        let channels = connection.channels().into_iter();
        channels.map(|one| management.channel(connection, &one))
    });
    all.collect()
}

async fn channels(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    query.list(channels_of_all(&management, &seen(&management, &caller)))
}

async fn channels_in(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.vhost(&name)?;
    let mut all = seen(&management, &caller);
    all.retain(|connection| *connection.vhost == *name);
    query.list(channels_of_all(&management, &all))
}

async fn channels_of(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    query.list(channels_of_all(
        &management,
        &[find(&management, &caller, &name)?],
    ))
}

async fn one_channel(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    for connection in seen(&management, &caller) {
        let mut channels = connection.channels().into_iter();
        let found = channels.find(|one| channel_name(&connection, one) == name);
        let Some(found) = found else {
            continue;
        };
        let mut described = management.channel(&connection, &found);
        let consumers = found.consumers();
        let consumers = consumers
            .iter()
            .map(|one| management.consumer(&connection, &found, one));
        if let Value::Object(fields) = &mut described {
            fields.insert("consumer_details".to_owned(), consumers.collect());
        }
        return Ok(query.one(described));
    }
    Err(Refusal::not_found())
}

async fn consumers(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    let hosts = caller.vhosts();
    let is_seen = |vhost: &str| hosts.iter().any(|host| **host.name() == *vhost);
    query.list(management.consumers(|connection, _| is_seen(&connection.vhost)))
}

async fn consumers_in(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(vhost): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.vhost(&vhost)?;
    query.list(management.consumers(|connection, _| *connection.vhost == *vhost))
}
