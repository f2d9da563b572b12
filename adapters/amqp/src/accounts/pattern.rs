//! Which names a right is for.

use regex::{Regex, RegexBuilder};

/// Most bytes one compiled expression may take.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Expressions of those who may do everything, which are not to cost anything.
const EVERYTHING: [&str; 4] = [".*", "^.*", ".*$", "^.*$"];

/// A regular expression over names. It may stand anywhere in a name, as RabbitMQ has it.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    Everything,
    Nothing,
    Matching(Regex),
}

impl Pattern {
    /// # Errors
    /// It is no regular expression, or one that gets too large.
    pub(super) fn new(text: &str) -> Result<Self, regex::Error> {
        if text.is_empty() || text == "^$" {
            return Ok(Self::Nothing);
        }
        if EVERYTHING.contains(&text) {
            return Ok(Self::Everything);
        }
        let mut builder = RegexBuilder::new(text);
        let built = builder.size_limit(COMPILED_BYTES_MAX).build();
        Ok(Self::Matching(built?))
    }

    /// An expression that was checked when it was taken, and matches nothing if it is none.
    pub(super) fn of(text: &str) -> Self {
        Self::new(text).unwrap_or(Self::Nothing)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Nothing => name.is_empty(),
            Self::Matching(expression) => expression.is_match(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_may_stand_anywhere_and_an_empty_one_nowhere() {
        for (text, name, is_in) in [
            (".*", "anything", true),
            ("", "anything", false),
            ("^$", "anything", false),
            ("app", "my.app.q", true),
            ("^app", "my.app.q", false),
            (r"^(app\.|amq\.default$)", "amq.default", true),
        ] {
            assert_eq!(Pattern::of(text).has(name), is_in, "{text} {name}");
        }
        assert!(Pattern::new("(").is_err());
        assert!(!Pattern::of("(").has("("));
    }
}
