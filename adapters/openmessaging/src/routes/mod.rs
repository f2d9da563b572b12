//! All routes, by what they are about.

mod admission;
mod health;
mod oms;

use crate::error::Refusal;
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// All of them.
pub(crate) fn all(server: &Arc<OpenMessaging>) -> Router {
    // Each resource stands in the namespace of a header, or of the path.
    let resources = Router::new();
    let mut routes = Router::new()
        .merge(health::routes())
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
