//! Which messages a subscriber wants: by their tag, or by an SQL92 expression over their
//! properties. A filter is made once and asked for every message; asking allocates nothing.

mod config;
mod error;
mod expression;
mod lexer;
mod literal;
mod node;
mod parser;
mod tags;
#[cfg(test)]
mod tests;
mod value;

pub use config::FilterConfig;
pub use error::{FilterError, FilterProblem};
pub use expression::{Expression, fuzz_expression};
pub use tags::TagFilter;

use crate::model::Properties;

/// A condition on messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// One of some tags.
    Tags(TagFilter),
    /// What an expression says.
    Expression(Expression),
}

impl Filter {
    /// Whether a message of this tag hash (0 for none) can match; false is certain.
    #[must_use]
    pub fn may_match(&self, tag_hash: i32) -> bool {
        match self {
            Self::Tags(tags) => tags.may_match(tag_hash),
            Self::Expression(_) => true,
        }
    }

    /// Whether a message with these properties matches.
    #[must_use]
    pub fn matches(&self, properties: &Properties) -> bool {
        match self {
            Self::Tags(tags) => tags.matches(properties.tag()),
            Self::Expression(expression) => expression.matches(properties),
        }
    }
}

impl From<TagFilter> for Filter {
    fn from(tags: TagFilter) -> Self {
        Self::Tags(tags)
    }
}

impl From<Expression> for Filter {
    fn from(expression: Expression) -> Self {
        Self::Expression(expression)
    }
}
