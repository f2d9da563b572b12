//! What a group wants of a topic.

use crate::filter::{Filter, TagFilter};
use crate::model::TopicName;
use std::sync::Arc;

/// A group's interest in one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The topic.
    pub topic: TopicName,
    /// A number of the subscriber's own that rises when it changes its mind; only compared.
    pub version: i64,
    /// Which of the topic's messages.
    pub selector: Selector,
}

/// Which messages a subscriber wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// All of them.
    All,
    /// Those that match.
    Matching(Arc<Filter>),
    /// None can be told, as the subscriber's expression is none; why.
    Unusable(Arc<str>),
}

impl Selector {
    /// Parses `*` (or nothing), or tags parted by `||`, as RocketMQ's `FilterAPI` does. `None`
    /// for separators alone. Blank tags between separators match nothing.
    #[must_use]
    pub fn from_tags(text: &str) -> Option<Self> {
        if text.is_empty() || text == "*" {
            return Some(Self::All);
        }
        if text.split("||").all(str::is_empty) {
            return None;
        }
        let tags = text.split("||").map(str::trim);
        let filter = TagFilter::new(tags.filter(|tag| !tag.is_empty()));
        Some(Self::Matching(Arc::new(filter.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> TagFilter {
        match Selector::from_tags(text) {
            Some(Selector::Matching(filter)) => match filter.as_ref() {
                Filter::Tags(tags) => tags.clone(),
                other @ Filter::Expression(_) => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_star_or_nothing_wants_everything() {
        assert_eq!(Selector::from_tags("*"), Some(Selector::All));
        assert_eq!(Selector::from_tags(""), Some(Selector::All));
    }

    #[test]
    fn tags_are_trimmed_and_blank_ones_match_nothing() {
        let filter = tags(" TagA ||TagB|| ");
        assert!(filter.matches(Some("TagA")) && filter.matches(Some("TagB")));
        assert!(!filter.matches(Some("")) && !filter.matches(None));
        assert!(!tags(" ").matches(Some(" ")));
    }

    #[test]
    fn separators_alone_are_refused() {
        assert_eq!(Selector::from_tags("||"), None);
        assert_eq!(Selector::from_tags("||||"), None);
    }
}
