//! Limits of virtual hosts and of users, as requests say them.

use super::ParameterError;
use super::term::{term, terms};
use gantry_core::vhosts::VhostLimits;
use serde_json::{Map, Value};

/// # Errors
/// Something else than RabbitMQ's limits of virtual hosts.
pub fn vhost_limits(fields: &Map<String, Value>) -> Result<VhostLimits, ParameterError> {
    let names = ["max-connections", "max-queues"];
    let read = limits(fields, names, "limits");
    let [max_connections, max_queues] = read.map_err(ParameterError::Invalid)?;
    Ok(VhostLimits {
        max_connections,
        max_queues,
    })
}

/// Limits of these names, and of no others.
///
/// # Errors
/// All that is wrong, in RabbitMQ's words; `what` is what they are.
pub(crate) fn limits(
    fields: &Map<String, Value>,
    names: [&str; 2],
    what: &str,
) -> Result<[Option<i64>; 2], Vec<String>> {
    let mut wrong = Vec::new();
    let read = names.map(|name| {
        let value = fields.get(name)?;
        if value.as_i64().is_none() {
            let value = term(value);
            wrong.push(format!("{name} should be a number, actually was {value}"));
        }
        value.as_i64()
    });
    let unknown = fields.iter().filter(|(name, _)| !names.contains(&&***name));
    let unknown: Map<_, _> = unknown
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !unknown.is_empty() {
        let unknown = terms(&unknown);
        wrong.push(format!("Unrecognised terms {unknown} in {what}"));
    }
    if wrong.is_empty() {
        Ok(read)
    } else {
        Err(wrong)
    }
}
