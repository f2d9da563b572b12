//! Bodies of requests.

use crate::refusal::Refusal;
use bytes::Bytes;
use gantry_amqp::codec::ShortString;
use serde_json::{Map, Value};

/// Longest name of anything in AMQP, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// A JSON object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body(pub(crate) Map<String, Value>);

impl Body {
    /// An empty body is an empty object.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn parse(bytes: &Bytes) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _ => Err(Refusal::bad("not_json")),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text, or none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// A truth value; old tools say it in text.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, Refusal> {
        match self.get(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" => Ok(false),
            Some(_) => Err(Refusal::bad(format!("{name} is no boolean"))),
        }
    }

    /// # Errors
    /// One of the fields is missing.
    pub(crate) fn need(&self, names: &[&str]) -> Result<(), Refusal> {
        match names.iter().find(|name| !self.0.contains_key(**name)) {
            None => Ok(()),
            Some(name) => Err(Refusal::bad(format!("[{{key_missing,{name}}}]"))),
        }
    }

    /// Objects of a list.
    pub(crate) fn objects(&self, name: &str) -> Vec<Self> {
        let list = self.get(name).and_then(Value::as_array);
        let list = list.into_iter().flatten();
        list.filter_map(|item| item.as_object().cloned().map(Self))
            .collect()
    }
}

/// # Errors
/// It is too long for a name.
pub(crate) fn short(name: &str) -> Result<ShortString, Refusal> {
    if name.len() > NAME_BYTES_MAX {
        return Err(Refusal::bad(format!(
            "a name is longer than {NAME_BYTES_MAX} bytes"
        )));
    }
    Ok(ShortString::cut(name))
}
