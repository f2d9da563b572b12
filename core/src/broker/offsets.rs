//! Group progress, one for all protocols, and small facts of the adapters' own.

use crate::model::{GroupName, QueueId, QueueOffset, Timestamp, TopicName};
use crate::{Client, Error};
use serde::{Deserialize, Serialize};

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
    /// Records a group's progress in the log. Commits may go back.
    ///
    /// # Errors
    /// A failed store.
    pub fn commit_offsets(
        &self,
        group: &GroupName,
        commits: Vec<OffsetCommit>,
    ) -> Result<(), Error> {
        unimplemented!()
    }

    /// A group's progress in one queue.
    #[must_use]
    pub fn committed_offset(
        &self,
        group: &GroupName,
        topic: &TopicName,
        queue: QueueId,
    ) -> Option<CommittedOffset> {
        unimplemented!()
    }

    /// All of a group's progress, ordered by topic and queue.
    #[must_use]
    pub fn committed_offsets(
        &self,
        group: &GroupName,
    ) -> Vec<(TopicName, QueueId, CommittedOffset)> {
        unimplemented!()
    }

    /// Groups that have committed an offset or were created, in order of name.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupName> {
        unimplemented!()
    }

    /// Forgets a group: its settings and its progress. Whether members are left is for the
    /// caller to check.
    ///
    /// # Errors
    /// [`Error::GroupNotFound`].
    pub fn delete_group(&self, group: &GroupName) -> Result<(), Error> {
        unimplemented!()
    }

    /// Forgets a group's progress in one topic.
    ///
    /// # Errors
    /// A failed store.
    pub fn delete_offsets(&self, group: &GroupName, topic: &TopicName) -> Result<(), Error> {
        unimplemented!()
    }

    /// A producer id no other producer of this store has had.
    ///
    /// # Errors
    /// A failed store.
    pub fn allocate_producer_id(&self) -> Result<i64, Error> {
        unimplemented!()
    }

    /// A durable fact of an adapter's own, by namespace and key.
    #[must_use]
    pub fn document(&self, namespace: &str, key: &str) -> Option<String> {
        unimplemented!()
    }

    /// All documents of a namespace, ordered by key.
    #[must_use]
    pub fn documents(&self, namespace: &str) -> Vec<(String, String)> {
        unimplemented!()
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
        unimplemented!()
    }
}
