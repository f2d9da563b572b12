//! Topics, groups and progress as `config/*.json` keeps them.

use super::{Warnings, config};
use anyhow::{Context, Result};
use gantry_core::model::{GroupName, Permission, QueueId, QueueOffset, TopicName, TopicSpec};
use gantry_remoting_protocol::body;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The next offset of each queue a group has read.
pub(crate) type QueueOffsets = BTreeMap<QueueId, QueueOffset>;

/// `consumerOffset.json`: group, topic, queue.
pub(crate) type Progress = BTreeMap<GroupName, BTreeMap<TopicName, QueueOffsets>>;

/// `subscriptionGroup.json`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Groups {
    /// Each group's settings, as the JSON they were kept as.
    pub(crate) settings: BTreeMap<GroupName, String>,
    /// Topics a group may not read or write: group, topic, RocketMQ's mask.
    pub(crate) forbidden: BTreeMap<GroupName, BTreeMap<TopicName, i32>>,
}

/// RocketMQ's separator of topic and group, which neither name may have.
const TOPIC_GROUP_SEPARATOR: char = '@';
/// Most queues a topic may claim.
const QUEUES_MAX: i32 = 1 << 16;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TopicFile {
    topic_config_table: BTreeMap<String, body::TopicConfig>,
}

/// Also the form of `lmqConsumerOffset.json`, where a broker with light queues keeps both tables.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OffsetFile {
    /// `topic@group`, queue.
    offset_table: BTreeMap<String, BTreeMap<i64, i64>>,
    /// `topic@group`, whose one queue is 0.
    lmq_offset_table: BTreeMap<String, i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GroupFile {
    subscription_group_table: BTreeMap<String, Value>,
    forbidden_table: BTreeMap<String, BTreeMap<String, i32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DelayFile {
    offset_table: BTreeMap<i64, i64>,
}

/// `topics.json`, without which nothing can be imported.
pub(super) fn topics(
    directory: &Path,
    warnings: &mut Warnings,
) -> Result<BTreeMap<TopicName, TopicSpec>> {
    let file: TopicFile = config::required(directory, "topics.json", warnings).context(
        "the topics are not known (a broker that keeps them in RocksDB can write topics.json with \
         mqadmin rocksDBConfigToJson)",
    )?;
    let mut topics = BTreeMap::new();
    for (name, config) in file.topic_config_table {
        let place = || format!("topics.json, topic {name:?}");
        let topic = TopicName::new(&name).with_context(place)?;
        topics.insert(topic, spec(config).with_context(place)?);
    }
    Ok(topics)
}

fn spec(config: body::TopicConfig) -> Result<TopicSpec> {
    let queues = |count: i32| {
        let count = u32::try_from(count).ok().filter(|_| count <= QUEUES_MAX);
        count.with_context(|| format!("no number of queues: {count:?}"))
    };
    let permission = u8::try_from(config.perm).context("no permission")?;
    // Alterations are written with a sign in front, which says that they add.
    let bare = |name: String| {
        name.strip_prefix('+')
            .map_or_else(|| name.clone(), str::to_owned)
    };
    let attributes = config.attributes.into_iter();
    Ok(TopicSpec {
        // A topic may have been shrunk to none.
        read_queues: queues(config.read_queue_nums)?.max(1),
        write_queues: queues(config.write_queue_nums)?.max(1),
        permission: Permission::from_bits(permission),
        sys_flag: config.topic_sys_flag,
        ordered: config.order,
        attributes: attributes
            .map(|(name, value)| (bare(name), value))
            .collect(),
    })
}

/// `consumerOffset.json`, and what only `lmqConsumerOffset.json` has: a broker with light queues
/// writes that one alone, with all progress.
pub(super) fn progress(directory: &Path, warnings: &mut Warnings) -> Progress {
    let is_there = |name: &str| {
        let mut names = [name.to_owned(), format!("{name}.bak")].into_iter();
        names.any(|name| directory.join(name).exists())
    };
    let (all, light) = ("consumerOffset.json", "lmqConsumerOffset.json");
    let mut progress = Progress::new();
    if is_there(light) {
        let file = config::optional(directory, light, warnings);
        add_progress(file, &mut progress, warnings);
    }
    if is_there(all) || !is_there(light) {
        let file = config::optional(directory, all, warnings);
        add_progress(file, &mut progress, warnings);
    }
    progress
}

fn add_progress(file: OffsetFile, progress: &mut Progress, warnings: &mut Warnings) {
    let light = file.lmq_offset_table.into_iter();
    let light = light.map(|(key, offset)| (key, BTreeMap::from([(0, offset)])));
    for (key, offsets) in light.chain(file.offset_table) {
        let Some((topic, group)) = names(&key) else {
            warnings.add(format!(
                "the progress of {key:?} is left out: no topic and group"
            ));
            continue;
        };
        let queues = progress.entry(group).or_default().entry(topic).or_default();
        for (queue, offset) in offsets {
            match (u32::try_from(queue), u64::try_from(offset)) {
                (Ok(queue), Ok(offset)) => {
                    queues.insert(QueueId::new(queue), QueueOffset::new(offset));
                }
                _ => warnings.add(format!(
                    "the progress of {key:?} in queue {queue} is left out: {offset}"
                )),
            }
        }
    }
}

/// The names of `topic@group`.
fn names(key: &str) -> Option<(TopicName, GroupName)> {
    let (topic, group) = key.split_once(TOPIC_GROUP_SEPARATOR)?;
    if group.contains(TOPIC_GROUP_SEPARATOR) {
        return None;
    }
    Some((TopicName::new(topic).ok()?, GroupName::new(group).ok()?))
}

/// `subscriptionGroup.json`.
pub(super) fn groups(directory: &Path, warnings: &mut Warnings) -> Groups {
    let file: GroupFile = config::optional(directory, "subscriptionGroup.json", warnings);
    let mut groups = Groups::default();
    for (name, settings) in file.subscription_group_table {
        let Ok(group) = GroupName::new(&name) else {
            warnings.add(format!("the group {name:?} is left out: no group's name"));
            continue;
        };
        groups.settings.insert(group, settings.to_string());
    }
    for (name, topics) in file.forbidden_table {
        let topics = topics.into_iter();
        let topics = topics.filter_map(|(topic, mask)| Some((TopicName::new(&topic).ok()?, mask)));
        if let Ok(group) = GroupName::new(&name) {
            groups.forbidden.insert(group, topics.collect());
        }
    }
    groups
}

/// `delayOffset.json`: by level, the next message of the level's queue that is due.
pub(super) fn delays(directory: &Path, warnings: &mut Warnings) -> BTreeMap<u32, QueueOffset> {
    let file: DelayFile = config::optional(directory, "delayOffset.json", warnings);
    let mut delays = BTreeMap::new();
    for (level, offset) in file.offset_table {
        match (u32::try_from(level), u64::try_from(offset)) {
            (Ok(level), Ok(offset)) => {
                delays.insert(level, QueueOffset::new(offset));
            }
            _ => warnings.add(format!("delay level {level} is left out: {offset}")),
        }
    }
    delays
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn with(name: &str, text: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(name), text).unwrap();
        home
    }

    #[test]
    fn a_topic_keeps_its_settings() {
        let home = with(
            "topics.json",
            r#"{"topicConfigTable":{"a":{"attributes":{"+message.type":"FIFO","queue.type":"x"},
            "order":true,"perm":4,"readQueueNums":3,"writeQueueNums":0,"topicSysFlag":2,
            "topicName":"a"},"b":{"attributes":null,"perm":6}}}"#,
        );
        let topics = topics(home.path(), &mut Warnings::default()).unwrap();
        let a = &topics["a"];
        assert_eq!((a.read_queues, a.write_queues), (3, 1));
        assert_eq!((a.permission.bits(), a.sys_flag, a.ordered), (4, 2, true));
        assert_eq!(a.attributes["message.type"], "FIFO");
        assert_eq!(a.attributes["queue.type"], "x");
        assert_eq!(topics["b"].read_queues, 16);
    }

    #[test]
    fn an_impossible_topic_is_named() {
        for setting in [
            "\"perm\":-1",
            "\"readQueueNums\":-1",
            "\"writeQueueNums\":99999999",
        ] {
            let text = format!("{{\"topicConfigTable\":{{\"bad one\":{{{setting}}}}}}}");
            let home = with("topics.json", &text);
            let error = topics(home.path(), &mut Warnings::default()).unwrap_err();
            assert!(format!("{error:#}").contains("bad one"), "{error:#}");
        }
    }

    #[test]
    fn progress_is_read_in_every_form() {
        let home = with(
            "consumerOffset.json",
            r#"{"offsetTable":{"t@g":{0:12,"1":3,'2':-1},"none":{0:1},"a@b@c":{0:1},"@g":{0:1}},
            "pullOffsetTable":{"t@g":{0:99}},"groupTopicMap":{"g":["t"]}}"#,
        );
        let light =
            r#"{"lmqOffsetTable":{"%LMQ%x@g":7},"offsetTable":{"t@g":{0:1,5:6},"u@g":{0:2}}}"#;
        fs::write(home.path().join("lmqConsumerOffset.json"), light).unwrap();
        let mut warnings = Warnings::default();
        let progress = progress(home.path(), &mut warnings);
        let offsets = |topic: &str| {
            let queues = progress["g"][topic].iter();
            queues
                .map(|(queue, offset)| (queue.get(), offset.get()))
                .collect::<Vec<_>>()
        };
        assert_eq!(offsets("t"), [(0, 12), (1, 3), (5, 6)]);
        assert_eq!(offsets("u"), [(0, 2)]);
        assert_eq!(offsets("%LMQ%x"), [(0, 7)]);
        assert_eq!(warnings.into_list().len(), 4);
    }

    #[test]
    fn a_group_is_kept_whole() {
        let home = with(
            "subscriptionGroup.json",
            r#"{"subscriptionGroupTable":{"g":{"groupName":"g","retryMaxTimes":3,"new":{"x":[1]}}},
            "forbiddenTable":{"g":{"t":2}}}"#,
        );
        let groups = groups(home.path(), &mut Warnings::default());
        assert_eq!(
            groups.settings["g"],
            r#"{"groupName":"g","retryMaxTimes":3,"new":{"x":[1]}}"#
        );
        assert_eq!(groups.forbidden["g"]["t"], 2);
    }
}
