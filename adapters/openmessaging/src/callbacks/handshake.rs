//! Whether a receiver wants messages: the handshake of CloudEvents' webhooks (HTTP 1.1 Web Hooks
//! for Event Delivery, 4), which keeps others from being flooded by whoever names their address.

use super::caller::CallError;
use super::connector::Unreachable;
use super::target::Target;
use crate::error::Refusal;
use crate::headers::encoded;
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const REQUEST_RATE: HeaderName = HeaderName::from_static("webhook-request-rate");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

impl OpenMessaging {
    /// Asks a receiver whether it wants messages, `rate` requests a minute at most; how many it
    /// lets come, when it says.
    ///
    /// # Errors
    /// It may not be called, it cannot be, or it does not want them.
    pub(crate) async fn shake_hands(
        &self,
        target: &Target,
        rate: Option<u32>,
    ) -> Result<Option<u32>, Refusal> {
        let busy = |_| Refusal::busy("busy: openmessaging.protocol.callbacks.requests_max");
        let _permit = self.callbacks.requests.try_acquire().map_err(busy)?;
        let patience = Duration::from_millis(self.config.callbacks.timeout_ms);
        let caller = &self.callbacks.caller;
        let addresses = caller.addresses(&target.place, patience).await;
        let addresses = addresses.map_err(|error| refusal(&error))?;
        if self.is_trusted(target, &addresses) {
            return Ok(None);
        }
        let mut asking = Request::new(http_body_util::Full::default());
        *asking.method_mut() = Method::OPTIONS;
        *asking.uri_mut() = target.uri.clone();
        let fields = asking.headers_mut();
        if let Some(origin) = encoded(&self.config.callbacks.origin) {
            fields.insert(REQUEST_ORIGIN, origin);
        }
        if let Some(rate) = rate {
            fields.insert(REQUEST_RATE, rate.into());
        }
        let answer = caller.ask(asking, patience).await;
        let answer = answer.map_err(|error| refusal(&error))?;
        if !answer.status.is_success() {
            let text = format!("the receiver answered OPTIONS with {}", answer.status);
            return Err(Refusal::new(OmsStatus::Forbidden, text));
        }
        allowed(&answer.fields, &self.config.callbacks.origin)
    }

    /// Whether a receiver is called without being asked.
    fn is_trusted(&self, target: &Target, addresses: &[SocketAddr]) -> bool {
        let mut trusted = self.config.callbacks.without_handshake.iter();
        trusted.any(|one| {
            let mut addresses = addresses.iter();
            addresses.all(|address| one.permits(&target.place.host, address.ip()))
        })
    }
}

/// What a receiver lets come.
fn allowed(fields: &HeaderMap, origin: &str) -> Result<Option<u32>, Refusal> {
    let text = |name: &HeaderName| {
        let value = fields.get(name).map(HeaderValue::to_str);
        value.and_then(Result::ok).map(str::trim)
    };
    let is_wanted = text(&ALLOWED_ORIGIN)
        .is_some_and(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin));
    if !is_wanted {
        let text = format!("the receiver did not answer OPTIONS with {ALLOWED_ORIGIN}: {origin}");
        return Err(Refusal::new(OmsStatus::Forbidden, text));
    }
    match text(&ALLOWED_RATE) {
        None | Some("" | "*") => Ok(None),
        Some(rate) => match rate.parse() {
            Ok(rate) if rate > 0 => Ok(Some(rate)),
            _ => {
                let text = format!("the receiver allows no rate: {ALLOWED_RATE} is {rate}");
                Err(Refusal::new(OmsStatus::Forbidden, text))
            }
        },
    }
}

fn refusal(error: &CallError) -> Refusal {
    let text = format!("the receiver: {error}");
    match error {
        CallError::Unreachable(Unreachable::Forbidden(_)) => {
            Refusal::new(OmsStatus::Forbidden, text)
        }
        CallError::Unreachable(Unreachable::Unknown(_)) => Refusal::parameter(text),
        CallError::Unreachable(Unreachable::Failed(_))
        | CallError::TimedOut(_)
        | CallError::Broken(_) => Refusal::parameter(text).with(StatusCode::FAILED_DEPENDENCY),
    }
}
