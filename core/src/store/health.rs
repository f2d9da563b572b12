//! Whether the store may still be written. A failed write or fsync is final until a restart
//! recovers: the kernel may have dropped what it could not write, and a second fsync would lie.

use crate::Error;
use std::sync::OnceLock;

/// Healthy until [`Health::poison`].
#[derive(Debug, Default)]
pub(crate) struct Health {
    poison: OnceLock<String>,
}

impl Health {
    /// Refuses every write from now on.
    pub(crate) fn poison(&self, what: &str, error: &std::io::Error) {
        let text = format!("{what} failed: {error}; the store takes no writes until a restart");
        if self.poison.set(text).is_ok() {
            tracing::error!(%error, what, "the store is poisoned");
        }
    }

    /// # Errors
    /// [`Error::Storage`] once poisoned.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.poison
            .get()
            .map_or(Ok(()), |text| Err(Error::Storage(text.clone())))
    }
}
