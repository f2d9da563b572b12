//! Group progress, one for all protocols, and small facts of the adapters' own.

use super::lease::relay;
use crate::leases::Ledgers;
use crate::model::{GroupName, QueueId, QueueOffset, TopicName};
use crate::state::{Command, DocumentChange, OffsetChange};
use crate::{Client, Error};
use serde::{Deserialize, Serialize};

/// Producer ids reserved by one record of the log.
const PRODUCER_ID_BLOCK: i64 = 1_000;

/// How far a group has come in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedOffset {
    /// The next message to consume.
    pub offset: u64,
    /// Kafka's epoch of the last consumed record, -1 when not given.
    pub leader_epoch: i32,
    /// Kafka's free text.
    pub metadata: String,
    /// When it was committed, milliseconds.
    pub committed_at: i64,
}

/// One queue's progress to commit.
#[derive(Clone, Debug)]
pub struct OffsetCommit {
    /// The topic; it need not exist (RocketMQ commits for retry topics before they do).
    pub topic: TopicName,
    /// The queue.
    pub queue: QueueId,
    /// The next message to consume.
    pub offset: QueueOffset,
    /// Kafka's epoch of the last consumed record, -1 when not given.
    pub leader_epoch: i32,
    /// Kafka's free text.
    pub metadata: String,
}

impl Client {
    /// Records a group's progress in the log. Commits may go back. With `store.flush: sync` too
    /// this waits for no flush: after a power cut a group may read again what it has read.
    ///
    /// # Errors
    /// A failed store.
    pub fn commit_offsets(
        &self,
        group: &GroupName,
        commits: Vec<OffsetCommit>,
    ) -> Result<(), Error> {
        if commits.is_empty() {
            return Ok(());
        }
        let committed_at = self.shared.clock.now().millis();
        let targets = relay::targets(&commits);
        let change = |commit: OffsetCommit| OffsetChange {
            topic: commit.topic.as_str().to_owned(),
            queue: commit.queue.get(),
            committed: CommittedOffset {
                offset: commit.offset.get(),
                leader_epoch: commit.leader_epoch,
                metadata: commit.metadata,
                committed_at,
            },
        };
        let offsets = commits.into_iter().map(change).collect();
        let command = Command::CommitOffsets {
            group: group.as_str().to_owned(),
            offsets,
        };
        let tell = |ledgers: &mut Ledgers| relay::commit(ledgers, &targets);
        self.shared.log_progress(group, command, tell)?;
        Ok(())
    }

    /// A group's progress in one queue.
    #[must_use]
    pub fn committed_offset(
        &self,
        group: &GroupName,
        topic: &TopicName,
        queue: QueueId,
    ) -> Option<CommittedOffset> {
        self.write_leases(group);
        let state = self.shared.state.read();
        let progress = state.groups.get(group.as_str())?;
        progress.get(topic.as_str())?.get(&queue.get()).cloned()
    }

    /// All of a group's progress, ordered by topic and queue.
    #[must_use]
    pub fn committed_offsets(
        &self,
        group: &GroupName,
    ) -> Vec<(TopicName, QueueId, CommittedOffset)> {
        self.write_leases(group);
        let state = self.shared.state.read();
        let mut all = Vec::new();
        for (topic, queues) in state.groups.get(group.as_str()).into_iter().flatten() {
            // A name in the state was a name when it was committed.
            let Ok(topic) = TopicName::new(topic) else {
                continue;
            };
            for (queue, committed) in queues {
                all.push((topic.clone(), QueueId::new(*queue), committed.clone()));
            }
        }
        all
    }

    /// Groups that have committed an offset, in order of name.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupName> {
        let state = self.shared.state.read();
        state
            .groups
            .keys()
            .filter_map(|name| GroupName::new(name).ok())
            .collect()
    }

    /// Groups that have committed an offset in `topic`, in order of name.
    #[must_use]
    pub fn groups_of(&self, topic: &TopicName) -> Vec<GroupName> {
        let state = self.shared.state.read();
        let groups = state.groups.iter();
        groups
            .filter(|(_, topics)| topics.contains_key(topic.as_str()))
            .filter_map(|(name, _)| GroupName::new(name).ok())
            .collect()
    }

    /// Forgets a group's progress. Whether members are left is for the caller to check.
    ///
    /// # Errors
    /// [`Error::GroupNotFound`].
    pub fn delete_group(&self, group: &GroupName) -> Result<(), Error> {
        let known = self.shared.state.read();
        if !known.groups.contains_key(group.as_str()) {
            return Err(Error::GroupNotFound(group.clone()));
        }
        drop(known);
        let command = Command::DeleteGroup {
            group: group.as_str().to_owned(),
        };
        let tell = |ledgers: &mut Ledgers| relay::forget(ledgers, None);
        let end = self.shared.log_progress(group, command, tell)?;
        self.shared.settle(end)
    }

    /// Forgets a group's progress in one topic.
    ///
    /// # Errors
    /// A failed store.
    pub fn delete_offsets(&self, group: &GroupName, topic: &TopicName) -> Result<(), Error> {
        let command = Command::DeleteOffsets {
            group: group.as_str().to_owned(),
            topic: topic.as_str().to_owned(),
        };
        let tell = |ledgers: &mut Ledgers| relay::forget(ledgers, Some(topic));
        let end = self.shared.log_progress(group, command, tell)?;
        self.shared.settle(end)
    }

    /// A producer id no other producer of this store has had. Every so many ids this blocks for a
    /// flush: what a power cut takes back must not have been given out.
    ///
    /// # Errors
    /// A failed store.
    pub fn allocate_producer_id(&self) -> Result<i64, Error> {
        let mut next = self.shared.next_producer_id.lock();
        let mut state = self.shared.state_mut();
        let id = next.unwrap_or(state.producer_ids);
        if id >= state.producer_ids {
            let below = id + PRODUCER_ID_BLOCK;
            crash_point!("producer_ids.before_reserve");
            let reservation = Command::ReserveProducerIds { below };
            let end = self.shared.log(&mut state, reservation)?;
            drop(state);
            // Should it fail, the next call reserves other ids.
            *next = None;
            self.shared.store.flusher.flush_through(end.get())?;
        }
        *next = Some(id + 1);
        Ok(id)
    }

    /// A durable fact of an adapter's own, by namespace and key.
    #[must_use]
    pub fn document(&self, namespace: &str, key: &str) -> Option<String> {
        self.shared
            .state
            .read()
            .documents
            .get(namespace)?
            .get(key)
            .cloned()
    }

    /// All documents of a namespace, ordered by key.
    #[must_use]
    pub fn documents(&self, namespace: &str) -> Vec<(String, String)> {
        let state = self.shared.state.read();
        let documents = state.documents.get(namespace).into_iter().flatten();
        documents
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Writes (or with `None` removes) a document.
    ///
    /// # Errors
    /// A failed store.
    pub fn put_document(
        &self,
        namespace: &str,
        key: &str,
        value: Option<String>,
    ) -> Result<(), Error> {
        let (namespace, key) = (namespace.to_owned(), key.to_owned());
        self.log(Command::PutDocument {
            namespace,
            key,
            value,
        })
    }

    /// Writes (or with `None` removes) documents of one namespace by their keys, all or none of
    /// them.
    ///
    /// # Errors
    /// A failed store.
    pub fn put_documents(
        &self,
        namespace: &str,
        changes: Vec<(String, Option<String>)>,
    ) -> Result<(), Error> {
        let changes = changes.into_iter().map(|(key, value)| DocumentChange {
            namespace: namespace.to_owned(),
            key,
            value,
        });
        let changes = changes.collect();
        self.log(Command::PutDocuments { changes })
    }

    /// What a group has acknowledged is part of what it has committed.
    fn write_leases(&self, group: &GroupName) {
        if let Err(error) = self.shared.write_progress_of(group) {
            tracing::debug!(%group, %error, "what a group acknowledged is not in the log yet");
        }
    }

    fn log(&self, command: Command) -> Result<(), Error> {
        let mut state = self.shared.state_mut();
        let end = self.shared.log(&mut state, command)?;
        drop(state);
        self.shared.settle(end)
    }
}
