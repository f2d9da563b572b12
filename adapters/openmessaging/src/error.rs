//! What is answered to a request that is not done: `application/problem+json` (RFC 9457), with
//! OpenMessaging's status beside HTTP's.
#![deny(clippy::wildcard_enum_match_arm)]

use crate::headers;
use crate::status::OmsStatus;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gantry_core::Error;
use serde::Serialize;
use utoipa::ToSchema;

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why a request, or one item of it, is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    oms: OmsStatus,
    status: StatusCode,
    detail: String,
}

/// A problem as it is told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem<'a> {
    /// Always `about:blank`: the status says what it is.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    /// OpenMessaging's status.
    oms: u16,
}

impl Refusal {
    pub(crate) fn new(oms: OmsStatus, detail: impl Into<String>) -> Self {
        Self {
            oms,
            status: oms.http(),
            detail: detail.into(),
        }
    }

    /// A parameter that cannot be.
    pub(crate) fn parameter(detail: impl Into<String>) -> Self {
        Self::new(OmsStatus::BadParameter, detail)
    }

    /// The same with another status of HTTP.
    pub(crate) fn with(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// A limit was hit, and the request may be tried again.
    pub(crate) fn busy(what: &str) -> Self {
        Self::new(OmsStatus::StorageBusy, what).with(StatusCode::TOO_MANY_REQUESTS)
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// As it is told.
    pub(crate) fn problem(&self) -> Problem<'_> {
        Problem {
            kind: "about:blank",
            title: self.oms.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            oms: self.oms.number(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(status = %self.status, detail = self.detail, "a request failed");
        } else {
            tracing::debug!(status = %self.status, detail = self.detail, "a request was refused");
        }
        let body = serde_json::to_vec(&self.problem()).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, PROBLEM);
        fields.insert(headers::STATUS, self.oms.number().into());
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::TopicNotFound(_) | Error::QueueNotFound { .. } => {
                Self::new(OmsStatus::DestinationNotFound, detail)
            }
            Error::GroupNotFound(_) => Self::parameter(detail).with(StatusCode::NOT_FOUND),
            Error::GroupNotEmpty(_) => Self::new(OmsStatus::ConsumerExists, detail),
            Error::AlreadyExists(_) => Self::new(OmsStatus::DestinationExists, detail),
            Error::OffsetOutOfRange { .. } => {
                Self::parameter(detail).with(StatusCode::RANGE_NOT_SATISFIABLE)
            }
            Error::MessageTooLarge { .. } => Self::new(OmsStatus::BodyTooLarge, detail),
            Error::Invalid(_) => Self::parameter(detail),
            Error::CorruptBatch(_) => Self::new(OmsStatus::BadRequest, detail),
            Error::OutOfOrderSequence { .. } | Error::ProducerFenced { .. } => {
                Self::new(OmsStatus::BadRequest, detail).with(StatusCode::CONFLICT)
            }
            Error::Unauthenticated => Self::new(OmsStatus::Unauthorized, detail),
            Error::Forbidden(_) => Self::new(OmsStatus::Forbidden, detail),
            Error::Busy(_) => Self::busy(&detail),
            Error::FlushTimeout => Self::new(OmsStatus::FlushTimeout, detail),
            Error::ShuttingDown => Self::new(OmsStatus::NotAvailable, detail),
            Error::DiskFull => Self::new(OmsStatus::StorageBusy, detail),
            Error::Damaged(_) | Error::Storage(_) => Self::new(OmsStatus::Storage, detail),
            Error::Internal(_) => Self::new(OmsStatus::Server, detail),
        }
    }
}
