//! A compiled expression as a tree, and how it is asked.

use super::error::Incomparable;
use super::literal::Number;
use super::value::{Comparison, Truth, Value};

/// Which of the expression's properties, by its first appearance.
pub(super) type Slot = usize;

/// Something that is true, false or unknown.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Constant(Truth),
    /// A property's name alone: false where it is there, unknown where it is not, as in RocketMQ.
    Bare(Slot),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare(Comparison, Operand, Operand),
    IsNull(Operand),
    /// One of the sorted texts.
    In(Slot, Box<[Box<str>]>),
    Search(Search),
}

/// Something that is compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Property(Slot),
    Text(Box<str>),
    Number(Number),
    Condition(Box<Node>),
}

/// Where a text is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    AtStart,
    AtEnd,
}

/// `CONTAINS` and its like. What is no text, or missing, neither contains nor does not.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Search {
    pub(super) within: Operand,
    pub(super) place: Place,
    pub(super) text: Box<str>,
    pub(super) is_negated: bool,
}

/// The values of one message's properties, by slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a>(pub(super) &'a [Option<&'a str>]);

impl<'a> Values<'a> {
    fn of(self, slot: Slot) -> Option<&'a str> {
        self.0.get(slot).copied().flatten()
    }
}

impl Node {
    /// What it comes to. `AND` and `OR` ask from the left and no further than they must.
    pub(super) fn truth(&self, values: Values<'_>) -> Result<Truth, Incomparable> {
        Ok(match self {
            Self::Constant(truth) => *truth,
            Self::Bare(slot) => values.of(*slot).map(|_| false),
            Self::Not(node) => node.truth(values)?.map(|truth| !truth),
            Self::All(nodes) => decided(nodes, false, values)?,
            Self::Any(nodes) => decided(nodes, true, values)?,
            Self::Compare(comparison, left, right) => {
                comparison.holds(left.value(values)?, right.value(values)?)?
            }
            Self::IsNull(operand) => Some(matches!(operand.value(values)?, Value::Missing)),
            Self::In(slot, texts) => values.of(*slot).map(|value| {
                texts
                    .binary_search_by(|text| text.as_ref().cmp(value))
                    .is_ok()
            }),
            Self::Search(search) => Some(search.holds(values)?),
        })
    }
}

/// The first of `nodes` that is `decisive` decides; else one that is unknown.
fn decided(nodes: &[Node], decisive: bool, values: Values<'_>) -> Result<Truth, Incomparable> {
    let mut truth = Some(!decisive);
    for node in nodes {
        match node.truth(values)? {
            Some(found) if found == decisive => return Ok(Some(decisive)),
            Some(_) => {}
            None => truth = None,
        }
    }
    Ok(truth)
}

impl Operand {
    fn value<'a>(&'a self, values: Values<'a>) -> Result<Value<'a>, Incomparable> {
        Ok(match self {
            Self::Property(slot) => values.of(*slot).map_or(Value::Missing, Value::Text),
            Self::Text(text) => Value::Text(text),
            Self::Number(number) => Value::Number(number),
            Self::Condition(node) => node.truth(values)?.map_or(Value::Missing, Value::Boolean),
        })
    }
}

impl Search {
    fn holds(&self, values: Values<'_>) -> Result<bool, Incomparable> {
        let Value::Text(within) = self.within.value(values)? else {
            return Ok(false);
        };
        if self.text.is_empty() {
            return Ok(false);
        }
        let is_found = match self.place {
            Place::Anywhere => within.contains(self.text.as_ref()),
            Place::AtStart => within.starts_with(self.text.as_ref()),
            Place::AtEnd => within.ends_with(self.text.as_ref()),
        };
        Ok(is_found != self.is_negated)
    }
}
