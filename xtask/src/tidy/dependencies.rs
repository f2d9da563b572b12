//! Dependencies point one way: compat-tests → gateway → adapters → core, and an adapter never
//! knows another protocol's adapter.

use crate::command::output;
use anyhow::{Context as _, Result};
use compat_tests::paths;
use serde_json::Value;
use std::process::Command;

/// Crates of the workspace and what each may use of the others, tests included.
const ALLOWED: &[(&str, &[&str])] = &[
    ("gantry-core", &[]),
    ("gantry-connection", &["gantry-core"]),
    ("gantry-remoting-protocol", &[]),
    (
        "gantry-remoting",
        &[
            "gantry-core",
            "gantry-connection",
            "gantry-remoting-protocol",
        ],
    ),
    ("gantry-kafka", &["gantry-core", "gantry-connection"]),
    ("gantry-amqp", &["gantry-core", "gantry-connection"]),
    (
        "gantry-openmessaging",
        &["gantry-core", "gantry-connection"],
    ),
    // RabbitMQ's management of what AMQP's endpoint serves.
    (
        "gantry-management",
        &["gantry-core", "gantry-connection", "gantry-amqp"],
    ),
    (
        "gantry",
        &[
            "gantry-core",
            "gantry-connection",
            "gantry-remoting",
            "gantry-remoting-protocol",
            "gantry-kafka",
            "gantry-amqp",
            "gantry-management",
            "gantry-openmessaging",
        ],
    ),
    ("mqload", &["gantry-remoting-protocol"]),
    ("compat-tests", &["gantry", "gantry-amqp", "mqload"]),
    ("xtask", &["compat-tests", "gantry-core", "mqload"]),
];

/// What is wrong with the manifests.
pub(crate) fn complaints() -> Result<Vec<String>> {
    let text = output(
        Command::new(env!("CARGO"))
            .args(["metadata", "--no-deps", "--locked", "--format-version", "1"])
            .current_dir(paths::workspace()),
    )?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let mut complaints = Vec::new();
    for package in packages.context("no packages")? {
        let name = text_of(package, "name")?;
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            complaints.push(format!(
                "{name}: say in xtask/src/tidy what it may depend on"
            ));
            continue;
        };
        let dependencies = package.get("dependencies").and_then(Value::as_array);
        for dependency in dependencies.context("no dependencies")? {
            let used = text_of(dependency, "name")?;
            let ours = dependency.get("path").is_some();
            if ours && !allowed.contains(&used) {
                complaints.push(format!("{name} must not depend on {used}"));
            }
        }
    }
    Ok(complaints)
}

fn text_of<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    let text = value.get(field).and_then(Value::as_str);
    text.with_context(|| format!("no {field} in cargo's metadata"))
}
