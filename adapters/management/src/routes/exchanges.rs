//! Exchanges.

use super::bindings::those_of;
use super::{deleted, put};
use crate::caller::Caller;
use crate::describe::exchange;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::request::{Body, short};
use crate::server::Management;
use crate::values::table_of;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use gantry_amqp::codec::method::exchange::{Declare, Delete};
use gantry_amqp::operators::Operator;
use gantry_core::routing::{Binding, Destination, ExchangeSpec};
use gantry_core::vhosts::VirtualHost;
use serde_json::{Value, json};
use std::sync::Arc;

/// What paths call the exchange without a name.
const DEFAULT_NAME: &str = "amq.default";

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/exchanges", get(list))
        .route("/api/exchanges/{vhost}", get(of_vhost))
        .route(
            "/api/exchanges/{vhost}/{name}",
            get(one).put(declare).delete(remove),
        )
        .route(
            "/api/exchanges/{vhost}/{name}/bindings/source",
            get(from_exchange),
        )
        .route(
            "/api/exchanges/{vhost}/{name}/bindings/destination",
            get(to_exchange),
        )
}

/// An exchange's name in a path.
pub(super) fn name_in_path(name: &str) -> &str {
    if name == DEFAULT_NAME { "" } else { name }
}

fn all_of(host: &VirtualHost) -> Vec<Value> {
    let default = host.exchange("").map(|spec| ("".into(), spec));
    let all = default.into_iter().chain(host.exchanges());
    all.map(|(name, spec)| described(host, &name, &spec))
        .collect()
}

/// An exchange, with its policy if it has one.
fn described(host: &VirtualHost, name: &str, spec: &ExchangeSpec) -> Value {
    let mut described = exchange(host.name(), name, spec);
    if let Value::Object(fields) = &mut described
        && let Some(policy) = host.exchange_ruling(name).policy
    {
        fields.insert("policy".to_owned(), (&*policy).into());
    }
    described
}

async fn list(caller: Caller, query: Query) -> Result<Response, Refusal> {
    let hosts = caller.vhosts();
    query.list(hosts.iter().flat_map(|host| all_of(host)).collect())
}

async fn of_vhost(
    caller: Caller,
    Path(vhost): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    query.list(all_of(&*caller.vhost(&vhost)?))
}

async fn one(
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    let host = caller.vhost(&vhost)?;
    let name = name_in_path(&name);
    let spec = host.exchange(name).ok_or_else(Refusal::not_found)?;
    let mut described = described(&host, name, &spec);
    if let Value::Object(fields) = &mut described {
        fields.insert("incoming".to_owned(), json!([]));
        fields.insert("outgoing".to_owned(), json!([]));
    }
    Ok(query.one(described))
}

/// Declares what a body says; whether it is new.
///
/// # Errors
/// What makes no sense, or may not be.
pub(super) fn declare_exchange(
    operator: &Operator,
    name: &str,
    body: &Body,
) -> Result<bool, Refusal> {
    let kind = body.text("type").unwrap_or("direct");
    let is_new = operator.declare_exchange(&Declare {
        ticket: 0,
        exchange: short(name)?,
        kind: short(kind)?,
        passive: false,
        durable: body.flag("durable", true)?,
        auto_delete: body.flag("auto_delete", false)?,
        internal: body.flag("internal", false)?,
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
    let is_new = declare_exchange(&operator, &name, &Body::parse(&body)?)?;
    Ok(put(is_new))
}

async fn remove(
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    let operator = caller.operator(&vhost)?;
    if name_in_path(&name).is_empty() {
        return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response());
    }
    if operator.host().exchange(&name).is_none() {
        return Err(Refusal::not_found());
    }
    operator.topology().delete_exchange(&Delete {
        ticket: 0,
        exchange: short(&name)?,
        if_unused: query.is("if-unused"),
        no_wait: false,
    })?;
    deleted(true)
}

async fn from_exchange(
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    let name = name_in_path(&name).to_owned();
    bindings_that(&caller, (&vhost, &name), &query, |binding| {
        *binding.source == *name
    })
}

async fn to_exchange(
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    let name = name_in_path(&name).to_owned();
    let to = Destination::Exchange(name.as_str().into());
    bindings_that(&caller, (&vhost, &name), &query, |binding| {
        binding.destination == to
    })
}

fn bindings_that(
    caller: &Caller,
    (vhost, name): (&str, &str),
    query: &Query,
    is_meant: impl Fn(&Binding) -> bool,
) -> Result<Response, Refusal> {
    let host = caller.vhost(vhost)?;
    host.exchange(name).ok_or_else(Refusal::not_found)?;
    query.list(those_of(&host, is_meant))
}
