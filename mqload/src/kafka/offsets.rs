//! A group's offsets, committed by a consumer that is no member.

use super::connection::{Connection, topic_name};
use crate::target::Target;
use anyhow::{Context as _, Result, ensure};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, OffsetCommitRequest, OffsetFetchRequest,
};
use kafka_protocol::protocol::StrBytes;

const FIND_COORDINATOR: i16 = 2;
const OFFSET_COMMIT: i16 = 8;
const OFFSET_FETCH: i16 = 7;

/// A connection to the group's coordinator.
#[derive(Debug)]
pub(crate) struct Committer {
    connection: Connection,
    topic: String,
    group: String,
}

impl Committer {
    pub(crate) async fn open(target: &Target, group: &str) -> Result<Self> {
        let mut connection = Connection::open(&target.address).await?;
        let request = FindCoordinatorRequest::default().with_key(text(group));
        let found = connection.ask(FIND_COORDINATOR, &request).await?;
        ensure!(
            found.error_code == 0,
            "no coordinator: error {}",
            found.error_code
        );
        let address = format!("{}:{}", &*found.host, found.port);
        Ok(Self {
            connection: Connection::open(&address).await?,
            topic: target.topic.clone(),
            group: group.to_owned(),
        })
    }

    /// The error code, 0 for none.
    pub(crate) async fn commit(&mut self, queue: u32, offset: i64) -> Result<i32> {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(i32::try_from(queue)?)
            .with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(topic_name(&self.topic))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(&self.group)))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        let answer = self.connection.ask(OFFSET_COMMIT, &request).await?;
        let topic = answer.topics.first();
        let partition = topic.and_then(|topic| topic.partitions.first());
        Ok(partition
            .context("no queue in the answer")?
            .error_code
            .into())
    }

    /// The committed offset, -1 for none.
    pub(crate) async fn committed(&mut self, queue: u32) -> Result<i64> {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(topic_name(&self.topic))
            .with_partition_indexes(vec![i32::try_from(queue)?]);
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(text(&self.group)))
            .with_topics(Some(vec![topic]));
        let answer = self.connection.ask(OFFSET_FETCH, &request).await?;
        ensure!(
            answer.error_code == 0,
            "no offsets: error {}",
            answer.error_code
        );
        let topic = answer.topics.first();
        let partition = topic.and_then(|topic| topic.partitions.first());
        let partition = partition.context("no queue in the answer")?;
        ensure!(
            partition.error_code == 0,
            "no offset: error {}",
            partition.error_code
        );
        Ok(partition.committed_offset)
    }
}

fn text(of: &str) -> StrBytes {
    StrBytes::from_string(of.to_owned())
}
