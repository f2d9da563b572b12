//! Files of a store, for the tests that look at them.

use std::io::ErrorKind;
use std::path::Path;

/// Copies the files of a directory as a `kill -9` would leave them.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if let Err(error) = std::fs::copy(entry.path(), &target) {
            // A file may be renamed while it is copied, as it may be when a process is killed.
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
    }
}
