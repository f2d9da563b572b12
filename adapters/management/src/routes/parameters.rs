//! Parameters of virtual hosts by component, and global ones.

use super::policies::policies_of;
use super::{deleted, put};
use crate::caller::Caller;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::request::{Body, short};
use crate::server::Management;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use gantry_amqp::parameters::{ParameterError, vhost_limits};
use gantry_core::vhosts::{PolicyKind, VhostLimits, VirtualHost};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Limits of a virtual host, as a component of parameters.
const LIMITS: &str = "vhost-limits";
/// The only name of a parameter of theirs.
const LIMITS_NAME: &str = "limits";
/// Operators' policies, as a component.
const OPERATOR_POLICY: &str = "operator_policy";
/// Policies, as a component that is told only when asked for.
const POLICY: &str = "policy";

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/parameters", get(list))
        .route("/api/parameters/{component}", get(of_component))
        .route("/api/parameters/{component}/{vhost}", get(of_vhost))
        .route(
            "/api/parameters/{component}/{vhost}/{name}",
            get(one).put(set).delete(remove),
        )
        .route("/api/global-parameters", get(globals))
        .route(
            "/api/global-parameters/{name}",
            get(global).put(set_global).delete(remove_global),
        )
}

type Outcome = Result<Response, Refusal>;

fn parameter(vhost: &str, component: &str, name: &Value, value: Value) -> Value {
    json!({ "value": value, "vhost": vhost, "component": component, "name": name })
}

/// Limits as RabbitMQ writes them, an empty list when all of them are gone.
pub(super) fn told_limits(limits: VhostLimits) -> Value {
    if limits == VhostLimits::default() {
        return json!([]);
    }
    json!(limits)
}

fn policies(host: &VirtualHost, kind: PolicyKind, component: &str) -> Vec<Value> {
    let all = policies_of(host, kind).into_iter();
    let all = all.map(|mut policy| {
        let mut field = |name: &str| policy.get_mut(name).map_or(Value::Null, Value::take);
        let name = field("name");
        let value = json!({
            "pattern": field("pattern"),
            "definition": field("definition"),
            "priority": field("priority"),
            "apply-to": field("apply-to"),
        });
        parameter(host.name(), component, &name, value)
    });
    all.collect()
}

/// Those of a virtual host and of a component.
fn of(host: &VirtualHost, component: &str) -> Vec<Value> {
    match component {
        LIMITS => {
            let limits = host.limits().into_iter();
            let told = limits.map(|limits| {
                let value = told_limits(limits);
                parameter(host.name(), LIMITS, &json!(LIMITS_NAME), value)
            });
            told.collect()
        }
        OPERATOR_POLICY => policies(host, PolicyKind::Operator, component),
        POLICY => policies(host, PolicyKind::User, component),
        _ => Vec::new(),
    }
}

/// All of a virtual host's but its policies, also for definitions.
pub(super) fn parameters_of(host: &VirtualHost) -> Vec<Value> {
    [of(host, LIMITS), of(host, OPERATOR_POLICY)].concat()
}

/// Whether there are parameters of a component here.
pub(super) fn is_component(component: &str) -> bool {
    [LIMITS, OPERATOR_POLICY, POLICY].contains(&component)
}

impl Management {
    /// Sets a parameter of a virtual host; whether it is new.
    ///
    /// # Errors
    /// It makes no sense, or a failed store.
    pub(super) fn put_parameter(
        &self,
        (component, vhost, name): (&str, &str, &str),
        body: &Body,
    ) -> Result<bool, Refusal> {
        body.need(&["value"])?;
        let host = self.vhost_named(vhost)?;
        let fields = match body.get("value") {
            Some(Value::Object(fields)) => fields.clone(),
            // Erlang's tools write an empty object so.
            Some(Value::Array(empty)) if empty.is_empty() => Map::new(),
            _ => return Err(Refusal::bad("value is no object")),
        };
        match component {
            POLICY => Err(Refusal::bad("policies may not be set using this method")),
            OPERATOR_POLICY => self.put_policy(vhost, PolicyKind::Operator, name, &Body(fields)),
            LIMITS if name == LIMITS_NAME => {
                let limits = vhost_limits(&fields);
                let limits = limits.map_err(|error| Refusal::for_page(&error))?;
                let is_new = host.limits().is_none();
                self.amqp.parameters().limit(&host, Some(limits))?;
                Ok(is_new)
            }
            LIMITS => Err(invalid("a virtual host's limits are called 'limits'")),
            _ => Err(invalid(&format!("component {component} not found"))),
        }
    }

    fn delete_parameter(&self, component: &str, host: &VirtualHost, name: &str) -> Outcome {
        let parameters = self.amqp.parameters();
        let was_there = match (component, name) {
            (OPERATOR_POLICY, _) => parameters.delete_policy(host, PolicyKind::Operator, name)?,
            (LIMITS, LIMITS_NAME) if host.limits().is_some() => {
                parameters.limit(host, None)?;
                true
            }
            _ => false,
        };
        deleted(was_there)
    }

    /// Sets a global parameter; whether it is new.
    ///
    /// # Errors
    /// It has no value, is too large, too many, or a failed store.
    pub(super) fn put_global(&self, name: &str, body: &Body) -> Result<bool, Refusal> {
        short(name)?;
        body.need(&["value"])?;
        let value = body.0.get("value").unwrap_or(&Value::Null);
        Ok(self.amqp.parameters().put_global(name, value)?)
    }

    /// All of them, also for definitions.
    pub(super) fn globals(&self) -> Vec<Value> {
        let all = self.amqp.parameters().globals().into_iter();
        all.map(|(name, value)| json!({ "name": name, "value": value }))
            .collect()
    }
}

/// The one of that name.
///
/// # Errors
/// There is none.
fn named(all: Vec<Value>, name: &str) -> Result<Value, Refusal> {
    let mut all = all.into_iter();
    let found = all.find(|one| one.get("name").and_then(Value::as_str) == Some(name));
    found.ok_or_else(Refusal::not_found)
}

fn invalid(text: &str) -> Refusal {
    Refusal::for_page(&ParameterError::Invalid(vec![text.to_owned()]))
}

async fn list(caller: Caller, query: Query) -> Outcome {
    caller.makes_policies(None)?;
    let hosts = caller.vhosts();
    query.list(hosts.iter().flat_map(|host| parameters_of(host)).collect())
}

async fn of_component(caller: Caller, Path(component): Path<String>, query: Query) -> Outcome {
    caller.makes_policies(None)?;
    let hosts = caller.vhosts();
    let all = hosts.iter().flat_map(|host| of(host, &component));
    query.list(all.collect())
}

async fn of_vhost(
    caller: Caller,
    Path((component, vhost)): Path<(String, String)>,
    query: Query,
) -> Outcome {
    caller.makes_policies(Some(&vhost))?;
    query.list(of(&*caller.vhost(&vhost)?, &component))
}

async fn one(
    caller: Caller,
    Path((component, vhost, name)): Path<(String, String, String)>,
    query: Query,
) -> Outcome {
    caller.makes_policies(Some(&vhost))?;
    let all = of(&*caller.vhost(&vhost)?, &component);
    Ok(query.one(named(all, &name)?))
}

/// What operators say no policymaker says.
fn check_component(caller: &Caller, component: &str) -> Result<(), Refusal> {
    if [LIMITS, OPERATOR_POLICY].contains(&component) {
        caller.administers()?;
    }
    Ok(())
}

async fn set(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((component, vhost, name)): Path<(String, String, String)>,
    body: Bytes,
) -> Outcome {
    caller.makes_policies(Some(&vhost))?;
    check_component(&caller, &component)?;
    let at = (&*component, &*vhost, &*name);
    let is_new = management.put_parameter(at, &Body::parse(&body)?)?;
    Ok(put(is_new))
}

async fn remove(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((component, vhost, name)): Path<(String, String, String)>,
) -> Outcome {
    caller.makes_policies(Some(&vhost))?;
    check_component(&caller, &component)?;
    let host = caller.vhost(&vhost)?;
    management.delete_parameter(&component, &host, &name)
}

async fn globals(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Outcome {
    caller.makes_policies(None)?;
    query.list(management.globals())
}

async fn global(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Outcome {
    caller.makes_policies(None)?;
    Ok(query.one(named(management.globals(), &name)?))
}

async fn set_global(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    body: Bytes,
) -> Outcome {
    caller.makes_policies(None)?;
    let is_new = management.put_global(&name, &Body::parse(&body)?)?;
    Ok(put(is_new))
}

async fn remove_global(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
) -> Outcome {
    caller.makes_policies(None)?;
    deleted(management.amqp.parameters().delete_global(&name)?)
}
