//! All accounts in memory, and the documents they are kept as. Keys are persisted: add, never
//! change.

use super::password::PasswordHash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What its password is.
    #[serde(flatten)]
    pub password: PasswordHash,
    /// What it may do in the management API, and whatever else operators note.
    pub tags: Vec<String>,
}

/// What a user may do in a virtual host, each a regular expression over names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// Declare and delete.
    pub configure: String,
    /// Publish to, and bind to something.
    pub write: String,
    /// Consume, and bind something to.
    pub read: String,
}

impl Permission {
    /// To do everything.
    #[must_use]
    pub fn full() -> Self {
        let all = || ".*".to_owned();
        Self {
            configure: all(),
            write: all(),
            read: all(),
        }
    }
}

/// Which routing keys a user may use with a topic exchange, each a regular expression in which
/// `{username}` and `{vhost}` stand for what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicPermission {
    /// Publish with.
    pub write: String,
    /// Bind with.
    pub read: String,
}

/// What operators say of a virtual host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VhostNote {
    /// For people.
    pub description: String,
    /// For programs.
    pub tags: Vec<String>,
}

/// How much a user may have at a time, by RabbitMQ's names. One below zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UserLimits {
    /// Most channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_channels: Option<i64>,
    /// Most connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<i64>,
}

/// What a document is about, which is its key. Virtual hosts come before users, those before
/// exchanges.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    /// The accounts are kept, even if there is none.
    Kept,
    User(Arc<str>),
    Permission(Arc<str>, Arc<str>),
    TopicPermission(Arc<str>, Arc<str>, Arc<str>),
    Vhost(Arc<str>),
    UserLimits(Arc<str>),
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Kept,
    User(Account),
    Permission(Permission),
    TopicPermission(TopicPermission),
    Vhost(VhostNote),
    UserLimits(UserLimits),
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Book(pub(super) BTreeMap<Key, Entry>);

impl Book {
    /// What the documents say; what cannot be read is passed over.
    pub(super) fn load(documents: Vec<(String, String)>) -> Self {
        let mut book = Self::default();
        for (key, value) in documents {
            match read(&key, &value) {
                Ok((key, entry)) => drop(book.0.insert(key, entry)),
                Err(error) => tracing::error!(%error, key, "an account cannot be read"),
            }
        }
        book
    }

    pub(super) fn is_kept(&self) -> bool {
        self.0.contains_key(&Key::Kept)
    }

    pub(super) fn user(&self, name: &str) -> Option<&Account> {
        match self.0.get(&Key::User(name.into())) {
            Some(Entry::User(account)) => Some(account),
            _ => None,
        }
    }

    pub(super) fn permission(&self, vhost: &str, user: &str) -> Option<&Permission> {
        match self.0.get(&Key::Permission(vhost.into(), user.into())) {
            Some(Entry::Permission(permission)) => Some(permission),
            _ => None,
        }
    }

    pub(super) fn topic_permissions<'a>(
        &'a self,
        vhost: &'a str,
        user: &'a str,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a TopicPermission)> {
        let first = Key::TopicPermission(vhost.into(), user.into(), "".into());
        let rest = self.0.range(first..).map_while(move |each| match each {
            (Key::TopicPermission(of, by, exchange), Entry::TopicPermission(permission))
                if **of == *vhost && **by == *user =>
            {
                Some((exchange, permission))
            }
            _ => None,
        });
        rest.into_iter()
    }
}

fn read(key: &str, value: &str) -> serde_json::Result<(Key, Entry)> {
    let key = serde_json::from_str(key)?;
    let entry = match key {
        Key::Kept => Entry::Kept,
        Key::User(_) => Entry::User(serde_json::from_str(value)?),
        Key::Permission(..) => Entry::Permission(serde_json::from_str(value)?),
        Key::TopicPermission(..) => Entry::TopicPermission(serde_json::from_str(value)?),
        Key::Vhost(_) => Entry::Vhost(serde_json::from_str(value)?),
        Key::UserLimits(_) => Entry::UserLimits(serde_json::from_str(value)?),
    };
    Ok((key, entry))
}

/// The document of an entry, or of one that is gone.
pub(super) fn document(
    key: &Key,
    entry: Option<&Entry>,
) -> serde_json::Result<(String, Option<String>)> {
    let value = match entry {
        None => None,
        Some(Entry::Kept) => Some(String::new()),
        Some(Entry::User(account)) => Some(serde_json::to_string(account)?),
        Some(Entry::Permission(permission)) => Some(serde_json::to_string(permission)?),
        Some(Entry::TopicPermission(permission)) => Some(serde_json::to_string(permission)?),
        Some(Entry::Vhost(note)) => Some(serde_json::to_string(note)?),
        Some(Entry::UserLimits(limits)) => Some(serde_json::to_string(limits)?),
    };
    Ok((serde_json::to_string(key)?, value))
}
