//! A stamp says that an installation is whole, and from which files it was made.

use anyhow::{Context as _, Result};
use compat_tests::clients::Installed;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The stamp of one installation: the text of everything it is made from.
pub(crate) struct Stamp {
    file: PathBuf,
    text: String,
}

impl Stamp {
    /// The stamp `client` gets when installed from `sources`.
    pub(crate) fn of(client: Installed, sources: &[PathBuf]) -> Result<Self> {
        let mut text = client.name() + "\n";
        for source in sources {
            let content = fs::read_to_string(source);
            text += &content.with_context(|| format!("cannot read {}", source.display()))?;
        }
        Ok(Self {
            file: client.stamp(),
            text,
        })
    }

    /// Whether what is installed was made from the same sources.
    pub(crate) fn holds(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|text| text == self.text)
    }

    /// Takes the stamp away: from here on the installation is incomplete.
    pub(crate) fn clear(&self) -> Result<()> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The installation is complete.
    pub(crate) fn set(&self) -> Result<()> {
        Ok(fs::write(&self.file, &self.text)?)
    }
}
