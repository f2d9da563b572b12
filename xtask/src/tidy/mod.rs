//! Checks what neither the compiler nor clippy does. Each check gives its complaints.

mod dependencies;
mod licences;
mod sources;

use crate::matrix;
use anyhow::{Result, bail};

/// Runs every check and fails when one complains.
pub(crate) fn run() -> Result<()> {
    let mut complaints = dependencies::complaints()?;
    complaints.extend(licences::complaints()?);
    complaints.extend(sources::complaints()?);
    complaints.extend(matrix::complaints()?);
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    if complaints.is_empty() {
        println!("tidy");
        Ok(())
    } else {
        bail!("{} complaints", complaints.len())
    }
}
