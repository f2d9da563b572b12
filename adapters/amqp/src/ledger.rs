//! What clients asked for, were granted, and what has no effect here: counted by name, so that
//! nobody finds out by its lack alone.

use crate::codec::TableView;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// An argument of `queue.declare`.
    QueueArgument,
    /// An argument of `exchange.declare`.
    ExchangeArgument,
    /// An argument of `basic.consume`.
    ConsumerArgument,
    /// A setting of a policy.
    PolicySetting,
    /// One of the client's capabilities.
    Capability,
    /// A method, or a flag of one.
    Method,
    /// A binding to an exchange that never has messages.
    Binding,
}

impl Asked {
    /// As a label, or a field of JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueArgument => "queue_argument",
            Self::ExchangeArgument => "exchange_argument",
            Self::ConsumerArgument => "consumer_argument",
            Self::PolicySetting => "policy_setting",
            Self::Capability => "capability",
            Self::Method => "method",
            Self::Binding => "binding",
        }
    }

    /// Names of its kind that have an effect.
    const fn effective(self) -> &'static [&'static str] {
        match self {
            Self::QueueArgument => &[
                "x-consumer-timeout",
                "x-dead-letter-exchange",
                "x-dead-letter-routing-key",
                "x-delivery-limit",
                "x-expires",
                "x-max-age",
                "x-max-length",
                "x-max-length-bytes",
                "x-max-priority",
                "x-message-ttl",
                "x-overflow",
                "x-queue-type",
                "x-single-active-consumer",
            ],
            Self::ExchangeArgument => &[
                "alternate-exchange",
                "hash-header",
                "hash-property",
                "x-delayed-type",
            ],
            Self::ConsumerArgument => &[
                "x-priority",
                "x-stream-filter",
                "x-stream-match-unfiltered",
                "x-stream-offset",
            ],
            Self::PolicySetting => &[
                "alternate-exchange",
                "consumer-timeout",
                "dead-letter-exchange",
                "dead-letter-routing-key",
                "delivery-limit",
                "expires",
                "max-age",
                "max-length",
                "max-length-bytes",
                "message-ttl",
                "overflow",
            ],
            Self::Capability => &[
                "authentication_failure_close",
                "basic.nack",
                "connection.blocked",
                "consumer_cancel_notify",
                "consumer_priorities",
                "direct_reply_to",
                "exchange_exchange_bindings",
                "per_consumer_qos",
                "publisher_confirms",
            ],
            Self::Method | Self::Binding => &[],
        }
    }
}

/// Names without effect that are known beforehand: what `/metrics` tells apart.
pub const KNOWN: &[(Asked, &str)] = &[
    (Asked::QueueArgument, "x-dead-letter-strategy"),
    (Asked::QueueArgument, "x-ha-nodes"),
    (Asked::QueueArgument, "x-ha-policy"),
    (Asked::QueueArgument, "x-initial-cluster-size"),
    (Asked::QueueArgument, "x-max-in-memory-bytes"),
    (Asked::QueueArgument, "x-max-in-memory-length"),
    (Asked::QueueArgument, "x-queue-leader-locator"),
    (Asked::QueueArgument, "x-queue-master-locator"),
    (Asked::QueueArgument, "x-queue-mode"),
    (Asked::QueueArgument, "x-queue-version"),
    (Asked::QueueArgument, "x-quorum-initial-group-size"),
    (Asked::QueueArgument, "x-stream-filter-size-bytes"),
    (Asked::QueueArgument, "x-stream-max-segment-size-bytes"),
    (Asked::ConsumerArgument, "x-cancel-on-ha-failover"),
    (Asked::PolicySetting, "dead-letter-strategy"),
    (Asked::PolicySetting, "ha-mode"),
    (Asked::PolicySetting, "ha-params"),
    (Asked::PolicySetting, "ha-promote-on-failure"),
    (Asked::PolicySetting, "ha-promote-on-shutdown"),
    (Asked::PolicySetting, "ha-sync-batch-size"),
    (Asked::PolicySetting, "ha-sync-mode"),
    (Asked::PolicySetting, "initial-cluster-size"),
    (Asked::PolicySetting, "max-in-memory-bytes"),
    (Asked::PolicySetting, "max-in-memory-length"),
    (Asked::PolicySetting, "queue-leader-locator"),
    (Asked::PolicySetting, "queue-master-locator"),
    (Asked::PolicySetting, "queue-mode"),
    (Asked::PolicySetting, "queue-version"),
    (Asked::PolicySetting, "stream-filter-size-bytes"),
    (Asked::PolicySetting, "stream-max-segment-size-bytes"),
    (Asked::Method, ACCESS_REQUEST),
    (Asked::Method, NO_LOCAL),
    (Asked::Method, UPDATE_SECRET),
    (Asked::Binding, TRACE_EXCHANGE),
];

/// Nobody is asked for access any more, and a ticket is given.
pub(crate) const ACCESS_REQUEST: &str = "access.request";
/// A connection's consumers get what it publishes itself.
pub(crate) const NO_LOCAL: &str = "basic.consume no-local";
/// Passwords and certificates do not end while a connection lasts.
pub(crate) const UPDATE_SECRET: &str = "connection.update-secret";
/// Nothing is published to it.
pub(crate) const TRACE_EXCHANGE: &str = "amq.rabbitmq.trace";

/// How often each was asked for, since the start.
#[derive(Debug)]
pub struct Ledger {
    times: Mutex<BTreeMap<(Asked, String), u64>>,
    /// Most names that are counted one by one.
    names_max: usize,
}

/// One name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is the name of.
    pub asked: Asked,
    /// The name; [`Row::OTHERS`] is all names beyond the limit.
    pub name: String,
    /// How often.
    pub times: u64,
}

impl Row {
    /// The name of names that are not told apart.
    pub const OTHERS: &'static str = "other";
}

impl Default for Ledger {
    fn default() -> Self {
        Self::of(1_000)
    }
}

impl Ledger {
    pub(crate) fn of(names_max: usize) -> Self {
        Self {
            times: Mutex::default(),
            names_max,
        }
    }

    /// Something was granted that has no effect.
    pub(crate) fn note(&self, asked: Asked, name: &str) {
        let mut times = self.times.lock();
        let key = (asked, name.to_owned());
        let is_counted = times.contains_key(&key) || times.len() < self.names_max;
        let key = if is_counted {
            key
        } else {
            (asked, Row::OTHERS.to_owned())
        };
        *times.entry(key).or_default() += 1;
    }

    /// Notes those of a table that have no effect.
    pub(crate) fn note_table(&self, asked: Asked, table: TableView<'_>) {
        for field in table.iter() {
            self.note_unless_effective(asked, &String::from_utf8_lossy(field.name));
        }
    }

    /// Something was granted, which may have no effect.
    pub(crate) fn note_unless_effective(&self, asked: Asked, name: &str) {
        if !asked.effective().contains(&name) {
            self.note(asked, name);
        }
    }

    /// All that was asked for, by name.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let times = self.times.lock();
        let rows = times.iter().map(|((asked, name), times)| Row {
            asked: *asked,
            name: name.clone(),
            times: *times,
        });
        rows.collect()
    }

    /// The same with no more names than [`KNOWN`] has, all of which are there, and one of a kind
    /// for the others.
    #[must_use]
    pub fn known_rows(&self) -> Vec<Row> {
        let mut known: BTreeMap<(Asked, &str), u64> = KNOWN.iter().map(|key| (*key, 0)).collect();
        for row in self.rows() {
            let key = KNOWN.iter().find(|key| **key == (row.asked, &*row.name));
            let key = key.copied().unwrap_or((row.asked, Row::OTHERS));
            *known.entry(key).or_default() += row.times;
        }
        let rows = known.into_iter().map(|((asked, name), times)| Row {
            asked,
            name: name.to_owned(),
            times,
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Value;
    use crate::codec::table::TableBuilder;

    fn told(rows: &[Row]) -> Vec<(&'static str, &str, u64)> {
        let rows = rows.iter();
        rows.map(|row| (row.asked.name(), &*row.name, row.times))
            .collect()
    }

    #[test]
    fn what_has_an_effect_is_not_counted_and_names_are_bounded() {
        let ledger = Ledger::of(2);
        let mut table = TableBuilder::new();
        for name in ["x-queue-mode", "x-max-length", "x-a", "x-b", "x-c"] {
            table.put(name, Value::Bool(true));
        }
        let table = table.build();
        ledger.note_table(Asked::QueueArgument, table.view());
        ledger.note_table(Asked::QueueArgument, table.view());
        assert_eq!(
            told(&ledger.rows()),
            [
                ("queue_argument", "other", 4),
                ("queue_argument", "x-a", 2),
                ("queue_argument", "x-queue-mode", 2),
            ]
        );
        let known = ledger.known_rows();
        let counted: Vec<_> = told(&known);
        assert!(counted.contains(&("queue_argument", "x-queue-mode", 2)));
        assert!(counted.contains(&("queue_argument", "other", 6)));
        assert!(counted.contains(&("method", "basic.consume no-local", 0)));
    }
}
