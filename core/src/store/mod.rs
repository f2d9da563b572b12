//! The commit log: segments, appending, flushing, recovery.

/// Waits for the flush of one position.
#[derive(Debug)]
pub struct FlushWait;
