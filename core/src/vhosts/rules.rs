//! What a queue does with its messages by itself.

use super::Settings;
use super::lives::Lives;
use crate::model::Timestamp;
use crate::routing::{Arguments, Value};
use std::sync::Arc;

/// Rules of a queue, as its arguments and policies say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueRules {
    /// How long messages may be in it.
    pub(crate) lives: Lives,
    /// How long it may be unused before it is deleted, in milliseconds.
    pub expires_ms: Option<u64>,
    /// Where messages go that die in it.
    pub dead_letters: Option<DeadLetterExchange>,
    /// Most messages that are ready.
    pub ready_max: Option<u64>,
    /// Most bytes of their bodies.
    pub ready_bytes_max: Option<u64>,
    /// What becomes of more.
    pub overflow: Overflow,
    /// Greatest priority of a message; without, all are the same.
    pub priority_max: Option<u8>,
    /// How often a message may return.
    pub returns_max: Option<u32>,
    /// How long an acknowledgement of its messages may take, in milliseconds; 0 is for ever.
    pub consumer_timeout_ms: Option<u64>,
    /// Only one of its consumers gets anything.
    pub is_single_active: bool,
    /// It is one of RabbitMQ's replicated queues, which count deliveries.
    pub is_quorum: bool,
    /// It is a stream: everybody reads all of it, and nothing is taken out. All other rules say
    /// nothing then.
    pub stream: Option<StreamRules>,
}

/// How long a stream keeps its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamRules {
    /// `x-max-age` or the policies' `max-age`, in milliseconds; without, age does not matter.
    pub age_ms_max: Option<u64>,
    /// `x-max-length-bytes`; without, size does not matter.
    pub bytes_max: Option<u64>,
}

/// `x-dead-letter-exchange`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterExchange {
    /// Its name; it need not be there.
    pub exchange: Arc<str>,
    /// `x-dead-letter-routing-key`; without, a message keeps its own.
    pub routing_key: Option<Arc<str>>,
}

/// `x-overflow`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest messages go.
    #[default]
    DropHead,
    /// New ones are not taken.
    RejectPublish,
    /// New ones are dead letters.
    RejectPublishDeadLetter,
}

/// What is said of a queue, by its arguments and by policies.
struct Said<'a> {
    arguments: &'a Arguments,
    settings: &'a Settings,
}

impl<'a> Said<'a> {
    fn argument_text(&self, name: &str) -> Option<&'a str> {
        match self.arguments.get(name) {
            Some(Value::Text(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    fn argument_number(&self, name: &str) -> Option<u64> {
        match self.arguments.get(name) {
            Some(Value::Integer(number)) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    fn setting(&self, argument: &str) -> Option<&'a serde_json::Value> {
        self.settings.get(argument.strip_prefix(PREFIX)?)
    }

    /// Of `x-name` and the policies' `name`, the argument.
    fn text(&self, name: &str) -> Option<&'a str> {
        let argument = self.argument_text(name);
        argument.or_else(|| self.setting(name)?.as_str())
    }

    /// Of `x-name` and the policies' `name`, the lesser.
    fn number(&self, name: &str) -> Option<u64> {
        let setting = self.setting(name).and_then(serde_json::Value::as_u64);
        let said = self.argument_number(name).into_iter().chain(setting);
        said.min()
    }

    /// Of `x-name` and the policies' `name`, the lesser, in milliseconds.
    fn age(&self, name: &str) -> Option<u64> {
        let setting = self.setting(name).and_then(serde_json::Value::as_str);
        let said = self.argument_text(name).into_iter().chain(setting);
        said.filter_map(millis_of_age).min()
    }
}

/// What arguments begin with that policies can say as well.
const PREFIX: &str = "x-";

impl QueueRules {
    /// The rules that arguments say and policies of a virtual host; what says nothing a queue
    /// could do says nothing. As `rabbit_queue_type_util:args_policy_lookup` does it.
    pub(crate) fn of(arguments: &Arguments, settings: &Settings) -> Self {
        let said = Said {
            arguments,
            settings,
        };
        if said.argument_text("x-queue-type") == Some("stream") {
            let stream = StreamRules {
                age_ms_max: said.age("x-max-age"),
                bytes_max: said.number("x-max-length-bytes"),
            };
            return Self {
                stream: Some(stream),
                ..Self::default()
            };
        }
        let exchange = said.text("x-dead-letter-exchange");
        let dead_letters = exchange.map(|exchange| DeadLetterExchange {
            exchange: exchange.into(),
            routing_key: said.text("x-dead-letter-routing-key").map(Arc::from),
        });
        let clamp = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
        let returns_max = said.number("x-delivery-limit");
        Self {
            lives: Lives::always(said.number("x-message-ttl")),
            expires_ms: said.number("x-expires"),
            dead_letters,
            ready_max: said.number("x-max-length"),
            ready_bytes_max: said.number("x-max-length-bytes"),
            overflow: match said.text("x-overflow") {
                Some("reject-publish") => Overflow::RejectPublish,
                Some("reject-publish-dlx") => Overflow::RejectPublishDeadLetter,
                _ => Overflow::DropHead,
            },
            priority_max: said.argument_number("x-max-priority").map(clamp),
            returns_max: returns_max.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
            consumer_timeout_ms: said.number("x-consumer-timeout"),
            is_single_active: arguments.get("x-single-active-consumer") == Some(&Value::Bool(true)),
            is_quorum: said.argument_text("x-queue-type") == Some("quorum"),
            stream: None,
        }
    }

    /// How long a message may be in it that was stored then, in milliseconds.
    pub(crate) fn life_ms(&self, stored_at: Timestamp) -> Option<u64> {
        self.lives.at(stored_at)
    }

    /// Whether it is a stream.
    #[must_use]
    pub const fn is_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether what is ready has a limit that old messages make room for.
    pub(crate) fn drops_head(&self) -> bool {
        self.overflow == Overflow::DropHead
            && (self.ready_max.is_some() || self.ready_bytes_max.is_some())
    }

    /// Whether it may refuse a message.
    #[must_use]
    pub fn may_refuse(&self) -> bool {
        self.overflow != Overflow::DropHead
            && (self.ready_max.is_some() || self.ready_bytes_max.is_some())
    }
}

/// Milliseconds of a time span as RabbitMQ writes it: a number from 1 on and a unit, one of `Y`,
/// `M`, `D`, `h`, `m` and `s`; years have 365 days and months 30. None for anything else.
#[must_use]
pub fn millis_of_age(text: &str) -> Option<u64> {
    let (at, unit) = text.char_indices().next_back()?;
    let digits = text.get(..at)?;
    let seconds: u64 = match unit {
        'Y' => 365 * 86_400,
        'M' => 30 * 86_400,
        'D' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return None,
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().unwrap_or(u64::MAX);
    (count > 0).then(|| seconds.saturating_mul(1_000).saturating_mul(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_numbers_with_a_unit() {
        assert_eq!(millis_of_age("7D"), Some(7 * 86_400_000));
        assert_eq!(millis_of_age("1h"), Some(3_600_000));
        assert_eq!(millis_of_age("3M"), Some(90 * 86_400_000));
        assert_eq!(millis_of_age("3m"), Some(180_000));
        assert_eq!(millis_of_age("99999999999999999999Y"), Some(u64::MAX));
        for wrong in ["", "D", "0D", "7", "7x", "-1D", "+1D", "1.5h", "7D ", "7ü"] {
            assert_eq!(millis_of_age(wrong), None, "{wrong:?}");
        }
    }
}
