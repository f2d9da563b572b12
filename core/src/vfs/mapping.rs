//! The one place with `unsafe`: a file mapped for reading, and a system call no crate wraps.
#![expect(
    unsafe_code,
    reason = "neither mapping a file nor the call can be said in safe Rust"
)]

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw, UncheckedAdvice};
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Weak};

/// A read-only mapping of a whole file.
///
/// Invariants its users keep: every block of the file is allocated before it is mapped (a hole
/// on a full disk would be a SIGBUS), the file is never truncated while mapped, bytes below the
/// log's `appended` mark never change while anybody holds them, and nobody reads above that mark.
pub(super) struct Mapping {
    raw: Arc<MmapRaw>,
    bytes: Bytes,
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({} bytes)", self.bytes.len())
    }
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

    /// Gives the mapping up: what is returned is alive as long as somebody holds bytes of it.
    pub(super) fn give_up(self) -> Weak<MmapRaw> {
        Arc::downgrade(&self.raw)
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

/// Starts to write the dirty pages of `range` and waits for nothing.
pub(super) fn start_write_back(file: &File, range: &Range<u64>) -> io::Result<()> {
    let signed = |value: u64| i64::try_from(value).map_err(io::Error::other);
    let (start, length) = (
        signed(range.start)?,
        signed(range.end.saturating_sub(range.start))?,
    );
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and the call touches no
    // memory of this process.
    let failed = unsafe {
        libc::sync_file_range(file.as_raw_fd(), start, length, libc::SYNC_FILE_RANGE_WRITE)
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
