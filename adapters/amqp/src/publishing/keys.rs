//! A message's routing keys: its own, and those of `CC` and `BCC` (RabbitMQ's sender-selected
//! distribution).

use super::{refused, table};
use crate::codec::table::{TableBuilder, Value};
use crate::codec::{Properties, PropertyList, TableView};
use crate::fault::Fault;

const COPIES: &str = "CC";
/// Not for the receivers to see.
const BLIND: &str = "BCC";

/// All keys of a message.
pub(super) struct Keys<'a> {
    own: &'a str,
    more: Vec<&'a str>,
    has_blind: bool,
}

impl<'a> Keys<'a> {
    /// # Errors
    /// `CC` or `BCC` is no list of texts.
    pub(super) fn of(own: &'a str, headers: Option<TableView<'a>>) -> Result<Self, Fault> {
        let mut more = Vec::new();
        let headers = table(headers);
        for name in [COPIES, BLIND] {
            match headers.get(name) {
                None => {}
                Some(Value::Array(keys)) => {
                    for key in keys.iter() {
                        more.push(key.text().ok_or_else(|| unacceptable(name, key))?);
                    }
                }
                Some(value) => return Err(unacceptable(name, value)),
            }
        }
        Ok(Self {
            own,
            more,
            has_blind: headers.get(BLIND).is_some(),
        })
    }

    pub(super) fn all(&self) -> Vec<&'a str> {
        std::iter::once(self.own)
            .chain(self.more.iter().copied())
            .collect()
    }

    /// The properties as receivers are to see them, where that is not as they came.
    pub(super) fn without_blind(&self, list: &PropertyList<'_>) -> Option<Properties> {
        self.has_blind.then(|| {
            let mut kept = TableBuilder::new();
            kept.copy_without(table(list.headers), &[BLIND]);
            let kept = kept.build();
            let list = PropertyList {
                headers: Some(kept.view()),
                ..*list
            };
            list.encode()
        })
    }
}

fn unacceptable(name: &str, value: Value<'_>) -> Fault {
    let kind = crate::topology::type_name(value);
    refused(format!(
        "invalid message: {{unacceptable_type_in_header,\"{name}\",{kind}}}"
    ))
}
