//! Limits of virtual hosts and of users.

use super::parameters::told_limits;
use crate::caller::Caller;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::request::Body;
use crate::server::Management;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use bytes::Bytes;
use gantry_amqp::accounts::UserLimits;
use gantry_amqp::parameters::vhost_limits;
use gantry_core::vhosts::VirtualHost;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/vhost-limits", get(of_vhosts))
        .route("/api/vhost-limits/{vhost}", get(of_vhost))
        .route(
            "/api/vhost-limits/{vhost}/{name}",
            put(limit_vhost).delete(free_vhost),
        )
        .route("/api/user-limits", get(of_users))
        .route("/api/user-limits/{user}", get(of_user))
        .route(
            "/api/user-limits/{user}/{name}",
            put(limit_user).delete(free_user),
        )
}

type Outcome = Result<Response, Refusal>;

/// Limits by name, one of them set or taken back.
fn changed(limits: &impl Serialize, name: &str, value: Option<&Value>) -> Map<String, Value> {
    let mut fields = match json!(limits) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    match value {
        Some(value) => drop(fields.insert(name.to_owned(), value.clone())),
        None => drop(fields.shift_remove(name)),
    }
    fields
}

fn told(host: &VirtualHost) -> Option<Value> {
    let limits = host.limits()?;
    Some(json!({ "vhost": &**host.name(), "value": told_limits(limits) }))
}

impl Management {
    /// Sets a limit of a virtual host, or takes it back.
    fn limit_vhost(&self, host: &VirtualHost, name: &str, value: Option<&Value>) -> Outcome {
        let fields = changed(&host.limits().unwrap_or_default(), name, value);
        let limits = vhost_limits(&fields)?;
        self.amqp.parameters().limit(host, Some(limits))?;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    /// Sets limits of a user, also from definitions.
    ///
    /// # Errors
    /// They make no sense, or a failed store.
    pub(super) fn limit_user(
        &self,
        user: &str,
        limits: &Map<String, Value>,
    ) -> Result<(), Refusal> {
        let limits = UserLimits::read(limits)?;
        Ok(self.amqp.accounts().limit_user(user, limits)?)
    }

    fn change_user(&self, user: &str, name: &str, value: Option<&Value>) -> Outcome {
        let accounts = self.amqp.accounts();
        if accounts.user(user).is_none() {
            return Err(Refusal::bad("no_such_user"));
        }
        let fields = changed(&accounts.user_limits(&user.into()), name, value);
        self.limit_user(user, &fields)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    fn user_limits(&self, is_meant: impl Fn(&str) -> bool) -> Vec<Value> {
        let accounts = self.amqp.accounts();
        let users = accounts.users().into_iter();
        let users = users.filter(|(name, _)| is_meant(name));
        let limited = users.filter_map(|(name, _)| {
            let limits = accounts.user_limits(&name);
            let is_any = limits != UserLimits::default();
            is_any.then(|| json!({ "user": &*name, "value": limits }))
        });
        limited.collect()
    }
}

fn value_of(body: &Bytes) -> Result<Value, Refusal> {
    let mut body = Body::parse(body)?;
    body.need(&["value"])?;
    Ok(body.0.shift_remove("value").unwrap_or_default())
}

async fn of_vhosts(caller: Caller, query: Query) -> Outcome {
    let hosts = caller.vhosts();
    query.list(hosts.iter().filter_map(|host| told(host)).collect())
}

async fn of_vhost(caller: Caller, Path(vhost): Path<String>, query: Query) -> Outcome {
    query.list(told(&*caller.vhost(&vhost)?).into_iter().collect())
}

async fn limit_vhost(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
    body: Bytes,
) -> Outcome {
    caller.administers()?;
    let host = management.vhost_named(&vhost)?;
    management.limit_vhost(&host, &name, Some(&value_of(&body)?))
}

async fn free_vhost(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, name)): Path<(String, String)>,
) -> Outcome {
    caller.administers()?;
    management.limit_vhost(&*caller.vhost(&vhost)?, &name, None)
}

async fn of_users(
    State(management): State<Arc<Management>>,
    _caller: Caller,
    query: Query,
) -> Outcome {
    query.list(management.user_limits(|_| true))
}

async fn of_user(
    State(management): State<Arc<Management>>,
    _caller: Caller,
    Path(user): Path<String>,
    query: Query,
) -> Outcome {
    let known = management.amqp.accounts().user(&user);
    known.ok_or_else(Refusal::not_found)?;
    query.list(management.user_limits(|name| name == user))
}

async fn limit_user(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((user, name)): Path<(String, String)>,
    body: Bytes,
) -> Outcome {
    caller.administers()?;
    management.change_user(&user, &name, Some(&value_of(&body)?))
}

async fn free_user(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((user, name)): Path<(String, String)>,
) -> Outcome {
    caller.administers()?;
    management.change_user(&user, &name, None)
}
