//! Pulls, long polls, filters, progress and offsets.

use super::requests::{heartbeat, held_pull, pull};
use super::support::{START, Server, TestClient, messages};
use gantry_core::batch::{BatchBuilder, Codec, RecordBatch, TimestampKind};
use gantry_core::model::{Header, QueueId, QueueOffset, Record, TopicName};
use gantry_core::{Durability, Payload, ProduceItem};
use gantry_remoting_protocol::header::{
    PullRequest, QueryConsumerOffset, QueueRequest, SearchOffset, UpdateConsumerOffset,
};
use gantry_remoting_protocol::{Command, NoFields, RequestCode, ResponseCode};

pub fn offsets(answer: &Command) -> [i64; 3] {
    ["nextBeginOffset", "minOffset", "maxOffset"]
        .map(|name| answer.fields.text(name).unwrap().parse().unwrap())
}

async fn offset(client: &mut TestClient, code: RequestCode, topic: &str, queue_id: i32) -> i64 {
    let header = QueueRequest { topic, queue_id };
    let answer = client.call(code, &header, b"").await;
    assert_eq!(answer.response_code(), ResponseCode::Success);
    answer.fields.text("offset").unwrap().parse().unwrap()
}

async fn committed(
    client: &mut TestClient,
    group: &str,
    topic: &str,
) -> (ResponseCode, Option<i64>) {
    let header = QueryConsumerOffset {
        group,
        topic,
        queue_id: 0,
        set_zero_if_not_found: true,
    };
    let answer = client
        .call(RequestCode::QueryConsumerOffset, &header, b"")
        .await;
    let offset = answer
        .fields
        .text("offset")
        .map(|text| text.parse().unwrap());
    (answer.response_code(), offset)
}

#[tokio::test]
async fn a_held_pull_is_woken_by_a_send() {
    let server = Server::start().await;
    let mut consumer = TestClient::connect(&server).await;
    let mut producer = TestClient::connect(&server).await;
    producer.send_message("T", 0, "", "first").await;
    let header = held_pull("G", "T", 0, 1, 60_000);
    let held = consumer.send(RequestCode::PullMessage, &header, b"").await;
    // Other requests of the same connection are not held.
    assert_eq!(
        offset(&mut consumer, RequestCode::GetMaxOffset, "T", 0).await,
        1
    );
    producer.send_message("T", 0, "", "second").await;
    let answer = consumer.answer(held).await;
    assert_eq!(messages(&answer)[0].body, "second");
    assert_eq!(offsets(&answer), [2, 0, 2]);
}

#[tokio::test]
async fn a_held_pull_ends_when_its_time_is_over() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "x").await;
    let answer = client.pull(&held_pull("G", "T", 0, 1, 20)).await;
    assert_eq!(answer.response_code(), ResponseCode::PullNotFound);
    assert_eq!(offsets(&answer), [1, 0, 1]);
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn offsets_outside_the_queue_are_moved_into_it() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "x").await;
    for (requested, next) in [(7, 1), (-1, 0)] {
        let answer = client
            .pull(&held_pull("G", "T", 0, requested, 60_000))
            .await;
        assert_eq!(answer.response_code(), ResponseCode::PullOffsetMoved);
        assert_eq!(offsets(&answer), [next, 0, 1]);
    }
    let empty = client.pull(&pull("G", "T", 1, 0)).await;
    assert_eq!(empty.response_code(), ResponseCode::PullNotFound);
    assert_eq!(offsets(&empty), [0, 0, 0]);
}

#[tokio::test]
async fn only_messages_with_a_wanted_tag_come() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    // "Aa" and "BB" have one hash.
    for tag in ["red", "BB", "Aa", "blue"] {
        client
            .send_message("T", 0, &format!("TAGS\u{1}{tag}\u{2}"), tag)
            .await;
    }
    client.send_message("T", 0, "", "none").await;
    let wanting = |subscription| PullRequest {
        subscription: Some(subscription),
        ..pull("G", "T", 0, 0)
    };
    let answer = client.pull(&wanting("Aa || red")).await;
    let bodies: Vec<_> = messages(&answer).iter().map(|m| m.body.clone()).collect();
    assert_eq!(bodies, ["red", "Aa"]);
    assert_eq!(offsets(&answer), [5, 0, 5], "what was skipped is passed");
    let nothing = client.pull(&wanting("green")).await;
    assert_eq!(nothing.response_code(), ResponseCode::PullRetryImmediately);
    assert_eq!(offsets(&nothing), [5, 0, 5]);
    let broken = client.pull(&wanting("||")).await;
    assert_eq!(
        broken.response_code(),
        ResponseCode::SubscriptionParseFailed
    );
    let unknown = PullRequest {
        expression_type: Some("XPATH"),
        ..wanting("a > 3")
    };
    let refused = client.pull(&unknown).await;
    assert_eq!(refused.response_code(), ResponseCode::SystemError);
}

#[tokio::test]
async fn a_push_consumers_pull_follows_its_heartbeat() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client
        .send_message("T", 0, "TAGS\u{1}red\u{2}", "red")
        .await;
    client
        .send_message("T", 0, "TAGS\u{1}blue\u{2}", "blue")
        .await;
    let header = |version| PullRequest {
        sys_flag: 0,
        subscription: None,
        subscription_version: version,
        ..pull("G", "T", 0, 0)
    };
    let unknown = client.pull(&header(1)).await;
    assert_eq!(unknown.response_code(), ResponseCode::SubscriptionNotExist);
    let body = heartbeat("c1", "G", "T", "blue", 5);
    client.call(RequestCode::HeartBeat, &NoFields, &body).await;
    let answer = client.pull(&header(5)).await;
    assert_eq!(messages(&answer)[0].body, "blue");
    let newer = client.pull(&header(6)).await;
    assert_eq!(newer.response_code(), ResponseCode::SubscriptionNotLatest);
    let other = PullRequest {
        topic: "%RETRY%G",
        ..header(5)
    };
    let retry = client.pull(&other).await;
    assert_eq!(
        retry.response_code(),
        ResponseCode::PullNotFound,
        "it exists"
    );
}

#[tokio::test]
async fn pulls_that_cannot_be_are_refused() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "x").await;
    let cases = [
        (pull("G", "Unknown", 0, 0), ResponseCode::TopicNotExist),
        (
            pull("G", "GANTRY_SYS_STATE", 0, 0),
            ResponseCode::TopicNotExist,
        ),
        (pull("G", "T", 4, 0), ResponseCode::InvalidParameter),
        (pull("G", "T", -1, 0), ResponseCode::InvalidParameter),
        (
            pull("a b", "T", 0, 0),
            ResponseCode::SubscriptionGroupNotExist,
        ),
    ];
    for (header, code) in cases {
        let answer = client.pull(&header).await;
        assert_eq!(answer.response_code(), code, "{header:?}");
    }
}

#[tokio::test]
async fn one_answer_has_at_most_32_messages_and_256_kib() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    for _ in 0..40 {
        client.send_message("T", 0, "", "x").await;
    }
    let many = PullRequest {
        max_messages: 1000,
        ..pull("G", "T", 0, 0)
    };
    let answer = client.pull(&many).await;
    assert_eq!(messages(&answer).len(), 32);
    assert_eq!(offsets(&answer)[0], 32);
    let big = "x".repeat(100_000);
    for _ in 0..4 {
        client.send_message("T", 1, "", &big).await;
    }
    let answer = client.pull(&pull("G", "T", 1, 0)).await;
    assert_eq!(messages(&answer).len(), 2);
    assert_eq!(offsets(&answer)[0], 2);
    let zero = PullRequest {
        max_messages: 0,
        ..pull("G", "T", 0, 0)
    };
    assert_eq!(messages(&client.pull(&zero).await).len(), 1);
}

#[tokio::test]
async fn progress_is_stored_and_told() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let none = committed(&mut client, "G", "T").await;
    assert_eq!(none, (ResponseCode::QueryNotFound, None));
    client.send_message("T", 0, "", "x").await;
    let at_start = committed(&mut client, "G", "T").await;
    assert_eq!(
        at_start,
        (ResponseCode::Success, Some(0)),
        "all is still there"
    );
    let update = |offset| UpdateConsumerOffset {
        group: "G",
        topic: "T",
        queue_id: 0,
        commit_offset: offset,
    };
    for offset in [9, 1] {
        let header = update(Some(offset));
        let answer = client
            .call(RequestCode::UpdateConsumerOffset, &header, b"")
            .await;
        assert_eq!(answer.response_code(), ResponseCode::Success);
        let now = committed(&mut client, "G", "T").await;
        assert_eq!(now, (ResponseCode::Success, Some(offset)));
    }
    let header = PullRequest {
        sys_flag: 1 | 2 | 4,
        commit_offset: 5,
        ..pull("G", "T", 0, 0)
    };
    client.pull(&header).await;
    let now = committed(&mut client, "G", "T").await;
    assert_eq!(
        now,
        (ResponseCode::Success, Some(5)),
        "a pull carries it too"
    );

    let code = |header: UpdateConsumerOffset<'static>| (RequestCode::UpdateConsumerOffset, header);
    let refused = [
        (code(update(None)), ResponseCode::InvalidParameter),
        (
            code(UpdateConsumerOffset {
                topic: "Unknown",
                ..update(Some(1))
            }),
            ResponseCode::TopicNotExist,
        ),
        (
            code(UpdateConsumerOffset {
                group: "a b",
                ..update(Some(1))
            }),
            ResponseCode::SubscriptionGroupNotExist,
        ),
    ];
    for ((code, header), expected) in refused {
        let answer = client.call(code, &header, b"").await;
        assert_eq!(answer.response_code(), expected, "{header:?}");
    }
}

#[tokio::test]
async fn a_queue_says_what_it_holds() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    for _ in 0..3 {
        client.send_message("T", 0, "", "x").await;
        server.clock.advance(1_000);
    }
    assert_eq!(
        offset(&mut client, RequestCode::GetMaxOffset, "T", 0).await,
        3
    );
    assert_eq!(
        offset(&mut client, RequestCode::GetMinOffset, "T", 0).await,
        0
    );
    assert_eq!(
        offset(&mut client, RequestCode::GetMaxOffset, "T", 9).await,
        0
    );
    assert_eq!(
        offset(&mut client, RequestCode::GetMaxOffset, "Unknown", 0).await,
        0
    );

    let header = |topic| QueueRequest { topic, queue_id: 0 };
    let code = RequestCode::GetEarliestMessageStoreTime;
    let earliest = client.call(code, &header("T"), b"").await;
    let start = START.millis().to_string();
    assert_eq!(earliest.fields.text("timestamp"), Some(&*start));
    let none = client.call(code, &header("Unknown"), b"").await;
    assert_eq!(none.fields.text("timestamp"), Some("-1"));

    let cases = [
        (0, None, 0),
        (500, None, 1),
        (1_000, None, 1),
        (9_000, None, 3),
        (1_500, Some("UPPER"), 1),
        (9_000, Some("UPPER"), 2),
        (-1, Some("UPPER"), 0),
    ];
    for (after_start, boundary, expected) in cases {
        let header = SearchOffset {
            topic: "T",
            queue_id: 0,
            timestamp: START.millis() + after_start,
            boundary,
        };
        let answer = client
            .call(RequestCode::SearchOffsetByTimestamp, &header, b"")
            .await;
        let found: i64 = answer.fields.text("offset").unwrap().parse().unwrap();
        assert_eq!(found, expected, "{header:?}");
    }
}

/// A batch of `count` records with bodies of `size` bytes, tagged `even` and `odd` in turn.
pub fn kafka_batch(count: u8, size: usize) -> RecordBatch {
    let mut builder = BatchBuilder::with_capacity(1024);
    for number in 0..count {
        let tag = if number % 2 == 0 { "even" } else { "odd" };
        let record = Record {
            key: Some(vec![b'k', number].into()),
            value: Some(vec![number; size].into()),
            headers: vec![Header {
                name: "TAGS".into(),
                value: Some(tag.into()),
            }],
            timestamp: START,
        };
        builder.push(&record).unwrap();
    }
    let (base, kind) = (QueueOffset::ZERO, TimestampKind::Create);
    let bytes = builder.build(base, 0, kind, Codec::Zstd).unwrap();
    RecordBatch::parse(bytes).unwrap()
}

pub fn produce(server: &Server, topic: &str, batch: RecordBatch) {
    let core = server.broker.anonymous();
    let name = TopicName::new(topic).unwrap();
    let item = ProduceItem {
        topic: core.topic_or_create(&name, Some(1)).unwrap(),
        queue: QueueId::new(0),
        payload: Payload::Batch(batch),
        also: Vec::new(),
    };
    let receipts = core.produce(vec![item], Durability::Appended);
    assert!(receipts[0].is_ok(), "{receipts:?}");
}

#[tokio::test]
async fn records_of_a_kafka_batch_come_as_messages_each_with_its_offset() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    produce(&server, "T", kafka_batch(50, 10));
    client.send_message("T", 0, "", "last").await;
    let mut bodies = Vec::new();
    let mut next = 0;
    while next < 51 {
        let answer = client.pull(&pull("G", "T", 0, next)).await;
        for message in messages(&answer) {
            assert_eq!(message.queue_offset, i64::try_from(bodies.len()).unwrap());
            bodies.push(message.body[0]);
        }
        next = offsets(&answer)[0];
    }
    let expected: Vec<u8> = (0..50).chain([b'l']).collect();
    assert_eq!(bodies, expected);
    let odd = PullRequest {
        subscription: Some("odd"),
        ..pull("G", "T", 0, 9)
    };
    let answer = client.pull(&odd).await;
    let odd: Vec<_> = messages(&answer).iter().map(|m| m.body[0]).collect();
    assert_eq!(odd, (9..50).step_by(2).collect::<Vec<u8>>());
}

#[tokio::test]
async fn a_batch_that_is_large_as_messages_comes_in_several_answers() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    produce(&server, "T", kafka_batch(10, 100_000));
    let answer = client.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(messages(&answer).len(), 2);
    assert_eq!(offsets(&answer), [2, 0, 10]);
    let answer = client.pull(&pull("G", "T", 0, 9)).await;
    assert_eq!(messages(&answer)[0].body[0], 9);
}
