//! Users.

use super::vhosts::tags_of;
use super::{deleted, put};
use crate::caller::Caller;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::request::{Body, short};
use crate::server::Management;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use gantry_amqp::accounts::{Account, HashAlgorithm, PasswordHash, UserLimits};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/users", get(list))
        .route("/api/users/", get(list))
        .route("/api/users/without-permissions", get(without_permissions))
        .route("/api/users/bulk-delete", post(bulk_delete))
        .route("/api/users/{name}", get(one).put(create).delete(remove))
}

/// A user as it is told.
fn user(name: &str, account: &Account, limits: UserLimits) -> Value {
    json!({
        "name": name,
        "password_hash": account.password.text(),
        "hashing_algorithm": account.password.algorithm().name(),
        "tags": account.tags,
        "limits": limits,
    })
}

impl Management {
    /// Makes or changes a user; whether it is new.
    ///
    /// # Errors
    /// Something is missing or is none, or a failed store.
    pub(super) fn put_user(&self, name: &str, body: &Body) -> Result<bool, Refusal> {
        short(name)?;
        if !body.0.contains_key("tags") {
            return Err(Refusal::bad("tags_not_present"));
        }
        let accounts = self.amqp.accounts();
        let password = match (body.text("password"), body.text("password_hash")) {
            (Some(password), _) => accounts.hash(password.as_bytes()),
            (None, Some(hash)) => {
                let algorithm = body.text("hashing_algorithm");
                let algorithm = algorithm.map_or(Some(HashAlgorithm::Sha256), HashAlgorithm::named);
                let hash = algorithm.and_then(|algorithm| PasswordHash::parse(hash, algorithm));
                hash.ok_or_else(|| Refusal::bad("Could not parse hash"))?
            }
            // One who cannot log in by a password.
            (None, None) => PasswordHash::default(),
        };
        let tags = tags_of(body.get("tags"));
        let is_new = accounts.put_user(name, Account { password, tags })?;
        if let Some(Value::Object(limits)) = body.get("limits") {
            self.limit_user(name, limits)?;
        }
        Ok(is_new)
    }

    /// Users as they are told, also in definitions.
    pub(super) fn told_users(&self, users: &[(Arc<str>, Account)]) -> Vec<Value> {
        let accounts = self.amqp.accounts();
        let users = users.iter();
        users
            .map(|(name, account)| user(name, account, accounts.user_limits(name)))
            .collect()
    }
}

async fn list(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    query.list(management.told_users(&management.amqp.accounts().users()))
}

async fn without_permissions(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let permissions = management.amqp.accounts().permissions();
    let mut users = management.amqp.accounts().users();
    users.retain(|(name, _)| !permissions.iter().any(|permission| permission.1 == *name));
    query.list(management.told_users(&users))
}

async fn one(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let accounts = management.amqp.accounts();
    let account = accounts.user(&name).ok_or_else(Refusal::not_found)?;
    let limits = accounts.user_limits(&name.as_str().into());
    Ok(query.one(user(&name, &account, limits)))
}

async fn create(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let is_new = management.put_user(&name, &Body::parse(&body)?)?;
    Ok(put(is_new))
}

async fn remove(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    caller.administers()?;
    deleted(management.amqp.delete_user(&name)?)
}

async fn bulk_delete(
    State(management): State<Arc<Management>>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let body = Body::parse(&body)?;
    body.need(&["users"])?;
    let names = body.get("users").and_then(Value::as_array);
    for name in names.into_iter().flatten().filter_map(Value::as_str) {
        management.amqp.delete_user(name)?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
