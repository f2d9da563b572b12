//! Settings of mirrored queues, which are checked as RabbitMQ does and have no effect here
//! (`rabbit_mirror_queue_misc:validate_policy`).

use super::term::term;
use serde_json::{Map, Value};

const OTHERS: [&str; 5] = [
    "ha-params",
    "ha-sync-mode",
    "ha-sync-batch-size",
    "ha-promote-on-shutdown",
    "ha-promote-on-failure",
];

/// # Errors
/// What makes no sense, in RabbitMQ's words.
pub(super) fn check(definition: &Map<String, Value>) -> Result<(), String> {
    let Some(mode) = definition.get("ha-mode") else {
        return if OTHERS.iter().any(|name| definition.contains_key(*name)) {
            Err(
                "ha-mode must be specified to specify ha-params, ha-sync-mode or \
                 ha-promote-on-shutdown"
                    .to_owned(),
            )
        } else {
            Ok(())
        };
    };
    check_parameters(mode, definition.get("ha-params"))?;
    check_word(definition, "ha-sync-mode", ["manual", "automatic"])?;
    if let Some(size) = definition.get("ha-sync-batch-size")
        && size.as_u64().is_none_or(|size| size == 0)
    {
        let size = term(size);
        return Err(format!(
            "ha-sync-batch-size takes an integer greater than 0, {size} given"
        ));
    }
    check_word(
        definition,
        "ha-promote-on-shutdown",
        ["always", "when-synced"],
    )?;
    check_word(
        definition,
        "ha-promote-on-failure",
        ["always", "when-synced"],
    )
}

fn check_parameters(mode: &Value, parameters: Option<&Value>) -> Result<(), String> {
    let given = || parameters.map_or_else(|| "none".to_owned(), term);
    let is_taken = |is_right: bool, what: &str, mode: &str| {
        if is_right {
            return Ok(());
        }
        Err(format!("ha-mode=\"{mode}\" {what}, {} given", given()))
    };
    match mode.as_str() {
        Some("all") => is_taken(parameters.is_none(), "does not take parameters", "all"),
        Some("exactly") => {
            let count = parameters.and_then(Value::as_u64);
            let is_right = count.is_some_and(|count| count > 0);
            is_taken(is_right, "takes an integer", "exactly")
        }
        Some("nodes") => {
            let names = parameters.and_then(Value::as_array);
            let is_right = names.is_some_and(|names| names.iter().all(Value::is_string));
            is_taken(is_right, "takes a list", "nodes")
        }
        _ => Err(format!("{} is not a valid ha-mode value", term(mode))),
    }
}

fn check_word(definition: &Map<String, Value>, name: &str, words: [&str; 2]) -> Result<(), String> {
    let Some(value) = definition.get(name) else {
        return Ok(());
    };
    if value.as_str().is_some_and(|text| words.contains(&text)) {
        return Ok(());
    }
    let [one, other] = words;
    let value = term(value);
    Err(format!(
        "{name} must be \"{one}\" or \"{other}\", got {value}"
    ))
}
