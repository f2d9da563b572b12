//! JSON as Erlang prints it (`~p`), as which RabbitMQ's texts show what was wrong.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// `<<"text">>`, `5`, `[{<<"name">>,true}]`
pub(super) fn term(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => binary(text),
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(term).collect();
            format!("[{}]", values.join(","))
        }
        Value::Object(fields) => terms(fields),
    }
}

/// `[{<<"name">>,5}]`
pub(super) fn terms(fields: &Map<String, Value>) -> String {
    let pairs = fields.iter();
    let pairs = pairs.map(|(name, value)| format!("{{{},{}}}", binary(name), term(value)));
    format!("[{}]", pairs.collect::<Vec<_>>().join(","))
}

fn binary(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 6);
    written.push_str("<<\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                written.push('\\');
                written.push(character);
            }
            character if character.is_control() => {
                // A string takes whatever is written.
                let _written = write!(written, "\\x{{{:X}}}", u32::from(character));
            }
            character => written.push(character),
        }
    }
    written.push_str("\">>");
    written
}
