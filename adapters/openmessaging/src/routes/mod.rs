//! All routes, by what they are about.

mod administration;
mod admission;
mod callback;
mod docs;
mod health;
mod messages;
mod oms;
mod reply;
mod stream;
mod subscriptions;
mod transactions;

use crate::error::Refusal;
use crate::produce::Sent;
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The bodies of requests and answers, for who describes them.
pub(crate) mod schemas {
    pub(crate) use super::administration::{Destination, Names, Seek, Subscription, Wanted};
    pub(crate) use super::callback::{CallbackAnswer, CallbackRequest};
    pub(crate) use super::messages::{Batch, Outcomes, Seen};
    pub(crate) use super::subscriptions::{AllSettled, Messages, Receive};
    pub(crate) use super::transactions::{AllEnded, Open};
    pub(crate) use crate::settle::Settle;
    pub(crate) use crate::transaction::Ends;
}

/// All of them. A new one is to be described among `openapi`'s operations, too.
pub(crate) fn all(server: &Arc<OpenMessaging>) -> Router {
    // Each resource stands in the namespace of a header, or of the path.
    let resources = Router::new()
        .merge(messages::routes())
        .merge(transactions::routes())
        .merge(subscriptions::routes())
        .merge(stream::routes())
        .merge(callback::routes())
        .merge(administration::routes());
    let mut routes = Router::new()
        .merge(health::routes())
        .merge(docs::routes())
        .nest("/v1/namespaces/{namespace}", resources.clone())
        .nest("/v1", resources);
    for path in &server.config.paths {
        routes = routes.route(path, oms::methods());
    }
    routes
        .fallback(|| async { none("there is no such resource", StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async {
            none("there is no such method here", StatusCode::METHOD_NOT_ALLOWED)
        })
        // Bodies are read with limits of their own.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(server), admission::admit))
        .with_state(Arc::clone(server))
}

fn none(text: &str, status: StatusCode) -> Response {
    Refusal::new(OmsStatus::BadRequest, text)
        .with(status)
        .into_response()
}

/// The answer to a message that was sent.
fn created(sent: &Sent) -> Response {
    let mut response = StatusCode::CREATED.into_response();
    sent.write(response.headers_mut());
    response
}

/// An answer in JSON.
fn json(status: StatusCode, value: &impl Serialize) -> Response {
    typed(status, "application/json", value)
}

/// An answer in JSON of a media type.
fn typed(status: StatusCode, kind: &'static str, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => {
            let mut response = (status, body).into_response();
            let kind = HeaderValue::from_static(kind);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Err(error) => Refusal::new(OmsStatus::Server, error.to_string()).into_response(),
    }
}

/// An answer with an outcome for each item; HTTP's status tells whether all are done.
fn each(is_done: bool, outcomes: &impl Serialize) -> Response {
    let status = if is_done {
        StatusCode::OK
    } else {
        StatusCode::MULTI_STATUS
    };
    json(status, outcomes)
}

/// A request's JSON.
///
/// # Errors
/// What is wrong with it, and where.
pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::new(OmsStatus::BadRequest, format!("the JSON: {error}")))
}
