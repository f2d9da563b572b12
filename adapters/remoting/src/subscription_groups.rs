//! The settings of consumer groups, durable as documents of core, where the import of a RocketMQ
//! store leaves them too. A group nobody has given settings has the defaults.

use crate::error::Refusal;
use dashmap::DashMap;
use gantry_core::{Client, Error};
use gantry_remoting_protocol::ResponseCode;
use gantry_remoting_protocol::body::{self, DataVersion, Style, SubscriptionGroupConfig};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Namespace of this protocol's documents.
pub(crate) const NAMESPACE: &str = "rocketmq";
/// Before a group's name, in the key of its settings.
const CONFIG_KEY: &str = "subscription-group/";
/// Before a group's name, in the key of what it may not do.
const FORBIDDEN_KEY: &str = "forbidden/";
/// Longest document of a group, in bytes.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// The bit of a topic a group may not read (`PermName.INDEX_PERM_READ`).
const READ_FORBIDDEN: i32 = 1 << 2;

/// What a group may not do with each topic: bits by topic.
type Forbidden = BTreeMap<String, i32>;

/// All groups' settings. Looking one up takes no disk and no text apart.
#[derive(Debug)]
pub(crate) struct SubscriptionGroups {
    client: Client,
    groups_max: usize,
    configs: DashMap<String, Arc<SubscriptionGroupConfig>>,
    forbidden: DashMap<String, Arc<Forbidden>>,
    /// Held while a group changes.
    version: Mutex<DataVersion>,
}

impl SubscriptionGroups {
    /// The groups that `client`'s store knows; at most `groups_max` may have settings.
    pub(crate) fn open(client: Client, groups_max: usize, now: i64) -> Self {
        let groups = Self {
            groups_max,
            configs: DashMap::new(),
            forbidden: DashMap::new(),
            version: Mutex::new(DataVersion {
                timestamp: now,
                ..DataVersion::default()
            }),
            client,
        };
        for (key, document) in groups.client.documents(NAMESPACE) {
            if let Err(error) = groups.take_over(&key, &document) {
                tracing::warn!(key, %error, "a group's document is unreadable");
            }
        }
        groups
    }

    fn take_over(&self, key: &str, document: &str) -> Result<(), body::BodyError> {
        if let Some(group) = key.strip_prefix(CONFIG_KEY) {
            let mut config: SubscriptionGroupConfig = body::decode(document.as_bytes())?;
            group.clone_into(&mut config.group_name);
            self.configs.insert(group.to_owned(), Arc::new(config));
        } else if let Some(group) = key.strip_prefix(FORBIDDEN_KEY) {
            let topics: Forbidden = body::decode(document.as_bytes())?;
            self.forbidden.insert(group.to_owned(), Arc::new(topics));
        }
        Ok(())
    }

    /// The settings in force for `group`: the defaults when it was given none.
    pub(crate) fn config(&self, group: &str) -> Arc<SubscriptionGroupConfig> {
        let given = self.find(group);
        given.unwrap_or_else(|| Arc::new(SubscriptionGroupConfig::of_group(group)))
    }

    /// The settings `group` was given; `None` stands for the defaults. Allocates nothing.
    pub(crate) fn find(&self, group: &str) -> Option<Arc<SubscriptionGroupConfig>> {
        self.configs.get(group).map(|config| Arc::clone(&config))
    }

    /// Gives a group settings. Its attributes change those it has, `+name` or `name` setting one
    /// and `-name` removing it.
    ///
    /// # Errors
    /// The limit of groups, settings too large, or a failed store.
    pub(crate) fn put(&self, mut config: SubscriptionGroupConfig) -> Result<(), Refusal> {
        let mut version = self.version.lock();
        let group = config.group_name.clone();
        let known = self.find(&group);
        if known.is_none() && self.configs.len() >= self.groups_max {
            return Err(Error::Busy("remoting.protocol.subscription_groups_max").into());
        }
        let before = known.map(|known| known.attributes.clone());
        config.attributes = changed(before.unwrap_or_default(), config.attributes);
        self.write(&format!("{CONFIG_KEY}{group}"), Some(&config))?;
        self.configs.insert(group, Arc::new(config));
        version.counter = version.counter.saturating_add(1);
        Ok(())
    }

    /// Takes a group's settings away, and what it may not do; it has the defaults then.
    ///
    /// # Errors
    /// A failed store.
    pub(crate) fn delete(&self, group: &str) -> Result<(), Refusal> {
        let mut version = self.version.lock();
        if self.configs.contains_key(group) {
            self.write::<()>(&format!("{CONFIG_KEY}{group}"), None)?;
            self.configs.remove(group);
        }
        if self.forbidden.contains_key(group) {
            self.write::<()>(&format!("{FORBIDDEN_KEY}{group}"), None)?;
            self.forbidden.remove(group);
        }
        version.counter = version.counter.saturating_add(1);
        Ok(())
    }

    /// The settings of all groups that were given some.
    pub(crate) fn all(&self) -> BTreeMap<String, Arc<SubscriptionGroupConfig>> {
        let entries = self.configs.iter();
        entries
            .map(|entry| (entry.key().clone(), Arc::clone(entry.value())))
            .collect()
    }

    /// Changes with every change of a group.
    pub(crate) fn version(&self) -> DataVersion {
        *self.version.lock()
    }

    /// Whether an operator lets `group` read `topic`.
    pub(crate) fn may_read(&self, group: &str, topic: &str) -> bool {
        let topics = self.forbidden.get(group);
        let bits = topics.and_then(|topics| topics.get(topic).copied());
        bits.is_none_or(|bits| bits & READ_FORBIDDEN == 0)
    }

    /// Lets `group` read `topic`, or not.
    ///
    /// # Errors
    /// The limit of groups or of one group's topics, or a failed store.
    pub(crate) fn set_readable(
        &self,
        group: &str,
        topic: &str,
        readable: bool,
    ) -> Result<(), Refusal> {
        let mut version = self.version.lock();
        let known = self.forbidden.get(group).map(|topics| (**topics).clone());
        if known.is_none() && self.forbidden.len() >= self.groups_max {
            return Err(Error::Busy("remoting.protocol.subscription_groups_max").into());
        }
        let mut topics = known.unwrap_or_default();
        let bits = topics.entry(topic.to_owned()).or_default();
        if readable {
            *bits &= !READ_FORBIDDEN;
        } else {
            *bits |= READ_FORBIDDEN;
        }
        topics.retain(|_, bits| *bits != 0);
        let key = format!("{FORBIDDEN_KEY}{group}");
        if topics.is_empty() {
            self.write::<()>(&key, None)?;
            self.forbidden.remove(group);
        } else {
            self.write(&key, Some(&topics))?;
            self.forbidden.insert(group.to_owned(), Arc::new(topics));
        }
        version.counter = version.counter.saturating_add(1);
        Ok(())
    }

    /// What groups may not do with topics, by group and topic.
    pub(crate) fn all_forbidden(&self) -> BTreeMap<String, Forbidden> {
        let entries = self.forbidden.iter();
        entries
            .map(|entry| (entry.key().clone(), (**entry.value()).clone()))
            .collect()
    }

    fn write<T: serde::Serialize>(&self, key: &str, value: Option<&T>) -> Result<(), Refusal> {
        let document = value.map(|value| body::encode(value, Style::Standard));
        let document = document.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let size = document.as_ref().map_or(0, String::len);
        if size > DOCUMENT_BYTES_MAX {
            let remark = format!("{size} bytes of settings are more than {DOCUMENT_BYTES_MAX}");
            return Err(Refusal::new(ResponseCode::InvalidParameter, remark));
        }
        Ok(self.client.put_document(NAMESPACE, key, document)?)
    }
}

/// The attributes `before`, changed as a request wants.
fn changed(
    mut before: BTreeMap<String, String>,
    changes: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    for (name, value) in changes {
        if let Some(removed) = name.strip_prefix('-') {
            before.remove(removed);
        } else {
            let name = name.strip_prefix('+').unwrap_or(&name);
            before.insert(name.to_owned(), value);
        }
    }
    before
}
