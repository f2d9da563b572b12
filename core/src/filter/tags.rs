use crate::record::tag_hash;

/// Tags a subscriber wants: a quick test by hash, then by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter {
    tags: Vec<(i32, String)>,
}

impl TagFilter {
    /// A filter that passes messages with one of `tags`.
    #[must_use]
    pub fn new<'a>(tags: impl IntoIterator<Item = &'a str>) -> Self {
        let tags = tags.into_iter().map(|tag| (tag_hash(tag), tag.to_owned()));
        Self {
            tags: tags.collect(),
        }
    }

    /// Whether a message with this tag hash (0 for none) can match.
    #[must_use]
    pub fn may_match(&self, hash: i32) -> bool {
        self.tags.iter().any(|(candidate, _)| *candidate == hash)
    }

    /// Whether a message with this tag matches.
    #[must_use]
    pub fn matches(&self, tag: Option<&str>) -> bool {
        tag.is_some_and(|tag| self.tags.iter().any(|(_, candidate)| candidate == tag))
    }
}
