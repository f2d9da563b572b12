//! What a producer takes a delayed message back with (`RecallMessageHandle`).
//!
//! ```text
//! URL-safe base64 of: v1 <topic> <broker name> <due, milliseconds, plus one> <unique key>
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};

/// One delayed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecallHandle<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// The broker it waits at.
    pub broker: &'a str,
    /// When it is due, milliseconds since the epoch.
    pub due: i64,
    /// Its `UNIQ_KEY`.
    pub unique_key: &'a str,
}

impl<'a> RecallHandle<'a> {
    /// The handle as producers keep it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self {
            topic,
            broker,
            due,
            unique_key,
        } = self;
        let due = due.saturating_add(1);
        URL_SAFE.encode(format!("v1 {topic} {broker} {due} {unique_key}"))
    }

    /// The bytes of a handle, for [`RecallHandle::read`]; `None` when they are no text.
    #[must_use]
    pub fn decode(handle: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(handle.trim_end_matches('='));
        String::from_utf8(bytes.ok()?).ok()
    }

    /// Reads decoded bytes.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split(' ');
        (parts.next()? == "v1").then_some(())?;
        let handle = Self {
            topic: parts.next()?,
            broker: parts.next()?,
            due: parts.next()?.parse::<i64>().ok()?.checked_sub(1)?,
            unique_key: parts.next()?,
        };
        parts.next().is_none().then_some(handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_as_it_was_written() {
        let handle = RecallHandle {
            topic: "T",
            broker: "b",
            due: 1_764_000_000_000,
            unique_key: "7F0000010001",
        };
        let text = RecallHandle::decode(&handle.to_text()).unwrap();
        assert_eq!(text, "v1 T b 1764000000001 7F0000010001");
        assert_eq!(RecallHandle::read(&text), Some(handle));
        for rubbish in ["", "v1", "v2 T b 1 k", "v1 T b x k", "v1 T b 1 k more"] {
            assert_eq!(RecallHandle::read(rubbish), None, "{rubbish}");
        }
        assert_eq!(RecallHandle::decode("%%%"), None);
    }
}
