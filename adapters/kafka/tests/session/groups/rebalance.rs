//! Several members. The clock stands still until everybody waits.

use super::*;
use kafka_protocol::messages::LeaveGroupRequest;
use kafka_protocol::messages::leave_group_request::MemberIdentity;

fn host_in_time() -> Host {
    let host = host();
    let server = host.server.clone();
    tokio::spawn(async move { server.run_groups().await });
    host
}

/// Two members in generation 2: the leader's id and the follower's.
async fn pair(first: &mut Peer, second: &mut Peer, name: &str) -> (String, String) {
    let leader = alone(first, name).await;
    let (follows, leads) = tokio::join!(join(second, name), async {
        while beat(first, name, &leader, 1).await != 27 {
            tokio::task::yield_now().await;
        }
        first.call(JOIN, &join_request(name, &leader)).await
    });
    assert_eq!((follows.generation_id, leads.generation_id), (2, 2));
    assert_eq!((leads.members.len(), follows.members.len()), (2, 0));
    let follower = follows.member_id.as_str().to_owned();
    let parts = [(leader.as_str(), "0"), (follower.as_str(), "1")];
    let (brought, got) = tokio::join!(
        sync(first, name, &leader, 2, &parts),
        sync(second, name, &follower, 2, &[])
    );
    assert_eq!(
        (&brought.assignment[..], &got.assignment[..]),
        (&b"0"[..], &b"1"[..])
    );
    (leader, follower)
}

#[tokio::test(start_paused = true)]
async fn the_survivor_takes_over_when_a_member_dies() {
    let host = host_in_time();
    let (mut first, mut second) = (host.connect(), host.connect());
    let (_, follower) = pair(&mut first, &mut second, "g").await;
    drop(first);
    let code = loop {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        match beat(&mut second, "g", &follower, 2).await {
            0 => {}
            code => break code,
        }
    };
    assert_eq!(code, 27, "told to join again by its heartbeat");
    let joined = second.call(JOIN, &join_request("g", &follower)).await;
    assert_eq!((joined.generation_id, joined.members.len()), (3, 1));
    assert_eq!(&*joined.leader, follower.as_str());
}

#[tokio::test(start_paused = true)]
async fn a_leaving_member_hands_over_without_a_timeout() {
    let host = host_in_time();
    let (mut first, mut second) = (host.connect(), host.connect());
    let (leader, follower) = pair(&mut first, &mut second, "g").await;
    let leave = LeaveGroupRequest::default()
        .with_group_id(group("g"))
        .with_members(vec![
            MemberIdentity::default().with_member_id(string(&leader)),
        ]);
    assert_eq!(first.call(5, &leave).await.members[0].error_code, 0);
    assert_eq!(beat(&mut second, "g", &follower, 2).await, 27);
    let joined = second.call(JOIN, &join_request("g", &follower)).await;
    assert_eq!((joined.generation_id, joined.members.len()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_static_member_restarts_and_nobody_notices() {
    let host = host_in_time();
    let (mut first, mut second) = (host.connect(), host.connect());
    let (_, follower) = pair(&mut first, &mut second, "g").await;
    let static_join = join_request("s", "").with_group_instance_id(Some(string("node-1")));
    let joined = first.call(JOIN, &static_join).await;
    let old = joined.member_id.as_str().to_owned();
    assert!(old.starts_with("node-1-"));
    sync(&mut first, "s", &old, 1, &[(&old, "all")]).await;
    let again = host.connect().call(JOIN, &static_join).await;
    assert_eq!(
        (again.error_code, again.generation_id),
        (0, 1),
        "no rebalance"
    );
    assert!(again.skip_assignment);
    let request =
        sync_request("s", &again.member_id, 1, &[]).with_group_instance_id(Some(string("node-1")));
    assert_eq!(&first.call(SYNC, &request).await.assignment[..], b"all");
    let fenced = HeartbeatRequest::default()
        .with_group_id(group("s"))
        .with_member_id(string(&old))
        .with_group_instance_id(Some(string("node-1")))
        .with_generation_id(1);
    assert_eq!(first.call(HEARTBEAT, &fenced).await.error_code, 82);
    assert_eq!(beat(&mut second, "g", &follower, 2).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_while_it_waits_does_not_hold_the_others() {
    let host = host_in_time();
    let (mut first, mut second) = (host.connect(), host.connect());
    let leader = alone(&mut first, "g").await;
    let id = second.call(JOIN, &join_request("g", "")).await.member_id;
    {
        let request = join_request("g", &id);
        let waiting = second.call(JOIN, &request);
        let limit = std::time::Duration::from_millis(10);
        assert!(tokio::time::timeout(limit, waiting).await.is_err());
    }
    let joined = first.call(JOIN, &join_request("g", &leader)).await;
    assert_eq!((joined.error_code, joined.members.len()), (0, 2));
    let parts = [(leader.as_str(), "0"), (id.as_str(), "1")];
    let synced = sync(&mut first, "g", &leader, 2, &parts).await;
    assert_eq!(&synced.assignment[..], b"0");
    while beat(&mut first, "g", &leader, 2).await == 0 {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    }
    let joined = first.call(JOIN, &join_request("g", &leader)).await;
    assert_eq!((joined.error_code, joined.members.len()), (0, 1));
}
