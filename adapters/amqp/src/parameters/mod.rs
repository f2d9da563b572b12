//! What operators set at run time: policies, limits of virtual hosts and global parameters, checked
//! and refused as RabbitMQ does. Policies and limits are core's to keep and to apply; a global
//! parameter is a document of the state that nothing reads but who asks for it.

mod definition;
mod error;
mod high_availability;
mod limits;
mod term;
#[cfg(test)]
mod tests;

pub use error::ParameterError;
pub(crate) use limits::limits;
pub use limits::vhost_limits;

use crate::config::Config;
use crate::ledger::{Asked, Ledger};
use definition::checked;
use gantry_core::Client;
use gantry_core::vhosts::{AppliesTo, Policy, PolicyKind, VhostLimits, VirtualHost};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use std::sync::Arc;
use term::term;

/// The global parameter that is the broker's name.
pub const CLUSTER_NAME: &str = "cluster_name";
/// Of all documents of global parameters.
const NAMESPACE: &str = "amqp.global_parameters";

/// All of them.
#[derive(Debug)]
pub struct Parameters {
    client: Client,
    /// Where settings are noted that have no effect.
    ledger: Arc<Ledger>,
    /// Most policies and global parameters.
    count_max: usize,
    /// Most bytes of one.
    bytes_max: usize,
    /// Held while one is made, so that there are no more than may be.
    making: Mutex<()>,
}

impl Parameters {
    pub(crate) fn new(client: Client, ledger: Arc<Ledger>, config: &Config) -> Self {
        Self {
            client,
            ledger,
            count_max: config.parameters_max,
            bytes_max: config.parameter_bytes_max,
            making: Mutex::default(),
        }
    }

    /// Sets a policy from what a request says of it (`pattern`, `definition`, `priority`,
    /// `apply-to`); whether it is new.
    ///
    /// # Errors
    /// Something makes no sense, too many, or a failed store.
    pub fn put_policy(
        &self,
        host: &VirtualHost,
        kind: PolicyKind,
        name: &str,
        fields: &Map<String, Value>,
    ) -> Result<bool, ParameterError> {
        let policy = policy_of(kind, fields)?;
        let bytes = policy.pattern.len() + length(&policy.definition);
        let _making = self.making.lock();
        let known = host.policies(kind);
        self.check_room(bytes, known.iter().any(|(known, _)| **known == *name))?;
        let settings: Vec<String> = policy.definition.keys().cloned().collect();
        let is_new = self.client.put_policy(host, kind, name, policy)?;
        for setting in settings {
            let asked = Asked::PolicySetting;
            self.ledger.note_unless_effective(asked, &setting);
        }
        Ok(is_new)
    }

    /// Takes a policy back; whether it was there.
    ///
    /// # Errors
    /// A failed store.
    pub fn delete_policy(
        &self,
        host: &VirtualHost,
        kind: PolicyKind,
        name: &str,
    ) -> Result<bool, ParameterError> {
        Ok(self.client.delete_policy(host, kind, name)?)
    }

    /// Limits a virtual host; `None` takes all limits back.
    ///
    /// # Errors
    /// A failed store.
    pub fn limit(
        &self,
        host: &VirtualHost,
        limits: Option<VhostLimits>,
    ) -> Result<(), ParameterError> {
        Ok(self.client.limit_virtual_host(host, limits)?)
    }

    /// All global parameters, by name.
    #[must_use]
    pub fn globals(&self) -> Vec<(String, Value)> {
        let documents = self.client.documents(NAMESPACE).into_iter();
        let read = documents.filter_map(|(name, text)| {
            let value = serde_json::from_str(&text).ok()?;
            Some((name, value))
        });
        read.collect()
    }

    /// What the broker is called, where an operator said so.
    #[must_use]
    pub fn cluster_name(&self) -> Option<String> {
        let text = self.client.document(NAMESPACE, CLUSTER_NAME)?;
        serde_json::from_str(&text).ok()
    }

    /// Sets a global parameter; whether it is new.
    ///
    /// # Errors
    /// It is too large, too many, or a failed store.
    pub fn put_global(&self, name: &str, value: &Value) -> Result<bool, ParameterError> {
        let text = value.to_string();
        let _making = self.making.lock();
        let is_new = self.client.document(NAMESPACE, name).is_none();
        self.check_room(text.len(), !is_new)?;
        let put = self.client.put_document(NAMESPACE, name, Some(text));
        put.map_err(ParameterError::Store)?;
        Ok(is_new)
    }

    /// Takes a global parameter back; whether it was there.
    ///
    /// # Errors
    /// A failed store.
    pub fn delete_global(&self, name: &str) -> Result<bool, ParameterError> {
        if self.client.document(NAMESPACE, name).is_none() {
            return Ok(false);
        }
        let put = self.client.put_document(NAMESPACE, name, None);
        put.map_err(ParameterError::Store)?;
        Ok(true)
    }

    /// # Errors
    /// There are as many as may be, and this one is not there, or it is too large.
    fn check_room(&self, bytes: usize, is_there: bool) -> Result<(), ParameterError> {
        if bytes > self.bytes_max {
            return Err(ParameterError::TooLarge(self.bytes_max));
        }
        let of_host = |host: &Arc<VirtualHost>| {
            let kinds = [PolicyKind::User, PolicyKind::Operator];
            kinds
                .map(|kind| host.policies(kind).len())
                .iter()
                .sum::<usize>()
        };
        let hosts = self.client.virtual_hosts();
        let policies: usize = hosts.iter().map(of_host).sum();
        let count = policies + self.client.documents(NAMESPACE).len();
        if !is_there && count >= self.count_max {
            return Err(ParameterError::TooMany(self.count_max));
        }
        Ok(())
    }
}

fn length(definition: &Map<String, Value>) -> usize {
    let fields = definition.iter();
    fields
        .map(|(name, value)| name.len() + value.to_string().len())
        .sum()
}

/// What a request says of a policy, in the order in which RabbitMQ looks at it
/// (`rabbit_policy:policy_validation`).
fn policy_of(kind: PolicyKind, fields: &Map<String, Value>) -> Result<Policy, ParameterError> {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let mut wrong = Vec::new();
    let mut note = |text: String| wrong.push(text);
    let priority = match given("priority") {
        None => 0,
        Some(value) => value.as_i64().unwrap_or_else(|| {
            note(format!(
                "priority should be a number, actually was {}",
                term(value)
            ));
            0
        }),
    };
    let pattern = given("pattern").unwrap_or(&Value::Null);
    let text = pattern.as_str().unwrap_or_else(|| {
        note(format!(
            "pattern should be a binary but was {}",
            term(pattern)
        ));
        ""
    });
    let applies_to = match given("apply-to") {
        None => AppliesTo::All,
        Some(value) => {
            let named = value.as_str().and_then(AppliesTo::named);
            named.unwrap_or_else(|| {
                let said = value
                    .as_str()
                    .map_or_else(|| term(value), |text| format!("'{text}'"));
                note(format!(
                    "apply-to {said} unrecognised; should be 'queues', 'exchanges' or 'all'"
                ));
                AppliesTo::All
            })
        }
    };
    let definition = match given("definition") {
        Some(Value::Object(definition)) => definition.clone(),
        _ => {
            note("definition should be an object".to_owned());
            Map::new()
        }
    };
    if wrong.is_empty()
        && let Err(text) = checked(kind, &definition)
    {
        wrong.push(text);
    }
    if wrong.is_empty() {
        return Ok(Policy {
            pattern: text.to_owned(),
            applies_to,
            priority,
            definition,
        });
    }
    Err(ParameterError::Invalid(wrong))
}
