//! Membership, its notices, and queue locks.

use super::support::{Server, TestClient};
use gantry_remoting_protocol::header::{QueueRequest, UnregisterClient};
use gantry_remoting_protocol::{Command, NoFields, RequestCode, ResponseCode};

fn members(answer: &Command) -> Vec<String> {
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let list = body["consumerIdList"].as_array().unwrap();
    list.iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect()
}

/// Asserts that the next notice is of `group`.
async fn expect_notice(client: &mut TestClient, group: &str) {
    let notice = client.notice().await;
    assert_eq!(notice.request_code(), RequestCode::NotifyConsumerIdsChanged);
    assert_eq!(notice.fields.text("consumerGroup"), Some(group));
    assert!(notice.flag.is_oneway());
}

#[tokio::test]
async fn members_hear_of_those_who_join_leave_and_vanish() {
    let server = Server::start().await;
    let mut first = TestClient::connect(&server).await;
    let answer = first.heartbeat("c1", "G", "T").await;
    assert_eq!(answer.response_code(), ResponseCode::Success);
    assert_eq!(answer.fields.text("IS_SUPPORT_HEART_BEAT_V2"), Some("true"));
    assert_eq!(answer.fields.text("IS_SUB_CHANGE"), Some("true"));
    expect_notice(&mut first, "G").await;

    let mut second = TestClient::connect(&server).await;
    second.heartbeat("c2", "G", "T").await;
    expect_notice(&mut first, "G").await;
    assert_eq!(members(&first.consumers("G").await), ["c1", "c2"]);

    let header = UnregisterClient {
        client_id: "c2",
        producer_group: None,
        consumer_group: Some("G"),
    };
    second
        .call(RequestCode::UnregisterClient, &header, b"")
        .await;
    expect_notice(&mut first, "G").await;
    assert_eq!(members(&first.consumers("G").await), ["c1"]);

    second.heartbeat("c2", "G", "T").await;
    expect_notice(&mut first, "G").await;
    drop(second);
    expect_notice(&mut first, "G").await;
    assert_eq!(members(&first.consumers("G").await), ["c1"]);
}

#[tokio::test]
async fn the_silent_are_gone_after_two_minutes() {
    let server = Server::start().await;
    let mut silent = TestClient::connect(&server).await;
    let mut alive = TestClient::connect(&server).await;
    silent.heartbeat("c1", "G", "T").await;
    server.clock.advance(60_000);
    alive.heartbeat("c2", "G", "T").await;
    server.clock.advance(60_001);
    server.role.expire();
    assert_eq!(members(&alive.consumers("G").await), ["c2"]);
}

#[tokio::test]
async fn a_group_without_members_is_no_empty_list() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let answer = client.consumers("G").await;
    assert_eq!(answer.response_code(), ResponseCode::SystemError);
    assert_eq!(
        answer.remark.as_deref(),
        Some("no consumer for this group, G")
    );
}

#[tokio::test]
async fn a_heartbeat_makes_the_groups_retry_topic() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.heartbeat("c1", "G", "T").await;
    let topic = server.broker.anonymous().topic("%RETRY%G").unwrap();
    assert_eq!(topic.queue_count(), 1);
    let broken = client.call(RequestCode::HeartBeat, &NoFields, b"{").await;
    assert_eq!(broken.response_code(), ResponseCode::SystemError);
}

#[tokio::test]
async fn what_the_broker_cannot_filter_is_said_before_the_pull() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let check = |language: &str, text: &str| {
        format!(
            r#"{{"clientId":"c","group":"G","subscriptionData":{{"expressionType":"{language}","subString":"{text}","subVersion":1,"topic":"T"}}}}"#
        )
    };
    let cases = [
        (check("TAG", "a || b"), ResponseCode::Success),
        (check("TAG", "||"), ResponseCode::SubscriptionParseFailed),
        (check("SQL92", "a > 3"), ResponseCode::Success),
        (check("XPATH", "a > 3"), ResponseCode::SystemError),
    ];
    for (body, code) in cases {
        let answer = client
            .call(RequestCode::CheckClientConfig, &NoFields, body.as_bytes())
            .await;
        assert_eq!(answer.response_code(), code, "{body}");
    }
}

fn lock_body(client: &str, queues: &[u32]) -> String {
    let queue = |id: &u32| format!(r#"{{"brokerName":"any","queueId":{id},"topic":"T"}}"#);
    let queues: Vec<_> = queues.iter().map(queue).collect();
    format!(
        r#"{{"clientId":"{client}","consumerGroup":"G","mqSet":[{}],"onlyThisBroker":false}}"#,
        queues.join(",")
    )
}

async fn lock(client: &mut TestClient, id: &str, queues: &[u32]) -> Vec<u64> {
    let body = lock_body(id, queues);
    let code = RequestCode::LockBatchQueues;
    let answer = client.call(code, &NoFields, body.as_bytes()).await;
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let locked = body["lockOKMQSet"].as_array().unwrap();
    let id = |queue: &serde_json::Value| {
        assert_eq!(
            (&queue["brokerName"], &queue["topic"]),
            (&"any".into(), &"T".into())
        );
        queue["queueId"].as_u64().unwrap()
    };
    locked.iter().map(id).collect()
}

#[tokio::test]
async fn one_client_at_a_time_holds_a_queue() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    assert_eq!(lock(&mut client, "c1", &[0, 1]).await, [0, 1]);
    assert_eq!(lock(&mut client, "c2", &[0, 2]).await, [2]);
    let body = lock_body("c1", &[0]);
    let code = RequestCode::UnlockBatchQueues;
    client.call(code, &NoFields, body.as_bytes()).await;
    assert_eq!(lock(&mut client, "c2", &[0, 1]).await, [0]);
    server.clock.advance(60_001);
    assert_eq!(lock(&mut client, "c2", &[1]).await, [1], "c1's has expired");
}

#[tokio::test]
async fn a_session_that_ends_with_a_held_pull_harms_nobody() {
    let server = Server::start().await;
    let mut leaving = TestClient::connect(&server).await;
    let mut staying = TestClient::connect(&server).await;
    staying.send_message("T", 0, "", "x").await;
    let header = super::requests::held_pull("G", "T", 0, 1, 60_000);
    leaving.send(RequestCode::PullMessage, &header, b"").await;
    drop(leaving);
    staying.send_message("T", 0, "", "y").await;
    let header = QueueRequest {
        topic: "T",
        queue_id: 0,
    };
    let end = staying.call(RequestCode::GetMaxOffset, &header, b"").await;
    assert_eq!(end.fields.text("offset"), Some("2"));
}
