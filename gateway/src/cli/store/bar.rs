//! How far a long command is, on standard error where that is a terminal.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts bytes.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A bar for `total` bytes of what `what` says; hidden where nobody looks.
    pub(super) fn bytes(what: &'static str, total: u64) -> Result<Self> {
        let style =
            "{msg:12} {bar:40} {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left";
        let bar = ProgressBar::new(total).with_message(what);
        bar.set_style(ProgressStyle::with_template(style)?);
        Ok(Self(bar))
    }

    /// So many more are done.
    pub(super) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// So many are done.
    pub(super) fn set(&self, bytes: u64) {
        self.0.set_position(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
