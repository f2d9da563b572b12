//! What happens to every request: it is counted, its answer has OpenMessaging's status, and pages
//! of other origins may ask as far as they are let (CORS).

use crate::config::Config;
use crate::error::Refusal;
use crate::headers;
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS");
/// How long a browser may remember what it was told, in seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

pub(super) async fn admit(
    State(server): State<Arc<OpenMessaging>>,
    request: Request,
    next: Next,
) -> Response {
    let origin = allowed_origin(&server.config, request.headers());
    let is_preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight && let Some(origin) = origin {
        return preflight(origin, request.headers());
    } else if let Ok(_permit) = server.requests.try_acquire() {
        next.run(request).await
    } else {
        Refusal::busy("busy: openmessaging.protocol.requests_max").into_response()
    };
    let status = response.status();
    let fields = response.headers_mut();
    if !fields.contains_key(headers::STATUS) {
        let oms = match status {
            StatusCode::NO_CONTENT => OmsStatus::NoNewMessage,
            StatusCode::SWITCHING_PROTOCOLS => OmsStatus::Success,
            status if status.is_success() => OmsStatus::Success,
            _ => OmsStatus::BadRequest,
        };
        fields.insert(headers::STATUS, oms.number().into());
    }
    if matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        fields.insert(header::RETRY_AFTER, server.config.retry_after_s.into());
    }
    if let Some(origin) = origin {
        let exposed = exposed(fields);
        fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        fields.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        fields.append(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

/// The asking page's origin, when it may ask.
pub(super) fn allowed_origin(config: &Config, fields: &HeaderMap) -> Option<HeaderValue> {
    let origin = fields.get(header::ORIGIN)?;
    let is_allowed = |allowed: &String| allowed == "*" || allowed.as_bytes() == origin.as_bytes();
    config
        .cors_origins
        .iter()
        .any(is_allowed)
        .then(|| origin.clone())
}

fn preflight(origin: HeaderValue, fields: &HeaderMap) -> Response {
    let asked = fields.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = StatusCode::NO_CONTENT.into_response();
    let answer = response.headers_mut();
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    if let Some(asked) = asked {
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
    }
    answer.insert(header::VARY, HeaderValue::from_static("origin"));
    response
}

/// The answer's own fields, which pages see only when they are named.
fn exposed(fields: &HeaderMap) -> HeaderValue {
    let own = fields.keys().map(HeaderName::as_str);
    let own: Vec<_> = own.filter(|name| name.starts_with("x-oms-")).collect();
    HeaderValue::from_str(&own.join(", ")).unwrap_or(HeaderValue::from_static("x-oms-status"))
}
