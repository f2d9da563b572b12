//! Bindings.

use super::deleted;
use super::exchanges::name_in_path;
use crate::caller::Caller;
use crate::describe::{binding, bindings, properties_key};
use crate::query::Query;
use crate::refusal::Refusal;
use crate::request::{Body, short};
use crate::server::Management;
use crate::values::{json_of_arguments, json_of_table, table_of};
use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use gantry_amqp::codec::Table;
use gantry_amqp::codec::method::{exchange, queue};
use gantry_amqp::operators::Operator;
use gantry_core::routing::{Binding, Destination};
use gantry_core::vhosts::VirtualHost;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/bindings", get(list))
        .route("/api/bindings/{vhost}", get(of_vhost))
        .route(
            "/api/bindings/{vhost}/e/{source}/{kind}/{destination}",
            get(between).post(bind),
        )
        .route(
            "/api/bindings/{vhost}/e/{source}/{kind}/{destination}/{key}",
            get(one).delete(unbind),
        )
}

/// The ends of a binding.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) source: String,
    pub(super) destination: Destination,
}

impl Ends {
    fn new(source: &str, kind: &str, destination: &str) -> Result<Self, Refusal> {
        let destination = match kind {
            "q" => Destination::Queue(destination.into()),
            "e" => Destination::Exchange(destination.into()),
            _ => return Err(Refusal::not_found()),
        };
        Ok(Self {
            source: name_in_path(source).to_owned(),
            destination,
        })
    }

    fn has(&self, binding: &Binding) -> bool {
        *binding.source == *self.source && binding.destination == self.destination
    }

    /// # Errors
    /// One of them is not there.
    fn check(&self, host: &VirtualHost) -> Result<(), Refusal> {
        let is_there = match &self.destination {
            Destination::Queue(name) => host.queue(name).is_some(),
            Destination::Exchange(name) => host.exchange(name).is_some(),
        };
        if is_there && host.exchange(&self.source).is_some() {
            return Ok(());
        }
        Err(Refusal::not_found())
    }

    /// # Errors
    /// What a channel would be told.
    pub(super) fn bind(
        &self,
        operator: &Operator,
        key: &str,
        arguments: Table,
    ) -> Result<(), Refusal> {
        let (source, routing_key) = (short(&self.source)?, short(key)?);
        match &self.destination {
            Destination::Queue(name) => {
                let bind = queue::Bind {
                    ticket: 0,
                    queue: short(name)?,
                    exchange: source,
                    routing_key,
                    no_wait: false,
                    arguments,
                };
                operator.topology().bind_queue(&bind, None)?;
            }
            Destination::Exchange(name) => operator.topology().bind_exchange(&exchange::Bind {
                ticket: 0,
                destination: short(name)?,
                source,
                routing_key,
                no_wait: false,
                arguments,
            })?,
        }
        Ok(())
    }

    fn unbind(&self, operator: &Operator, key: &str, arguments: Table) -> Result<(), Refusal> {
        let (source, routing_key) = (short(&self.source)?, short(key)?);
        match &self.destination {
            Destination::Queue(name) => {
                let unbind = queue::Unbind {
                    ticket: 0,
                    queue: short(name)?,
                    exchange: source,
                    routing_key,
                    arguments,
                };
                operator.topology().unbind_queue(&unbind, None)?;
            }
            Destination::Exchange(name) => {
                operator.topology().unbind_exchange(&exchange::Unbind {
                    ticket: 0,
                    destination: short(name)?,
                    source,
                    routing_key,
                    no_wait: false,
                    arguments,
                })?
            }
        }
        Ok(())
    }
}

fn all_of(host: &VirtualHost) -> Vec<Value> {
    those_of(host, |_| true)
}

/// Those of a virtual host's that are meant.
pub(super) fn those_of(host: &VirtualHost, is_meant: impl Fn(&Binding) -> bool) -> Vec<Value> {
    let all = bindings(host).into_iter();
    let meant = all.filter(|one| is_meant(one));
    meant.map(|one| binding(host.name(), &one)).collect()
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

async fn between(
    caller: Caller,
    Path((vhost, source, kind, destination)): Path<(String, String, String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    let host = caller.vhost(&vhost)?;
    let ends = Ends::new(&source, &kind, &destination)?;
    ends.check(&host)?;
    query.list(those_of(&host, |one| ends.has(one)))
}

async fn bind(
    caller: Caller,
    Path((vhost, source, kind, destination)): Path<(String, String, String, String)>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body = Body::parse(&body)?;
    let operator = caller.operator(&vhost)?;
    let ends = Ends::new(&source, &kind, &destination)?;
    ends.check(operator.host())?;
    let key = body.text("routing_key").unwrap_or_default();
    let arguments = table_of(body.get("arguments"))?;
    let told = json_of_table(arguments.view());
    ends.bind(&operator, key, arguments)?;
    let all = bindings(operator.host()).into_iter();
    let mut made = all.filter(|one| ends.has(one) && *one.key == *key);
    let made = made.find(|one| json_of_arguments(&one.arguments) == told);
    let key = made.map_or_else(|| "~".to_owned(), |made| properties_key(&made));
    // RabbitMQ's address of it: its key is percent-encoded once more.
    let place = format!("{destination}/{}", utf8_percent_encode(&key, LOCATION));
    let place = utf8_percent_encode(&place, TEXT).to_string();
    Ok((StatusCode::CREATED, [(header::LOCATION, place)]).into_response())
}

/// What stays as it is in the key of an address.
const LOCATION: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What cannot stand in a header.
const TEXT: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b' ');

/// The binding of a key between two ends.
fn find(host: &VirtualHost, ends: &Ends, key: &str) -> Result<Binding, Refusal> {
    let all = bindings(host).into_iter();
    let mut between = all.filter(|one| ends.has(one));
    let found = between.find(|one| properties_key(one) == key);
    found.ok_or_else(Refusal::not_found)
}

async fn one(
    caller: Caller,
    Path((vhost, source, kind, destination, key)): Path<(String, String, String, String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    let host = caller.vhost(&vhost)?;
    let ends = Ends::new(&source, &kind, &destination)?;
    let found = find(&host, &ends, &key)?;
    Ok(query.one(binding(&vhost, &found)))
}

async fn unbind(
    caller: Caller,
    Path((vhost, source, kind, destination, key)): Path<(String, String, String, String, String)>,
) -> Result<Response, Refusal> {
    let operator = caller.operator(&vhost)?;
    let ends = Ends::new(&source, &kind, &destination)?;
    let found = find(operator.host(), &ends, &key)?;
    let arguments = table_of(Some(&json_of_arguments(&found.arguments)))?;
    ends.unbind(&operator, &found.key, arguments)?;
    deleted(true)
}
