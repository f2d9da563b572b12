//! What a binding to a headers exchange asks of a message.

use super::arguments::{Arguments, Value};
use super::matcher::{IllegalBinding, Routable};

/// The argument that says how.
const HOW: &str = "x-match";

/// Headers that must all be there, or any of them.
#[derive(Clone, Debug)]
pub(super) struct HeaderMatch {
    wanted: Vec<(Box<str>, Value)>,
    needs_all: bool,
}

impl HeaderMatch {
    /// Reads a binding's arguments.
    ///
    /// # Errors
    /// `x-match` is something else than `all` (the default), `any`, `all-with-x` or `any-with-x`.
    pub(super) fn of(arguments: &Arguments) -> Result<Self, IllegalBinding> {
        let how = match arguments.get(HOW) {
            None => &b"all"[..],
            Some(Value::Text(text)) => text,
            Some(other) => return Err(IllegalBinding::MatchType(format!("{other:?}"))),
        };
        let (needs_all, with_x) = match how {
            b"all" => (true, false),
            b"any" => (false, false),
            b"all-with-x" => (true, true),
            b"any-with-x" => (false, true),
            other => {
                let other = String::from_utf8_lossy(other).into_owned();
                return Err(IllegalBinding::MatchType(other));
            }
        };
        let is_wanted = |name: &str| name != HOW && (with_x || !name.starts_with("x-"));
        let wanted = arguments.iter().filter(|(name, _)| is_wanted(name));
        Ok(Self {
            wanted: wanted
                .map(|(name, value)| (name.into(), value.clone()))
                .collect(),
            needs_all,
        })
    }

    /// Whether a message has what is asked: everything, if nothing is asked and `all` is needed.
    pub(super) fn matches(&self, message: &dyn Routable) -> bool {
        let has = |(name, value): &(Box<str>, Value)| {
            let found = message.header(name);
            found.is_some_and(|found| *value == Value::Void || *value == found)
        };
        if self.needs_all {
            self.wanted.iter().all(has)
        } else {
            self.wanted.iter().any(has)
        }
    }
}
