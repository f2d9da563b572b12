//! The coordinator in a runtime whose clock stands still until everybody waits.

use super::*;
use crate::model::GroupName;
use std::sync::Arc;
use std::time::Duration;

fn name() -> GroupName {
    GroupName::new("workers").unwrap()
}

fn coordinator(config: ClassicConfig) -> Arc<Coordinator> {
    let coordinator = Arc::new(Coordinator::new(config));
    let driver = coordinator.clone();
    tokio::spawn(async move { driver.expire_members().await });
    coordinator
}

async fn join(coordinator: &Coordinator, request: &JoinRequest) -> Joined {
    coordinator.join(&name(), request).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_parked_join_resolves_when_the_delay_is_over() {
    let coordinator = coordinator(ClassicConfig::default());
    let new = request("");
    let (first, second) = tokio::join!(join(&coordinator, &new), join(&coordinator, &new));
    assert_eq!((first.generation, second.generation), (1, 1));
    assert_eq!(first.leader, second.leader);
}

#[tokio::test(start_paused = true)]
async fn a_silent_member_is_expired_and_the_other_takes_over() {
    let coordinator = coordinator(config());
    let silent = join(&coordinator, &request("")).await;
    let newcomer = coordinator.join(&name(), &request(""));
    // `silent` never joins again; its session ends, and the newcomer is alone.
    let joined = newcomer.await.unwrap();
    assert_eq!(joined.leader, joined.member_id);
    let identity = Identity {
        member_id: Some(silent.member_id),
        instance_id: None,
    };
    let beat = coordinator.heartbeat(&name(), &identity, joined.generation);
    assert_eq!(beat, Err(GroupError::UnknownMember));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_a_member_alive() {
    let coordinator = coordinator(config());
    let joined = join(&coordinator, &request("")).await;
    let identity = Identity {
        member_id: Some(joined.member_id.clone()),
        instance_id: None,
    };
    let assignments = [(joined.member_id, Bytes::from_static(b"0"))]
        .into_iter()
        .collect();
    let request = SyncRequest {
        identity: identity.clone(),
        generation: 1,
        assignments,
        ..SyncRequest::default()
    };
    assert_eq!(
        coordinator.sync(&name(), request).await.unwrap().assignment,
        "0"
    );
    for _ in 0..10 {
        tokio::time::advance(Duration::from_millis(SESSION_MS - 1)).await;
        tokio::task::yield_now().await;
        assert_eq!(coordinator.heartbeat(&name(), &identity, 1), Ok(()));
    }
    assert_eq!(coordinator.delete(&name()), Err(GroupError::GroupNotEmpty));
    let left = coordinator.leave(&name(), &[identity]);
    assert_eq!(left, Some(vec![Ok(())]));
    assert_eq!(coordinator.delete(&name()), Ok(true));
    assert_eq!(coordinator.describe(&name()), None);
}

#[tokio::test(start_paused = true)]
async fn a_deserted_group_disappears_by_itself() {
    let coordinator = coordinator(config());
    let joined = join(&coordinator, &request("")).await;
    assert!(coordinator.describe(&name()).is_some());
    drop(joined);
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    assert_eq!(coordinator.describe(&name()), None);
}

#[tokio::test(start_paused = true)]
async fn a_refused_join_leaves_no_group_behind() {
    let coordinator = coordinator(ClassicConfig {
        groups_max: 1,
        ..config()
    });
    let wrong = JoinRequest {
        protocols: Vec::new(),
        ..request("")
    };
    for _ in 0..3 {
        let refused = coordinator.join(&name(), &wrong).await;
        assert_eq!(refused, Err(GroupError::InconsistentProtocol));
    }
    assert!(coordinator.list(|_, _| ()).is_empty());
    join(&coordinator, &request("")).await;
    let other = GroupName::new("other").unwrap();
    let refused = coordinator.join(&other, &request("")).await;
    assert_eq!(refused, Err(GroupError::TooManyGroups));
    let unknown = coordinator.join(&other, &request("m")).await;
    assert_eq!(unknown, Err(GroupError::UnknownMember));
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_let_go_when_the_coordinator_stops() {
    let coordinator = coordinator(ClassicConfig::default());
    let waiting = coordinator.join(&name(), &request(""));
    coordinator.stop();
    assert_eq!(waiting.await, Err(GroupError::Stopped));
    assert_eq!(
        coordinator.join(&name(), &request("")).await,
        Err(GroupError::Stopped)
    );
}
