//! What a callback says: a document of the state. Names are persisted: add, never change.

use gantry_core::model::TopicName;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use utoipa::ToSchema;

/// Where a consumer's messages go, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Callback {
    /// The consumer as the request called it.
    pub(crate) name: String,
    /// The destination as the request called it.
    pub(crate) source: String,
    /// The same as core calls it.
    pub(crate) topic: String,
    pub(crate) url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) filter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) filter_type: Option<String>,
    pub(crate) mode: Mode,
    /// Most messages of a request.
    pub(crate) batch_max: u32,
    /// Requests under way at a time.
    pub(crate) concurrency: u32,
    pub(crate) timeout_millis: u64,
    /// Requests that are wanted a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate_per_minute: Option<u32>,
    /// Requests the receiver said it lets come a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) allowed_rate: Option<u32>,
    pub(crate) retry: Retry,
}

/// What a request looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// The body is the message's, header fields say the rest.
    Message,
    /// The body is JSON with an envelope for each message.
    Batch,
}

/// What becomes of a message that its receiver does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Retry {
    /// Times it is sent before it goes to the dead letters.
    pub(crate) attempts_max: u32,
    pub(crate) first_millis: u64,
    pub(crate) max_millis: u64,
}

impl Callback {
    /// The topic; `None` of a document that somebody else wrote.
    pub(crate) fn topic(&self) -> Option<TopicName> {
        TopicName::new(&self.topic).ok()
    }

    pub(crate) const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_millis)
    }

    /// Between the beginnings of two requests.
    pub(crate) fn spacing(&self) -> Duration {
        let rates = self.rate_per_minute.into_iter().chain(self.allowed_rate);
        let rate = rates
            .min()
            .map(|rate| Duration::from_secs(60) / rate.max(1));
        rate.unwrap_or_default()
    }
}

impl Retry {
    /// How long to wait after the `nth` failure, in milliseconds: twice as long each time.
    pub(crate) fn backoff(&self, nth: u32) -> u64 {
        let doubled = nth.saturating_sub(1).min(32);
        let wait = self.first_millis.saturating_mul(1 << doubled);
        wait.min(self.max_millis)
    }
}

/// What requests are signed with; nobody is told.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let retry = Retry {
            attempts_max: 16,
            first_millis: 1_000,
            max_millis: 600_000,
        };
        let waits: Vec<_> = [0, 1, 2, 3, 10, 11, u32::MAX]
            .iter()
            .map(|nth| retry.backoff(*nth))
            .collect();
        assert_eq!(
            waits,
            [1_000, 1_000, 2_000, 4_000, 512_000, 600_000, 600_000]
        );
    }
}
