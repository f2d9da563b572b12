//! What commands do to groups' progress.

use super::command::{LeaseChange, OffsetChange};
use super::machine::State;
use crate::broker::CommittedOffset;
use crate::leases::Progress;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

impl State {
    pub(super) fn commit_offsets(&mut self, group: String, offsets: Vec<OffsetChange>) {
        let mut leases = self.leases.get_mut(&group);
        let progress = self.groups.entry(group).or_default();
        for change in offsets {
            let of_topic = leases
                .as_mut()
                .and_then(|topics| topics.get_mut(&change.topic));
            if let Some(queues) = of_topic
                && let Some(leased) = queues.get_mut(&change.queue)
            {
                leased.commit(change.committed.offset);
                if leased.is_plain() {
                    queues.remove(&change.queue);
                }
            }
            let queues = progress.entry(change.topic).or_default();
            queues.insert(change.queue, change.committed);
        }
    }

    /// A group's progress in a queue, by leases or by commits; none if it has none.
    pub(crate) fn progress_of(&self, group: &str, topic: &str, queue: u32) -> Option<Progress> {
        let leased = self.leases.get(group);
        let leased = leased.and_then(|topics| topics.get(topic)?.get(&queue));
        leased.cloned().or_else(|| {
            let committed = self.groups.get(group)?.get(topic)?.get(&queue)?;
            Some(Progress::at(committed.offset))
        })
    }

    pub(super) fn progress_leases(
        &mut self,
        group: &str,
        committed_at: i64,
        changes: Vec<LeaseChange>,
    ) {
        let committed = self.groups.entry(group.to_owned()).or_default();
        for change in changes {
            let offset = CommittedOffset {
                offset: change.progress.settled.floor(),
                leader_epoch: -1,
                metadata: String::new(),
                committed_at,
            };
            let queues = committed.entry(change.topic.clone()).or_default();
            queues.insert(change.queue, offset);
            if change.progress.is_plain() {
                if let Some(topics) = self.leases.get_mut(group)
                    && let Some(queues) = topics.get_mut(&change.topic)
                {
                    queues.remove(&change.queue);
                }
            } else {
                let topics = self.leases.entry(group.to_owned()).or_default();
                let queues = topics.entry(change.topic).or_default();
                queues.insert(change.queue, change.progress);
            }
        }
        if let Some(topics) = self.leases.get_mut(group) {
            topics.retain(|_, queues| !queues.is_empty());
            if topics.is_empty() {
                self.leases.remove(group);
            }
        }
    }

    /// A group is done with messages of a queue. Of one without progress there nothing is noted: it
    /// has begun anew since.
    pub(crate) fn consume(
        &mut self,
        group: &str,
        (topic, queue): (&str, u32),
        offsets: RangeInclusive<u64>,
    ) {
        let committed = self.groups.get_mut(group);
        let committed = committed.and_then(|topics| topics.get_mut(topic)?.get_mut(&queue));
        let Some(committed) = committed else {
            return;
        };
        if !self.leases.contains_key(group) {
            self.leases.insert(group.to_owned(), BTreeMap::new());
        }
        let Some(topics) = self.leases.get_mut(group) else {
            return;
        };
        let mut progress = topics
            .get_mut(topic)
            .and_then(|queues| queues.remove(&queue))
            .unwrap_or_else(|| Progress::at(committed.offset));
        progress.settle(offsets);
        committed.offset = progress.settled.floor();
        if !progress.is_plain() {
            let queues = topics.entry(topic.to_owned()).or_default();
            queues.insert(queue, progress);
        }
        topics.retain(|_, queues| !queues.is_empty());
        if topics.is_empty() {
            self.leases.remove(group);
        }
    }

    pub(super) fn delete_offsets(&mut self, group: &str, topic: &str) {
        if let Some(progress) = self.groups.get_mut(group) {
            progress.remove(topic);
        }
        if let Some(topics) = self.leases.get_mut(group) {
            topics.remove(topic);
        }
    }

    pub(super) fn delete_topic_leases(&mut self, topic: &str) {
        for topics in self.leases.values_mut() {
            topics.remove(topic);
        }
        self.drop_empty_leases();
    }

    fn drop_empty_leases(&mut self) {
        self.leases.retain(|_, topics| {
            topics.retain(|_, queues| !queues.is_empty());
            !topics.is_empty()
        });
    }
}
