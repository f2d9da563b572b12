//! POP over the wire: handles, tables, long polls, order, and who pops what.

use super::requests::pull;
use super::support::{START, Server, TestClient, messages};
use gantry_core::model::{GroupName, QueueId, TopicName};
use gantry_core::{Durability, Payload, ProduceItem};
use gantry_remoting_protocol::body::{self, BatchAck, BatchAckRequest, Style};
use gantry_remoting_protocol::header::{
    NotificationRequest, PeekRequest, PopRequest, QueryConsumerOffset, ReceiptRequest,
};
use gantry_remoting_protocol::pop::{ReceiptHandle, bits_of};
use gantry_remoting_protocol::record::properties;
use gantry_remoting_protocol::{Command, NoFields, RequestCode, ResponseCode, Serialization};
use serde_json::{Value, json};

const INVISIBLE: i64 = 10_000;

fn pop(queue_id: i32) -> PopRequest<'static> {
    PopRequest {
        group: "G",
        topic: "T",
        queue_id,
        max_messages: 32,
        invisible_ms: INVISIBLE,
        poll_ms: 0,
        born_at: 0,
        init_mode: 0,
        expression_type: Some("TAG"),
        expression: Some("*"),
        is_ordered: false,
        attempt_id: None,
    }
}

async fn popped(client: &mut TestClient, request: &PopRequest<'_>) -> Command {
    client.call(RequestCode::PopMessage, request, b"").await
}

fn field<'a>(answer: &'a Command, name: &str) -> &'a str {
    answer
        .fields
        .text(name)
        .unwrap_or_else(|| panic!("{name}: {answer:?}"))
}

fn bodies(answer: &Command) -> Vec<String> {
    let text = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
    messages(answer)
        .iter()
        .map(|message| text(&message.body))
        .collect()
}

/// The handles of an answer's messages, made as the Java client makes them.
fn handles(answer: &Command) -> Vec<ReceiptHandle> {
    let table = |name| {
        let entries = field(answer, name).split(';');
        let entries = entries.map(|entry| entry.split(' ').collect::<Vec<_>>());
        entries.collect::<Vec<_>>()
    };
    let (starts, offsets) = (table("startOffsetInfo"), table("msgOffsetInfo"));
    let mut handles = Vec::new();
    for (start, of_queue) in starts.iter().zip(&offsets) {
        assert_eq!(start[..2], of_queue[..2]);
        for offset in of_queue[2].split(',') {
            handles.push(ReceiptHandle {
                start_offset: start[2].parse().unwrap(),
                pop_time: field(answer, "popTime").parse().unwrap(),
                invisible_ms: field(answer, "invisibleTime").parse().unwrap(),
                revive_queue: field(answer, "reviveQid").parse().unwrap(),
                retry: start[0].to_owned(),
                broker_name: "gantry".to_owned(),
                queue_id: start[1].parse().unwrap(),
                offset: offset.parse().unwrap(),
            });
        }
    }
    let places = handles
        .iter()
        .map(|handle| (handle.queue_id, handle.offset));
    let stored = messages(answer);
    let stored = stored
        .iter()
        .map(|message| (message.queue_id, message.queue_offset));
    assert!(places.eq(stored), "in the order of the body");
    handles
}

async fn receipt(
    client: &mut TestClient,
    code: RequestCode,
    handle: &ReceiptHandle,
    invisible_ms: Option<i64>,
) -> Command {
    let text = handle.to_string();
    let header = ReceiptRequest {
        group: "G",
        topic: "T",
        queue_id: handle.queue_id,
        handle: &text,
        offset: handle.offset,
        invisible_ms,
        is_suspended: false,
    };
    client.call(code, &header, b"").await
}

async fn ack(client: &mut TestClient, handle: &ReceiptHandle) -> ResponseCode {
    let answer = receipt(client, RequestCode::AckMessage, handle, None).await;
    answer.response_code()
}

async fn committed(client: &mut TestClient) -> i64 {
    let header = QueryConsumerOffset {
        group: "G",
        topic: "T",
        queue_id: 0,
        set_zero_if_not_found: false,
    };
    let code = RequestCode::QueryConsumerOffset;
    let answer = client.call(code, &header, b"").await;
    field(&answer, "offset").parse().unwrap()
}

async fn served(texts: &[&str]) -> (Server, TestClient) {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    for text in texts {
        client.send_message("T", 0, "", text).await;
    }
    (server, client)
}

#[tokio::test]
async fn popped_messages_are_acknowledged_one_by_one_and_come_again_otherwise() {
    let (server, mut client) = served(&["a", "b", "c"]).await;
    client.send_message("T", 2, "", "d").await;
    let answer = popped(&mut client, &pop(-1)).await;
    assert_eq!(answer.remark.as_deref(), Some("FOUND"));
    assert_eq!(field(&answer, "popTime"), START.millis().to_string());
    assert_eq!(
        (field(&answer, "invisibleTime"), field(&answer, "restNum")),
        ("10000", "0")
    );
    assert_eq!(answer.fields.text("orderCountInfo"), None);
    let handles = handles(&answer);
    assert_eq!(handles.len(), 4);
    let of_queue_0: Vec<_> = handles
        .iter()
        .filter(|handle| handle.queue_id == 0)
        .collect();
    assert_eq!(ack(&mut client, of_queue_0[0]).await, ResponseCode::Success);
    assert_eq!(
        ack(&mut client, of_queue_0[0]).await,
        ResponseCode::Success,
        "once more"
    );
    assert_eq!(committed(&mut client).await, 1);
    let nothing = popped(&mut client, &pop(0)).await;
    assert_eq!(nothing.response_code(), ResponseCode::PollingTimeout);
    assert_eq!(nothing.remark.as_deref(), Some("NO_MESSAGE_IN_QUEUE"));
    assert_eq!(
        (field(&nothing, "popTime"), field(&nothing, "msgOffsetInfo")),
        ("0", "")
    );

    server.clock.advance(INVISIBLE);
    let again = popped(&mut client, &pop(0)).await;
    assert_eq!(bodies(&again), ["b", "c"]);
    for (message, handle) in messages(&again).iter().zip(self::handles(&again)) {
        assert_eq!(message.reconsume_times, 1);
        let of_message: Vec<_> = properties(&message.properties).collect();
        assert!(of_message.contains(&("POP_CK", &handle.to_string())));
        assert!(of_message.contains(&("ORIGIN_GROUP", "G")));
        assert_eq!(message.topic.as_str(), "T");
    }
    let stale = receipt(&mut client, RequestCode::AckMessage, of_queue_0[1], None).await;
    assert_eq!(
        stale.response_code(),
        ResponseCode::NoMessage,
        "others have it now"
    );
    assert_eq!(
        ack(&mut client, &self::handles(&again)[0]).await,
        ResponseCode::Success
    );
    assert_eq!(committed(&mut client).await, 2);
}

#[tokio::test]
async fn a_changed_invisible_time_changes_the_handle() {
    let (server, mut client) = served(&["a"]).await;
    let answer = popped(&mut client, &pop(0)).await;
    let mut handle = handles(&answer).remove(0);
    let change = RequestCode::ChangeMessageInvisibleTime;
    server.clock.advance(5_000);
    let changed = receipt(&mut client, change, &handle, Some(8_000)).await;
    assert_eq!(changed.response_code(), ResponseCode::Success);
    let old = handle.clone();
    handle.pop_time = field(&changed, "popTime").parse().unwrap();
    handle.revive_queue = field(&changed, "reviveQid").parse().unwrap();
    assert_eq!(field(&changed, "invisibleTime"), "8000");
    let refused = receipt(&mut client, change, &old, Some(8_000)).await;
    assert_eq!(refused.response_code(), ResponseCode::NoMessage);
    server.clock.advance(7_999);
    let nothing = popped(&mut client, &pop(0)).await;
    assert_eq!(nothing.response_code(), ResponseCode::PollingTimeout);
    let given_back = receipt(&mut client, change, &handle, Some(0)).await;
    assert_eq!(given_back.response_code(), ResponseCode::Success);
    assert_eq!(bodies(&popped(&mut client, &pop(0)).await), ["a"]);
}

#[tokio::test]
async fn receipts_that_cannot_be_are_refused() {
    let (_server, mut client) = served(&["a"]).await;
    let answer = popped(&mut client, &pop(0)).await;
    let good = handles(&answer).remove(0);
    let elsewhere = |queue_id, offset| ReceiptHandle {
        queue_id,
        offset,
        ..good.clone()
    };
    assert_eq!(
        ack(&mut client, &elsewhere(9, 0)).await,
        ResponseCode::MessageIllegal
    );
    assert_eq!(
        ack(&mut client, &elsewhere(0, 1)).await,
        ResponseCode::NoMessage
    );
    assert_eq!(
        ack(&mut client, &elsewhere(0, -1)).await,
        ResponseCode::NoMessage
    );
    let mut broken = ReceiptRequest {
        group: "G",
        topic: "T",
        queue_id: 0,
        handle: "0 1 2",
        offset: 0,
        invisible_ms: None,
        is_suspended: false,
    };
    let answer = client.call(RequestCode::AckMessage, &broken, b"").await;
    assert_eq!(answer.response_code(), ResponseCode::SystemError);
    let handle = good.to_string();
    (broken.handle, broken.topic) = (&handle, "unknown");
    let answer = client.call(RequestCode::AckMessage, &broken, b"").await;
    assert_eq!(answer.response_code(), ResponseCode::TopicNotExist);
    (broken.topic, broken.group) = ("T", "other");
    let answer = client.call(RequestCode::AckMessage, &broken, b"").await;
    assert_eq!(
        answer.response_code(),
        ResponseCode::NoMessage,
        "another group's"
    );
    assert_eq!(ack(&mut client, &good).await, ResponseCode::Success);
}

#[tokio::test]
async fn a_batch_acknowledges_by_its_bits() {
    let (server, mut client) = served(&["a", "b", "c", "d"]).await;
    let answer = popped(&mut client, &pop(0)).await;
    let handles = handles(&answer);
    let batch = |bits: String| {
        let of_pop = BatchAck {
            bits,
            consumer_group: "G".to_owned(),
            invisible_ms: INVISIBLE,
            pop_time: handles[0].pop_time,
            queue_id: 0,
            retry: "0".to_owned(),
            revive_queue: handles[0].revive_queue,
            start_offset: handles[0].start_offset,
            topic: "T".to_owned(),
        };
        let acks = vec![of_pop];
        body::encode(
            &BatchAckRequest {
                acks,
                broker_name: "gantry".to_owned(),
            },
            Style::Standard,
        )
    };
    let code = RequestCode::BatchAckMessage;
    let answer = client
        .call(code, &NoFields, &batch(bits_of(&[0, 1, 3], 0)))
        .await;
    assert_eq!(answer.response_code(), ResponseCode::Success);
    assert_eq!(committed(&mut client).await, 2);
    let broken = client.call(code, &NoFields, &batch("?".to_owned())).await;
    assert_eq!(broken.response_code(), ResponseCode::InvalidParameter);
    server.clock.advance(INVISIBLE);
    assert_eq!(bodies(&popped(&mut client, &pop(0)).await), ["c"]);
}

#[tokio::test]
async fn in_order_a_queue_has_one_batch_in_flight() {
    let (server, mut client) = served(&["a", "b", "c"]).await;
    let ordered = |attempt_id| PopRequest {
        is_ordered: true,
        max_messages: 2,
        attempt_id: Some(attempt_id),
        ..pop(0)
    };
    let answer = popped(&mut client, &ordered("1")).await;
    assert_eq!(
        (bodies(&answer), field(&answer, "orderCountInfo")),
        (vec!["a".into(), "b".into()], "")
    );
    let blocked = popped(&mut client, &ordered("2")).await;
    assert_eq!(blocked.response_code(), ResponseCode::PollingTimeout);
    let same = popped(&mut client, &ordered("1")).await;
    assert_eq!(bodies(&same), ["a", "b"]);
    assert_eq!(messages(&same)[0].reconsume_times, 0);
    assert_eq!(
        ack(&mut client, &handles(&same)[0]).await,
        ResponseCode::Success
    );
    server.clock.advance(INVISIBLE);
    let next = popped(&mut client, &ordered("3")).await;
    assert_eq!(bodies(&next), ["b", "c"]);
    assert_eq!(field(&next, "orderCountInfo"), "0 qo0%1 1");
}

#[tokio::test]
async fn a_held_pop_is_woken_and_counted() {
    let server = Server::start().await;
    let mut consumer = TestClient::connect(&server).await;
    let mut other = TestClient::connect(&server).await;
    other.send_message("T", 1, "", "x").await;
    let held = PopRequest {
        poll_ms: 60_000,
        born_at: START.millis(),
        ..pop(0)
    };
    let asked = consumer.send(RequestCode::PopMessage, &held, b"").await;
    let info = NotificationRequest {
        group: "G",
        topic: "T",
        queue_id: 0,
        poll_ms: 0,
        born_at: 0,
        is_ordered: false,
        attempt_id: None,
    };
    // Requests of one connection are taken in order, so the pop is held by now.
    let counted = consumer.call(RequestCode::PollingInfo, &info, b"").await;
    assert_eq!(field(&counted, "pollingNum"), "1");
    other.send_message("T", 0, "", "new").await;
    assert_eq!(bodies(&consumer.answer(asked).await), ["new"]);
    let counted = consumer.call(RequestCode::PollingInfo, &info, b"").await;
    assert_eq!(field(&counted, "pollingNum"), "0");
    let briefly = PopRequest {
        poll_ms: 20,
        born_at: START.millis(),
        ..pop(0)
    };
    let nothing = popped(&mut consumer, &briefly).await;
    assert_eq!(nothing.response_code(), ResponseCode::PollingTimeout);
}

#[tokio::test]
async fn a_notification_says_that_there_is_something() {
    let (_server, mut client) = served(&["a"]).await;
    let mut request = NotificationRequest {
        group: "G",
        topic: "T",
        queue_id: 0,
        poll_ms: 0,
        born_at: 0,
        is_ordered: false,
        attempt_id: None,
    };
    let answer = client.call(RequestCode::Notification, &request, b"").await;
    assert_eq!(
        (field(&answer, "hasMsg"), field(&answer, "pollingFull")),
        ("true", "false")
    );
    let taken = popped(&mut client, &pop(0)).await;
    let answer = client.call(RequestCode::Notification, &request, b"").await;
    assert_eq!(field(&answer, "hasMsg"), "false");
    (request.poll_ms, request.queue_id) = (60_000, -1);
    let asked = client.send(RequestCode::Notification, &request, b"").await;
    let handle = &handles(&taken)[0];
    let change = RequestCode::ChangeMessageInvisibleTime;
    receipt(&mut client, change, handle, Some(0)).await;
    // The clock stands still: what is given back counts when its waiters look again.
    client.send_message("T", 0, "", "b").await;
    assert_eq!(field(&client.answer(asked).await, "hasMsg"), "true");
}

#[tokio::test]
async fn a_peek_takes_nothing() {
    let (_server, mut client) = served(&["a", "b"]).await;
    let request = PeekRequest {
        group: "G",
        topic: "T",
        queue_id: 0,
        max_messages: 1,
    };
    for _ in 0..2 {
        let answer = client.call(RequestCode::PeekMessage, &request, b"").await;
        assert_eq!(bodies(&answer), ["a"]);
    }
    popped(&mut client, &pop(0)).await;
    let answer = client.call(RequestCode::PeekMessage, &request, b"").await;
    assert_eq!(answer.response_code(), ResponseCode::PullNotFound);
}

#[tokio::test]
async fn a_new_group_that_wants_the_newest_gets_all_of_a_young_queue() {
    let (_server, mut client) = served(&["a", "b"]).await;
    let newest = PopRequest {
        init_mode: 1,
        ..pop(0)
    };
    assert_eq!(bodies(&popped(&mut client, &newest).await), ["a", "b"]);
}

#[tokio::test]
async fn only_messages_with_a_wanted_tag_come_and_the_rest_is_passed() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    for tag in ["red", "blue", "red"] {
        client
            .send_message("T", 0, &format!("TAGS\u{1}{tag}\u{2}"), tag)
            .await;
    }
    let blue = PopRequest {
        expression: Some("blue"),
        ..pop(0)
    };
    let answer = popped(&mut client, &blue).await;
    assert_eq!(bodies(&answer), ["blue"]);
    assert_eq!(
        ack(&mut client, &handles(&answer)[0]).await,
        ResponseCode::Success
    );
    assert_eq!(committed(&mut client).await, 3);
}

#[tokio::test]
async fn an_expression_over_properties_chooses_too() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    for price in ["3", "8", "5"] {
        let area = format!("price\u{1}{price}\u{2}");
        client.send_message("T", 0, &area, price).await;
    }
    let sql = |expression| PopRequest {
        expression_type: Some("SQL92"),
        expression: Some(expression),
        ..pop(0)
    };
    let answer = popped(&mut client, &sql("price > 4 AND price < 8")).await;
    assert_eq!(bodies(&answer), ["5"]);
    let refused = popped(&mut client, &sql("price >")).await;
    let code = ResponseCode::SubscriptionParseFailed;
    assert_eq!(refused.response_code(), code);
}

#[tokio::test]
async fn pops_that_cannot_be_are_refused_with_all_fields() {
    let (server, mut client) = served(&["a"]).await;
    let late = PopRequest {
        born_at: START.millis() - 1_000,
        poll_ms: 100,
        ..pop(0)
    };
    let cases = [
        (
            PopRequest {
                max_messages: 33,
                ..pop(0)
            },
            ResponseCode::InvalidParameter,
        ),
        (
            PopRequest {
                topic: "unknown",
                ..pop(0)
            },
            ResponseCode::TopicNotExist,
        ),
        (
            PopRequest {
                topic: "GANTRY_SYS_STATE",
                ..pop(0)
            },
            ResponseCode::TopicNotExist,
        ),
        (pop(4), ResponseCode::InvalidParameter),
        (pop(-2), ResponseCode::InvalidParameter),
        (
            PopRequest {
                group: "a b",
                ..pop(0)
            },
            ResponseCode::SubscriptionGroupNotExist,
        ),
        (
            PopRequest {
                expression: Some("||"),
                ..pop(0)
            },
            ResponseCode::SubscriptionParseFailed,
        ),
        (late, ResponseCode::PollingTimeout),
    ];
    for (request, code) in cases {
        let answer = popped(&mut client, &request).await;
        assert_eq!(answer.response_code(), code, "{request:?}");
        for name in ["popTime", "invisibleTime", "reviveQid", "restNum"] {
            assert_eq!(field(&answer, name), "0");
        }
        assert_eq!(answer.serialization, Serialization::Json);
    }
    assert_eq!(server.panics(), 0);
}

#[tokio::test]
async fn a_record_of_kafkas_is_popped_as_a_message_and_comes_again() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "first").await;
    let topic = server.broker.anonymous().topic("T").unwrap();
    let mut builder = gantry_core::batch::BatchBuilder::with_capacity(256);
    for value in ["k0", "k1"] {
        let record = gantry_core::model::Record {
            value: Some(value.into()),
            timestamp: START,
            ..Default::default()
        };
        builder.push(&record).unwrap();
    }
    let kind = gantry_core::batch::TimestampKind::Create;
    let built = builder.build(
        Default::default(),
        -1,
        kind,
        gantry_core::batch::Codec::None,
    );
    let batch = gantry_core::batch::RecordBatch::parse(built.unwrap()).unwrap();
    let payload = Payload::Batch(batch);
    let item = ProduceItem {
        topic,
        queue: QueueId::new(0),
        payload,
        also: Vec::new(),
    };
    server
        .broker
        .anonymous()
        .produce(vec![item], Durability::Appended)
        .pop()
        .unwrap()
        .unwrap();
    let answer = popped(&mut client, &pop(0)).await;
    assert_eq!(bodies(&answer), ["first", "k0", "k1"]);
    ack(&mut client, &handles(&answer)[1]).await;
    server.clock.advance(INVISIBLE);
    let again = popped(&mut client, &pop(0)).await;
    assert_eq!(bodies(&again), ["first", "k1"]);
    assert_eq!(messages(&again)[1].reconsume_times, 1);
}

#[tokio::test]
async fn after_the_last_attempt_a_message_is_a_dead_letter() {
    let (server, mut client) = served(&["a"]).await;
    for times in 0..=16 {
        let answer = popped(&mut client, &pop(0)).await;
        assert_eq!(messages(&answer)[0].reconsume_times, times);
        server.clock.advance(INVISIBLE);
    }
    let nothing = popped(&mut client, &pop(0)).await;
    assert_eq!(nothing.response_code(), ResponseCode::PollingTimeout);
    assert_eq!(committed(&mut client).await, 1);
    let dead = client.pull(&pull("tools", "%DLQ%G", 0, 0)).await;
    let dead = messages(&dead);
    assert_eq!((dead.len(), dead[0].reconsume_times), (1, 17));
    assert_eq!(dead[0].body, "a");
    let of_letter: Vec<_> = properties(&dead[0].properties).collect();
    assert!(of_letter.contains(&("RETRY_TOPIC", "T")));
    let id = of_letter
        .iter()
        .find(|(name, _)| *name == "ORIGIN_MESSAGE_ID")
        .unwrap()
        .1;
    assert_eq!(id.len(), 32);
}

async fn call_json(client: &mut TestClient, code: RequestCode, body: Value) -> Command {
    client
        .call(code, &NoFields, body.to_string().as_bytes())
        .await
}

async fn assigned(
    client: &mut TestClient,
    client_id: &str,
    topic: &str,
) -> Option<Vec<(String, i64)>> {
    let body = json!({"clientId": client_id, "consumerGroup": "G", "messageModel": "CLUSTERING",
        "strategyName": "AVG", "topic": topic});
    let answer = call_json(client, RequestCode::QueryAssignment, body).await;
    assert_eq!(answer.response_code(), ResponseCode::Success);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let list = body.get("messageQueueAssignments")?.as_array().unwrap();
    let of = |entry: &Value| {
        assert_eq!(entry["messageQueue"]["brokerName"], "gantry");
        let mode = entry["mode"].as_str().unwrap().to_owned();
        (mode, entry["messageQueue"]["queueId"].as_i64().unwrap())
    };
    Some(list.iter().map(of).collect())
}

#[tokio::test]
async fn who_gets_which_queue_follows_the_members_and_the_mode() {
    let (server, mut client) = served(&["a"]).await;
    let pulled = |queues: &[i64]| {
        let of = |queue: &i64| ("PULL".to_owned(), *queue);
        Some(queues.iter().map(of).collect::<Vec<_>>())
    };
    assert_eq!(
        assigned(&mut client, "c1", "T").await,
        None,
        "nobody is there"
    );
    client.heartbeat("c1", "G", "T").await;
    assert_eq!(
        assigned(&mut client, "c1", "T").await,
        pulled(&[0, 1, 2, 3])
    );
    assert_eq!(assigned(&mut client, "c2", "T").await, pulled(&[]));
    let mut second = TestClient::connect(&server).await;
    second.heartbeat("c2", "G", "T").await;
    assert_eq!(assigned(&mut client, "c2", "T").await, pulled(&[2, 3]));

    let set = |topic: &str| json!({"consumerGroup": "G", "mode": "POP", "popShareQueueNum": 0, "topic": topic});
    let answer = call_json(&mut client, RequestCode::SetMessageRequestMode, set("T")).await;
    assert_eq!(answer.response_code(), ResponseCode::Success);
    let popped = Some(vec![("POP".to_owned(), -1)]);
    assert_eq!(assigned(&mut client, "c1", "T").await, popped);
    assert_eq!(assigned(&mut client, "c1", "%RETRY%G").await, pulled(&[0]));
    let retry = call_json(
        &mut client,
        RequestCode::SetMessageRequestMode,
        set("%RETRY%G"),
    )
    .await;
    assert_eq!(retry.response_code(), ResponseCode::NoPermission);
    let all = call_json(
        &mut client,
        RequestCode::GetAllMessageRequestMode,
        json!({}),
    )
    .await;
    let all: Value = serde_json::from_slice(&all.body).unwrap();
    assert_eq!(all["messageRequestModeMap"]["T"]["G"], set("T"));
}

#[tokio::test]
async fn a_group_pulls_and_pops_with_one_progress() {
    let (server, mut client) = served(&["a", "b", "c"]).await;
    let one = PopRequest {
        max_messages: 1,
        ..pop(0)
    };
    let answer = popped(&mut client, &one).await;
    ack(&mut client, &handles(&answer)[0]).await;
    assert_eq!(committed(&mut client).await, 1);
    let group = GroupName::new("G").unwrap();
    let commit = gantry_core::OffsetCommit {
        topic: TopicName::new("T").unwrap(),
        queue: QueueId::new(0),
        offset: gantry_core::model::QueueOffset::new(2),
        leader_epoch: -1,
        metadata: String::new(),
    };
    server
        .broker
        .anonymous()
        .commit_offsets(&group, vec![commit])
        .unwrap();
    assert_eq!(bodies(&popped(&mut client, &pop(0)).await), ["c"]);
}
