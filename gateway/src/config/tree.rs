//! Settings as a flat table from dotted key to value: the form in which sources are laid over
//! one another and unknown keys are found.

use anyhow::{Result, bail};
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;

/// Dotted keys and their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tree(BTreeMap<String, Value>);

impl Tree {
    /// Flattens nested mappings.
    pub(super) fn of(value: &Value) -> Self {
        let mut tree = Self::default();
        tree.flatten("", value);
        tree
    }

    fn flatten(&mut self, prefix: &str, value: &Value) {
        match value {
            Value::Mapping(mapping) => {
                for (key, value) in mapping {
                    let key = key
                        .as_str()
                        .map_or_else(|| format!("{key:?}"), str::to_owned);
                    let key = if prefix.is_empty() {
                        key
                    } else {
                        format!("{prefix}.{key}")
                    };
                    self.flatten(&key, value);
                }
            }
            Value::Null if prefix.is_empty() => {}
            value => {
                self.0.insert(prefix.to_owned(), value.clone());
            }
        }
    }

    /// The keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The keys and their values, in the order of the keys.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Sets one key that must exist.
    ///
    /// # Errors
    /// It does not; the message names the nearest that does.
    pub(super) fn set(&mut self, key: &str, value: Value, source: &str) -> Result<()> {
        let Some(slot) = self.0.get_mut(key) else {
            let distance = |known: &&str| strsim::damerau_levenshtein(known, key);
            let nearest = self.0.keys().map(String::as_str).min_by_key(distance);
            bail!(
                "{source}: there is no setting {key:?}; did you mean {:?}?",
                nearest.unwrap_or("")
            );
        };
        *slot = value;
        Ok(())
    }

    /// Lays another tree over this one.
    ///
    /// # Errors
    /// As [`Tree::set`].
    pub(super) fn lay_over(&mut self, other: Self, source: &str) -> Result<()> {
        for (key, value) in other.0 {
            // An empty section changes nothing.
            let is_section = self
                .keys()
                .any(|known| known.starts_with(&format!("{key}.")));
            if !(is_section && value.is_null()) {
                self.set(&key, value, source)?;
            }
        }
        Ok(())
    }

    /// Nested mappings again.
    pub(super) fn into_value(self) -> Value {
        let mut root = Mapping::new();
        for (key, value) in self.0 {
            let mut section = &mut root;
            let mut parts = key.split('.').peekable();
            while let Some(part) = parts.next() {
                let name = Value::from(part);
                if parts.peek().is_none() {
                    section.insert(name, value);
                    break;
                }
                let child = section
                    .entry(name)
                    .or_insert_with(|| Value::Mapping(Mapping::new()));
                let Value::Mapping(child) = child else { break };
                section = child;
            }
        }
        Value::Mapping(root)
    }
}
