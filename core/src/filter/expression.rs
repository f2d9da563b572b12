use super::config::FilterConfig;
use super::error::FilterError;
use super::node::{Node, Slot, Values};
use super::parser;
use crate::model::Properties;
use smallvec::{SmallVec, smallvec};

/// Up to so many properties of one expression need no memory of their own for each message.
const FEW_PROPERTIES: usize = 16;

/// An SQL92 expression over properties, in RocketMQ's dialect.
///
/// ```text
/// price BETWEEN 10 AND 20 AND (colour IN ('red', 'green') OR colour IS NULL)
/// ```
///
/// `=`, `<>`, `<`, `<=`, `>`, `>=`, `[NOT] BETWEEN`, `[NOT] IN`, `IS [NOT] NULL`,
/// `[NOT] CONTAINS`, `STARTSWITH`, `ENDSWITH`, `NOT`, `AND`, `OR` (which bind in this order:
/// signs and `NOT` closest, then order and membership, then equality and `IS`, `AND`, `OR`),
/// `TRUE`, `FALSE`, `NULL`, comments. Property values are text: with a number they are compared
/// as a number, and a value that is none fails the whole expression. A comparison with a
/// property that is not there is unknown, and what is unknown does not match.
///
/// Unlike RocketMQ's own parser: what follows a complete expression is an error, not passed over
/// (so `LIKE`, which it knows as little, is told); an integer and a decimal are compared as
/// numbers; a missing property is unknown on the right of `=` as on the left.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: Box<str>,
    root: Node,
    /// The properties by name, and where the tree looks for each.
    slots: Box<[(Box<str>, Slot)]>,
}

/// No number of an expression is NaN.
impl Eq for Expression {}

impl Expression {
    /// Compiles `text` within the limits of `config`.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn compile(text: &str, config: &FilterConfig) -> Result<Self, FilterError> {
        let parsed = parser::parse(text, config)?;
        let mut slots: Vec<_> = parsed.names.into_iter().zip(0..).collect();
        slots.sort();
        Ok(Self {
            text: text.into(),
            root: parsed.root,
            slots: slots.into(),
        })
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a message with these properties matches.
    #[must_use]
    pub fn matches(&self, properties: &Properties) -> bool {
        self.truth(properties) == Some(true)
    }

    /// True, false or unknown; unknown too when a value could not be compared.
    pub(super) fn truth(&self, properties: &Properties) -> Option<bool> {
        let mut values: SmallVec<[Option<&str>; FEW_PROPERTIES]> =
            smallvec![None; self.slots.len()];
        for (name, value) in properties.iter() {
            let known = self
                .slots
                .binary_search_by(|(candidate, _)| candidate.as_ref().cmp(name));
            let slot = known.ok().and_then(|at| self.slots.get(at));
            if let Some(place) = slot.and_then(|(_, slot)| values.get_mut(*slot)) {
                *place = Some(value);
            }
        }
        self.root.truth(Values(&values)).ok().flatten()
    }
}

/// Compiles what `bytes` say and asks it about a message; for fuzzing.
pub fn fuzz_expression(bytes: &[u8]) {
    let (text, area) = bytes.split_at_checked(bytes.len() / 2).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let area = bytes::Bytes::copy_from_slice(area);
    let properties = Properties::from_wire(area).unwrap_or_default();
    if let Ok(expression) = Expression::compile(&text, &FilterConfig::default()) {
        let _ = expression.matches(&properties);
    }
}
