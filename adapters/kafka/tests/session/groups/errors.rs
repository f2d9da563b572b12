//! Requests that make no sense get an answer and disturb nobody.

use super::*;
use kafka_protocol::messages::LeaveGroupRequest;

#[tokio::test]
async fn a_member_of_another_world_is_told_so() {
    let host = host();
    let mut peer = host.connect();
    let member = alone(&mut peer, "g").await;
    assert_eq!(beat(&mut peer, "unknown", &member, 1).await, 25);
    assert_eq!(beat(&mut peer, "", &member, 1).await, 24);
    assert_eq!(beat(&mut peer, "g", "", 1).await, 25);
    assert_eq!(beat(&mut peer, "g", &member, 2).await, 22);
    assert_eq!(beat(&mut peer, "g", &member, -1).await, 22);
    assert_eq!(sync(&mut peer, "g", &member, 2, &[]).await.error_code, 22);
    assert_eq!(sync(&mut peer, "", &member, 1, &[]).await.error_code, 24);
    let stranger = sync_request("g", &member, 1, &[]).with_protocol_name(Some(string("other")));
    assert_eq!(peer.call(SYNC, &stranger).await.error_code, 23);
    let connect = join_request("g", "").with_protocol_type(string("connect"));
    assert_eq!(peer.call(JOIN, &connect).await.error_code, 23);
    for session_timeout in [i32::MIN, -1, 0, 5_999, 1_800_001, i32::MAX] {
        let wrong = join_request("g", "").with_session_timeout_ms(session_timeout);
        assert_eq!(peer.call(JOIN, &wrong).await.error_code, 26);
    }
    let nobody = LeaveGroupRequest::default().with_group_id(group("g"));
    assert!(peer.call(5, &nobody).await.members.is_empty());
    assert_eq!(beat(&mut peer, "g", &member, 1).await, 0, "it works on");
}

#[tokio::test]
async fn a_group_name_no_group_can_have_is_refused() {
    let host = host();
    let mut peer = host.connect();
    for name in ["", "a\0b", &"x".repeat(65_000 / 2)] {
        assert_eq!(
            peer.call(JOIN, &join_request(name, "")).await.error_code,
            24
        );
        assert_eq!(beat(&mut peer, name, "m", 1).await, 24);
    }
}
