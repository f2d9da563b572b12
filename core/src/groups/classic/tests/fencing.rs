//! Static members, generations, and who may commit.

use super::*;

/// A stable group of the static members `a1` (instance `a`, leader, part `0`) and `b1`
/// (instance `b`, part `1`), in generation 2.
fn stable_statics() -> Stage {
    let mut stage = Stage::new(config());
    stage.join_as(&static_request("", "a"), "a1");
    stage.join_as(&static_request("", "b"), "b1");
    stage.join_as(&static_request("a1", "a"), "unused");
    stage.sync("a1", &[("a1", "0"), ("b1", "1")]);
    stage.sync("b1", &[]);
    assert_eq!(stage.group.generation(), 2);
    stage
}

#[test]
fn a_static_member_restarts_without_a_rebalance() {
    let mut stage = stable_statics();
    stage.pass(SESSION_MS - 1);
    assert_eq!(stage.beat("a1"), Ok(()));
    let back = stage.join_as(&static_request("", "b"), "b2");
    let joined = stage.joined(back);
    assert_eq!((joined.member_id.as_str(), joined.generation), ("b2", 2));
    assert_eq!(joined.leader, id("a1"));
    let part = stage.sync("b2", &[]);
    assert_eq!(stage.part(part), b"1", "it keeps its part");
    assert_eq!(stage.group.state(), GroupState::Stable);
    assert_eq!(stage.beat("a1"), Ok(()), "the other notices nothing");
}

#[test]
fn a_restarted_static_leader_does_not_divide_anew() {
    let mut stage = stable_statics();
    let back = stage.join_as(&static_request("", "a"), "a2");
    let joined = stage.joined(back);
    assert!(joined.skip_assignment);
    assert_eq!((joined.leader.as_str(), joined.members.len()), ("a2", 2));
    // A client that does not know the flag is told that the one it replaced leads.
    let old_client = JoinRequest {
        may_skip_assignment: false,
        ..static_request("", "a")
    };
    let back = stage.join_as(&old_client, "a3");
    let joined = stage.joined(back);
    assert!(!joined.skip_assignment && joined.members.is_empty());
    assert_eq!(joined.leader, id("a2"));
    assert_eq!(stage.group.state(), GroupState::Stable);
}

#[test]
fn the_older_process_of_a_static_member_is_fenced() {
    let mut stage = stable_statics();
    stage.join_as(&static_request("", "b"), "b2");
    let old = instance("b1", "b");
    let fenced = Err(GroupError::FencedInstance);
    let now = stage.now;
    assert_eq!(stage.group.heartbeat(&old, 2, now), fenced);
    assert_eq!(stage.group.may_commit(&old, 2, now), fenced);
    assert_eq!(stage.leave(std::slice::from_ref(&old)), [fenced]);
    let join = stage.join_as(&static_request("b1", "b"), "unused");
    assert_eq!(stage.joins[&join], Err(GroupError::FencedInstance));
    let request = SyncRequest {
        identity: old,
        generation: 2,
        ..SyncRequest::default()
    };
    let sync = stage.sync_as(request);
    assert_eq!(stage.syncs[&sync], Err(GroupError::FencedInstance));
    let unknown = instance("b2", "nobody");
    assert_eq!(
        stage.group.heartbeat(&unknown, 2, now),
        Err(GroupError::UnknownMember)
    );
}

#[test]
fn an_old_process_that_waits_is_fenced_when_the_new_one_comes() {
    let mut stage = stable_statics();
    stage.join("c");
    let old = stage.join_as(&static_request("b1", "b"), "unused");
    let new = stage.join_as(&static_request("", "b"), "b2");
    assert_eq!(stage.joins[&old], Err(GroupError::FencedInstance));
    stage.join_as(&static_request("a1", "a"), "unused");
    assert_eq!(stage.joined(new).generation, 3);
}

#[test]
fn a_static_member_keeps_its_place_through_a_rebalance_until_its_session_ends() {
    let mut stage = stable_statics();
    let long = JoinRequest {
        session_timeout_ms: 200_000,
        ..static_request("b1", "b")
    };
    stage.join_as(&long, "unused"); // b may now be silent for longer than a rebalance
    stage.join("c");
    let leads = stage.join_as(&static_request("a1", "a"), "unused");
    assert!(!stage.joins.contains_key(&leads), "b is waited for");
    stage.pass(REBALANCE_MS);
    let joined = stage.joined(leads);
    assert_eq!(joined.members.len(), 3, "b is absent and still a member");
}

#[test]
fn an_administrator_removes_a_static_member_by_its_instance() {
    let mut stage = stable_statics();
    assert_eq!(
        stage.leave(&[
            instance("", "b"),
            instance("", "nobody"),
            Identity::default()
        ]),
        [
            Ok(()),
            Err(GroupError::UnknownMember),
            Err(GroupError::UnknownMember)
        ]
    );
    assert_eq!(stage.group.state(), GroupState::PreparingRebalance);
}

#[test]
fn only_members_of_the_generation_commit() {
    let mut stage = Stage::stable_pair(config());
    let now = stage.now;
    let nobody = Identity::default();
    assert_eq!(stage.group.may_commit(&member("a"), 2, now), Ok(()));
    assert_eq!(
        stage.group.may_commit(&member("a"), 1, now),
        Err(GroupError::IllegalGeneration)
    );
    assert_eq!(
        stage.group.may_commit(&member("x"), 2, now),
        Err(GroupError::UnknownMember)
    );
    assert_eq!(
        stage.group.may_commit(&nobody, -1, now),
        Err(GroupError::UnknownMember),
        "a tool may not move the offsets of a working group"
    );
    stage.join("c");
    assert_eq!(
        stage.group.may_commit(&member("a"), 2, now),
        Ok(()),
        "before it joins again"
    );
    stage.rejoin("a");
    stage.rejoin("b");
    assert_eq!(
        stage.group.may_commit(&member("a"), 3, now),
        Err(GroupError::RebalanceInProgress),
        "between joining and syncing"
    );
    stage.leave(&[member("a"), member("b"), member("c")]);
    assert_eq!(stage.group.may_commit(&nobody, -1, now), Ok(()));
    assert_eq!(
        stage.group.may_commit(&member("a"), 3, now),
        Err(GroupError::UnknownMember)
    );
}

#[test]
fn a_sync_must_name_the_groups_generation_and_protocol() {
    let mut stage = Stage::stable_pair(config());
    let good = SyncRequest {
        identity: member("b"),
        generation: 2,
        protocol_type: Some("consumer".to_owned()),
        protocol: Some("range".to_owned()),
        ..SyncRequest::default()
    };
    let old = SyncRequest {
        generation: 1,
        ..good.clone()
    };
    let wrong_type = SyncRequest {
        protocol_type: Some("connect".to_owned()),
        ..good.clone()
    };
    let wrong_protocol = SyncRequest {
        protocol: Some("sticky".to_owned()),
        ..good.clone()
    };
    let accepted = stage.sync_as(good);
    assert_eq!(stage.part(accepted), b"1");
    let cases = [
        (old, GroupError::IllegalGeneration),
        (wrong_type, GroupError::InconsistentProtocol),
        (wrong_protocol, GroupError::InconsistentProtocol),
    ];
    for (request, error) in cases {
        let refused = stage.sync_as(request);
        assert_eq!(stage.syncs[&refused], Err(error));
    }
}
