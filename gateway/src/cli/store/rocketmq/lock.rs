//! Whether a broker runs on a store, and that none starts meanwhile.

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

/// A shared lock on the file `lock`, on which a running broker holds an exclusive one
/// (`DefaultMessageStore.start`). It ends when dropped.
#[derive(Debug)]
pub(super) struct StoreLock {
    /// None where there is no such file, as in a copy of a store.
    _file: Option<File>,
}

impl StoreLock {
    /// Takes it.
    ///
    /// # Errors
    /// A broker runs on the store.
    pub(super) fn take(directory: &Path) -> Result<Self> {
        let path = directory.join("lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self { _file: None }),
            Err(error) => return Err(error).context(path.display().to_string()),
        };
        match fcntl_lock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(Errno::ACCESS | Errno::AGAIN) => bail!("a broker runs on it; stop it first"),
            Err(error) => Err(error).context(path.display().to_string()),
        }
    }
}
