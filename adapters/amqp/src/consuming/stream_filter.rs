//! Which messages of a stream a consumer gets: RabbitMQ's filter of chunks, but exact, so that a
//! client's own filter behind it never has anything left to do.

use crate::codec::{TableView, Value};
use crate::message::Delivered;
use crate::topology::type_name;
use std::collections::BTreeSet;

const FILTER: &str = "x-stream-filter";
const MATCH_UNFILTERED: &str = "x-stream-match-unfiltered";
/// The header by which publishers name what filters look for.
const VALUE: &str = "x-stream-filter-value";

/// An argument of a type that says nothing.
fn wrong(name: &'static str, value: Value<'_>) -> (&'static str, String) {
    (name, format!("{{unacceptable_type,{}}}", type_name(value)))
}

/// `x-stream-filter` and `x-stream-match-unfiltered`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamFilter {
    values: BTreeSet<Box<[u8]>>,
    takes_unfiltered: bool,
}

impl StreamFilter {
    /// What arguments say; `None` takes everything.
    ///
    /// # Errors
    /// The name of an argument that says nothing, and why.
    pub(super) fn of(arguments: TableView<'_>) -> Result<Option<Self>, (&'static str, String)> {
        let Some(filter) = arguments.get(FILTER) else {
            return Ok(None);
        };
        let mut values = BTreeSet::new();
        let mut add = |value: Value<'_>| match value {
            Value::LongString(text) => {
                values.insert(text.into());
                Ok(())
            }
            other => Err(wrong(FILTER, other)),
        };
        match filter {
            Value::Array(array) => array.iter().try_for_each(&mut add)?,
            one => add(one)?,
        }
        let takes_unfiltered = match arguments.get(MATCH_UNFILTERED) {
            None => false,
            Some(Value::Bool(takes)) => takes,
            Some(other) => return Err(wrong(MATCH_UNFILTERED, other)),
        };
        Ok(Some(Self {
            values,
            takes_unfiltered,
        }))
    }

    /// Whether a message passes.
    pub(super) fn passes(&self, delivered: &Delivered) -> bool {
        let list = delivered.properties.list().unwrap_or_default();
        let value = list.headers.and_then(|headers| headers.get(VALUE));
        match value {
            Some(Value::LongString(text)) => self.values.contains(text),
            _ => self.takes_unfiltered,
        }
    }
}
