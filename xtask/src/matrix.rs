//! README's table of RocketMQ operations and clients.

use anyhow::Result;
use compat_tests::matrix::with_table;
use compat_tests::paths;
use std::fs;
use std::path::PathBuf;

fn readme() -> PathBuf {
    paths::workspace().join("README.md")
}

/// Writes the table into README.md.
pub(crate) fn write() -> Result<()> {
    let text = with_table(&fs::read_to_string(readme())?)?;
    Ok(fs::write(readme(), text)?)
}

/// Whether README.md has another table.
pub(crate) fn complaints() -> Result<Option<String>> {
    let text = fs::read_to_string(readme())?;
    let is_old = with_table(&text)? != text;
    Ok(is_old.then(|| "README.md: the matrix has changed; cargo xtask matrix".to_owned()))
}
