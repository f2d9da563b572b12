//! What users may do.

use super::{deleted, put};
use crate::caller::Caller;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::request::Body;
use crate::server::Management;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use gantry_amqp::accounts::{Permission, TopicLimit, TopicPermission};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/permissions", get(list))
        .route(
            "/api/permissions/{vhost}/{user}",
            get(one).put(permit).delete(forbid),
        )
        .route("/api/vhosts/{name}/permissions", get(of_vhost))
        .route("/api/users/{name}/permissions", get(of_user))
        .route("/api/topic-permissions", get(topics))
        .route(
            "/api/topic-permissions/{vhost}/{user}",
            get(topics_of).put(permit_topics).delete(free_topics),
        )
        .route(
            "/api/topic-permissions/{vhost}/{user}/{exchange}",
            axum::routing::delete(free_topic),
        )
        .route("/api/vhosts/{name}/topic-permissions", get(topics_of_vhost))
        .route("/api/users/{name}/topic-permissions", get(topics_of_user))
}

fn permission(vhost: &str, user: &str, permission: &Permission) -> Value {
    json!({
        "user": user,
        "vhost": vhost,
        "configure": permission.configure,
        "write": permission.write,
        "read": permission.read,
    })
}

fn limit(limit: &TopicLimit) -> Value {
    json!({
        "user": &*limit.user,
        "vhost": &*limit.vhost,
        "exchange": &*limit.exchange,
        "write": limit.permission.write,
        "read": limit.permission.read,
    })
}

impl Management {
    /// All permissions of a kind, also for definitions.
    pub(super) fn permissions(&self, is_meant: impl Fn(&str, &str) -> bool) -> Vec<Value> {
        let all = self.amqp.accounts().permissions().into_iter();
        let meant = all.filter(|(vhost, user, _)| is_meant(vhost, user));
        meant
            .map(|(vhost, user, granted)| permission(&vhost, &user, &granted))
            .collect()
    }

    /// The same of topic permissions.
    pub(super) fn topic_limits(&self, is_meant: impl Fn(&TopicLimit) -> bool) -> Vec<Value> {
        let all = self.amqp.accounts().topic_permissions();
        all.iter().filter(|one| is_meant(one)).map(limit).collect()
    }

    /// # Errors
    /// Something is missing or is none, or a failed store.
    pub(super) fn put_permission(
        &self,
        vhost: &str,
        user: &str,
        body: &Body,
    ) -> Result<bool, Refusal> {
        body.need(&["configure", "write", "read"])?;
        let text = |name| body.text(name).unwrap_or_default().to_owned();
        let permission = Permission {
            configure: text("configure"),
            write: text("write"),
            read: text("read"),
        };
        Ok(self.amqp.accounts().permit(vhost, user, permission)?)
    }

    /// # Errors
    /// As [`Management::put_permission`].
    pub(super) fn put_topic_limit(
        &self,
        vhost: &str,
        user: &str,
        body: &Body,
    ) -> Result<bool, Refusal> {
        body.need(&["exchange", "write", "read"])?;
        let text = |name| body.text(name).unwrap_or_default();
        let permission = TopicPermission {
            write: text("write").to_owned(),
            read: text("read").to_owned(),
        };
        let at = (vhost, user, text("exchange"));
        Ok(self.amqp.accounts().permit_topics(at, permission)?)
    }
}

async fn list(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    query.list(management.permissions(|_, _| true))
}

async fn of_vhost(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    caller.vhost(&name)?;
    query.list(management.permissions(|vhost, _| vhost == name))
}

async fn of_user(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let known = management.amqp.accounts().user(&name);
    known.ok_or_else(Refusal::not_found)?;
    query.list(management.permissions(|_, user| user == name))
}

async fn one(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, user)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let granted = management.amqp.accounts().permission(&vhost, &user);
    let granted = granted.ok_or_else(Refusal::not_found)?;
    Ok(query.one(permission(&vhost, &user, &granted)))
}

async fn permit(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, user)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let is_new = management.put_permission(&vhost, &user, &Body::parse(&body)?)?;
    Ok(put(is_new))
}

async fn forbid(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, user)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    caller.administers()?;
    deleted(management.amqp.accounts().forbid(&vhost, &user)?)
}

async fn topics(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    query.list(management.topic_limits(|_| true))
}

async fn topics_of_vhost(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    query.list(management.topic_limits(|limit| *limit.vhost == *name))
}

async fn topics_of_user(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    query.list(management.topic_limits(|limit| *limit.user == *name))
}

async fn topics_of(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, user)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let is_meant = |limit: &TopicLimit| *limit.vhost == *vhost && *limit.user == *user;
    let limits = management.topic_limits(is_meant);
    if limits.is_empty() {
        return Err(Refusal::not_found());
    }
    query.list(limits)
}

async fn permit_topics(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, user)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Refusal> {
    caller.administers()?;
    // What is put is all limits of a user in a virtual host, one of which is given.
    let is_its = |limit: &TopicLimit| *limit.vhost == *vhost && *limit.user == *user;
    let is_first = management.topic_limits(is_its).is_empty();
    management.put_topic_limit(&vhost, &user, &Body::parse(&body)?)?;
    Ok(put(is_first))
}

async fn free_topics(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, user)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    caller.administers()?;
    deleted(
        management
            .amqp
            .accounts()
            .free_topics(&vhost, &user, None)?,
    )
}

async fn free_topic(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path((vhost, user, exchange)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let accounts = management.amqp.accounts();
    deleted(accounts.free_topics(&vhost, &user, Some(&exchange))?)
}
