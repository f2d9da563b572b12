//! Every dependency may be used under a licence of `deny.toml`'s list. `cargo deny` looks closer;
//! this needs nothing installed.

use crate::command::output;
use anyhow::{Context as _, Result};
use compat_tests::paths;
use serde_json::Value;
use std::fs;
use std::process::Command;

/// Dependencies without a licence we accept.
pub(crate) fn complaints() -> Result<Vec<String>> {
    let root = paths::workspace();
    let allowed = allowed(&fs::read_to_string(root.join("deny.toml"))?);
    let text = output(
        Command::new(env!("CARGO"))
            .args(["metadata", "--locked", "--format-version", "1"])
            .current_dir(&root),
    )?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let mut complaints = Vec::new();
    for package in packages.context("no packages")? {
        let field = |name: &str| {
            package
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let licence = field("license");
        if !accepted(licence, &allowed) {
            complaints.push(format!("{}: licence {licence:?}", field("name")));
        }
    }
    Ok(complaints)
}

/// The lines of the list `allow` of the section `[licenses]`.
fn allowed(deny: &str) -> Vec<String> {
    let lines = deny.lines().map(str::trim);
    let list = lines.skip_while(|line| *line != "allow = [").skip(1);
    list.take_while(|line| *line != "]")
        .map(|line| line.trim_matches(['"', ',']).to_owned())
        .collect()
}

/// Whether an SPDX expression can be met: every term of `AND`, one of `OR` (`/` in old crates).
fn accepted(expression: &str, allowed: &[String]) -> bool {
    let term = |term: &str| {
        let licences = term.split(" OR ").flat_map(|part| part.split('/'));
        licences
            .map(str::trim)
            .any(|licence| allowed.iter().any(|known| known == licence))
    };
    expression.replace(['(', ')'], "").split(" AND ").all(term)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_needs_each_and_and_one_or() {
        let allowed = allowed("[licenses]\nallow = [\n    \"MIT\",\n    \"Zlib\",\n]\n");
        assert_eq!(allowed, ["MIT", "Zlib"]);
        assert!(accepted("MIT/Apache-2.0", &allowed));
        assert!(accepted("(MIT OR Apache-2.0) AND Zlib", &allowed));
        assert!(!accepted("MIT AND GPL-3.0", &allowed));
        assert!(!accepted("", &allowed));
    }
}
