//! What the parts of an expression come to for one message.

use super::error::Incomparable;
use super::literal::{Number, compare_texts};
use std::cmp::Ordering;

/// True, false or, with `None`, unknown.
pub(super) type Truth = Option<bool>;

/// What an operand comes to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Missing,
    Text(&'a str),
    Number(&'a Number),
    Boolean(bool),
}

/// How two operands are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison `left` and `right` come to: unknown when one of them is missing.
    pub(super) fn holds(self, left: Value<'_>, right: Value<'_>) -> Result<Truth, Incomparable> {
        if matches!(left, Value::Missing) || matches!(right, Value::Missing) {
            return Ok(None);
        }
        let holds = match self {
            Self::Equal => is_equal(left, right)?,
            Self::NotEqual => !is_equal(left, right)?,
            Self::Less => order(left, right)?.is_lt(),
            Self::LessOrEqual => order(left, right)?.is_le(),
            Self::Greater => order(left, right)?.is_gt(),
            Self::GreaterOrEqual => order(left, right)?.is_ge(),
        };
        Ok(Some(holds))
    }
}

fn is_equal(left: Value<'_>, right: Value<'_>) -> Result<bool, Incomparable> {
    Ok(match (left, right) {
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Boolean(left), Value::Boolean(right)) => left == right,
        // As Java's Boolean.valueOf: what is not "true" is false.
        (Value::Boolean(truth), Value::Text(text)) | (Value::Text(text), Value::Boolean(truth)) => {
            text.eq_ignore_ascii_case("true") == truth
        }
        (Value::Number(_), Value::Text(_) | Value::Number(_))
        | (Value::Text(_), Value::Number(_)) => order(left, right)?.is_eq(),
        _ => false,
    })
}

fn order(left: Value<'_>, right: Value<'_>) -> Result<Ordering, Incomparable> {
    let order = match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.compare(right),
        (Value::Number(left), Value::Text(right)) => left.compare_text(right),
        (Value::Text(left), Value::Number(right)) => {
            right.compare_text(left).map(Ordering::reverse)
        }
        (Value::Text(left), Value::Text(right)) => compare_texts(left, right),
        _ => None,
    };
    order.ok_or(Incomparable)
}
