//! The one place with `unsafe`: a segment file mapped for reading.
#![expect(unsafe_code, reason = "mapping a file cannot be said in safe Rust")]

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw, UncheckedAdvice};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A read-only mapping of a whole file.
///
/// Invariants its users keep: every block of the file is allocated before it is mapped (a hole
/// on a full disk would be a SIGBUS), the file is never truncated while mapped, bytes below the
/// log's `appended` mark never change, and nobody reads above that mark.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    raw: Arc<MmapRaw>,
    bytes: Bytes,
}

/// Gives `Bytes` the whole mapping and keeps it alive.
struct Owner(Arc<MmapRaw>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the pointer and length are the live mapping's, which `self` holds. Bytes that
        // are still written are never read through this slice: see the invariants above.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.0.len()) }
    }
}

impl Mapping {
    /// Maps the first `length` bytes of `file`.
    pub(super) fn new(file: &File, length: usize) -> io::Result<Self> {
        let raw = Arc::new(MmapOptions::new().len(length).map_raw_read_only(file)?);
        let bytes = Bytes::from_owner(Owner(Arc::clone(&raw)));
        Ok(Self { raw, bytes })
    }

    /// The mapping as bytes that keep it alive.
    pub(super) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Takes the mapping's pages out of this process (not out of the page cache), so that what
    /// was read once does not count as its memory for ever.
    pub(super) fn release_pages(&self) {
        // SAFETY: the mapping is shared and file-backed and never written through: a page that
        // is dropped is read again from the file with the same content.
        let released = unsafe { self.raw.unchecked_advise(UncheckedAdvice::DontNeed) };
        if let Err(error) = released {
            tracing::debug!(%error, "releasing mapped pages failed");
        }
    }
}
