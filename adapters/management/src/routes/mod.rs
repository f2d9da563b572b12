//! All routes, by what they are about.

mod bindings;
mod connections;
mod definitions;
mod exchanges;
mod health;
mod ignored;
mod limits;
mod messages;
mod overview;
mod parameters;
mod permissions;
mod policies;
mod queues;
mod users;
mod vhosts;

use crate::refusal::Refusal;
use crate::server::Management;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, Uri};
use axum::middleware::map_request;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// All of them. A path may end with a slash, as RabbitMQ's may.
pub(crate) fn all(management: Arc<Management>) -> Router {
    // A layer changes what is asked before its router looks at it only where nothing but a fallback is.
    Router::new()
        .fallback_service(named(management))
        .layer(map_request(without_last_slash))
}

/// All of them, by their names.
fn named(management: Arc<Management>) -> Router {
    let body_bytes_max = management.config.body_bytes_max;
    Router::new()
        .merge(overview::routes())
        .merge(health::routes())
        .merge(vhosts::routes())
        .merge(users::routes())
        .merge(permissions::routes())
        .merge(exchanges::routes())
        .merge(queues::routes())
        .merge(messages::routes())
        .merge(bindings::routes())
        .merge(connections::routes())
        .merge(policies::routes())
        .merge(parameters::routes())
        .merge(limits::routes())
        .merge(definitions::routes())
        .merge(ignored::routes())
        .fallback(|| async { Refusal::not_found() })
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .with_state(management)
}

/// The same request, for a path without a slash at its end.
async fn without_last_slash(mut request: Request) -> Request {
    let uri = request.uri();
    if let Some(path) = uri.path().strip_suffix('/')
        && !path.is_empty()
    {
        let query = uri
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        // What was a path and a query is one without its last slash, too.
        if let Ok(shorter) = format!("{path}{query}").parse::<Uri>() {
            *request.uri_mut() = shorter;
        }
    }
    request
}

/// The answer to a PUT.
fn put(is_new: bool) -> Response {
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::NO_CONTENT
    };
    status.into_response()
}

/// The answer to a DELETE.
///
/// # Errors
/// It was not there.
fn deleted(was_there: bool) -> Result<Response, Refusal> {
    if was_there {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Refusal::not_found())
    }
}
