//! What operators and their tools ask of a broker.

use super::requests::{held_pull, pull};
use super::support::{Pairs, Server, TestClient, messages, small_store};
use bytes::BytesMut;
use gantry_remoting::Config;
use gantry_remoting_protocol::body::{
    self, BrokerConsumeStats, BrokerStatsData, ConsumeQueueEntries, ConsumeStats, ConsumeTimeSpans,
    ConsumerConnection, ConsumerStatus, GroupList, KvTable, MessageQueue, ProducerTable,
    ResetOffsets, TopicList, TopicStats,
};
use gantry_remoting_protocol::header::QueryConsumerOffset;
use gantry_remoting_protocol::record::MessageId;
use gantry_remoting_protocol::{Answer, Command, NoFields, RequestCode, ResponseCode};
use serde::de::DeserializeOwned;

async fn ask<T: DeserializeOwned>(
    client: &mut TestClient,
    code: RequestCode,
    fields: &[(&str, &str)],
) -> T {
    let answer = client.call(code, &Pairs(fields), b"").await;
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");
    body::decode(&answer.body).unwrap()
}

async fn stats(client: &mut TestClient, name: &str, key: &str) -> BrokerStatsData {
    let fields = [("statsName", name), ("statsKey", key)];
    ask(client, RequestCode::ViewBrokerStatsData, &fields).await
}

async fn send(client: &mut TestClient, topic: &str, bodies: &[&'static str]) {
    for body in bodies {
        client.send_message(topic, 0, "", body).await;
    }
}

async fn commit(client: &mut TestClient, group: &str, offset: &str) -> Command {
    let fields = [
        ("consumerGroup", group),
        ("topic", "T"),
        ("queueId", "0"),
        ("commitOffset", offset),
    ];
    let code = RequestCode::UpdateConsumerOffset;
    client.call(code, &Pairs(&fields), b"").await
}

async fn committed(client: &mut TestClient, group: &str) -> Option<String> {
    let header = QueryConsumerOffset {
        group,
        topic: "T",
        queue_id: 0,
        set_zero_if_not_found: false,
    };
    let code = RequestCode::QueryConsumerOffset;
    let answer = client.call(code, &header, b"").await;
    answer.fields.text("offset").map(str::to_owned)
}

/// Answers the next request of the broker's own with `code` and `body`.
async fn reply_to_next(client: &mut TestClient, code: ResponseCode, body: &[u8]) -> Command {
    let request = loop {
        let notice = client.notice().await;
        if !notice.flag.is_oneway() {
            break notice;
        }
    };
    let mut out = BytesMut::new();
    let answer = Answer::of(code).with_body(body.len());
    request.reply_to().answer(&answer, &mut out);
    out.extend_from_slice(body);
    client.write(&out).await;
    request
}

fn queue(topic: &str) -> MessageQueue {
    MessageQueue {
        broker_name: "gantry".to_owned(),
        queue_id: 0,
        topic: topic.to_owned(),
    }
}

#[tokio::test]
async fn topics_and_groups_are_counted_by_minute_hour_and_day() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let fields = [("statsName", "TOPIC_PUT_NUMS"), ("statsKey", "T")];
    let code = RequestCode::ViewBrokerStatsData;
    let none = client.call(code, &Pairs(&fields), b"").await;
    assert_eq!(none.response_code(), ResponseCode::SystemError);
    let remark = "The stats <TOPIC_PUT_NUMS> <T> not exist";
    assert_eq!(none.remark.as_deref(), Some(remark));

    send(&mut client, "T", &["a", "b", "c"]).await;
    assert_eq!(messages(&client.pull(&pull("G", "T", 0, 0)).await).len(), 3);
    server.clock.advance(30_000);
    let put = stats(&mut client, "TOPIC_PUT_NUMS", "T").await;
    assert_eq!(put.stats_minute.sum, 3);
    assert!((put.stats_minute.tps - 0.1).abs() < 1e-9, "{put:?}");
    assert!((put.stats_minute.avgpt - 1.0).abs() < 1e-9, "{put:?}");
    let size = stats(&mut client, "TOPIC_PUT_SIZE", "T").await;
    assert!(size.stats_minute.sum > 300, "{size:?}");
    let get = stats(&mut client, "GROUP_GET_NUMS", "T@G").await;
    assert_eq!((get.stats_minute.sum, get.stats_day.sum), (3, 3));
    let topic: TopicStats = ask(
        &mut client,
        RequestCode::GetTopicStatsInfo,
        &[("topic", "T")],
    )
    .await;
    assert!((topic.topic_put_tps - 0.1).abs() < 1e-9);

    server.clock.advance(600_000);
    let later = stats(&mut client, "TOPIC_PUT_NUMS", "T").await;
    assert_eq!((later.stats_minute.sum, later.stats_hour.sum), (0, 3));
    let code = RequestCode::GetBrokerRuntimeInfo;
    let info: KvTable = ask(&mut client, code, &[]).await;
    assert_eq!(info.table["msgPutTotalTodayNow"], "3");
    assert_eq!(info.table["msgGetTotalTodayNow"], "3");
    assert_eq!(info.table["putTps"].split(' ').count(), 3);
    assert_eq!(info.table["putMessageTimesTotal"], "3");
}

#[tokio::test]
async fn tools_see_who_is_connected_and_with_what() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let code = RequestCode::GetConsumerConnectionList;
    let fields = [("consumerGroup", "G")];
    let offline = client.call(code, &Pairs(&fields), b"").await;
    assert_eq!(offline.response_code(), ResponseCode::ConsumerNotOnline);
    client.heartbeat("c1", "G", "T").await;
    let consumers: ConsumerConnection = ask(&mut client, code, &fields).await;
    let [only] = consumers.connection_set.as_slice() else {
        panic!("{consumers:?}");
    };
    assert_eq!(only.client_id, "c1");
    assert_eq!(only.language, "JAVA");
    assert!(only.client_addr.starts_with("127.0.0.1:"));
    assert!(consumers.subscription_table.contains_key("T"));

    let beat = br#"{"clientID":"p1","producerDataSet":[{"groupName":"P"}]}"#;
    client.call(RequestCode::HeartBeat, &NoFields, beat).await;
    let all: ProducerTable = ask(&mut client, RequestCode::GetAllProducerInfo, &[]).await;
    assert_eq!(all.data["P"][0].client_id, "p1");
    let code = RequestCode::GetProducerConnectionList;
    let producers = client
        .call(code, &Pairs(&[("producerGroup", "P")]), b"")
        .await;
    assert_eq!(producers.response_code(), ResponseCode::Success);

    let code = RequestCode::QueryTopicConsumeByWho;
    let groups: GroupList = ask(&mut client, code, &[("topic", "T")]).await;
    assert_eq!(groups.group_list, ["G"]);
}

#[tokio::test]
async fn a_tools_question_reaches_the_consumer_and_its_answer_the_tool() {
    let server = Server::start().await;
    let mut consumer = TestClient::connect(&server).await;
    let mut tool = TestClient::connect(&server).await;
    consumer.heartbeat("c1", "G", "T").await;
    let fields = [("consumerGroup", "G"), ("clientId", "c1")];
    let code = RequestCode::GetConsumerRunningInfo;
    let asked = tool.send(code, &Pairs(&fields), b"").await;
    let odd = br#"{mqTable:{{"topic":"T"}:{}}}"#;
    let request = reply_to_next(&mut consumer, ResponseCode::Success, odd).await;
    assert_eq!(request.request_code(), code);
    assert_eq!(request.fields.text("consumerGroup"), Some("G"));
    assert_eq!(
        tool.answer(asked).await.body,
        odd.as_slice(),
        "word for word"
    );

    let nobody = [("consumerGroup", "G"), ("clientId", "c2")];
    let answer = tool.call(code, &Pairs(&nobody), b"").await;
    assert_eq!(answer.response_code(), ResponseCode::SystemError);
    let remark = "The Consumer <G> <c2> not online";
    assert_eq!(answer.remark.as_deref(), Some(remark));

    // A client that goes while a tool waits ends that wait.
    let asked = tool.send(code, &Pairs(&fields), b"").await;
    while consumer.notice().await.flag.is_oneway() {}
    drop(consumer);
    let answer = tool.answer(asked).await;
    assert_eq!(answer.response_code(), ResponseCode::SystemError);
}

#[tokio::test]
async fn a_consumer_is_handed_a_stored_message_to_consume() {
    let server = Server::start().await;
    let mut consumer = TestClient::connect(&server).await;
    let mut tool = TestClient::connect(&server).await;
    let sent = tool.send_message("T", 0, "", "again").await;
    let id = sent.fields.text("msgId").unwrap().to_owned();
    consumer.heartbeat("c1", "G", "T").await;
    let fields = [("consumerGroup", "G"), ("clientId", "c1"), ("msgId", &id)];
    let code = RequestCode::ConsumeMessageDirectly;
    let asked = tool.send(code, &Pairs(&fields), b"").await;
    let result = br#"{"consumeResult":"CR_SUCCESS"}"#;
    let request = reply_to_next(&mut consumer, ResponseCode::Success, result).await;
    let records: Vec<_> = gantry_remoting_protocol::record::records(request.body.clone())
        .map(Result::unwrap)
        .collect();
    assert_eq!(records[0].body, "again");
    assert_eq!(tool.answer(asked).await.body, result.as_slice());

    let fields = [("consumerGroup", "G"), ("clientId", "c1"), ("msgId", "zz")];
    let answer = tool.call(code, &Pairs(&fields), b"").await;
    assert_eq!(answer.response_code(), ResponseCode::SystemError);
}

#[tokio::test]
async fn each_consumer_says_how_far_it_is() {
    let server = Server::start().await;
    let mut consumer = TestClient::connect(&server).await;
    let mut tool = TestClient::connect(&server).await;
    consumer.heartbeat("c1", "G", "T").await;
    let code = RequestCode::InvokeBrokerToGetConsumerStatus;
    let fields = [("group", "G"), ("topic", "T")];
    let asked = tool.send(code, &Pairs(&fields), b"").await;
    let said = r#"{"messageQueueTable":{{"brokerName":"gantry","queueId":0,"topic":"T"}:7}}"#;
    reply_to_next(&mut consumer, ResponseCode::Success, said.as_bytes()).await;
    let answer = tool.answer(asked).await;
    let status: ConsumerStatus = body::decode(&answer.body).unwrap();
    assert_eq!(status.consumer_table["c1"][&queue("T")], 7);
}

#[tokio::test]
async fn a_reset_moves_held_pulls_and_outlasts_late_commits() {
    let server = Server::start().await;
    let mut consumer = TestClient::connect(&server).await;
    let mut tool = TestClient::connect(&server).await;
    send(&mut tool, "T", &["a", "b"]).await;
    server.clock.advance(1000);
    send(&mut tool, "T", &["c"]).await;
    commit(&mut consumer, "G", "3").await;
    let held = held_pull("G", "T", 0, 3, 60_000);
    let held = consumer.send(RequestCode::PullMessage, &held, b"").await;
    // The pull is there before the reset when an answer to what was sent behind it is.
    committed(&mut consumer, "G").await;

    let at = (super::support::START.millis() + 1).to_string();
    let fields = [
        ("topic", "T"),
        ("group", "G"),
        ("timestamp", &at),
        ("isForce", "true"),
    ];
    let code = RequestCode::ResetOffset;
    let reset: ResetOffsets = ask(&mut tool, code, &fields).await;
    assert_eq!(reset.offset_table[&queue("T")], 2);
    let moved = consumer.answer(held).await;
    assert_eq!(moved.response_code(), ResponseCode::PullOffsetMoved);
    assert_eq!(moved.fields.text("nextBeginOffset"), Some("2"));
    assert_eq!(committed(&mut tool, "G").await.as_deref(), Some("2"));

    // Nobody pulls now: what members still commit is stale.
    let fields = [("topic", "T"), ("group", "G"), ("timestamp", "0")];
    let reset: ResetOffsets = ask(&mut tool, code, &fields).await;
    assert_eq!(reset.offset_table[&queue("T")], 0);
    let late = commit(&mut consumer, "G", "3").await;
    assert_eq!(late.response_code(), ResponseCode::Success);
    let remark = "Offset has been previously reset";
    assert_eq!(late.remark.as_deref(), Some(remark));
    assert_eq!(committed(&mut tool, "G").await.as_deref(), Some("0"));
    // Who pulls where it was sent is served, and commits as ever.
    let answer = consumer.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(messages(&answer).len(), 3);
    commit(&mut consumer, "G", "3").await;
    assert_eq!(committed(&mut tool, "G").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn a_reset_goes_to_the_end_to_an_offset_and_without_force_never_forward() {
    let server = Server::start().await;
    let mut tool = TestClient::connect(&server).await;
    send(&mut tool, "T", &["a", "b", "c"]).await;
    commit(&mut tool, "G", "1").await;
    let code = RequestCode::ResetOffset;
    let base = [("topic", "T"), ("group", "G")];
    let with = |more: &[(&'static str, &'static str)]| [base.as_slice(), more].concat();
    let gentle = with(&[("timestamp", "-1"), ("isForce", "false")]);
    let kept: ResetOffsets = ask(&mut tool, code, &gentle).await;
    assert_eq!(kept.offset_table[&queue("T")], 1);
    let forced: ResetOffsets = ask(&mut tool, code, &with(&[("timestamp", "-1")])).await;
    assert_eq!(forced.offset_table[&queue("T")], 3);
    let one = with(&[("timestamp", "0"), ("queueId", "0"), ("offset", "2")]);
    let given: ResetOffsets = ask(&mut tool, code, &one).await;
    assert_eq!(given.offset_table[&queue("T")], 2);
    for (fields, expected) in [
        (
            with(&[("timestamp", "0"), ("queueId", "0"), ("offset", "9")]),
            ResponseCode::SystemError,
        ),
        (
            vec![("topic", "none"), ("group", "G"), ("timestamp", "0")],
            ResponseCode::TopicNotExist,
        ),
    ] {
        let answer = tool.call(code, &Pairs(&fields), b"").await;
        assert_eq!(answer.response_code(), expected, "{answer:?}");
    }
}

#[tokio::test]
async fn where_members_are_told_to_reset_nothing_changes_until_they_do() {
    let protocol = Config {
        server_side_reset: false,
        ..Config::default()
    };
    let server = Server::with_protocol(small_store(), protocol).await;
    let mut tool = TestClient::connect(&server).await;
    send(&mut tool, "T", &["a", "b", "c"]).await;
    let code = RequestCode::ResetOffset;
    let fields = [
        ("topic", "T"),
        ("group", "G"),
        ("timestamp", "0"),
        ("isForce", "true"),
    ];
    let unknown = tool.call(code, &Pairs(&fields), b"").await;
    assert_eq!(unknown.response_code(), ResponseCode::SystemError);
    commit(&mut tool, "G", "3").await;
    let nobody = tool.call(code, &Pairs(&fields), b"").await;
    assert_eq!(nobody.response_code(), ResponseCode::ConsumerNotOnline);

    let mut member = TestClient::connect(&server).await;
    member.heartbeat("member", "G", "T").await;
    let reset: ResetOffsets = ask(&mut tool, code, &fields).await;
    assert_eq!(reset.offset_table[&queue("T")], 0);
    let told = loop {
        let notice = member.notice().await;
        if notice.request_code() == RequestCode::ResetConsumerClientOffset {
            break notice;
        }
    };
    assert!(told.flag.is_oneway());
    assert_eq!(told.fields.text("group"), Some("G"));
    assert_eq!(body::decode::<ResetOffsets>(&told.body).unwrap(), reset);
    assert_eq!(committed(&mut tool, "G").await.as_deref(), Some("3"));
    commit(&mut member, "G", "0").await;
    assert_eq!(committed(&mut tool, "G").await.as_deref(), Some("0"));
    let forward = [
        ("topic", "T"),
        ("group", "G"),
        ("timestamp", "-1"),
        ("isForce", "false"),
    ];
    let kept: ResetOffsets = ask(&mut tool, code, &forward).await;
    assert_eq!(kept.offset_table[&queue("T")], 0);
}

#[tokio::test]
async fn a_groups_progress_is_seen_and_given_to_another() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    send(&mut client, "T", &["a", "b", "c"]).await;
    commit(&mut client, "G", "2").await;
    messages(&client.pull(&pull("G", "T", 0, 0)).await);
    server.clock.advance(500);
    let fields = [("srcGroup", "G"), ("destGroup", "H"), ("offline", "true")];
    let code = RequestCode::CloneGroupOffset;
    let cloned = client.call(code, &Pairs(&fields), b"").await;
    assert_eq!(cloned.response_code(), ResponseCode::Success);
    assert_eq!(committed(&mut client, "H").await.as_deref(), Some("2"));

    let code = RequestCode::GetConsumeStats;
    let stats: ConsumeStats = ask(&mut client, code, &[("consumerGroup", "G")]).await;
    let progress = &stats.offset_table[&queue("T")];
    assert_eq!(
        (
            progress.broker_offset,
            progress.consumer_offset,
            progress.pull_offset
        ),
        (3, 2, 3)
    );
    assert!((stats.consume_tps - 3.0).abs() < 1e-9, "{stats:?}");
    let code = RequestCode::GetBrokerConsumeStats;
    let all: BrokerConsumeStats = ask(&mut client, code, &[("isOrder", "false")]).await;
    assert_eq!((all.total_diff, all.total_inflight_diff), (2, 1));
    assert_eq!(all.consume_stats_list.len(), 2);
    let code = RequestCode::QueryConsumeTimeSpan;
    let spans: ConsumeTimeSpans = ask(&mut client, code, &[("topic", "T"), ("group", "G")]).await;
    let first = &spans.consume_time_span_set[0];
    assert_eq!(first.delay_time, 500);
    assert_eq!(first.min_time_stamp, super::support::START.millis());
    assert_eq!(spans.consume_time_span_set[1].max_time_stamp, -1);
    let code = RequestCode::QueryTopicsByConsumer;
    let topics: TopicList = ask(&mut client, code, &[("group", "G")]).await;
    assert_eq!(topics.topic_list, ["T"]);
}

#[tokio::test]
async fn a_queues_entries_say_where_messages_lie_and_who_wants_them() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let red = client
        .send_message("T", 0, "TAGS\u{1}red\u{2}", "red")
        .await;
    client
        .send_message("T", 0, "TAGS\u{1}blue\u{2}", "blue")
        .await;
    let beat = super::requests::heartbeat("c1", "G", "T", "blue", 1);
    client.call(RequestCode::HeartBeat, &NoFields, &beat).await;
    let fields = [
        ("topic", "T"),
        ("queueId", "0"),
        ("index", "0"),
        ("count", "10"),
        ("consumerGroup", "G"),
    ];
    let code = RequestCode::QueryConsumeQueue;
    let entries: ConsumeQueueEntries = ask(&mut client, code, &fields).await;
    assert_eq!((entries.min_queue_index, entries.max_queue_index), (0, 2));
    let evals: Vec<_> = entries.queue_data.iter().map(|entry| entry.eval).collect();
    assert_eq!(evals, [false, true]);
    let id: MessageId = red.fields.text("msgId").unwrap().parse().unwrap();
    assert_eq!(entries.queue_data[0].physic_offset, id.offset);
    // "red".hashCode() of Java.
    assert_eq!(entries.queue_data[0].tags_code, 112_785);
    let fields = [
        ("topic", "T"),
        ("queueId", "99"),
        ("index", "0"),
        ("count", "1"),
    ];
    let none = client.call(code, &Pairs(&fields), b"").await;
    assert_eq!(none.response_code(), ResponseCode::SystemError);
}

#[tokio::test]
async fn an_operator_stops_all_sends_or_pulls_over_a_restart() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    send(&mut client, "T", &["a"]).await;
    let code = RequestCode::UpdateBrokerConfig;
    for (text, expected) in [
        ("flushDiskType=SYNC_FLUSH\n", ResponseCode::NoPermission),
        ("brokerPermission=9\n", ResponseCode::InvalidParameter),
        ("brokerPermission=4\n", ResponseCode::Success),
    ] {
        let answer = client.call(code, &NoFields, text.as_bytes()).await;
        assert_eq!(answer.response_code(), expected, "{text}");
    }
    let again = server.serve_again(Config::default()).await;
    let mut client = TestClient::connect_to(again).await;
    let header = super::requests::send("T", 0, "");
    let refused = client.call(RequestCode::SendMessageV2, &header, b"b").await;
    assert_eq!(refused.response_code(), ResponseCode::NoPermission);
    assert_eq!(messages(&client.pull(&pull("G", "T", 0, 0)).await).len(), 1);
    let shown = client
        .call(RequestCode::GetBrokerConfig, &NoFields, b"")
        .await;
    let text = String::from_utf8(shown.body.to_vec()).unwrap();
    assert!(text.contains("brokerPermission=4\n"), "{text}");
    assert!(text.lines().is_sorted(), "{text}");
    client.call(code, &NoFields, b"brokerPermission=2").await;
    let refused = client.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(refused.response_code(), ResponseCode::NoPermission);
}
