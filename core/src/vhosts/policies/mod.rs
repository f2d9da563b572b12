//! Policies of a virtual host: which of them rule an exchange or a queue, and what they say
//! together. What arguments say as well is [`super::QueueRules`]'.

mod kind;
mod policy;
#[cfg(test)]
mod tests;

pub use kind::QueueKind;
pub(crate) use policy::Rule;
pub use policy::{AppliesTo, Policy, PolicyKind};

use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Settings by name.
pub type Settings = BTreeMap<String, Value>;

/// All policies of a virtual host, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policies {
    users: BTreeMap<Arc<str>, Arc<Rule>>,
    operators: BTreeMap<Arc<str>, Arc<Rule>>,
}

/// What policies say of one exchange or queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ruling {
    /// The name of the policy.
    pub policy: Option<Arc<str>>,
    /// The name of the operator's policy.
    pub operator_policy: Option<Arc<str>>,
    /// What both say.
    pub settings: Settings,
}

impl Policies {
    const fn of(&self, kind: PolicyKind) -> &BTreeMap<Arc<str>, Arc<Rule>> {
        match kind {
            PolicyKind::User => &self.users,
            PolicyKind::Operator => &self.operators,
        }
    }

    const fn of_mut(&mut self, kind: PolicyKind) -> &mut BTreeMap<Arc<str>, Arc<Rule>> {
        match kind {
            PolicyKind::User => &mut self.users,
            PolicyKind::Operator => &mut self.operators,
        }
    }

    /// Whether it is new.
    pub(crate) fn put(&mut self, kind: PolicyKind, name: Arc<str>, rule: Rule) -> bool {
        self.of_mut(kind).insert(name, Arc::new(rule)).is_none()
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, kind: PolicyKind, name: &str) -> bool {
        self.of_mut(kind).remove(name).is_some()
    }

    /// In order of name.
    pub(crate) fn all(&self, kind: PolicyKind) -> impl Iterator<Item = (&Arc<str>, &Policy)> {
        let all = self.of(kind).iter();
        all.map(|(name, rule)| (name, rule.policy()))
    }

    /// What they say of a queue.
    pub(crate) fn queue(&self, name: &str, kind: QueueKind) -> Ruling {
        self.ruling(|rule| rule.is_for_queue(name, kind))
    }

    /// What they say of an exchange; operators say nothing of exchanges.
    pub(crate) fn exchange(&self, name: &str) -> Ruling {
        let first = first(&self.users, |rule| rule.is_for_exchange(name));
        first.map_or_else(Ruling::default, |(name, policy)| Ruling {
            policy: Some(Arc::clone(name)),
            operator_policy: None,
            settings: settings_of(policy),
        })
    }

    fn ruling(&self, is_meant: impl Fn(&Rule) -> bool) -> Ruling {
        let user = first(&self.users, &is_meant);
        let operator = first(&self.operators, &is_meant);
        let mut settings = user.map_or_else(Settings::new, |(_, policy)| settings_of(policy));
        for (name, cap) in operator.iter().flat_map(|(_, policy)| &policy.definition) {
            let least = match settings.get(name) {
                Some(asked) => lesser(asked, cap),
                None => cap,
            };
            let least = least.clone();
            settings.insert(name.clone(), least);
        }
        let name = |found: Option<(&Arc<str>, _)>| found.map(|(name, _)| Arc::clone(name));
        Ruling {
            policy: name(user),
            operator_policy: name(operator),
            settings,
        }
    }
}

/// That of the greatest priority; of equal ones the first by name.
fn first(
    rules: &BTreeMap<Arc<str>, Arc<Rule>>,
    is_meant: impl Fn(&Rule) -> bool,
) -> Option<(&Arc<str>, &Policy)> {
    let meant = rules.iter().filter(|(_, rule)| is_meant(rule));
    let meant = meant.map(|(name, rule)| (name, rule.policy()));
    meant.min_by_key(|(_, policy)| Reverse(policy.priority))
}

fn settings_of(policy: &Policy) -> Settings {
    let pairs = policy.definition.iter();
    pairs
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Of two numbers the lesser; operators say nothing but numbers.
fn lesser<'a>(asked: &'a Value, cap: &'a Value) -> &'a Value {
    match (asked.as_u64(), cap.as_u64()) {
        (Some(number), Some(limit)) if number <= limit => asked,
        _ => cap,
    }
}
