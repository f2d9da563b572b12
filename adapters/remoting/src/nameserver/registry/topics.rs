//! The registered topics, and what operators change of them.

use super::Registry;
use gantry_remoting_protocol::body::{QueueData, TopicConfig, TopicQueueMapping};
use std::collections::{BTreeMap, HashMap};

/// Permission to write.
pub(in crate::nameserver) const WRITE: i32 = 2;
/// Permission to read and to write.
const READ_WRITE: i32 = 6;

/// Each topic's queues by broker name.
#[derive(Debug, Default)]
pub(super) struct Topics {
    by_name: BTreeMap<String, Entry>,
    /// Topics of each broker.
    counts: HashMap<String, usize>,
}

#[derive(Debug, Default)]
struct Entry {
    queues: BTreeMap<String, QueueData>,
    mappings: BTreeMap<String, TopicQueueMapping>,
}

impl Topics {
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn count_of(&self, broker: &str) -> usize {
        self.counts.get(broker).copied().unwrap_or(0)
    }

    pub(super) fn has(&self, topic: &str, broker: &str) -> bool {
        let entry = self.by_name.get(topic);
        entry.is_some_and(|entry| entry.queues.contains_key(broker))
    }

    pub(super) fn put(&mut self, topic: &str, queues: QueueData) {
        let broker = queues.broker_name.clone();
        let entry = self.by_name.entry(topic.to_owned()).or_default();
        if entry.queues.insert(broker.clone(), queues).is_none() {
            let count = self.counts.entry(broker).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Only of topics that are there: what nobody has has no queues to map.
    pub(super) fn put_mapping(&mut self, topic: &str, broker: &str, mapping: TopicQueueMapping) {
        if let Some(entry) = self.by_name.get_mut(topic)
            && entry.queues.contains_key(broker)
        {
            entry.mappings.insert(broker.to_owned(), mapping);
        }
    }

    pub(super) fn remove(&mut self, topic: &str, broker: &str) {
        let Some(entry) = self.by_name.get_mut(topic) else {
            return;
        };
        entry.mappings.remove(broker);
        if entry.queues.remove(broker).is_some()
            && let Some(count) = self.counts.get_mut(broker)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(broker);
            }
        }
        if entry.queues.is_empty() {
            self.by_name.remove(topic);
        }
    }

    pub(super) fn remove_broker(&mut self, broker: &str) {
        self.by_name.retain(|_, entry| {
            entry.mappings.remove(broker);
            entry.queues.remove(broker);
            !entry.queues.is_empty()
        });
        self.counts.remove(broker);
    }

    /// Sets the permission of each topic of a broker; how many there are.
    pub(super) fn change_permissions(
        &mut self,
        broker: &str,
        change: impl Fn(i32) -> i32,
    ) -> usize {
        let entries = self.by_name.values_mut();
        let queues = entries.filter_map(|entry| entry.queues.get_mut(broker));
        let changed = queues.map(|queues| queues.perm = change(queues.perm));
        changed.count()
    }

    pub(super) fn queues(&self, topic: &str) -> Vec<QueueData> {
        let entry = self.by_name.get(topic);
        entry
            .map(|entry| entry.queues.values().cloned().collect())
            .unwrap_or_default()
    }

    pub(super) fn mappings(&self, topic: &str) -> Option<BTreeMap<String, TopicQueueMapping>> {
        let mappings = self.by_name.get(topic).map(|entry| &entry.mappings)?;
        (!mappings.is_empty()).then(|| mappings.clone())
    }

    pub(super) fn names_where(&self, wanted: impl Fn(&QueueData) -> bool) -> Vec<String> {
        let topics = self.by_name.iter();
        topics
            .filter(|(_, entry)| entry.queues.values().any(&wanted))
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn brokers_of(&self, topic: &str) -> Vec<String> {
        let entry = self.by_name.get(topic);
        entry
            .map(|entry| entry.queues.keys().cloned().collect())
            .unwrap_or_default()
    }
}

/// A registered topic as routes show it.
pub(super) fn queues_of(broker: &str, config: &TopicConfig) -> QueueData {
    QueueData {
        broker_name: broker.to_owned(),
        perm: config.perm,
        read_queue_nums: config.read_queue_nums,
        topic_sys_flag: config.topic_sys_flag,
        write_queue_nums: config.write_queue_nums,
    }
}

impl Registry {
    /// 216: forgets a topic, of one cluster's brokers or of all, until one registers it again.
    pub(in crate::nameserver) fn remove_topic(&mut self, topic: &str, cluster: Option<&str>) {
        for broker in self.topics.brokers_of(topic) {
            if cluster.is_none_or(|cluster| self.is_in_cluster(&broker, cluster)) {
                self.topics.remove(topic, &broker);
            }
        }
    }

    /// 217: notes one topic of known brokers. What would be too many is left out.
    pub(in crate::nameserver) fn put_topic(&mut self, topic: &str, queues: Vec<QueueData>) {
        for queues in queues {
            let broker = &queues.broker_name;
            let is_known = self.groups.contains_key(broker);
            let has_room = self.topics.has(topic, broker)
                || self.topics.count_of(broker) < self.bounds.topics_per_broker_max;
            if is_known && has_room {
                self.topics.put(topic, queues);
            }
        }
    }

    /// 205: takes the permission to write from all topics of a broker; how many there are.
    pub(in crate::nameserver) fn wipe_write_permission(&mut self, broker: &str) -> usize {
        self.topics.change_permissions(broker, |perm| perm & !WRITE)
    }

    /// 327: gives it back, and with it the permission to read, as RocketMQ does.
    pub(in crate::nameserver) fn add_write_permission(&mut self, broker: &str) -> usize {
        self.topics.change_permissions(broker, |_| READ_WRITE)
    }
}
