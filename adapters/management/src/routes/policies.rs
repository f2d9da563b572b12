//! Policies of users and of operators.

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
use gantry_core::vhosts::{Policy, PolicyKind, VirtualHost};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/policies", get(users))
        .route("/api/policies/{vhost}", get(users_in))
        .route(
            "/api/policies/{vhost}/{name}",
            get(users_one).put(put_users).delete(delete_users),
        )
        .route("/api/operator-policies", get(operators))
        .route("/api/operator-policies/{vhost}", get(operators_in))
        .route(
            "/api/operator-policies/{vhost}/{name}",
            get(operators_one)
                .put(put_operators)
                .delete(delete_operators),
        )
}

/// A policy as it is told, also in definitions.
fn policy(vhost: &str, name: &str, policy: &Policy) -> Value {
    json!({
        "vhost": vhost,
        "name": name,
        "pattern": policy.pattern,
        "apply-to": policy.applies_to.name(),
        "definition": policy.definition,
        "priority": policy.priority,
    })
}

/// All of a virtual host's.
pub(super) fn policies_of(host: &VirtualHost, kind: PolicyKind) -> Vec<Value> {
    let all = host.policies(kind);
    let all = all.iter();
    all.map(|(name, one)| policy(host.name(), name, one))
        .collect()
}

impl Management {
    /// Sets a policy from what a body says; whether it is new.
    ///
    /// # Errors
    /// Something is missing or makes no sense, too many, or a failed store.
    pub(super) fn put_policy(
        &self,
        vhost: &str,
        kind: PolicyKind,
        name: &str,
        body: &Body,
    ) -> Result<bool, Refusal> {
        short(name)?;
        body.need(&["pattern", "definition"])?;
        let host = self.vhost_named(vhost)?;
        let parameters = self.amqp.parameters();
        let is_new = parameters.put_policy(&host, kind, name, &body.0);
        // RabbitMQ writes the one for a page of HTML, and the other not.
        is_new.map_err(|error| match kind {
            PolicyKind::User => Refusal::for_page(&error),
            PolicyKind::Operator => error.into(),
        })
    }

    fn delete_policy(&self, host: &VirtualHost, kind: PolicyKind, name: &str) -> Outcome {
        let parameters = self.amqp.parameters();
        deleted(parameters.delete_policy(host, kind, name)?)
    }
}

type Outcome = Result<Response, Refusal>;

fn all(caller: &Caller, query: &Query, kind: PolicyKind) -> Outcome {
    let hosts = caller.vhosts();
    let all = hosts.iter().flat_map(|host| policies_of(host, kind));
    query.list(all.collect())
}

fn one(host: &VirtualHost, name: &str, query: &Query, kind: PolicyKind) -> Outcome {
    let all = host.policies(kind);
    let found = all.iter().find(|(known, _)| **known == *name);
    let (name, found) = found.ok_or_else(Refusal::not_found)?;
    Ok(query.one(policy(host.name(), name, found)))
}

async fn users(caller: Caller, query: Query) -> Outcome {
    all(&caller, &query, PolicyKind::User)
}

async fn users_in(caller: Caller, Path(vhost): Path<String>, query: Query) -> Outcome {
    let host = caller.vhost(&vhost)?;
    query.list(policies_of(&host, PolicyKind::User))
}

async fn users_one(
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    query: Query,
) -> Outcome {
    caller.makes_policies(Some(&vhost))?;
    one(&*caller.vhost(&vhost)?, &name, &query, PolicyKind::User)
}

async fn put_users(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    body: Bytes,
) -> Outcome {
    caller.makes_policies(Some(&vhost))?;
    let body = Body::parse(&body)?;
    let is_new = management.put_policy(&vhost, PolicyKind::User, &name, &body)?;
    Ok(put(is_new))
}

async fn delete_users(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
) -> Outcome {
    caller.makes_policies(Some(&vhost))?;
    let host = caller.vhost(&vhost)?;
    management.delete_policy(&host, PolicyKind::User, &name)
}

async fn operators(caller: Caller, query: Query) -> Outcome {
    all(&caller, &query, PolicyKind::Operator)
}

async fn operators_in(caller: Caller, Path(vhost): Path<String>, query: Query) -> Outcome {
    let host = caller.vhost(&vhost)?;
    query.list(policies_of(&host, PolicyKind::Operator))
}

async fn operators_one(
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    query: Query,
) -> Outcome {
    caller.administers()?;
    one(&*caller.vhost(&vhost)?, &name, &query, PolicyKind::Operator)
}

async fn put_operators(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    body: Bytes,
) -> Outcome {
    caller.administers()?;
    let body = Body::parse(&body)?;
    let is_new = management.put_policy(&vhost, PolicyKind::Operator, &name, &body)?;
    Ok(put(is_new))
}

async fn delete_operators(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
) -> Outcome {
    caller.administers()?;
    let host = caller.vhost(&vhost)?;
    management.delete_policy(&host, PolicyKind::Operator, &name)
}
