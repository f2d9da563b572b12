//! Whether bytes are a table.

use super::Value;
use super::value::{take_name, take_value};
use smallvec::SmallVec;

/// Tables and arrays within one another, the outermost among them. RabbitMQ has no limit here,
/// its C client takes 100.
pub const TABLE_DEPTH_MAX: usize = 100;

/// Fields and values of one table, with all that is nested in it.
pub const ELEMENTS_MAX: usize = 16_384;

/// Nesting that needs no memory; `x-death` in a message's headers is 4 deep.
const DEPTH_USUAL: usize = 8;

/// Why bytes are no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableFault {
    /// A length goes beyond the end.
    #[error("a table is cut short")]
    CutShort,
    /// A value of no known type.
    #[error("a table has a value of unknown type {0}")]
    UnknownTag(u8),
    /// More than [`TABLE_DEPTH_MAX`].
    #[error("tables are nested more than {TABLE_DEPTH_MAX} deep")]
    TooDeep,
    /// More than [`ELEMENTS_MAX`].
    #[error("a table has more than {ELEMENTS_MAX} elements")]
    TooManyElements,
}

/// A table or an array that is being walked.
struct Open<'a> {
    rest: &'a [u8],
    has_names: bool,
}

/// Walks a table and all that is nested in it: one pass over the bytes, no recursion.
pub(super) fn check(raw: &[u8]) -> Result<(), TableFault> {
    let mut open = SmallVec::<[Open<'_>; DEPTH_USUAL]>::new();
    open.push(Open {
        rest: raw,
        has_names: true,
    });
    let mut elements = 0;
    while let Some(innermost) = open.last_mut() {
        if innermost.rest.is_empty() {
            open.pop();
            continue;
        }
        elements += 1;
        if elements > ELEMENTS_MAX {
            return Err(TableFault::TooManyElements);
        }
        if innermost.has_names {
            take_name(&mut innermost.rest)?;
        }
        let nested = match take_value(&mut innermost.rest)? {
            Value::Table(table) => Open {
                rest: table.raw(),
                has_names: true,
            },
            Value::Array(array) => Open {
                rest: array.raw(),
                has_names: false,
            },
            _ => continue,
        };
        if open.len() == TABLE_DEPTH_MAX {
            return Err(TableFault::TooDeep);
        }
        open.push(nested);
    }
    Ok(())
}
