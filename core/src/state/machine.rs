//! The state and what each command does to it.

use super::command::Command;
use crate::broker::CommittedOffset;
use crate::model::TopicSpec;
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
    /// Group, topic, queue.
    pub(crate) groups: BTreeMap<String, BTreeMap<String, BTreeMap<u32, CommittedOffset>>>,
    pub(crate) producer_ids: i64,
    /// Namespace, key.
    pub(crate) documents: BTreeMap<String, BTreeMap<String, String>>,
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
            Command::CommitOffsets { group, offsets } => {
                let progress = self.groups.entry(group).or_default();
                for change in offsets {
                    let queues = progress.entry(change.topic).or_default();
                    queues.insert(change.queue, change.committed);
                }
            }
            Command::DeleteOffsets { group, topic } => {
                if let Some(progress) = self.groups.get_mut(&group) {
                    progress.remove(&topic);
                }
            }
            Command::DeleteGroup { group } => {
                self.groups.remove(&group);
            }
            Command::ReserveProducerIds { below } => {
                self.producer_ids = self.producer_ids.max(below);
            }
            Command::PutDocument {
                namespace,
                key,
                value,
            } => {
                let documents = self.documents.entry(namespace).or_default();
                match value {
                    Some(value) => documents.insert(key, value),
                    None => documents.remove(&key),
                };
            }
        }
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

    fn delete_topic(&mut self, name: &str) {
        self.topics.remove(name);
        for progress in self.groups.values_mut() {
            progress.remove(name);
        }
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
