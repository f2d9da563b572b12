//! Members come, work, and go.

use super::*;

#[test]
fn the_first_members_are_gathered_before_the_first_generation() {
    let mut stage = Stage::new(ClassicConfig::default());
    let first = stage.join("a");
    stage.pass(2_900);
    let second = stage.join("b");
    stage.pass(200);
    assert!(
        stage.joins.is_empty(),
        "the second member made the delay start again"
    );
    stage.pass(2_900);
    assert_eq!(stage.joined(first).generation, 1);
    assert_eq!(
        stage.joined(first).members.len(),
        2,
        "the leader learns of both"
    );
    assert_eq!(stage.joined(second).leader, id("a"));
    assert!(
        stage.joined(second).members.is_empty(),
        "a follower learns of none"
    );
}

#[test]
fn the_initial_delay_ends_even_while_members_keep_coming() {
    let mut stage = Stage::new(ClassicConfig::default());
    let first = stage.join("m0");
    for n in 1..40 {
        stage.pass(2_000);
        stage.join(&format!("m{n}"));
    }
    assert!(
        stage.joins.contains_key(&first),
        "not longer than the rebalance timeout"
    );
}

#[test]
fn every_member_gets_the_leaders_assignment() {
    let mut stage = Stage::new(config());
    let first = stage.join("a");
    assert_eq!(stage.joined(first).generation, 1);
    let second = stage.join("b");
    assert_eq!(stage.beat("a"), Err(GroupError::RebalanceInProgress));
    let again = stage.rejoin("a");
    assert_eq!(stage.joined(again).generation, 2);
    assert_eq!(stage.joined(second).generation, 2);
    let waits = stage.sync("b", &[]);
    assert!(
        !stage.syncs.contains_key(&waits),
        "a follower waits for the leader"
    );
    assert_eq!(stage.beat("b"), Ok(()), "and may beat meanwhile");
    let leads = stage.sync("a", &[("a", "0"), ("b", "1")]);
    assert_eq!(stage.part(leads), b"0");
    assert_eq!(stage.part(waits), b"1");
    let repeated = stage.sync("b", &[]);
    assert_eq!(stage.part(repeated), b"1", "a stable group answers at once");
}

#[test]
fn the_others_rebalance_when_a_member_dies() {
    let mut stage = Stage::stable_pair(config());
    stage.pass(SESSION_MS - 1);
    assert_eq!(stage.beat("b"), Ok(()));
    stage.pass(1);
    assert_eq!(
        stage.group.state(),
        GroupState::PreparingRebalance,
        "a was silent"
    );
    assert_eq!(stage.beat("b"), Err(GroupError::RebalanceInProgress));
    let again = stage.rejoin("b");
    let joined = stage.joined(again);
    assert_eq!((joined.generation, joined.leader.as_str()), (3, "b"));
    assert_eq!(joined.members.len(), 1);
}

#[test]
fn a_member_that_does_not_rejoin_in_time_is_left_behind() {
    let mut stage = Stage::stable_pair(config());
    let late = stage.join("c");
    for _ in 0..REBALANCE_MS / 5_000 {
        assert!(!stage.joins.contains_key(&late));
        let _ = stage.beat("a");
        stage.pass(5_000);
    }
    let joined = stage.joined(late);
    assert_eq!(joined.leader, id("c"));
    assert_eq!(stage.beat("a"), Err(GroupError::UnknownMember));
}

#[test]
fn a_member_that_never_syncs_is_dropped() {
    let mut stage = Stage::new(config());
    stage.join("a");
    stage.join("b");
    stage.rejoin("a");
    let parked = stage.sync("b", &[]);
    for _ in 0..REBALANCE_MS / 5_000 {
        let _ = stage.beat("a");
        stage.pass(5_000);
    }
    assert_eq!(stage.syncs[&parked], Err(GroupError::RebalanceInProgress));
    assert_eq!(
        stage.beat("a"),
        Err(GroupError::UnknownMember),
        "beating is not syncing"
    );
    let again = stage.rejoin("b");
    assert_eq!(stage.joined(again).leader, id("b"));
}

#[test]
fn an_id_nobody_came_back_with_is_forgotten() {
    let mut stage = Stage::stable_pair(config());
    let wants = JoinRequest {
        id_required: true,
        ..request("")
    };
    let refused = stage.join_as(&wants, "c");
    assert_eq!(
        stage.joins[&refused],
        Err(GroupError::MemberIdRequired(id("c")))
    );
    assert_eq!(
        stage.group.state(),
        GroupState::Stable,
        "an id is not a member yet"
    );
    let again = stage.rejoin("a");
    let other = stage.rejoin("b");
    assert!(
        !stage.joins.contains_key(&again),
        "the rebalance waits for c"
    );
    stage.pass(SESSION_MS);
    assert_eq!(stage.joined(again).members.len(), 2);
    assert_eq!(stage.joined(other).generation, 3);
    let too_late = stage.join_as(&request("c"), "unused");
    assert_eq!(stage.joins[&too_late], Err(GroupError::UnknownMember));
}

#[test]
fn a_member_that_comes_back_with_its_id_is_in() {
    let mut stage = Stage::new(config());
    stage.join_as(
        &JoinRequest {
            id_required: true,
            ..request("")
        },
        "a",
    );
    let second = stage.rejoin("a");
    assert_eq!(stage.joined(second).member_id, id("a"));
    assert_eq!(stage.joined(second).generation, 1);
}

#[test]
fn a_cooperative_rebalance_revokes_first_and_assigns_in_the_next_generation() {
    let mut stage = Stage::new(config());
    stage.join("a");
    stage.sync("a", &[("a", "0 1")]);
    // b joins; the leader says what it owns, and takes one away without giving it to b.
    let second = stage.join("b");
    let owning = JoinRequest {
        protocols: protocols(&["range"], "owns 0 1"),
        ..request("a")
    };
    let leads = stage.join_as(&owning, "unused");
    assert_eq!(stage.joined(leads).members[0].metadata, "owns 0 1");
    assert_eq!(stage.joined(second).generation, 2);
    let parked = stage.sync("b", &[]);
    stage.sync("a", &[("a", "0"), ("b", "")]);
    assert_eq!(stage.part(parked), b"");
    // a has revoked and joins again: everybody goes to generation 3, nobody stops in between.
    let owning = JoinRequest {
        protocols: protocols(&["range"], "owns 0"),
        ..request("a")
    };
    let leads = stage.join_as(&owning, "unused");
    assert_eq!(stage.beat("b"), Err(GroupError::RebalanceInProgress));
    let follows = stage.rejoin("b");
    assert_eq!(stage.joined(leads).generation, 3);
    assert_eq!(stage.joined(follows).generation, 3);
    stage.sync("a", &[("a", "0"), ("b", "1")]);
    let part = stage.sync("b", &[]);
    assert_eq!(stage.part(part), b"1");
}

#[test]
fn a_leaving_member_hands_over_at_once() {
    let mut stage = Stage::stable_pair(config());
    assert_eq!(
        stage.leave(&[member("a"), member("nobody")]),
        [Ok(()), Err(GroupError::UnknownMember)]
    );
    let again = stage.rejoin("b");
    assert_eq!(stage.joined(again).leader, id("b"));
    assert_eq!(stage.leave(&[member("b")]), [Ok(())]);
    assert_eq!(stage.group.state(), GroupState::Empty);
    let newcomer = stage.join("c");
    assert_eq!(stage.joined(newcomer).generation, 5, "generations go on");
}

#[test]
fn a_deserted_group_is_forgotten_after_a_while() {
    let mut stage = Stage::stable_pair(config());
    stage.leave(&[member("a"), member("b")]);
    let retention = config().empty_group_retention_ms;
    assert!(!stage.group.is_dead(stage.now.plus_millis(retention - 1)));
    assert!(stage.group.is_dead(stage.now.plus_millis(retention)));
}

#[test]
fn the_protocol_most_members_like_is_chosen() {
    let mut stage = Stage::new(config());
    let likes = |names: &[&str], member: &str| JoinRequest {
        protocols: protocols(names, "m"),
        ..request(member)
    };
    stage.join_as(&likes(&["range", "sticky"], ""), "a");
    stage.join_as(&likes(&["sticky", "range", "own"], ""), "b");
    stage.join_as(&likes(&["own", "sticky", "range"], ""), "c");
    let first = stage.join_as(&likes(&["range", "sticky"], "a"), "unused");
    // "own" is no candidate, so c votes for its second choice.
    stage.join_as(&likes(&["sticky", "range", "own"], "b"), "unused");
    stage.join_as(&likes(&["own", "sticky", "range"], "c"), "unused");
    assert_eq!(stage.joined(first).protocol, "sticky");
}

#[test]
fn a_member_without_a_common_protocol_is_refused_and_disturbs_nobody() {
    let mut stage = Stage::stable_pair(config());
    let stranger = JoinRequest {
        protocols: protocols(&["other"], "m"),
        ..request("")
    };
    let wrong_type = JoinRequest {
        protocol_type: "connect".to_owned(),
        ..request("")
    };
    let nothing = JoinRequest {
        protocols: Vec::new(),
        ..request("")
    };
    for request in [stranger, wrong_type, nothing] {
        let refused = stage.join_as(&request, "c");
        assert_eq!(stage.joins[&refused], Err(GroupError::InconsistentProtocol));
    }
    assert_eq!(stage.group.state(), GroupState::Stable);
}

#[test]
fn session_timeouts_and_sizes_have_limits() {
    let mut stage = Stage::new(ClassicConfig {
        members_max: 2,
        ..config()
    });
    for session_timeout_ms in [0, 5_999, 1_800_001] {
        let refused = stage.join_as(
            &JoinRequest {
                session_timeout_ms,
                ..request("")
            },
            "a",
        );
        assert_eq!(
            stage.joins[&refused],
            Err(GroupError::InvalidSessionTimeout)
        );
    }
    let long = JoinRequest {
        protocols: vec![Protocol {
            name: "range".to_owned(),
            metadata: Bytes::from(vec![0; config().member_bytes_max]),
        }],
        ..request("")
    };
    let refused = stage.join_as(&long, "a");
    assert_eq!(stage.joins[&refused], Err(GroupError::MemberTooLarge));
    stage.join("a");
    stage.join_as(
        &JoinRequest {
            id_required: true,
            ..request("")
        },
        "b",
    );
    let refused = stage.join("c");
    assert_eq!(
        stage.joins[&refused],
        Err(GroupError::GroupFull),
        "handed-out ids count"
    );
}

#[test]
fn a_member_that_missed_its_answer_gets_it_again_without_a_rebalance() {
    let mut stage = Stage::stable_pair(config());
    let again = stage.rejoin("b");
    assert_eq!(stage.joined(again).generation, 2);
    assert_eq!(stage.group.state(), GroupState::Stable);
    stage.rejoin("a");
    assert_eq!(
        stage.group.state(),
        GroupState::PreparingRebalance,
        "a leader that joins again wants to divide anew"
    );
}
