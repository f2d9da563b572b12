//! Who may commit what, and who sees it.

use super::*;
use crate::peer::name;
use crate::topics::create;
use gantry_core::OffsetCommit;
use gantry_core::model::{GroupName, QueueId, QueueOffset, TopicName};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    LeaveGroupRequest, OffsetCommitRequest, OffsetFetchRequest, OffsetFetchResponse,
};

/// A commit to one partition; its code.
pub async fn commit(
    peer: &mut Peer,
    group_id: &str,
    (member, generation): (&str, i32),
    (topic, partition, offset, metadata): (&str, i32, i64, &str),
) -> i16 {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(string(metadata)));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(name(topic))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group(group_id))
        .with_member_id(string(member))
        .with_generation_id_or_member_epoch(generation)
        .with_topics(vec![topic]);
    peer.call(8, &request).await.topics[0].partitions[0].error_code
}

async fn everything(peer: &mut Peer, group_id: &str) -> OffsetFetchResponse {
    let wanted = OffsetFetchRequestGroup::default()
        .with_group_id(group(group_id))
        .with_topics(None);
    peer.call(9, &OffsetFetchRequest::default().with_groups(vec![wanted]))
        .await
}

#[tokio::test]
async fn a_commit_is_checked_by_partition() {
    let host = host();
    let mut peer = host.connect();
    create(&mut peer, "t", 2).await;
    let nobody = ("", -1);
    assert_eq!(commit(&mut peer, "g", nobody, ("t", 0, 5, "")).await, 0);
    assert_eq!(
        commit(&mut peer, "g", nobody, ("nowhere", 0, 5, "")).await,
        3
    );
    assert_eq!(commit(&mut peer, "g", nobody, ("t", 2, 5, "")).await, 3);
    assert_eq!(commit(&mut peer, "g", nobody, ("t", -1, 5, "")).await, 3);
    assert_eq!(commit(&mut peer, "g", nobody, ("t", 1, -1, "")).await, 1);
    let longest = "x".repeat(4_096);
    assert_eq!(
        commit(&mut peer, "g", nobody, ("t", 1, 7, &longest)).await,
        0
    );
    let too_long = "x".repeat(4_097);
    assert_eq!(
        commit(&mut peer, "g", nobody, ("t", 1, 8, &too_long)).await,
        12
    );
    let all = everything(&mut peer, "g").await;
    let partitions = &all.groups[0].topics[0].partitions;
    assert_eq!(partitions[0].committed_offset, 5);
    assert_eq!(partitions[1].committed_offset, 7);
    assert_eq!(partitions[1].metadata.as_deref(), Some(longest.as_str()));
}

#[tokio::test]
async fn only_members_commit_while_a_group_works() {
    let host = host();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let part = ("t", 0, 5, "");
    assert_eq!(
        commit(&mut peer, "g", ("m", 1), part).await,
        22,
        "no such group"
    );
    let member = alone(&mut peer, "g").await;
    assert_eq!(commit(&mut peer, "g", (&member, 1), part).await, 0);
    assert_eq!(commit(&mut peer, "g", (&member, 0), part).await, 22);
    assert_eq!(commit(&mut peer, "g", ("m", 1), part).await, 25);
    assert_eq!(
        commit(&mut peer, "g", ("", -1), part).await,
        25,
        "a tool has to wait"
    );
    let leave = LeaveGroupRequest::default()
        .with_group_id(group("g"))
        .with_member_id(string(&member));
    assert_eq!(peer.call(1, &leave).await.error_code, 0);
    assert_eq!(commit(&mut peer, "g", (&member, 1), part).await, 25);
    assert_eq!(commit(&mut peer, "g", ("", -1), part).await, 0);
}

#[tokio::test]
async fn a_group_has_one_progress_in_all_protocols() {
    let host = host();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let client = host.broker.anonymous();
    let (rocket, topic) = (
        GroupName::new("rocket").unwrap(),
        TopicName::new("t").unwrap(),
    );
    let by_rocketmq = |topic: &str, offset: u64| OffsetCommit {
        topic: TopicName::new(topic).unwrap(),
        queue: QueueId::new(0),
        offset: QueueOffset::new(offset),
        leader_epoch: -1,
        metadata: String::new(),
    };
    let commits = vec![by_rocketmq("t", 11), by_rocketmq("%RETRY%rocket", 3)];
    client.commit_offsets(&rocket, commits).unwrap();
    let all = everything(&mut peer, "rocket").await;
    assert_eq!(
        all.groups[0].topics.len(),
        1,
        "the retry topic is RocketMQ's own"
    );
    assert_eq!(all.groups[0].topics[0].partitions[0].committed_offset, 11);
    let part = ("t", 0, 20, "by kafka");
    assert_eq!(commit(&mut peer, "rocket", ("", -1), part).await, 0);
    let seen = client.committed_offset(&rocket, &topic, QueueId::new(0));
    assert_eq!(seen.unwrap().offset, 20);
}
