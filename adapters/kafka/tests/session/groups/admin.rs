//! What tools see and do.

use super::offsets::commit;
use super::*;
use crate::topics::create;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest, ListGroupsResponse,
};

fn listed(response: &ListGroupsResponse) -> Vec<(&str, &str, &str, &str)> {
    let groups = response.groups.iter();
    let seen = groups.map(|group| {
        let id: &str = &group.group_id;
        (
            id,
            &*group.protocol_type,
            &*group.group_state,
            &*group.group_type,
        )
    });
    seen.collect()
}

#[tokio::test]
async fn groups_are_listed_by_state_in_every_version() {
    let host = host();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    commit(&mut peer, "idle", ("", -1), ("t", 0, 1, "")).await;
    alone(&mut peer, "working").await;
    for version in 0..=5 {
        let response = peer.call(version, &ListGroupsRequest::default()).await;
        let known = |since: i16, text: &'static str| if version >= since { text } else { "" };
        assert_eq!(
            listed(&response),
            [
                ("idle", "", known(4, "Empty"), known(5, "classic")),
                (
                    "working",
                    "consumer",
                    known(4, "Stable"),
                    known(5, "classic")
                ),
            ],
            "v{version}"
        );
    }
    let stable = ListGroupsRequest::default().with_states_filter(vec![string("stable")]);
    assert_eq!(peer.call(5, &stable).await.groups.len(), 1);
    let types = vec![string("Classic"), string("consumer")];
    let classic = ListGroupsRequest::default().with_types_filter(types);
    assert_eq!(peer.call(5, &classic).await.groups.len(), 2);
    let share = ListGroupsRequest::default().with_types_filter(vec![string("share")]);
    assert!(peer.call(5, &share).await.groups.is_empty());
}

#[tokio::test]
async fn a_group_is_described_with_its_members_in_every_version() {
    let host = host();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    commit(&mut peer, "idle", ("", -1), ("t", 0, 1, "")).await;
    let member = alone(&mut peer, "working").await;
    for version in 0..=6 {
        let request = DescribeGroupsRequest::default()
            .with_groups(vec![group("working"), group("idle"), group("unknown")])
            .with_include_authorized_operations(version >= 3);
        let response = peer.call(version, &request).await;
        let [working, idle, unknown] = &response.groups[..] else {
            panic!("one answer each")
        };
        assert_eq!((working.error_code, &*working.group_state), (0, "Stable"));
        assert_eq!(&*working.protocol_type, "consumer");
        assert_eq!(&*working.protocol_data, "range");
        let described = &working.members[0];
        assert_eq!(&*described.member_id, member.as_str());
        assert_eq!(&*described.client_id, "tests");
        assert_eq!(&*described.client_host, "/127.0.0.1");
        assert_eq!(&described.member_metadata[..], b"subscription");
        assert_eq!(&described.member_assignment[..], b"all");
        assert_eq!((idle.error_code, &*idle.group_state), (0, "Empty"));
        assert_eq!(&*unknown.group_state, "Dead");
        assert_eq!(unknown.error_code, if version >= 6 { 69 } else { 0 });
        assert_eq!(working.authorized_operations > 0, version >= 3);
    }
}

#[tokio::test]
async fn only_groups_without_members_are_deleted() {
    let host = host();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    for version in 0..=2 {
        commit(&mut peer, "idle", ("", -1), ("t", 0, 1, "")).await;
        alone(&mut peer, &format!("working-{version}")).await;
        let names = ["idle", &format!("working-{version}"), "unknown", ""];
        let request = DeleteGroupsRequest::default()
            .with_groups_names(names.iter().map(|name| group(name)).collect());
        let response = peer.call(version, &request).await;
        let codes: Vec<_> = response
            .results
            .iter()
            .map(|result| result.error_code)
            .collect();
        assert_eq!(codes, [0, 68, 69, 24], "v{version}");
    }
    let listed = peer.call(0, &ListGroupsRequest::default()).await;
    assert_eq!(listed.groups.len(), 3, "the working ones");
}
