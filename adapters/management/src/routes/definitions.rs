//! All that is declared, in one document, out of one broker and into another.

use super::bindings::Ends;
use super::exchanges::declare_exchange;
use super::overview::API_VERSION;
use super::parameters::{is_component, parameters_of};
use super::policies::policies_of;
use super::queues::declare_queue;
use crate::caller::Caller;
use crate::describe::{bound, exchange};
use crate::refusal::Refusal;
use crate::request::Body;
use crate::server::Management;
use crate::values::{json_of_arguments, table_of};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use gantry_amqp::operators::Operator;
use gantry_core::routing::Destination;
use gantry_core::vhosts::{PolicyKind, VirtualHost};
use serde_json::{Value, json};
use std::sync::Arc;

/// What is there from the beginning on, and in no definitions.
const PREDECLARED: &str = "amq.";

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/definitions", get(export).post(import))
        .route(
            "/api/definitions/{vhost}",
            get(export_vhost).post(import_vhost),
        )
}

/// What is declared in virtual hosts, with the name of each.
#[derive(Default)]
struct Topology {
    queues: Vec<Value>,
    exchanges: Vec<Value>,
    bindings: Vec<Value>,
    policies: Vec<Value>,
    parameters: Vec<Value>,
}

impl Topology {
    fn add(&mut self, host: &VirtualHost) {
        let vhost = host.name();
        self.policies.extend(policies_of(host, PolicyKind::User));
        self.parameters.extend(parameters_of(host));
        for queue in host.queues() {
            let spec = queue.spec();
            if !spec.is_exclusive {
                self.queues.push(json!({
                    "name": &**queue.name(),
                    "vhost": &**vhost,
                    "durable": spec.is_durable,
                    "auto_delete": spec.is_auto_delete,
                    "arguments": json_of_arguments(&spec.arguments),
                }));
            }
        }
        for (name, spec) in host.exchanges() {
            let bindings = host.bindings_of(&name).into_iter();
            let kept = bindings.filter(|binding| match &binding.destination {
                Destination::Queue(name) => {
                    let queue = host.queue(name);
                    queue.is_some_and(|queue| !queue.spec().is_exclusive)
                }
                Destination::Exchange(_) => true,
            });
            self.bindings
                .extend(kept.map(|binding| bound(vhost, &binding)));
            if !name.starts_with(PREDECLARED) {
                let mut described = exchange(vhost, &name, &spec);
                if let Value::Object(fields) = &mut described {
                    fields.shift_remove("user_who_performed_action");
                }
                self.exchanges.push(described);
            }
        }
    }

    /// The same without the names of the virtual hosts, save where RabbitMQ has them.
    fn without_vhost(mut self) -> Self {
        let all = [&mut self.queues, &mut self.exchanges, &mut self.bindings];
        for one in all.into_iter().flatten() {
            if let Value::Object(fields) = one {
                fields.shift_remove("vhost");
            }
        }
        self
    }
}

async fn export(
    State(management): State<Arc<Management>>,
    caller: Caller,
) -> Result<Json<Value>, Refusal> {
    caller.administers()?;
    let hosts = management.amqp.client().virtual_hosts();
    let mut topology = Topology::default();
    hosts.iter().for_each(|host| topology.add(host));
    let accounts = management.amqp.accounts();
    let users = management.told_users(&accounts.users());
    let vhosts = hosts.iter().map(|host| {
        let note = accounts.note(host.name());
        json!({
            "name": &**host.name(),
            "description": note.description,
            "tags": note.tags,
            "metadata": { "description": note.description, "tags": note.tags },
        })
    });
    Ok(Json(json!({
        "rabbit_version": API_VERSION,
        "rabbitmq_version": API_VERSION,
        "product_name": management.amqp.config().product,
        "product_version": management.version(),
        "users": users,
        "vhosts": vhosts.collect::<Vec<_>>(),
        "permissions": management.permissions(|_, _| true),
        "topic_permissions": management.topic_limits(|_| true),
        "parameters": topology.parameters,
        "global_parameters": management.globals(),
        "policies": topology.policies,
        "queues": topology.queues,
        "exchanges": topology.exchanges,
        "bindings": topology.bindings,
    })))
}

async fn export_vhost(caller: Caller, Path(vhost): Path<String>) -> Result<Json<Value>, Refusal> {
    caller.administers()?;
    let host = caller.vhost(&vhost)?;
    let mut topology = Topology::default();
    topology.add(&host);
    let topology = topology.without_vhost();
    Ok(Json(json!({
        "rabbit_version": API_VERSION,
        "parameters": topology.parameters,
        "policies": topology.policies,
        "queues": topology.queues,
        "exchanges": topology.exchanges,
        "bindings": topology.bindings,
    })))
}

async fn import(
    State(management): State<Arc<Management>>,
    caller: Caller,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    caller.administers()?;
    let body = Body::parse(&body)?;
    let named = |item: &Body| match item.text("name") {
        Some(name) => Ok(name.to_owned()),
        None => Err(Refusal::bad("[{key_missing,name}]")),
    };
    for mut item in body.objects("users") {
        item.0.entry("tags").or_insert_with(|| json!([]));
        management.put_user(&named(&item)?, &item)?;
    }
    for mut item in body.objects("vhosts") {
        if let Some(Value::Object(metadata)) = item.0.shift_remove("metadata") {
            for (name, value) in metadata {
                item.0.entry(name).or_insert(value);
            }
        }
        management.put_vhost(&named(&item)?, &item)?;
    }
    for item in body.objects("permissions") {
        item.need(&["vhost", "user"])?;
        let text = |name| item.text(name).unwrap_or_default();
        management.put_permission(text("vhost"), text("user"), &item)?;
    }
    for item in body.objects("topic_permissions") {
        item.need(&["vhost", "user"])?;
        let text = |name| item.text(name).unwrap_or_default();
        management.put_topic_limit(text("vhost"), text("user"), &item)?;
    }
    for item in body.objects("global_parameters") {
        management.put_global(&named(&item)?, &item)?;
    }
    rule_all(&management, &body, None)?;
    declare_all(&management, &caller, &body, None)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn import_vhost(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(vhost): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    caller.administers()?;
    caller.vhost(&vhost)?;
    let body = Body::parse(&body)?;
    rule_all(&management, &body, Some(&vhost))?;
    declare_all(&management, &caller, &body, Some(&vhost))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets parameters and policies of virtual hosts, `only` of one of them.
fn rule_all(management: &Management, body: &Body, only: Option<&str>) -> Result<(), Refusal> {
    for item in body.objects("parameters") {
        item.need(&["component", "name"])?;
        let text = |name| item.text(name).unwrap_or_default();
        let component = text("component");
        if !is_component(component) {
            // Of a plugin of RabbitMQ's; the rest is of use without it.
            tracing::warn!(
                component,
                name = text("name"),
                "a parameter is not imported"
            );
            continue;
        }
        let vhost = only.unwrap_or_else(|| text("vhost"));
        management.put_parameter((component, vhost, text("name")), &item)?;
    }
    for item in body.objects("policies") {
        item.need(&["name"])?;
        let text = |name| item.text(name).unwrap_or_default();
        let vhost = only.unwrap_or_else(|| text("vhost"));
        management.put_policy(vhost, PolicyKind::User, text("name"), &item)?;
    }
    Ok(())
}

/// Declares what is in virtual hosts, `only` in one of them.
fn declare_all(
    management: &Management,
    caller: &Caller,
    body: &Body,
    only: Option<&str>,
) -> Result<(), Refusal> {
    let operator = |item: &Body| {
        let vhost = only.or_else(|| item.text("vhost")).unwrap_or("/");
        let operator = Operator::unlimited(&management.amqp, vhost, caller.from);
        operator.ok_or_else(Refusal::no_vhost)
    };
    for item in body.objects("exchanges") {
        let name = item.text("name").unwrap_or_default();
        declare_exchange(&operator(&item)?, name, &item)?;
    }
    for item in body.objects("queues") {
        let name = item.text("name").unwrap_or_default();
        if name.is_empty() {
            return Err(Refusal::bad("[{key_missing,name}]"));
        }
        declare_queue(&operator(&item)?, name, &item)?;
    }
    for item in body.objects("bindings") {
        item.need(&["source", "destination", "destination_type"])?;
        let text = |name| item.text(name).unwrap_or_default();
        let destination = text("destination").into();
        let ends = Ends {
            source: text("source").to_owned(),
            destination: match text("destination_type") {
                "exchange" => Destination::Exchange(destination),
                _ => Destination::Queue(destination),
            },
        };
        // Every queue has that one.
        if !ends.source.is_empty() {
            let arguments = table_of(item.get("arguments"))?;
            ends.bind(&operator(&item)?, text("routing_key"), arguments)?;
        }
    }
    Ok(())
}
