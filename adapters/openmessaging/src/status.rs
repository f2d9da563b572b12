//! OpenMessaging's own status codes (`OMSResponseStatus` of its Java API 1.0), which answers carry
//! in `x-oms-status` beside HTTP's.

use axum::http::StatusCode;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OmsStatus {
    UnsupportedVersion,
    Success,
    BadRequest,
    Unauthorized,
    Forbidden,
    DestinationNotFound,
    DestinationExists,
    ConsumerExists,
    RequestTimeout,
    BodyTooLarge,
    NoNewMessage,
    BadParameter,
    Server,
    Storage,
    StorageBusy,
    NotAvailable,
    FlushTimeout,
}

impl OmsStatus {
    /// Its number, the HTTP status that fits it, and what it means.
    const fn row(self) -> (u16, StatusCode, &'static str) {
        match self {
            Self::UnsupportedVersion => (1101, StatusCode::BAD_REQUEST, "Unsupported version"),
            Self::Success => (1200, StatusCode::OK, "Success"),
            Self::BadRequest => (1400, StatusCode::BAD_REQUEST, "Bad request"),
            Self::Unauthorized => (1401, StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::Forbidden => (1403, StatusCode::FORBIDDEN, "Forbidden"),
            Self::DestinationNotFound => (1404, StatusCode::NOT_FOUND, "Destination not found"),
            Self::DestinationExists => (1406, StatusCode::CONFLICT, "Destination exists"),
            Self::ConsumerExists => (1408, StatusCode::CONFLICT, "Consumer exists"),
            Self::RequestTimeout => (1410, StatusCode::REQUEST_TIMEOUT, "Request timeout"),
            Self::BodyTooLarge => (1413, StatusCode::PAYLOAD_TOO_LARGE, "Body too large"),
            Self::NoNewMessage => (1414, StatusCode::NO_CONTENT, "No new message"),
            Self::BadParameter => (1418, StatusCode::BAD_REQUEST, "Bad parameter"),
            Self::Server => (1500, StatusCode::INTERNAL_SERVER_ERROR, "Server error"),
            Self::Storage => (1501, StatusCode::INTERNAL_SERVER_ERROR, "Storage error"),
            Self::StorageBusy => (1502, StatusCode::SERVICE_UNAVAILABLE, "Storage busy"),
            Self::NotAvailable => (1503, StatusCode::SERVICE_UNAVAILABLE, "Not available"),
            Self::FlushTimeout => (1504, StatusCode::GATEWAY_TIMEOUT, "Flush timeout"),
        }
    }

    pub(crate) const fn number(self) -> u16 {
        self.row().0
    }

    pub(crate) const fn http(self) -> StatusCode {
        self.row().1
    }

    pub(crate) const fn title(self) -> &'static str {
        self.row().2
    }
}
