//! Sends of all kinds, read back with pulls.

use super::requests::{batch, pull, send};
use super::support::{Server, TestClient, messages};
use bytes::BytesMut;
use gantry_remoting_protocol::codec::Request;
use gantry_remoting_protocol::header::{SendRequest, ViewMessage};
use gantry_remoting_protocol::record::{MessageId, properties};
use gantry_remoting_protocol::{NoFields, RequestCode, ResponseCode};

#[tokio::test]
async fn what_is_sent_is_pulled() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let area = "TAGS\u{1}red\u{2}UNIQ_KEY\u{1}ABC\u{2}KEYS\u{1}k";
    let sent = client.send_message("T", 2, area, "hello").await;
    assert_eq!(sent.response_code(), ResponseCode::Success, "{sent:?}");
    assert_eq!(sent.fields.text("queueId"), Some("2"));
    assert_eq!(sent.fields.text("queueOffset"), Some("0"));
    assert_eq!(sent.fields.text("transactionId"), Some("ABC"));
    assert_eq!(sent.fields.text("MSG_REGION"), Some("DefaultRegion"));
    assert_eq!(sent.fields.text("TRACE_ON"), Some("true"));

    let pulled = client.pull(&pull("G", "T", 2, 0)).await;
    let [message] = &messages(&pulled)[..] else {
        panic!("{pulled:?}")
    };
    assert_eq!(message.body, "hello");
    assert_eq!(message.topic.as_str(), "T");
    assert_eq!((message.queue_id, message.queue_offset), (2, 0));
    let pairs = properties(&message.properties);
    let pairs: Vec<_> = pairs.filter(|(name, _)| *name != "__CRC32#").collect();
    let expected = [
        ("TAGS", "red"),
        ("UNIQ_KEY", "ABC"),
        ("KEYS", "k"),
        ("MSG_REGION", "DefaultRegion"),
        ("CLUSTER", "DefaultCluster"),
        ("TRACE_ON", "true"),
    ];
    assert_eq!(pairs, expected);
    let field = |name| pulled.fields.text(name);
    assert_eq!(field("nextBeginOffset"), Some("1"));
    assert_eq!(field("minOffset"), Some("0"));
    assert_eq!(field("maxOffset"), Some("1"));
}

#[tokio::test]
async fn what_was_received_can_be_sent_on() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "a\u{1}b\u{2}", "x").await;
    let received = messages(&client.pull(&pull("G", "T", 0, 0)).await);
    let again = client
        .send_message("U", 0, &received[0].properties, "x")
        .await;
    assert_eq!(again.response_code(), ResponseCode::Success, "{again:?}");
}

#[tokio::test]
async fn the_message_id_of_a_send_finds_the_message() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "first").await;
    let sent = client.send_message("T", 0, "", "second").await;
    let id: MessageId = sent.fields.text("msgId").unwrap().parse().unwrap();
    let header = ViewMessage { offset: id.offset };
    let view = client
        .call(RequestCode::ViewMessageById, &header, b"")
        .await;
    assert_eq!(messages(&view)[0].body, "second");
    let header = ViewMessage {
        offset: id.offset + 1,
    };
    let view = client
        .call(RequestCode::ViewMessageById, &header, b"")
        .await;
    assert_eq!(view.response_code(), ResponseCode::SystemError);
}

#[tokio::test]
async fn long_names_say_the_same() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let fields = [
        ("producerGroup", "p"),
        ("topic", "T"),
        ("defaultTopic", "TBW102"),
        ("defaultTopicQueueNums", "4"),
        ("queueId", "1"),
        ("sysFlag", "0"),
        ("bornTimestamp", "5"),
        ("flag", "9"),
        ("properties", "a\u{1}b\u{2}"),
    ];
    let sent = client.call(RequestCode::SendMessage, &fields, b"x").await;
    assert_eq!(sent.response_code(), ResponseCode::Success, "{sent:?}");
    let key = sent.fields.text("transactionId").unwrap().to_owned();
    let message = &messages(&client.pull(&pull("G", "T", 1, 0)).await)[0];
    assert_eq!((message.flag, message.born_timestamp), (9, 5));
    let made = properties(&message.properties).find(|(name, _)| *name == "UNIQ_KEY");
    assert_eq!(made, Some(("UNIQ_KEY", &*key)), "the broker made one");
}

#[tokio::test]
async fn a_batch_becomes_messages_with_consecutive_offsets() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "before").await;
    let header = SendRequest {
        is_batch: true,
        ..send("T", 0, "UNIQ_KEY\u{1}A,B,C\u{2}")
    };
    let body = batch(&["one", "two", "three"]);
    let sent = client
        .call(RequestCode::SendBatchMessage, &header, &body)
        .await;
    assert_eq!(sent.fields.text("queueOffset"), Some("1"), "{sent:?}");
    assert_eq!(sent.fields.text("msgId").unwrap().split(',').count(), 3);
    let pulled = messages(&client.pull(&pull("G", "T", 0, 1)).await);
    let seen: Vec<_> = pulled
        .iter()
        .map(|m| (m.queue_offset, &m.body[..]))
        .collect();
    assert_eq!(seen, [(1, &b"one"[..]), (2, b"two"), (3, b"three")]);
    let mut added = properties(&pulled[0].properties).filter(|(name, _)| *name != "__CRC32#");
    assert_eq!(added.next(), None, "just what it came with");
}

#[tokio::test]
async fn a_batch_that_is_cut_short_stores_nothing() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let header = SendRequest {
        is_batch: true,
        ..send("T", 0, "")
    };
    let body = batch(&["one", "two"]);
    let cut = &body[..body.len() - 1];
    let refused = client
        .call(RequestCode::SendBatchMessage, &header, cut)
        .await;
    assert_eq!(refused.response_code(), ResponseCode::SystemError);
    let huge = vec![0; (4 << 20) + 1];
    let refused = client
        .call(RequestCode::SendBatchMessage, &header, &huge)
        .await;
    assert_eq!(refused.response_code(), ResponseCode::MessageIllegal);
    let none = client
        .call(RequestCode::SendBatchMessage, &header, b"")
        .await;
    assert_eq!(none.response_code(), ResponseCode::MessageIllegal);
    let pulled = client.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(pulled.response_code(), ResponseCode::PullNotFound);
}

#[tokio::test]
async fn sends_of_one_read_are_answered_each_and_stored_in_order() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let mut burst = BytesMut::new();
    let header = send("T", 0, "");
    let opaques: Vec<i32> = (0..50u8)
        .map(|n| client.encode(&mut burst, RequestCode::SendMessageV2, &header, &[n]))
        .collect();
    // Refused in the middle, without harm to the others.
    let illegal = send("a b", 0, "");
    let refused = client.encode(&mut burst, RequestCode::SendMessageV2, &illegal, b"x");
    let last = client.encode(&mut burst, RequestCode::SendMessageV2, &header, &[50]);
    client.write(&burst).await;
    for (offset, opaque) in opaques.into_iter().chain([last]).enumerate() {
        let answer = client.answer(opaque).await;
        let offset = offset.to_string();
        assert_eq!(answer.fields.text("queueOffset"), Some(&*offset));
    }
    let answer = client.answer(refused).await;
    assert_eq!(answer.response_code(), ResponseCode::InvalidParameter);
    let pulled = messages(&client.pull(&pull("G", "T", 0, 32)).await);
    let seen: Vec<u8> = pulled.iter().map(|message| message.body[0]).collect();
    assert_eq!(seen, (32..=50).collect::<Vec<u8>>());
}

#[tokio::test]
async fn one_way_sends_are_stored_and_never_answered() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let mut out = BytesMut::new();
    for (opaque, topic) in [(100, "T"), (101, "a b")] {
        let header = send(topic, 0, "");
        let request = Request {
            code: RequestCode::SendMessageV2,
            opaque,
            is_oneway: true,
            fields: Some(&header),
            body_len: 1,
        };
        request.encode(&mut out);
        out.extend_from_slice(b"x");
    }
    client.write(&out).await;
    let pulled = client.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(messages(&pulled).len(), 1);
    assert!(client.has_nothing_left(), "the pull's was the only answer");
}

#[tokio::test]
async fn what_cannot_be_delivered_as_asked_is_refused() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let cases = [
        ("DELAY\u{1}x\u{2}", ResponseCode::MessageIllegal),
        (
            "TIMER_DELAY_SEC\u{1}259201\u{2}",
            ResponseCode::MessageIllegal,
        ),
        ("TIMER_DEL_UNIQKEY\u{1}k\u{2}", ResponseCode::MessageIllegal),
        ("TRAN_MSG\u{1}true\u{2}", ResponseCode::MessageIllegal),
        (
            "INNER_MULTI_DISPATCH\u{1}%LMQ%a\u{2}",
            ResponseCode::MessageIllegal,
        ),
    ];
    for (area, code) in cases {
        let refused = client.send_message("T", 0, area, "x").await;
        assert_eq!(refused.response_code(), code, "{area:?}");
        assert!(refused.remark.is_some());
    }
    let sent = client.send_message("T", 0, "DELAY\u{1}0\u{2}", "x").await;
    assert_eq!(sent.response_code(), ResponseCode::Success);
    let pulled = client.pull(&pull("G", "T", 0, 0)).await;
    assert_eq!(messages(&pulled).len(), 1, "nothing was delivered early");
}

#[tokio::test]
async fn names_and_queues_that_cannot_be_are_refused() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "x").await;
    let long = "t".repeat(128);
    let cases = [
        ("T", 4, ResponseCode::InvalidParameter),
        ("../x", 0, ResponseCode::InvalidParameter),
        ("", 0, ResponseCode::InvalidParameter),
        (&*long, 0, ResponseCode::InvalidParameter),
        ("SCHEDULE_TOPIC_XXXX", 0, ResponseCode::NoPermission),
        ("GANTRY_SYS_STATE", 0, ResponseCode::NoPermission),
        ("T", -1, ResponseCode::Success),
        ("with.dots", 0, ResponseCode::Success),
    ];
    for (topic, queue, code) in cases {
        let answer = client.send_message(topic, queue, "", "x").await;
        assert_eq!(answer.response_code(), code, "{topic} {queue}");
    }
    let header = SendRequest {
        default_topic: "NoTemplate",
        ..send("Unknown", 0, "")
    };
    let refused = client.call(RequestCode::SendMessageV2, &header, b"x").await;
    assert_eq!(refused.response_code(), ResponseCode::TopicNotExist);
}

#[tokio::test]
async fn the_trace_topic_is_made_without_a_template_and_has_one_queue() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let traces = |queue| SendRequest {
        default_topic: "",
        ..send("RMQ_SYS_TRACE_TOPIC", queue, "")
    };
    let first = traces(0);
    let sent = client.call(RequestCode::SendMessageV2, &first, b"x");
    assert_eq!(sent.await.response_code(), ResponseCode::Success);
    let second = traces(1);
    let refused = client.call(RequestCode::SendMessageV2, &second, b"x");
    assert_eq!(
        refused.await.response_code(),
        ResponseCode::InvalidParameter
    );
}

#[tokio::test]
async fn a_send_without_its_fields_is_an_error_and_no_more() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let refused = client
        .call(RequestCode::SendMessageV2, &NoFields, b"x")
        .await;
    assert_eq!(refused.response_code(), ResponseCode::SystemError);
    let unknown = client
        .call(RequestCode::Unknown(4711), &NoFields, b"")
        .await;
    assert_eq!(
        unknown.response_code(),
        ResponseCode::RequestCodeNotSupported
    );
    assert_eq!(
        unknown.remark.as_deref(),
        Some(" request type 4711 not supported")
    );
    client.write(b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_send_that_waits_for_the_disk_is_answered_like_any_other() {
    let mut config = gantry_core::Config::default();
    config.store.segment_bytes = 16 << 20;
    config.store.stretch_bytes = 4 << 20;
    config.store.flush = gantry_core::FlushMode::Sync;
    let server = Server::with(config).await;
    let mut client = TestClient::connect(&server).await;
    for (offset, area) in ["", "WAIT\u{1}false\u{2}", "WAIT\u{1}true\u{2}"]
        .iter()
        .enumerate()
    {
        let sent = client.send_message("T", 0, area, "x").await;
        assert_eq!(sent.response_code(), ResponseCode::Success, "{sent:?}");
        let offset = offset.to_string();
        assert_eq!(sent.fields.text("queueOffset"), Some(&*offset));
    }
    let header = SendRequest {
        is_batch: true,
        ..send("T", 0, "")
    };
    let body = batch(&["one", "two"]);
    let sent = client
        .call(RequestCode::SendBatchMessage, &header, &body)
        .await;
    assert_eq!(sent.fields.text("queueOffset"), Some("3"));
    assert_eq!(sent.fields.text("msgId").unwrap().split(',').count(), 2);
}
