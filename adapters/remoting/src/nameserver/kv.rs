//! Values by namespace and key, which outlive the process: in the store where there is one, else
//! in a file.

use gantry_core::Client;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Core's namespace of the documents they are.
const DOCUMENTS: &str = "rocketmq.namesrv.kv";
/// Between namespace and key in a document's key; no tool can type it.
const SEPARATOR: char = '\u{1f}';

type Namespaces = BTreeMap<String, BTreeMap<String, String>>;

/// RocketMQ's `kvConfig.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct KvFile {
    config_table: Namespaces,
}

/// The tables, in memory and where they are kept.
#[derive(Debug)]
pub struct KvTables {
    namespaces: RwLock<Namespaces>,
    keeper: Keeper,
}

#[derive(Debug)]
enum Keeper {
    Store(Client),
    File(PathBuf),
}

/// Why a value was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum KvError {
    /// There are as many as there may be.
    #[error("there are namesrv.protocol.kv_entries_max entries already")]
    Full,
    /// It would not outlive the process.
    #[error("it could not be kept: {0}")]
    Store(#[from] gantry_core::Error),
    /// It would not outlive the process.
    #[error("it could not be written: {0}")]
    File(#[from] io::Error),
}

impl KvTables {
    /// Tables kept as documents of `client`'s store.
    #[must_use]
    pub fn in_store(client: Client) -> Self {
        let mut namespaces = Namespaces::new();
        for (name, value) in client.documents(DOCUMENTS) {
            if let Some((namespace, key)) = name.split_once(SEPARATOR) {
                let table = namespaces.entry(namespace.to_owned()).or_default();
                table.insert(key.to_owned(), value);
            }
        }
        Self {
            namespaces: RwLock::new(namespaces),
            keeper: Keeper::Store(client),
        }
    }

    /// Tables kept in `file` as RocketMQ writes `kvConfig.json`, so that one of a stock NameServer
    /// can be taken over. The file and its folder are made with the first value.
    ///
    /// # Errors
    /// It is there but cannot be read.
    pub fn in_file(file: &Path) -> io::Result<Self> {
        let namespaces = match fs::read(file) {
            Ok(json) => serde_json::from_slice::<KvFile>(&json)?.config_table,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Namespaces::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            namespaces: RwLock::new(namespaces),
            keeper: Keeper::File(file.to_owned()),
        })
    }

    pub(super) fn get(&self, namespace: &str, key: &str) -> Option<String> {
        let namespaces = self.namespaces.read();
        namespaces.get(namespace)?.get(key).cloned()
    }

    /// All of a namespace; `None` when there is nothing.
    pub(super) fn list(&self, namespace: &str) -> Option<BTreeMap<String, String>> {
        self.namespaces.read().get(namespace).cloned()
    }

    /// Keeps a value in place of what was there, unless there are `entries_max` others.
    pub(super) fn put(
        &self,
        namespace: &str,
        key: &str,
        value: &str,
        entries_max: usize,
    ) -> Result<(), KvError> {
        let mut namespaces = self.namespaces.write();
        let table = namespaces.get(namespace);
        let is_new = table.is_none_or(|table| !table.contains_key(key));
        let count: usize = namespaces.values().map(BTreeMap::len).sum();
        if is_new && count >= entries_max {
            return Err(KvError::Full);
        }
        let mut next = namespaces.clone();
        let table = next.entry(namespace.to_owned()).or_default();
        table.insert(key.to_owned(), value.to_owned());
        self.keeper.keep(&next, namespace, key, Some(value))?;
        *namespaces = next;
        Ok(())
    }

    /// Forgets a value.
    pub(super) fn delete(&self, namespace: &str, key: &str) -> Result<(), KvError> {
        let mut namespaces = self.namespaces.write();
        let mut next = namespaces.clone();
        let Some(table) = next.get_mut(namespace) else {
            return Ok(());
        };
        if table.remove(key).is_none() {
            return Ok(());
        }
        if table.is_empty() {
            next.remove(namespace);
        }
        self.keeper.keep(&next, namespace, key, None)?;
        *namespaces = next;
        Ok(())
    }
}

impl Keeper {
    fn keep(
        &self,
        all: &Namespaces,
        namespace: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), KvError> {
        match self {
            Self::Store(client) => {
                let name = format!("{namespace}{SEPARATOR}{key}");
                client.put_document(DOCUMENTS, &name, value.map(str::to_owned))?;
            }
            Self::File(file) => {
                let whole = KvFile {
                    config_table: all.clone(),
                };
                let json = serde_json::to_vec_pretty(&whole).map_err(io::Error::from)?;
                write_whole(file, &json)?;
            }
        }
        Ok(())
    }
}

/// Replaces a file at once: whoever reads it, after a crash too, finds the old or the new one.
fn write_whole(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder)?;
    let unfinished = file.with_extension("unfinished");
    let mut new = File::create(&unfinished)?;
    new.write_all(bytes)?;
    new.sync_all()?;
    fs::rename(&unfinished, file)?;
    File::open(folder)?.sync_all()
}
