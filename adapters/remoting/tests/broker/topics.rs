//! Topics: made by sends, by tools, and deleted.

use super::requests::send;
use super::support::{START, Server, TestClient, messages};
use gantry_remoting_protocol::body::{self, ConsumeStats, MessageQueue, TopicStats};
use gantry_remoting_protocol::header::{
    CreateTopic, GroupRequest, SendRequest, TopicRequest, UpdateConsumerOffset,
};
use gantry_remoting_protocol::{NoFields, RequestCode, ResponseCode};

fn create(topic: &str) -> CreateTopic<'_> {
    CreateTopic {
        topic,
        default_topic: Some("TBW102"),
        read_queues: 6,
        write_queues: 4,
        permission: 6,
        filter_type: Some("SINGLE_TAG"),
        sys_flag: 0,
        is_ordered: false,
        attributes: None,
    }
}

#[tokio::test]
async fn a_send_creates_its_topic_after_the_default_one() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    for (topic, template, asked, queues) in [
        ("A", "TBW102", 4, 4),
        ("B", "TBW102", 100, 8),
        ("C", "TBW102", 0, 1),
        ("D", "gantry", 4, 1),
        ("%RETRY%g", "", 4, 1),
    ] {
        let header = SendRequest {
            default_topic: template,
            default_topic_queues: asked,
            ..send(topic, 0, "")
        };
        let answer = client.call(RequestCode::SendMessageV2, &header, b"x").await;
        assert_eq!(answer.response_code(), ResponseCode::Success, "{topic}");
        let made = server.broker.anonymous().topic(topic).unwrap();
        assert_eq!(made.queue_count(), queues, "{topic}");
    }
}

#[tokio::test]
async fn tools_create_change_list_and_delete_topics() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let code = RequestCode::UpdateAndCreateTopic;
    let header = CreateTopic {
        attributes: Some("+message.type=FIFO,+retention.ms=9"),
        ..create("T")
    };
    let answer = client.call(code, &header, b"").await;
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");
    let header = CreateTopic {
        permission: 4,
        attributes: Some("-retention.ms"),
        ..create("T")
    };
    let answer = client.call(code, &header, b"").await;
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");

    let header = CreateTopic {
        attributes: Some("+no.such=1"),
        ..create("T")
    };
    let answer = client.call(code, &header, b"").await;
    assert_eq!(answer.remark.as_deref(), Some("unsupported key: no.such"));

    let listed = client
        .call(RequestCode::GetAllTopicConfig, &NoFields, b"")
        .await;
    let body: serde_json::Value = serde_json::from_slice(&listed.body).unwrap();
    let config = &body["topicConfigTable"]["T"];
    let expected = serde_json::json!({
        "attributes": {"message.type": "FIFO"}, "order": false, "perm": 4, "readQueueNums": 6,
        "topicFilterType": "SINGLE_TAG", "topicName": "T", "topicSysFlag": 0, "writeQueueNums": 4,
    });
    assert_eq!(*config, expected);

    let header = TopicRequest { topic: "T" };
    for _ in 0..2 {
        let code = RequestCode::DeleteTopicInBroker;
        let answer = client.call(code, &header, b"").await;
        assert_eq!(answer.response_code(), ResponseCode::Success);
        assert!(server.broker.anonymous().topic("T").is_none());
    }
}

#[tokio::test]
async fn tools_see_what_queues_hold_and_how_far_groups_are() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client
        .send_message("T", 3, "KEYS\u{1}k1 k2\u{2}", "x")
        .await;
    client
        .send_message("T", 3, "UNIQ_KEY\u{1}id\u{2}", "y")
        .await;
    let header = UpdateConsumerOffset {
        group: "G",
        topic: "T",
        queue_id: 3,
        commit_offset: Some(1),
    };
    client
        .call(RequestCode::UpdateConsumerOffset, &header, b"")
        .await;

    let header = TopicRequest { topic: "T" };
    let answer = client
        .call(RequestCode::GetTopicStatsInfo, &header, b"")
        .await;
    let stats: TopicStats = body::decode(&answer.body).unwrap();
    let queue = MessageQueue {
        broker_name: "gantry".to_owned(),
        queue_id: 3,
        topic: "T".to_owned(),
    };
    let extent = &stats.offset_table[&queue];
    assert_eq!((extent.min_offset, extent.max_offset), (0, 2));
    assert_eq!(extent.last_update_timestamp, START.millis());
    assert_eq!(stats.offset_table.len(), 4);

    let header = GroupRequest { group: "G" };
    let answer = client
        .call(RequestCode::GetConsumeStats, &header, b"")
        .await;
    let stats: ConsumeStats = body::decode(&answer.body).unwrap();
    let progress = &stats.offset_table[&queue];
    assert_eq!((progress.broker_offset, progress.consumer_offset), (2, 1));

    let by_key = |key| {
        [
            ("topic", "T"),
            ("key", key),
            ("maxNum", "8"),
            ("beginTimestamp", "0"),
            ("endTimestamp", "9000000000000"),
        ]
    };
    for (key, text) in [("k2", "x"), ("id", "y")] {
        let fields = by_key(key);
        let answer = client.call(RequestCode::QueryMessage, &fields, b"").await;
        assert_eq!(messages(&answer)[0].body, text);
    }
    let fields = by_key("none");
    let answer = client.call(RequestCode::QueryMessage, &fields, b"").await;
    assert_eq!(answer.response_code(), ResponseCode::QueryNotFound);
}

#[tokio::test]
async fn a_topic_that_was_deleted_is_created_anew_by_the_next_send() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "x").await;
    let header = TopicRequest { topic: "T" };
    client
        .call(RequestCode::DeleteTopicInBroker, &header, b"")
        .await;
    let answer = client.send_message("T", 0, "", "x").await;
    assert_eq!(answer.fields.text("queueOffset"), Some("0"), "{answer:?}");
}

#[tokio::test]
async fn topics_that_cannot_be_are_refused() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let cases = [
        create("a/b"),
        create(""),
        create("TBW102"),
        create("SCHEDULE_TOPIC_XXXX"),
        create("GANTRY_SYS_STATE"),
        CreateTopic {
            read_queues: 0,
            ..create("T")
        },
        CreateTopic {
            permission: 99,
            ..create("T")
        },
    ];
    for header in cases {
        let code = RequestCode::UpdateAndCreateTopic;
        let answer = client.call(code, &header, b"").await;
        assert_eq!(
            answer.response_code(),
            ResponseCode::InvalidParameter,
            "{header:?}"
        );
    }
    let header = TopicRequest {
        topic: "GANTRY_SYS_STATE",
    };
    let code = RequestCode::DeleteTopicInBroker;
    let answer = client.call(code, &header, b"").await;
    assert_eq!(answer.response_code(), ResponseCode::InvalidParameter);
}
