//! What there is to ask: for programs, and as a page.

use super::json;
use crate::openapi::document;
use crate::server::OpenMessaging;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, Response};
use axum::routing::get;
use std::sync::Arc;

/// The page shows what `/openapi.json` says, and loads nothing else.
const PAGE: &str = include_str!("docs.html");
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'",
);

pub(super) fn routes() -> Router<Arc<OpenMessaging>> {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/docs", get(page))
}

async fn openapi(State(server): State<Arc<OpenMessaging>>) -> Response {
    json(StatusCode::OK, &document(&server.config.paths))
}

async fn page() -> ([(HeaderName, HeaderValue); 1], Html<&'static str>) {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))
}
