/// Why a text is no expression, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at character {at}")]
pub struct FilterError {
    /// The character it goes wrong at; the first is 1.
    pub at: usize,
    /// What is wrong there.
    pub problem: FilterProblem,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterProblem {
    /// More bytes than the limit.
    #[error("the expression is longer than {0} bytes")]
    TooLong(usize),
    /// Nested deeper than the limit.
    #[error("the expression is nested deeper than {0}")]
    TooDeep(usize),
    /// No token begins with this character.
    #[error("the character {0:?} has no meaning here")]
    Character(char),
    /// `!=`, which many write for `<>`.
    #[error("not equal is written <>")]
    NotEqual,
    /// A string without its second quote, or a comment without its end.
    #[error("{0} has no end")]
    Unended(&'static str),
    /// A number out of range, or with zeros before it.
    #[error("{0} is not a decimal number of at most 64 bits")]
    Number(String),
    /// Something else should stand here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What could stand here.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// A whole expression, and then more.
    #[error("the expression is complete before {0}")]
    Trailing(String),
    /// A number or a string where something true or false is needed.
    #[error("a condition is needed, not a number or a string")]
    NoCondition,
    /// `NULL` as one side of a comparison.
    #[error("NULL cannot be compared, only IS NULL and IS NOT NULL tell")]
    NullCompared,
    /// `<`, `>` or `BETWEEN` with what has no order.
    #[error("only properties and numbers have an order")]
    NoOrder,
    /// `TRUE` or `FALSE` compared with a number or a string.
    #[error("TRUE and FALSE equal no number and no string")]
    NeverEqual,
    /// `BETWEEN` with bounds that admit nothing.
    #[error("the lower bound of BETWEEN is above the upper one")]
    EmptyRange,
    /// `IN` behind what is not the name of a property.
    #[error("IN takes the name of a property before it")]
    NoProperty,
    /// A sign before what is not a number.
    #[error("a minus takes a number behind it")]
    NoNumber,
}

/// A comparison of a number with text that is none: the message does not match, whatever else
/// the expression says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Incomparable;
