//! One member's life in every version.

use super::*;
use crate::peer::name;
use crate::topics::create;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{LeaveGroupRequest, OffsetCommitRequest, OffsetFetchRequest};

async fn join_in(peer: &mut Peer, version: i16, group: &str) -> JoinGroupResponse {
    let mut request = join_request(group, "");
    if version == 0 {
        request.rebalance_timeout_ms = -1;
    }
    let first = peer.call(version, &request).await;
    if version < 4 {
        return first;
    }
    assert_eq!(first.error_code, 79, "an id is given first");
    request.member_id = first.member_id;
    peer.call(version, &request).await
}

async fn sync_in(
    peer: &mut Peer,
    version: i16,
    group: &str,
    joined: &JoinGroupResponse,
) -> SyncGroupResponse {
    let member = joined.member_id.as_str();
    let mut request = sync_request(group, member, joined.generation_id, &[(member, "all")]);
    if version < 5 {
        request.protocol_type = None;
        request.protocol_name = None;
    }
    peer.call(version, &request).await
}

async fn leave_in(peer: &mut Peer, version: i16, group_id: &str, member: &StrBytes) -> i16 {
    let request = LeaveGroupRequest::default().with_group_id(group(group_id));
    if version < 3 {
        let request = request.with_member_id(member.clone());
        return peer.call(version, &request).await.error_code;
    }
    let leaver = MemberIdentity::default().with_member_id(member.clone());
    let response = peer
        .call(version, &request.with_members(vec![leaver]))
        .await;
    assert_eq!(response.error_code, 0);
    assert_eq!(&response.members[0].member_id, member);
    response.members[0].error_code
}

#[tokio::test]
async fn a_member_joins_syncs_beats_and_leaves_in_every_version() {
    let host = host();
    let mut peer = host.connect();
    for version in 0..=9 {
        let group_id = format!("g{version}");
        let joined = join_in(&mut peer, version, &group_id).await;
        assert_eq!(
            (joined.error_code, joined.generation_id),
            (0, 1),
            "v{version}"
        );
        assert_eq!(joined.protocol_name.as_deref(), Some("range"));
        let expected_type = (version >= 7).then_some("consumer");
        assert_eq!(joined.protocol_type.as_deref(), expected_type);
        assert_eq!(joined.leader, joined.member_id);
        assert_eq!(joined.members.len(), 1);
        assert_eq!(&joined.members[0].metadata[..], b"subscription");
        let synced = sync_in(&mut peer, version.min(5), &group_id, &joined).await;
        assert_eq!(
            (synced.error_code, &synced.assignment[..]),
            (0, &b"all"[..])
        );
        let beat = HeartbeatRequest::default()
            .with_group_id(group(&group_id))
            .with_member_id(joined.member_id.clone())
            .with_generation_id(1);
        assert_eq!(peer.call(version.min(4), &beat).await.error_code, 0);
        let code = leave_in(&mut peer, version.min(5), &group_id, &joined.member_id).await;
        assert_eq!(code, 0);
        let code = leave_in(&mut peer, version.min(5), &group_id, &joined.member_id).await;
        assert_eq!(code, 25, "it has left already");
        assert_eq!(peer.call(version.min(4), &beat).await.error_code, 25);
    }
}

#[tokio::test]
async fn refusals_have_their_form_in_every_version() {
    let host = host();
    let mut peer = host.connect();
    for version in 0..=9 {
        let mut request = join_request("", "");
        if version == 0 {
            request.rebalance_timeout_ms = -1;
        }
        assert_eq!(peer.call(version, &request).await.error_code, 24);
        request.group_id = group("g");
        request.member_id = string("nobody");
        let refused = peer.call(version, &request).await;
        assert_eq!((refused.error_code, refused.generation_id), (25, -1));
        assert_eq!(&*refused.member_id, "nobody");
        request.member_id = StrBytes::default();
        request.session_timeout_ms = 1;
        assert_eq!(peer.call(version, &request).await.error_code, 26);
        request.session_timeout_ms = 6_000;
        request.protocols.clear();
        assert_eq!(peer.call(version, &request).await.error_code, 23);
        let nobody = JoinGroupResponse::default()
            .with_member_id(string("nobody"))
            .with_generation_id(1);
        let synced = sync_in(&mut peer, version.min(5), "g", &nobody).await;
        assert_eq!(synced.error_code, 25);
        let code = leave_in(&mut peer, version.min(5), "g", &nobody.member_id).await;
        assert_eq!(code, 25);
    }
}

#[tokio::test]
async fn offsets_and_their_texts_come_back_in_every_version() {
    let host = host();
    let mut peer = host.connect();
    create(&mut peer, "t", 3).await;
    for version in 2..=9 {
        let group_id = format!("g{version}");
        let mut partition = OffsetCommitRequestPartition::default()
            .with_partition_index(1)
            .with_committed_offset(40 + i64::from(version))
            .with_committed_metadata(Some(string("a text")));
        if version >= 6 {
            partition.committed_leader_epoch = 0;
        }
        let topic = OffsetCommitRequestTopic::default()
            .with_name(name("t"))
            .with_partitions(vec![partition]);
        let commit = OffsetCommitRequest::default()
            .with_group_id(group(&group_id))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        let response = peer.call(version, &commit).await;
        assert_eq!(response.topics[0].partitions[0].error_code, 0, "v{version}");
    }
    for version in 1..=7 {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(name("t"))
            .with_partition_indexes(vec![0, 1]);
        let request = OffsetFetchRequest::default()
            .with_group_id(group("g9"))
            .with_topics(Some(vec![topic]));
        let response = peer.call(version, &request).await;
        let partitions = &response.topics[0].partitions;
        let found = |n: usize| (partitions[n].committed_offset, partitions[n].error_code);
        assert_eq!((found(0), found(1)), ((-1, 0), (49, 0)), "v{version}");
        assert_eq!(partitions[0].metadata.as_deref(), Some(""));
        assert_eq!(partitions[1].metadata.as_deref(), Some("a text"));
        if version >= 2 {
            let everything = OffsetFetchRequest::default()
                .with_group_id(group("g9"))
                .with_topics(None);
            let response = peer.call(version, &everything).await;
            assert_eq!(response.topics[0].partitions.len(), 1);
        }
    }
    for version in 8..=9 {
        let topics = OffsetFetchRequestTopics::default()
            .with_name(name("t"))
            .with_partition_indexes(vec![1, 2]);
        let one = OffsetFetchRequestGroup::default()
            .with_group_id(group("g8"))
            .with_topics(Some(vec![topics]));
        let all = OffsetFetchRequestGroup::default()
            .with_group_id(group("g2"))
            .with_topics(None);
        let request = OffsetFetchRequest::default()
            .with_groups(vec![one, all, OffsetFetchRequestGroup::default()])
            .with_require_stable(true);
        let response = peer.call(version, &request).await;
        let partitions = &response.groups[0].topics[0].partitions;
        assert_eq!(partitions[0].committed_offset, 48);
        assert_eq!(partitions[1].committed_offset, -1);
        let partitions = &response.groups[1].topics[0].partitions;
        assert_eq!(partitions.len(), 1, "only what was committed");
        assert_eq!(partitions[0].committed_offset, 42);
        assert_eq!(response.groups[2].error_code, 24);
    }
}
