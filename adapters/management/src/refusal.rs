//! What is answered to a request that is not done.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gantry_amqp::Fault;
use gantry_amqp::accounts::AccountError;
use gantry_amqp::codec::ReplyCode;
use gantry_amqp::parameters::ParameterError;
use serde_json::json;

/// A status, with RabbitMQ's two words for it.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: &'static str,
    reason: String,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, reason: impl Into<String>) -> Self {
        Self {
            status,
            error,
            reason: reason.into(),
        }
    }

    /// The request makes no sense.
    pub(crate) fn bad(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", reason)
    }

    /// There is no such thing.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Object Not Found", "Not Found")
    }

    /// There is no such virtual host to make something in.
    pub(crate) fn no_vhost() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "vhost_not_found")
    }

    /// Nobody says who asks.
    pub(crate) fn anonymous() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "", "")
    }

    /// The one who asks is not who it says.
    pub(crate) fn login_failed() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_authorized", "Login failed")
    }

    /// The one who asks may not.
    pub(crate) fn not_authorised(reason: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_authorised", reason)
    }

    /// A parameter that is not set, with its reason written for a page of HTML.
    pub(crate) fn for_page(error: &ParameterError) -> Self {
        let mut refusal = Self::from(error);
        let reason = refusal.reason.replace('&', "&amp;");
        refusal.reason = reason.replace('<', "&lt;").replace('>', "&gt;");
        refusal
    }

    pub(crate) fn internal(reason: impl std::fmt::Display) -> Self {
        tracing::error!(%reason, "a request of management failed");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "internal_server_error", "Internal Server Error")
    }

    /// A message that was not published, whose fault is told with its number.
    pub(crate) fn unpublished(fault: &Fault) -> Self {
        match fault.code() {
            ReplyCode::AccessRefused => fault.into(),
            code => Self::bad(format!("{} {fault}", code.number())),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self {
            status,
            error,
            reason,
        } = self;
        let mut response = if error.is_empty() {
            status.into_response()
        } else {
            (status, Json(json!({ "error": error, "reason": reason }))).into_response()
        };
        if status == StatusCode::UNAUTHORIZED {
            let realm = HeaderValue::from_static("Basic realm=\"RabbitMQ Management\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, realm);
        }
        response
    }
}

impl From<&Fault> for Refusal {
    fn from(fault: &Fault) -> Self {
        match fault.code() {
            ReplyCode::AccessRefused => Self::not_authorised("Access refused."),
            ReplyCode::NotFound => Self::not_found(),
            ReplyCode::InternalError => Self::internal(fault),
            _ => Self::bad(fault.text()),
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::from(&fault)
    }
}

impl From<&ParameterError> for Refusal {
    fn from(error: &ParameterError) -> Self {
        match error {
            ParameterError::NoVhost => Self::no_vhost(),
            ParameterError::Invalid(_)
            | ParameterError::TooLarge(_)
            | ParameterError::TooMany(_) => Self::bad(error.to_string()),
            ParameterError::Store(_) => Self::internal(error),
        }
    }
}

impl From<ParameterError> for Refusal {
    fn from(error: ParameterError) -> Self {
        Self::from(&error)
    }
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::NoUser(_) | AccountError::NoVhost(_) => Self::not_found(),
            AccountError::Pattern { .. } | AccountError::Limits(_) | AccountError::TooMany(_) => {
                Self::bad(error.to_string())
            }
            AccountError::Store(gantry_core::Error::Forbidden(reason)) => Self::bad(reason),
            AccountError::Form(_) | AccountError::Store(_) => Self::internal(error),
        }
    }
}
