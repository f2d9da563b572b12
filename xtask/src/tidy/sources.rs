//! The house style of source files, as far as a program can see it.

use crate::command::output;
use anyhow::Result;
use compat_tests::paths;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines a file may have before its tests.
const LINES_MAX: usize = 600;
/// Lines a clients' or tests' file may have.
const TEST_LINES_MAX: usize = 1000;
/// Words that say nothing about what a file holds.
const EMPTY_WORDS: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "manager", "service", "misc", "impl", "inner",
    "base",
];
/// Endings of the files that are looked at.
const LANGUAGES: &[&str] = &["rs", "java", "py", "js", "go"];

/// What is wrong with the files git knows.
pub(crate) fn complaints() -> Result<Vec<String>> {
    let root = paths::workspace();
    let listing = output(
        Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(&root),
    )?;
    let files: Vec<PathBuf> = listing.lines().map(PathBuf::from).collect();
    let mut complaints = Vec::new();
    for file in &files {
        let language = file.extension().and_then(|ending| ending.to_str());
        if !language.is_some_and(|language| LANGUAGES.contains(&language)) {
            continue;
        }
        // A file deleted but not yet committed is still listed.
        if let Ok(text) = fs::read_to_string(root.join(file)) {
            complaints.extend(length(file, &text));
        }
        complaints.extend(name(file));
        complaints.extend(beside_folder(file, &files));
    }
    Ok(complaints)
}

fn length(file: &Path, text: &str) -> Option<String> {
    let tests = file.components().any(|part| part.as_os_str() == "tests");
    let limit = if tests || file.ends_with("tests.rs") {
        TEST_LINES_MAX
    } else {
        LINES_MAX
    };
    let lines = text
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .count();
    (lines > limit).then(|| format!("{}: {lines} lines, more than {limit}", file.display()))
}

fn name(file: &Path) -> Option<String> {
    let words = file
        .components()
        .filter_map(|part| part.as_os_str().to_str());
    let mut words = words.flat_map(|part| part.split(['.', '-', '_']));
    let empty = words.find(|word| EMPTY_WORDS.contains(word))?;
    Some(format!(
        "{}: {empty} says nothing about what is in it",
        file.display()
    ))
}

fn beside_folder(file: &Path, files: &[PathBuf]) -> Option<String> {
    let folder = file.with_extension("");
    // An integration test's main file or a crate root may share its name with nothing of its own.
    let rust = file.extension().is_some_and(|ending| ending == "rs");
    let beside = rust && files.iter().any(|other| other.starts_with(&folder));
    beside.then(|| format!("{}: it is {}/mod.rs", file.display(), folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_at_the_end_of_a_file_do_not_count() {
        let long = "x\n".repeat(LINES_MAX) + "#[cfg(test)]\nmod tests {}\n";
        assert_eq!(length(Path::new("a.rs"), &long), None);
        assert!(length(Path::new("a.rs"), &("x\n".to_owned() + &long)).is_some());
    }

    #[test]
    fn a_module_has_one_place() {
        let files = [PathBuf::from("src/a.rs"), PathBuf::from("src/a/b.rs")];
        assert!(beside_folder(&files[0], &files).is_some());
        assert!(beside_folder(&files[1], &files).is_none());
        assert!(name(Path::new("src/string_utils.rs")).is_some());
        assert!(name(Path::new("src/strings.rs")).is_none());
    }
}
