//! The state and what each command does to it.

use super::command::Command;
use crate::broker::CommittedOffset;
use crate::leases::Progress;
use crate::model::TopicSpec;
use crate::queue::{Counts, Settled};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything the commands have made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// One past the last command's record in the log: a replay skips what is before it.
    pub(crate) applied: u64,
    /// The number the next queue gets; 0 is the state's own.
    pub(crate) queue_numbers: u32,
    pub(crate) topics: BTreeMap<String, TopicState>,
    /// Where queues begin that no longer begin at 0, by queue number.
    #[serde(default)]
    pub(crate) bounds: BTreeMap<u32, Bounds>,
    /// The log before this has gone, or is to go.
    #[serde(default)]
    pub(crate) log_start: u64,
    /// Group, topic, queue.
    pub(crate) groups: BTreeMap<String, BTreeMap<String, BTreeMap<u32, CommittedOffset>>>,
    /// Group, topic, queue: what is settled above the committed offset, where anything is.
    #[serde(default)]
    pub(crate) leases: BTreeMap<String, BTreeMap<String, BTreeMap<u32, Progress>>>,
    pub(crate) producer_ids: i64,
    /// Which records of waiting topics have their outcome, by queue number.
    #[serde(default)]
    pub(crate) settled: BTreeMap<u32, Settled>,
    /// How often somebody was asked for the outcome of a record that has none, by queue number.
    #[serde(default)]
    pub(crate) checks: BTreeMap<u32, Counts>,
    /// Namespace, key.
    pub(crate) documents: BTreeMap<String, BTreeMap<String, String>>,
}

/// Where a queue begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounds {
    /// The oldest offset that can be read.
    pub(crate) start: u64,
    /// From here on records are where they were produced; before, where they were copied to.
    pub(crate) main: u64,
}

/// A topic as the state knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TopicState {
    pub(crate) uuid: [u8; 16],
    pub(crate) spec: TopicSpec,
    /// One past its creation's record: records of its name before that were another topic's.
    pub(crate) created_at: u64,
    /// The numbers of its queues, by queue id.
    pub(crate) queues: Vec<u32>,
}

impl State {
    /// Applies the command whose record ends at `end`. A command that does not fit the state
    /// (a topic created twice) changes nothing, whoever logged it.
    pub(crate) fn apply(&mut self, command: Command, end: u64) {
        if end <= self.applied {
            return;
        }
        self.applied = end;
        match command {
            Command::CreateTopic { name, uuid, spec } => self.create_topic(name, uuid, spec),
            Command::AlterTopic { name, spec } => self.alter_topic(&name, spec),
            Command::DeleteTopic { name } => self.delete_topic(&name),
            Command::CommitOffsets { group, offsets } => self.commit_offsets(group, offsets),
            Command::LeaseProgress {
                group,
                committed_at,
                queues,
            } => self.progress_leases(&group, committed_at, queues),
            Command::DeleteOffsets { group, topic } => self.delete_offsets(&group, &topic),
            Command::DeleteGroup { group } => {
                self.groups.remove(&group);
                self.leases.remove(&group);
            }
            Command::ReserveProducerIds { below } => {
                self.producer_ids = self.producer_ids.max(below);
            }
            Command::Settle { queue, offsets } => {
                for offset in offsets {
                    self.settle(queue, offset);
                }
            }
            Command::CountChecks { queue, offsets } => self.count_checks(queue, &offsets),
            Command::RaiseStarts { name, starts } => self.raise_starts(&name, &starts),
            Command::Checkpoint { state } => match state.unpack() {
                Some(whole) => {
                    *self = Self {
                        applied: end,
                        ..whole.state
                    }
                }
                None => tracing::error!(end, "a checkpoint is unreadable and passed over"),
            },
            Command::PutDocuments { changes } => {
                for change in changes {
                    self.put_document(change.namespace, change.key, change.value);
                }
            }
            Command::PutDocument {
                namespace,
                key,
                value,
            } => self.put_document(namespace, key, value),
        }
    }

    fn put_document(&mut self, namespace: String, key: String, value: Option<String>) {
        let documents = self.documents.entry(namespace).or_default();
        match value {
            Some(value) => documents.insert(key, value),
            None => documents.remove(&key),
        };
    }

    /// Enters a topic of another store, all of whose records of its name from `created_at` on
    /// are its own. The numbers of its queues, by queue id.
    pub(crate) fn import_topic(
        &mut self,
        name: String,
        spec: TopicSpec,
        queues: u32,
        created_at: u64,
    ) -> Vec<u32> {
        let queues = self.number_queues(queues);
        let topic = TopicState {
            uuid: *uuid::Uuid::new_v4().as_bytes(),
            spec,
            created_at,
            queues: queues.clone(),
        };
        self.topics.insert(name, topic);
        queues
    }

    /// Notes that the record of a waiting topic at `offset` has its outcome.
    pub(crate) fn settle(&mut self, queue: u32, offset: u64) {
        self.settled.entry(queue).or_default().insert(offset);
        if let Some(counts) = self.checks.get_mut(&queue) {
            counts.forget(offset);
            if counts.is_empty() {
                self.checks.remove(&queue);
            }
        }
    }

    fn count_checks(&mut self, queue: u32, offsets: &[u64]) {
        for offset in offsets {
            if !self.is_settled(queue, *offset) {
                self.checks.entry(queue).or_default().count(*offset);
            }
        }
    }

    /// Whether the record of a waiting topic at `offset` has its outcome.
    pub(crate) fn is_settled(&self, queue: u32, offset: u64) -> bool {
        let settled = self.settled.get(&queue);
        settled.is_some_and(|settled| settled.contains(offset))
    }

    fn create_topic(&mut self, name: String, uuid: [u8; 16], spec: TopicSpec) {
        if self.topics.contains_key(&name) {
            return;
        }
        let queues = self.number_queues(spec.queue_count());
        self.topics.insert(
            name,
            TopicState {
                uuid,
                spec,
                created_at: self.applied,
                queues,
            },
        );
    }

    fn alter_topic(&mut self, name: &str, spec: TopicSpec) {
        let Some(have) = self.topics.get(name).map(|topic| topic.queues.len()) else {
            return;
        };
        let want = usize::try_from(spec.queue_count()).unwrap_or(usize::MAX);
        let more = self.number_queues(u32::try_from(want.saturating_sub(have)).unwrap_or(0));
        if let Some(topic) = self.topics.get_mut(name) {
            topic.spec = spec;
            topic.queues.extend(more);
        }
    }

    fn raise_starts(&mut self, name: &str, starts: &[(u32, u64)]) {
        let Some(topic) = self.topics.get(name) else {
            return;
        };
        for (queue, start) in starts {
            let index = usize::try_from(*queue).unwrap_or(usize::MAX);
            if let Some(number) = topic.queues.get(index) {
                let bounds = self.bounds.entry(*number).or_default();
                bounds.start = bounds.start.max(*start);
            }
        }
    }

    fn delete_topic(&mut self, name: &str) {
        let gone = self.topics.remove(name);
        for number in gone.iter().flat_map(|topic| &topic.queues) {
            self.bounds.remove(number);
            self.settled.remove(number);
            self.checks.remove(number);
        }
        for progress in self.groups.values_mut() {
            progress.remove(name);
        }
        self.delete_topic_leases(name);
    }

    fn number_queues(&mut self, count: u32) -> Vec<u32> {
        let first = self.queue_numbers + 1;
        self.queue_numbers = self.queue_numbers.saturating_add(count);
        (first..=self.queue_numbers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(name: &str, uuid: u8, queues: u32) -> Command {
        let spec = TopicSpec::with_queues(queues);
        Command::CreateTopic {
            name: name.to_owned(),
            uuid: [uuid; 16],
            spec,
        }
    }

    #[test]
    fn a_replay_that_starts_too_early_changes_nothing() {
        let commands = [
            create("a", 1, 2),
            Command::DeleteTopic {
                name: "a".to_owned(),
            },
            create("a", 2, 3),
        ];
        let mut state = State::default();
        let replay = |state: &mut State| {
            for (index, command) in commands.iter().enumerate() {
                state.apply(command.clone(), index as u64 + 1);
            }
        };
        replay(&mut state);
        let once = state.clone();
        replay(&mut state);
        assert_eq!(state, once);
        assert_eq!(
            once.topics["a"].queues,
            [3, 4, 5],
            "numbers are never given twice"
        );
    }

    #[test]
    fn more_queues_are_added_and_none_taken() {
        let mut state = State::default();
        state.apply(create("a", 1, 2), 1);
        let alter = |queues| Command::AlterTopic {
            name: "a".to_owned(),
            spec: TopicSpec::with_queues(queues),
        };
        state.apply(alter(3), 2);
        state.apply(alter(1), 3);
        assert_eq!(state.topics["a"].queues, [1, 2, 3]);
        assert_eq!(state.topics["a"].spec.read_queues, 1);
    }
}
