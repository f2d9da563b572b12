//! The bytes of a file that does not change, kept for long.

use super::mapping::Mapping;
use bytes::Bytes;

/// A file's content, in memory or mapped.
#[derive(Debug)]
pub struct FileBytes {
    bytes: Bytes,
    mapping: Option<Mapping>,
}

impl FileBytes {
    /// Content that is in memory.
    #[must_use]
    pub const fn of(bytes: Bytes) -> Self {
        Self {
            bytes,
            mapping: None,
        }
    }

    /// Content that is mapped.
    pub(super) fn mapped(mapping: Mapping) -> Self {
        Self {
            bytes: mapping.bytes().clone(),
            mapping: Some(mapping),
        }
    }

    /// The bytes; a slice of them keeps the file mapped.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Lets go of the pages that reading has brought into this process.
    pub fn release_pages(&self) {
        if let Some(mapping) = &self.mapping {
            mapping.release_pages();
        }
    }
}
