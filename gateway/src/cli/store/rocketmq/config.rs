//! The files of `config/`, read as RocketMQ reads them (`ConfigManager.load`): where one is
//! missing, empty or broken, the version before it in `.bak` counts.

use super::Warnings;
use anyhow::{Context, Result, anyhow, ensure};
use gantry_remoting_protocol::body;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Reads a file that must be there in one of its versions.
pub(super) fn required<T: DeserializeOwned>(
    directory: &Path,
    name: &str,
    warnings: &mut Warnings,
) -> Result<T> {
    let found = either(directory, name, warnings)?;
    found.with_context(|| format!("{} has no {name}", directory.display()))
}

/// Reads a file that may be missing: without it there is `T::default()` and a warning.
pub(super) fn optional<T: DeserializeOwned + Default>(
    directory: &Path,
    name: &str,
    warnings: &mut Warnings,
) -> T {
    let without = match either(directory, name, warnings) {
        Ok(Some(value)) => return value,
        Ok(None) => "is missing".to_owned(),
        Err(error) => format!("cannot be read: {error:#}"),
    };
    warnings.add(format!("{name} {without}"));
    T::default()
}

/// The newest version that can be read; none where neither is there.
fn either<T: DeserializeOwned>(
    directory: &Path,
    name: &str,
    warnings: &mut Warnings,
) -> Result<Option<T>> {
    let newest = match one(&directory.join(name)) {
        Ok(Some(value)) => return Ok(Some(value)),
        Ok(None) => None,
        Err(error) => Some(error),
    };
    let older = match one(&directory.join(format!("{name}.bak"))) {
        Ok(Some(value)) => {
            let why =
                newest.map_or_else(|| "missing or empty".to_owned(), |why| format!("{why:#}"));
            warnings.add(format!("{name}.bak is used, as {name} is: {why}"));
            return Ok(Some(value));
        }
        Ok(None) => None,
        Err(error) => Some(error),
    };
    newest.or(older).map_or(Ok(None), Err)
}

/// Reads one version; none where it is missing or empty.
fn one<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(anyhow!(error).context(path.display().to_string())),
    };
    let mut text = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text);
    let read = read.with_context(|| path.display().to_string())?;
    ensure!(
        u64::try_from(read)? <= FILE_BYTES_MAX,
        "{} is longer than {FILE_BYTES_MAX} bytes",
        path.display()
    );
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    let value = body::decode(&text).with_context(|| path.display().to_string())?;
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;

    type Table = BTreeMap<String, i64>;

    #[test]
    fn the_version_before_counts_where_the_newest_is_broken() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(home.path().join(name), text).unwrap();
        let mut warnings = Warnings::default();
        let mut read = || required::<Table>(home.path(), "t.json", &mut warnings);

        assert!(format!("{:#}", read().unwrap_err()).contains("has no t.json"));
        write("t.json.bak", "{a:1}");
        assert_eq!(read().unwrap()["a"], 1);
        write("t.json", "");
        assert_eq!(read().unwrap()["a"], 1);
        write("t.json", "{\"a\":2,");
        assert_eq!(read().unwrap()["a"], 1);
        write("t.json", "{\"a\":2}");
        assert_eq!(read().unwrap()["a"], 2);
        write("t.json", "{\"a\":\"two\"}");
        write("t.json.bak", "\u{0}\u{0}");
        assert!(format!("{:#}", read().unwrap_err()).contains("\"two\""));
        assert_eq!(warnings.into_list().len(), 3);
    }

    #[test]
    fn what_may_be_missing_is_told() {
        let home = tempfile::tempdir().unwrap();
        let mut warnings = Warnings::default();
        assert_eq!(
            optional::<Table>(home.path(), "t.json", &mut warnings),
            Table::new()
        );
        fs::write(home.path().join("t.json"), [0xff, 0xfe]).unwrap();
        assert_eq!(
            optional::<Table>(home.path(), "t.json", &mut warnings),
            Table::new()
        );
        let warnings = warnings.into_list();
        assert_eq!(warnings[0], "t.json is missing");
        assert!(warnings[1].contains("UTF-8"), "{warnings:?}");
    }
}
