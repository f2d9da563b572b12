//! OffsetCommit: progress that every protocol sees.

use super::{identity, refusal};
use crate::context::RequestContext;
use crate::error::{self, NONE};
use crate::handlers::visible;
use gantry_core::model::{GroupName, QueueId, QueueOffset};
use gantry_core::{OffsetCommit, Topic};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

/// Commits the good partitions together, if the committer may; each partition has its verdict.
pub(crate) fn offset_commit(
    context: &RequestContext,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let mut commits = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in &request.topics {
        let topic = visible::by_name(&context.client, &asked.name);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for partition in &asked.partitions {
            let checked = check(context, topic.as_deref(), partition);
            let code = *checked.as_ref().err().unwrap_or(&NONE);
            commits.extend(checked);
            partitions.push(
                OffsetCommitResponsePartition::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(code),
            );
        }
        topics.push(
            OffsetCommitResponseTopic::default()
                .with_name(asked.name.clone())
                .with_partitions(partitions),
        );
    }
    if let Err(code) = commit(context, &request, commits) {
        // The committer's fault is everybody's verdict, what is wrong with a partition comes after.
        for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.error_code = code;
        }
    }
    OffsetCommitResponse::default().with_topics(topics)
}

fn check(
    context: &RequestContext,
    topic: Option<&Topic>,
    partition: &OffsetCommitRequestPartition,
) -> Result<OffsetCommit, i16> {
    let unknown = || ResponseError::UnknownTopicOrPartition.code();
    let topic = topic.ok_or_else(unknown)?;
    let queue = QueueId::from_wire(partition.partition_index)
        .filter(|queue| queue.get() < topic.queue_count())
        .ok_or_else(unknown)?;
    let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
    if metadata.len() > context.server.config.offset_metadata_bytes_max {
        return Err(ResponseError::OffsetMetadataTooLarge.code());
    }
    let offset = QueueOffset::from_wire(partition.committed_offset)
        .ok_or_else(|| ResponseError::OffsetOutOfRange.code())?;
    Ok(OffsetCommit {
        topic: topic.name().clone(),
        queue,
        offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: metadata.to_owned(),
    })
}

fn commit(
    context: &RequestContext,
    request: &OffsetCommitRequest,
    commits: Vec<OffsetCommit>,
) -> Result<(), i16> {
    let group = refusal::group_name(&request.group_id)?;
    let generation = request.generation_id_or_member_epoch;
    let committer = identity(&request.member_id, request.group_instance_id.as_ref());
    let mut commits = Some(commits);
    let mut store = || {
        context
            .client
            .commit_offsets(&group, commits.take().unwrap_or_default())
    };
    let stored = match context
        .server
        .groups
        .commit(&group, &committer, generation, &mut store)
    {
        Some(Ok(stored)) => stored,
        Some(Err(error)) => return Err(refusal::code(&error)),
        None if generation < 0 => store(),
        None => return Err(lost_membership(context, &group)),
    };
    stored.map_err(|error| error::code(&error))
}

/// A member of a group that has no members any more: after a restart, or all sessions ended.
fn lost_membership(context: &RequestContext, group: &GroupName) -> i16 {
    let known = !context.client.committed_offsets(group).is_empty();
    let error = if known {
        ResponseError::UnknownMemberId
    } else {
        ResponseError::IllegalGeneration
    };
    error.code()
}
