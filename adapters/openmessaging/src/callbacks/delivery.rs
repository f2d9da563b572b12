//! One request with messages, and what its answer says of them.

use super::caller::{Answer, CallError};
use super::handshake::REQUEST_ORIGIN;
use super::signature::signature;
use super::target::Target;
use super::{Callback, Mode, Standing};
use crate::head::Head;
use crate::headers::{self, encoded};
use crate::receive::Received;
use crate::server::OpenMessaging;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use bytes::Bytes;
use gantry_core::model::Timestamp;
use http_body_util::Full;
use serde::Serialize;
use std::time::{Duration, UNIX_EPOCH};

const SIGNATURE: HeaderName = HeaderName::from_static("x-oms-signature");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("gantry/", env!("CARGO_PKG_VERSION")));
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a receiver says of what it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Taken,
    /// It does not take these messages; that counts as an attempt of theirs.
    Refused(String),
    /// It takes none now, whichever they are, and perhaps says for how long.
    Later(String, Option<Duration>),
}

/// What `messages:batch` takes and `messages:receive` answers.
#[derive(Serialize)]
struct Batch<'a> {
    messages: Vec<Head<'a>>,
}

impl OpenMessaging {
    /// Sends messages, at least one, in one request.
    pub(crate) async fn deliver(&self, standing: &Standing, messages: &[Received]) -> Verdict {
        let callback = &standing.callback;
        let Some(request) = self.request(callback, messages) else {
            return Verdict::Refused("the messages cannot be written as a request".to_owned());
        };
        let answer = self
            .callbacks
            .caller
            .deliver(request, callback.timeout())
            .await;
        verdict(answer, self.clock.now())
    }

    fn request(&self, callback: &Callback, messages: &[Received]) -> Option<Request<Full<Bytes>>> {
        let target = Target::parse(&callback.url).ok()?;
        let mut fields = HeaderMap::new();
        let body = match callback.mode {
            Mode::Message => single(callback, messages.first()?, &mut fields),
            Mode::Batch => batch(callback, messages, &mut fields)?,
        };
        fields.insert(headers::CONSUMER, encoded(&callback.name)?);
        fields.insert(headers::SOURCE, encoded(&callback.source)?);
        fields.insert(header::USER_AGENT, AGENT);
        if let Some(origin) = encoded(&self.config.callbacks.origin) {
            fields.insert(REQUEST_ORIGIN, origin);
        }
        if let Some(secret) = &callback.secret {
            let signature = signature(&secret.0, self.clock.now(), &body)?;
            fields.insert(SIGNATURE, HeaderValue::from_str(&signature).ok()?);
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.uri;
        *request.headers_mut() = fields;
        Some(request)
    }
}

/// The specification's form: as what is pulled.
fn single(callback: &Callback, message: &Received, fields: &mut HeaderMap) -> Bytes {
    let (body, compression) = message.message.body(None);
    let mut head = message.message.head(&callback.source, compression);
    head.delivery_count = Some(message.attempt);
    fields.insert(header::CONTENT_TYPE, OCTETS);
    head.write(fields);
    body
}

fn batch(callback: &Callback, messages: &[Received], fields: &mut HeaderMap) -> Option<Bytes> {
    let bodies: Vec<_> = messages.iter().map(|one| one.message.body(None)).collect();
    let envelopes = messages.iter().zip(&bodies);
    let envelopes = envelopes.map(|(one, (body, compression))| {
        let mut head = one.message.head(&callback.source, *compression);
        head.put_body(body);
        head.delivery_count = Some(one.attempt);
        head
    });
    let messages = envelopes.collect();
    fields.insert(headers::VERSION, headers::SPOKEN);
    fields.insert(header::CONTENT_TYPE, JSON);
    serde_json::to_vec(&Batch { messages }).ok().map(Into::into)
}

fn verdict(answer: Result<Answer, CallError>, now: Timestamp) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(CallError::Unreachable(error)) => return Verdict::Later(error.to_string(), None),
        Err(error) => return Verdict::Refused(error.to_string()),
    };
    let told = format!("the receiver answered {}", answer.status);
    match answer.status {
        status if status.is_success() => Verdict::Taken,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Verdict::Later(told, retry_after(&answer.fields, now))
        }
        _ => Verdict::Refused(told),
    }
}

/// Seconds, or a date.
fn retry_after(fields: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = fields.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let date = date.duration_since(UNIX_EPOCH).ok()?;
    let now = Duration::from_millis(u64::try_from(now.millis()).ok()?);
    Some(date.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let wait = |text: &str| {
            let mut fields = HeaderMap::new();
            fields.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&fields, Timestamp::from_millis(784_111_770_000))
        };
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(wait(date), Some(Duration::from_secs(7)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }
}
