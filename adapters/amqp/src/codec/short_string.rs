use bytes::Bytes;
use std::fmt;
use std::ops::Deref;

/// UTF-8 text of at most 255 bytes that shares the bytes of the frame it came with: a `shortstr`.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShortString(Bytes);

/// Longest `shortstr` in bytes.
pub const SHORT_STRING_BYTES_MAX: usize = 255;

/// Why bytes are no [`ShortString`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotShortString {
    /// Over 255 bytes.
    #[error("more than {SHORT_STRING_BYTES_MAX} bytes")]
    TooLong,
    /// No text.
    #[error("not UTF-8")]
    NotUtf8,
}

impl ShortString {
    /// A string that needs no memory. What is over 255 bytes is cut.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        let bytes = text.as_bytes();
        match bytes.split_at_checked(boundary(bytes)) {
            Some((kept, _)) => Self(Bytes::from_static(kept)),
            None => Self(Bytes::new()),
        }
    }

    /// A copy of `text`, cut at 255 bytes between two characters.
    #[must_use]
    pub fn cut(text: &str) -> Self {
        let kept = text.get(..boundary(text.as_bytes())).unwrap_or_default();
        Self(Bytes::copy_from_slice(kept.as_bytes()))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Every constructor has checked it.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The text's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text's bytes, still shared.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// Where to cut: the last end of a character within 255 bytes.
const fn boundary(text: &[u8]) -> usize {
    if text.len() <= SHORT_STRING_BYTES_MAX {
        return text.len();
    }
    let mut at = SHORT_STRING_BYTES_MAX;
    while let Some((_, [first, ..])) = text.split_at_checked(at)
        && *first & 0xC0 == 0x80
    {
        at -= 1;
    }
    at
}

impl TryFrom<Bytes> for ShortString {
    type Error = NotShortString;

    fn try_from(bytes: Bytes) -> Result<Self, NotShortString> {
        if bytes.len() > SHORT_STRING_BYTES_MAX {
            return Err(NotShortString::TooLong);
        }
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(NotShortString::NotUtf8),
        }
    }
}

impl TryFrom<&str> for ShortString {
    type Error = NotShortString;

    fn try_from(text: &str) -> Result<Self, NotShortString> {
        if text.len() > SHORT_STRING_BYTES_MAX {
            return Err(NotShortString::TooLong);
        }
        Ok(Self(Bytes::copy_from_slice(text.as_bytes())))
    }
}

impl Deref for ShortString {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for ShortString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl fmt::Display for ShortString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_or_refused() {
        let long = "€".repeat(86);
        assert_eq!(ShortString::cut(&long).as_str(), "€".repeat(85));
        let text = "x".repeat(256);
        assert_eq!(ShortString::cut(&text).as_str(), "x".repeat(255));
        let refused = ShortString::try_from(text.as_str());
        assert_eq!(refused, Err(NotShortString::TooLong));
        let refused = ShortString::try_from(Bytes::from_static(b"\xFF"));
        assert_eq!(refused, Err(NotShortString::NotUtf8));
        assert_eq!(ShortString::from_static("ä").as_bytes(), "ä".as_bytes());
    }
}
