//! Reading the settings: defaults, then the file, then the environment, then `--set`.

use super::Config;
use super::tree::Tree;
use anyhow::{Context, Result, anyhow};
use serde_yaml::Value;
use std::path::{Path, PathBuf};

/// Where settings come from, the later over the earlier.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// `--config`.
    pub(crate) file: Option<PathBuf>,
    /// The environment: `GANTRY_STORE_FLUSH` is `store.flush`.
    pub(crate) environment: Vec<(String, String)>,
    /// `--set key=value`.
    pub(crate) set: Vec<String>,
}

/// The settings that `sources` give.
///
/// # Errors
/// An unknown key, with the nearest known one, or a value that does not fit its key.
pub(crate) fn read(sources: &Sources) -> Result<Config> {
    let defaults = serde_yaml::to_value(Config::default()).context("the defaults")?;
    let mut tree = Tree::of(&defaults);
    if let Some(file) = &sources.file {
        let source = file.display().to_string();
        tree.lay_over(Tree::of(&parse(file)?), &source)?;
    }
    for (name, value) in &sources.environment {
        let key = tree
            .keys()
            .find(|key| variable(key) == *name)
            .map(str::to_owned);
        if let Some(key) = key {
            tree.set(&key, scalar(value), name)?;
        }
    }
    for assignment in &sources.set {
        let (key, value) = assignment
            .split_once('=')
            .ok_or_else(|| anyhow!("--set {assignment}: it is key=value"))?;
        tree.set(key.trim(), scalar(value.trim()), "--set")?;
    }
    let misfit = |error| match misfit(&tree, &defaults) {
        Some((key, error)) => anyhow!("{key}: {error}"),
        None => anyhow!("the settings: {error}"),
    };
    serde_yaml::from_value(tree.clone().into_value()).map_err(misfit)
}

/// The first setting that does not fit although all others are defaults, and why.
fn misfit(tree: &Tree, defaults: &Value) -> Option<(String, serde_yaml::Error)> {
    tree.entries().find_map(|(key, value)| {
        let mut alone = Tree::of(defaults);
        alone.set(key, value.clone(), "").ok()?;
        let error = serde_yaml::from_value::<Config>(alone.into_value()).err()?;
        Some((key.to_owned(), error))
    })
}

fn parse(file: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    serde_yaml::from_str(&text).with_context(|| file.display().to_string())
}

/// The environment variable of a key.
fn variable(key: &str) -> String {
    format!("GANTRY_{}", key.replace('.', "_").to_uppercase())
}

/// A value given as text: what YAML makes of it, else the text.
fn scalar(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|_| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(assignments: &[&str]) -> Result<Config> {
        let set = assignments.iter().map(|&text| text.to_owned()).collect();
        read(&Sources {
            set,
            ..Sources::default()
        })
    }

    #[test]
    fn every_setting_is_listed_with_its_default() {
        let listed = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/gantry.yaml");
        let listed = Tree::of(&parse(Path::new(listed)).unwrap());
        let defaults = Tree::of(&serde_yaml::to_value(Config::default()).unwrap());
        for (listed, default) in listed.entries().zip(defaults.entries()) {
            assert_eq!(listed, default);
        }
        assert_eq!(listed, defaults);
    }

    #[test]
    fn later_sources_win() {
        let sources = Sources {
            environment: vec![
                ("GANTRY_STORE_FLUSH".to_owned(), "sync".to_owned()),
                ("GANTRY_KAFKA_LISTEN".to_owned(), "127.0.0.1:1".to_owned()),
                (
                    "GANTRY_SERVICE_HOST".to_owned(),
                    "set by an orchestrator".to_owned(),
                ),
            ],
            set: vec!["kafka.listen=127.0.0.1:2".to_owned()],
            ..Sources::default()
        };
        let config = read(&sources).unwrap();
        assert_eq!(config.store.flush, gantry_core::FlushMode::Sync);
        assert_eq!(config.kafka.listen.port(), 2);
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest() {
        let error = set(&["store.flsh=sync"]).unwrap_err().to_string();
        assert!(error.contains("\"store.flush\""), "{error}");
        assert!(set(&["store.flush=sometimes"]).is_err());
        assert!(set(&["store.flush"]).is_err());
    }
}
