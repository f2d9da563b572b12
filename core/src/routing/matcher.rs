//! The bindings of one exchange, made ready to be searched.

use super::arguments::{Arguments, Value};
use super::consistent_hash::ConsistentHash;
use super::exchange::{Destination, ExchangeKind, HashOn};
use super::header_match::HeaderMatch;
use super::topic_trie::TopicTrie;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use thiserror::Error;

/// What routing may ask of a message besides its keys.
pub trait Routable {
    /// A header's value.
    fn header(&self, name: &str) -> Option<Value>;
    /// The bytes of a property by which messages may be spread: `message_id`, `correlation_id` or
    /// `timestamp`.
    fn property(&self, name: &str) -> Option<Bytes>;
}

/// What a binding says makes no sense to its exchange.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IllegalBinding {
    /// Of a headers exchange.
    #[error(
        "Invalid x-match field value <<\"{0}\">>; expected all, any, all-with-x, or any-with-x"
    )]
    MatchType(String),
    /// Of a consistent hash exchange, whose keys are weights from 1 on.
    #[error("The binding key must be an integer greater than 0, not '{0}'")]
    Weight(String),
}

/// By the exchange's kind.
#[derive(Debug)]
pub(super) enum Matcher {
    Direct(HashMap<Box<str>, Vec<Destination>>),
    /// With how many keys each is bound.
    Fanout(BTreeMap<Destination, usize>),
    Topic(TopicTrie),
    Headers(Vec<(Arguments, HeaderMatch, Destination)>),
    ConsistentHash(HashOn, ConsistentHash),
}

fn weight(key: &str) -> Result<u32, IllegalBinding> {
    let weight = key.parse().ok().filter(|weight| *weight > 0);
    weight.ok_or_else(|| IllegalBinding::Weight(key.to_owned()))
}

impl Matcher {
    /// Of no bindings.
    pub(super) fn of(kind: &ExchangeKind) -> Self {
        match kind {
            ExchangeKind::Direct => Self::Direct(HashMap::new()),
            ExchangeKind::Fanout => Self::Fanout(BTreeMap::new()),
            ExchangeKind::Topic => Self::Topic(TopicTrie::default()),
            ExchangeKind::Headers => Self::Headers(Vec::new()),
            ExchangeKind::ConsistentHash(on) => {
                Self::ConsistentHash(on.clone(), ConsistentHash::default())
            }
        }
    }

    /// Whether a binding can be told from one with other arguments: for most exchanges they say
    /// nothing.
    pub(super) const fn reads_arguments(&self) -> bool {
        matches!(self, Self::Headers(_))
    }

    /// Adds a binding.
    ///
    /// # Errors
    /// It makes no sense here; nothing has changed then.
    pub(super) fn insert(
        &mut self,
        key: &str,
        arguments: &Arguments,
        destination: &Destination,
    ) -> Result<(), IllegalBinding> {
        let to = destination.clone();
        match self {
            Self::Direct(keys) => keys.entry(key.into()).or_default().push(to),
            Self::Fanout(bound) => *bound.entry(to).or_default() += 1,
            Self::Topic(patterns) => patterns.insert(key, to),
            Self::Headers(bound) => {
                let wanted = HeaderMatch::of(arguments)?;
                bound.push((arguments.clone(), wanted, to));
            }
            Self::ConsistentHash(_, parts) => parts.insert(weight(key)?, to),
        }
        Ok(())
    }

    /// Takes back one that was added.
    pub(super) fn remove(&mut self, key: &str, arguments: &Arguments, destination: &Destination) {
        match self {
            Self::Direct(keys) => {
                if let Some(bound) = keys.get_mut(key) {
                    bound.retain(|to| to != destination);
                    if bound.is_empty() {
                        keys.remove(key);
                    }
                }
            }
            Self::Fanout(bound) => {
                if let Some(count) = bound.get_mut(destination) {
                    *count -= 1;
                    if *count == 0 {
                        bound.remove(destination);
                    }
                }
            }
            Self::Topic(patterns) => patterns.remove(key, destination),
            Self::Headers(bound) => {
                let is_it = |(known, _, to): &(Arguments, HeaderMatch, Destination)| {
                    known == arguments && to == destination
                };
                if let Some(at) = bound.iter().position(is_it) {
                    bound.swap_remove(at);
                }
            }
            Self::ConsistentHash(_, parts) => {
                if let Ok(weight) = weight(key) {
                    parts.remove(weight, destination);
                }
            }
        }
    }

    /// Hands over where a message goes that has `key`, some of it perhaps more than once.
    pub(super) fn matching<'a>(
        &'a self,
        key: &str,
        message: &dyn Routable,
        mut take: impl FnMut(&'a Destination),
    ) {
        match self {
            Self::Direct(keys) => keys.get(key).into_iter().flatten().for_each(take),
            Self::Fanout(bound) => bound.keys().for_each(take),
            Self::Topic(patterns) => patterns.matching(key, take),
            Self::Headers(bound) => {
                let bound = bound
                    .iter()
                    .filter(|(_, wanted, _)| wanted.matches(message));
                bound.for_each(|(.., to)| take(to));
            }
            Self::ConsistentHash(on, parts) => {
                let hashed = match on {
                    HashOn::Key => Some(Bytes::copy_from_slice(key.as_bytes())),
                    HashOn::Header(name) => message.header(name).map(|value| bytes_of(&value)),
                    HashOn::Property(name) => message.property(name),
                };
                // What has none goes where an empty one goes.
                let hashed = hashed.unwrap_or_default();
                parts.pick(&hashed).into_iter().for_each(take);
            }
        }
    }
}

fn bytes_of(value: &Value) -> Bytes {
    match value {
        Value::Text(bytes) | Value::Bytes(bytes) | Value::Composite(bytes) => bytes.clone(),
        Value::Integer(number) => number.to_string().into(),
        other => format!("{other:?}").into(),
    }
}
