//! The files of a commit log: named by the position of their first byte, all of one size.

use anyhow::{Context, Result, bail, ensure};
use gantry_core::model::PhysicalOffset;
use std::fs;
use std::path::{Path, PathBuf};

/// Digits of a file's name.
const NAME_DIGITS: usize = 20;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) path: PathBuf,
    /// The position of its first byte.
    pub(crate) base: PhysicalOffset,
    /// Its size, filler and prepared room with it.
    pub(crate) bytes: u64,
}

impl LogFile {
    /// One past the position of its last byte.
    pub(crate) const fn end(&self) -> PhysicalOffset {
        self.base.advance(self.bytes)
    }
}

/// Lists the files of the directory `commitlog` in their order.
///
/// # Errors
/// There are none, one is no log's file, or they do not follow one another.
pub(super) fn files(directory: &Path) -> Result<Vec<LogFile>> {
    let entries = fs::read_dir(directory);
    let entries = entries.with_context(|| format!("no log at {}", directory.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let metadata = fs::metadata(&path).with_context(|| path.display().to_string())?;
        // A file system's own, such as lost+found. RocketMQ passes over them, too.
        if metadata.is_dir() {
            continue;
        }
        let (base, bytes) = (base(&path)?, metadata.len());
        files.push(LogFile { path, base, bytes });
    }
    files.sort_by_key(|file| file.base);
    // RocketMQ removes a last file it did not come to make.
    if files.last().is_some_and(|last| last.bytes == 0) {
        files.pop();
    }
    check(&files).with_context(|| format!("the log at {}", directory.display()))?;
    Ok(files)
}

fn base(path: &Path) -> Result<PhysicalOffset> {
    let name = path.file_name().and_then(|name| name.to_str());
    let digits = name.filter(|name| {
        name.len() == NAME_DIGITS && name.bytes().all(|digit| digit.is_ascii_digit())
    });
    let base = digits.and_then(|digits| digits.parse().ok());
    let base = base.filter(|base: &u64| i64::try_from(*base).is_ok());
    base.map(PhysicalOffset::new).with_context(|| {
        let name = path.display();
        format!("{name} is no file of a commit log: those have a position of {NAME_DIGITS} digits as name")
    })
}

fn check(files: &[LogFile]) -> Result<()> {
    let Some(first) = files.first() else {
        bail!("there are no files");
    };
    for file in files {
        let name = file.path.display();
        let (bytes, wanted) = (file.bytes, first.bytes);
        ensure!(
            bytes == wanted,
            "{name} has {bytes} bytes, the first file {wanted}: is it whole?"
        );
    }
    for (before, after) in files.iter().zip(files.iter().skip(1)) {
        ensure!(
            before.end() == after.base,
            "between {} and {} a file is missing",
            before.path.display(),
            after.path.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, usize)]) -> Result<Vec<u64>> {
        let home = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(home.path().join(name), vec![0; *bytes]).unwrap();
        }
        fs::create_dir(home.path().join("lost+found")).unwrap();
        let found = super::files(home.path())?;
        Ok(found.iter().map(|file| file.base.get()).collect())
    }

    #[test]
    fn files_follow_one_another_from_any_position() {
        let first = ("00000000000000002048", 1024);
        let second = ("00000000000000003072", 1024);
        assert_eq!(with(&[second, first]).unwrap(), [2048, 3072]);
        let unmade = ("00000000000000004096", 0);
        assert_eq!(with(&[second, unmade, first]).unwrap(), [2048, 3072]);
    }

    #[test]
    fn what_is_no_log_is_named() {
        let first = ("00000000000000000000", 1024);
        let complaint = |files: &[(&str, usize)]| format!("{:#}", with(files).unwrap_err());
        assert!(complaint(&[]).contains("no files"));
        for name in [
            "0000000000000001024",
            "0000000000000000102x",
            "99999999999999999999",
        ] {
            assert!(complaint(&[first, (name, 1024)]).contains(name));
        }
        assert!(complaint(&[first, ("00000000000000002048", 1024)]).contains("missing"));
        assert!(complaint(&[first, ("00000000000000001024", 1000)]).contains("whole?"));
    }
}
