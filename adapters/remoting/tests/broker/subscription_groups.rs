//! Settings of consumer groups, and what they forbid.

use super::requests::{heartbeat, pull};
use super::support::{Pairs, Server, TestClient, messages};
use gantry_remoting::Config;
use gantry_remoting_protocol::body::{self, SubscriptionGroupConfig, SubscriptionGroupTable};
use gantry_remoting_protocol::{Command, NoFields, RequestCode, ResponseCode};

async fn put(client: &mut TestClient, config: &str) -> Command {
    let code = RequestCode::UpdateAndCreateSubscriptionGroup;
    client.call(code, &NoFields, config.as_bytes()).await
}

async fn show(client: &mut TestClient, group: &str) -> SubscriptionGroupConfig {
    let code = RequestCode::GetSubscriptionGroupConfig;
    let answer = client.call(code, &Pairs(&[("group", group)]), b"").await;
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");
    body::decode(&answer.body).unwrap()
}

async fn list(client: &mut TestClient, fields: &[(&str, &str)]) -> (Command, Vec<String>) {
    let code = RequestCode::GetAllSubscriptionGroupConfig;
    let answer = client.call(code, &Pairs(fields), b"").await;
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");
    let table: SubscriptionGroupTable = body::decode(&answer.body).unwrap();
    let names = table.subscription_group_table.into_keys().collect();
    (answer, names)
}

#[tokio::test]
async fn settings_are_kept_over_a_restart_and_deleted_to_the_defaults() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    assert_eq!(
        show(&mut client, "G").await,
        SubscriptionGroupConfig::of_group("G")
    );
    // As fastjson may write it, and with what no broker knows.
    let text = "{groupName:'G',retryMaxTimes:3,groupRetryPolicy:{type:'EXPONENTIAL',\
        exponentialRetryPolicy:{initial:7}},attributes:{'+a':'1','+b':'2'},new:[{}],}";
    assert_eq!(
        put(&mut client, text).await.response_code(),
        ResponseCode::Success
    );
    let text = r#"{"groupName":"G","retryMaxTimes":4,"attributes":{"-a":"","+b":"3"}}"#;
    put(&mut client, text).await;

    let again = server.serve_again(Config::default()).await;
    let mut client = TestClient::connect_to(again).await;
    let config = show(&mut client, "G").await;
    assert_eq!(config.retry_max_times, 4);
    assert!(config.consume_enable);
    let attributes: Vec<_> = config.attributes.into_iter().collect();
    assert_eq!(attributes, [("b".to_owned(), "3".to_owned())]);

    let code = RequestCode::DeleteSubscriptionGroup;
    for _ in 0..2 {
        let gone = client.call(code, &Pairs(&[("groupName", "G")]), b"").await;
        assert_eq!(gone.response_code(), ResponseCode::Success);
    }
    assert_eq!(
        show(&mut client, "G").await,
        SubscriptionGroupConfig::of_group("G")
    );
}

#[tokio::test]
async fn a_group_that_may_not_consume_is_refused_until_it_may() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "one").await;
    put(&mut client, r#"{"groupName":"G","consumeEnable":false}"#).await;
    let refused = client.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(refused.response_code(), ResponseCode::NoPermission);
    assert_eq!(
        refused.remark.as_deref(),
        Some("subscription group no permission, G")
    );
    let other = client.pull(&pull("H", "T", 0, 0)).await;
    assert_eq!(messages(&other).len(), 1);
    put(&mut client, r#"{"groupName":"G"}"#).await;
    let answer = client.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(messages(&answer).len(), 1);
}

#[tokio::test]
async fn a_group_may_be_kept_from_broadcasting_alone() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "one").await;
    let config = r#"{"groupName":"G","consumeBroadcastEnable":false}"#;
    put(&mut client, config).await;
    let clustering = heartbeat("c1", "G", "T", "*", 1);
    client
        .call(RequestCode::HeartBeat, &NoFields, &clustering)
        .await;
    let answer = client.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(messages(&answer).len(), 1);
    let text = String::from_utf8(clustering.clone()).unwrap();
    let broadcasting = text.replace("CLUSTERING", "BROADCASTING");
    assert_ne!(text, broadcasting);
    client
        .call(RequestCode::HeartBeat, &NoFields, broadcasting.as_bytes())
        .await;
    let refused = client.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(refused.response_code(), ResponseCode::NoPermission);
    let remark = "the consumer group[G] can not consume by broadcast way";
    assert_eq!(refused.remark.as_deref(), Some(remark));
}

#[tokio::test]
async fn a_group_may_be_kept_from_one_topic() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "one").await;
    client.send_message("U", 0, "", "one").await;
    let code = RequestCode::UpdateAndGetGroupForbidden;
    let fields = [("group", "G"), ("topic", "T"), ("readable", "false")];
    let answer = client.call(code, &Pairs(&fields), b"").await;
    assert_eq!(
        std::str::from_utf8(&answer.body).unwrap(),
        r#"{"group":"G","readable":false,"topic":"T"}"#
    );
    let again = server.serve_again(Config::default()).await;
    let mut client = TestClient::connect_to(again).await;
    let refused = client.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(refused.response_code(), ResponseCode::NoPermission);
    let other = client.pull(&pull("G", "U", 0, 0)).await;
    assert_eq!(messages(&other).len(), 1);
    let fields = [("group", "G"), ("topic", "T"), ("readable", "true")];
    client.call(code, &Pairs(&fields), b"").await;
    let answer = client.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(messages(&answer).len(), 1);
}

#[tokio::test]
async fn the_list_has_groups_with_settings_with_members_and_with_progress() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "one").await;
    let code = RequestCode::UpdateAndCreateSubscriptionGroupList;
    let two = r#"{"groupConfigList":[{"groupName":"given"},{"groupName":"z"}]}"#;
    client.call(code, &NoFields, two.as_bytes()).await;
    client.heartbeat("c1", "online", "T").await;
    let fields = [
        ("consumerGroup", "progress"),
        ("topic", "T"),
        ("queueId", "0"),
        ("commitOffset", "1"),
    ];
    let code = RequestCode::UpdateConsumerOffset;
    client.call(code, &Pairs(&fields), b"").await;
    let (answer, names) = list(&mut client, &[]).await;
    assert_eq!(names, ["given", "online", "progress", "z"]);
    assert_eq!(answer.fields.text("totalGroupNum"), Some("4"));
    let (answer, names) = list(&mut client, &[("groupSeq", "1"), ("maxGroupNum", "2")]).await;
    assert_eq!(names, ["online", "progress"]);
    assert_eq!(answer.fields.text("totalGroupNum"), Some("4"));

    let fields = [("groupName", "progress"), ("cleanOffset", "true")];
    let code = RequestCode::DeleteSubscriptionGroup;
    client.call(code, &Pairs(&fields), b"").await;
    let (_, names) = list(&mut client, &[]).await;
    assert_eq!(names, ["given", "online", "z"]);
}

#[tokio::test]
async fn groups_that_cannot_be_are_refused() {
    let server = Server::start().await;
    let config = Config {
        subscription_groups_max: 2,
        ..Config::default()
    };
    let mut client = TestClient::connect_to(server.serve_again(config).await).await;
    for name in ["", "a b", "ü", &"g".repeat(256)] {
        let answer = put(&mut client, &format!(r#"{{"groupName":"{name}"}}"#)).await;
        assert_eq!(
            answer.response_code(),
            ResponseCode::InvalidParameter,
            "{name}"
        );
    }
    let huge = format!(
        r#"{{"groupName":"G","attributes":{{"+a":"{}"}}}}"#,
        "x".repeat(70_000)
    );
    let answer = put(&mut client, &huge).await;
    assert_eq!(answer.response_code(), ResponseCode::InvalidParameter);
    for (name, code) in [
        ("a", ResponseCode::Success),
        ("b", ResponseCode::Success),
        ("c", ResponseCode::SystemBusy),
        ("b", ResponseCode::Success),
    ] {
        let answer = put(&mut client, &format!(r#"{{"groupName":"{name}"}}"#)).await;
        assert_eq!(answer.response_code(), code, "{name}");
    }
}
