//! Settings of policies, with the values and the texts of RabbitMQ 3.10 to 3.13
//! (`rabbit_policies`, `rabbit_mirror_queue_misc`, `rabbit_exchange_parameters`).

use super::high_availability;
use super::term::{term, terms};
use gantry_core::vhosts::{PolicyKind, millis_of_age};
use serde_json::{Map, Value};

/// What a setting's value is.
enum Form {
    /// An integer from so many on.
    From(u64),
    Text,
    OneOf(&'static [&'static str]),
    Version,
    /// A number with a unit: `7D`.
    Age,
    /// Looked at together with others.
    HighAvailability,
}

/// A setting, its values, and what RabbitMQ calls it when it is none.
type Setting = (&'static str, Form, &'static str);

const SETTINGS: &[Setting] = &[
    ("message-ttl", Form::From(0), "message TTL"),
    ("expires", Form::From(1), "queue expiry"),
    ("max-length", Form::From(0), "maximum length"),
    ("max-length-bytes", Form::From(0), "maximum length in bytes"),
    ("delivery-limit", Form::From(0), "delivery limit"),
    (
        "max-in-memory-length",
        Form::From(0),
        "maximum memory in bytes",
    ),
    (
        "max-in-memory-bytes",
        Form::From(0),
        "maximum memory in bytes",
    ),
    (
        "dead-letter-exchange",
        Form::Text,
        "dead letter exchange name",
    ),
    (
        "dead-letter-routing-key",
        Form::Text,
        "dead letter routing key",
    ),
    ("alternate-exchange", Form::Text, "alternate exchange name"),
    (
        "overflow",
        Form::OneOf(&["drop-head", "reject-publish", "reject-publish-dlx"]),
        "overflow value",
    ),
    (
        "dead-letter-strategy",
        Form::OneOf(&["at-most-once", "at-least-once"]),
        "dead letter strategy",
    ),
    (
        "queue-mode",
        Form::OneOf(&["default", "lazy"]),
        "queue-mode value",
    ),
    ("queue-version", Form::Version, "queue-version value"),
    (
        "queue-leader-locator",
        Form::OneOf(&["client-local", "balanced", "random", "least-leaders"]),
        "queue leader locator value",
    ),
    (
        "queue-master-locator",
        Form::OneOf(&["min-masters", "client-local", "random"]),
        "queue-master-locator value",
    ),
    ("max-age", Form::Age, "max age"),
    (
        "stream-max-segment-size-bytes",
        Form::From(1),
        "segment size",
    ),
    ("stream-filter-size-bytes", Form::From(16), "filter size"),
    (
        "initial-cluster-size",
        Form::From(1),
        "initial cluster size",
    ),
    ("consumer-timeout", Form::From(1), "consumer timeout"),
    ("ha-mode", Form::HighAvailability, ""),
    ("ha-params", Form::HighAvailability, ""),
    ("ha-sync-mode", Form::HighAvailability, ""),
    ("ha-sync-batch-size", Form::HighAvailability, ""),
    ("ha-promote-on-shutdown", Form::HighAvailability, ""),
    ("ha-promote-on-failure", Form::HighAvailability, ""),
];

/// What operators may limit.
const OPERATORS: [&str; 7] = [
    "message-ttl",
    "expires",
    "max-length",
    "max-length-bytes",
    "delivery-limit",
    "max-in-memory-length",
    "max-in-memory-bytes",
];

/// # Errors
/// What makes no sense, in RabbitMQ's words.
pub(super) fn checked(kind: PolicyKind, definition: &Map<String, Value>) -> Result<(), String> {
    if definition.is_empty() {
        return Err("no policy provided".to_owned());
    }
    let is_known = |name: &str| match kind {
        PolicyKind::User => setting(name).is_some(),
        PolicyKind::Operator => OPERATORS.contains(&name),
    };
    let unknown = definition.iter().filter(|(name, _)| !is_known(name));
    let unknown: Map<_, _> = unknown
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !unknown.is_empty() {
        let unknown = terms(&unknown);
        return Err(format!("{unknown} are not recognised policy settings"));
    }
    for (name, value) in definition {
        if let Some((name, form, called)) = setting(name)
            && !form.has(value)
        {
            let value = term(value);
            // RabbitMQ's text of this one is another.
            return Err(if *name == "queue-master-locator" {
                format!("{value} invalid {called}")
            } else {
                format!("{value} is not a valid {called}")
            });
        }
    }
    high_availability::check(definition)
}

fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|(known, ..)| *known == name)
}

impl Form {
    fn has(&self, value: &Value) -> bool {
        match self {
            Self::From(least) => value.as_u64().is_some_and(|number| number >= *least),
            Self::Text => value.is_string(),
            Self::OneOf(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Self::Version => matches!(value.as_u64(), Some(1 | 2)),
            Self::Age => value.as_str().and_then(millis_of_age).is_some(),
            Self::HighAvailability => true,
        }
    }
}
