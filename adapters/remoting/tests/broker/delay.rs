//! Messages that come later: delayed, taken back, sent back.

use crate::requests::held_pull;
use crate::support::{Server, TestClient, messages};
use gantry_core::model::TopicName;
use gantry_remoting_protocol::header::{RecallMessage, SendMessageBack};
use gantry_remoting_protocol::record::{Record, properties};
use gantry_remoting_protocol::{Command, RequestCode, ResponseCode};

/// A server whose delay levels are no time at all: what is sent back comes again at once.
async fn without_delay() -> Server {
    let mut config = gantry_core::Config::default();
    config.store.segment_bytes = 16 << 20;
    config.store.stretch_bytes = 4 << 20;
    config.timers.delay_levels = "0s".parse().unwrap();
    Server::with(config).await
}

/// The next message of queue 0 of a topic, once it is there.
async fn next(client: &mut TestClient, topic: &str, offset: i64) -> Record {
    let pulled = client.pull(&held_pull("G", topic, 0, offset, 10_000)).await;
    messages(&pulled).remove(0)
}

fn property<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    let found = properties(&record.properties).filter(|(candidate, _)| *candidate == name);
    found.last().map(|(_, value)| value)
}

async fn send_back(client: &mut TestClient, record: &Record, level: i32, max: Option<i32>) {
    let request = SendMessageBack {
        offset: record.physical_offset,
        group: "G",
        delay_level: level,
        origin_message_id: None,
        origin_topic: Some("T"),
        unit_mode: false,
        max_reconsume_times: max,
    };
    let code = RequestCode::ConsumerSendMessageBack;
    let answer = client.call(code, &request, b"").await;
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");
}

#[tokio::test]
async fn a_delayed_message_comes_when_it_is_due() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let sent = client
        .send_message("T", 0, "TIMER_DELAY_MS\u{1}5\u{2}", "later")
        .await;
    assert_eq!(sent.response_code(), ResponseCode::Success, "{sent:?}");
    assert!(sent.fields.text("recallHandle").is_some());
    client.send_message("T", 0, "", "now").await;
    server.clock.advance(5);
    let later = next(&mut client, "T", 1).await;
    assert_eq!(&later.body[..], b"later");
    assert_eq!(property(&later, "REAL_TOPIC"), Some("T"));
}

async fn recall(client: &mut TestClient, topic: &str, handle: &str) -> Command {
    let request = RecallMessage { topic, handle };
    client.call(RequestCode::RecallMessage, &request, b"").await
}

#[tokio::test]
async fn a_message_that_is_taken_back_never_comes() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    let mut handles = Vec::new();
    for key in ["one", "two"] {
        let area = format!("TIMER_DELAY_MS\u{1}6\u{2}UNIQ_KEY\u{1}{key}\u{2}");
        let sent = client.send_message("T", 0, &area, key).await;
        handles.push(sent.fields.text("recallHandle").unwrap().to_owned());
    }
    let answer = recall(&mut client, "T", &handles[0]).await;
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");
    assert_eq!(answer.fields.text("msgId"), Some("one"));
    let again = recall(&mut client, "T", &handles[0]).await;
    assert_eq!(again.response_code(), ResponseCode::IllegalOperation);
    let illegal = recall(&mut client, "T", "rubbish").await;
    assert_eq!(illegal.response_code(), ResponseCode::IllegalOperation);
    let unknown = recall(&mut client, "unknown", &handles[1]).await;
    assert_eq!(unknown.response_code(), ResponseCode::TopicNotExist);
    server.clock.advance(6);
    assert_eq!(&next(&mut client, "T", 0).await.body[..], b"two");
    let late = recall(&mut client, "T", &handles[1]).await;
    assert_eq!(late.response_code(), ResponseCode::IllegalOperation);
}

#[tokio::test]
async fn what_is_sent_back_comes_again_and_at_last_is_given_up() {
    let server = without_delay().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "TAGS\u{1}a\u{2}", "x").await;
    let first = next(&mut client, "T", 0).await;
    send_back(&mut client, &first, 0, Some(2)).await;
    let second = next(&mut client, "%RETRY%G", 0).await;
    assert_eq!(&second.body[..], b"x");
    assert_eq!(second.reconsume_times, 1);
    assert_eq!(property(&second, "RETRY_TOPIC"), Some("T"));
    assert_eq!(property(&second, "TAGS"), Some("a"));
    assert!(property(&second, "ORIGIN_MESSAGE_ID").is_some());
    send_back(&mut client, &second, 0, Some(2)).await;
    let third = next(&mut client, "%RETRY%G", 1).await;
    assert_eq!(third.reconsume_times, 2);
    assert_eq!(property(&third, "RETRY_TOPIC"), Some("T"), "the first");
    assert_eq!(property(&third, "DELAY"), Some("4"), "longer each time");
    send_back(&mut client, &third, 0, Some(2)).await;
    let dead = next(&mut client, "%DLQ%G", 0).await;
    assert_eq!((&dead.body[..], dead.reconsume_times), (&b"x"[..], 3));
}

#[tokio::test]
async fn a_negative_level_gives_a_message_up_at_once() {
    let server = without_delay().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "x").await;
    let first = next(&mut client, "T", 0).await;
    send_back(&mut client, &first, -1, None).await;
    assert_eq!(&next(&mut client, "%DLQ%G", 0).await.body[..], b"x");
    let core = server.broker.anonymous();
    let name = TopicName::new("%RETRY%G").unwrap();
    assert!(core.topic(name.as_str()).is_none());
}

#[tokio::test]
async fn what_is_not_there_cannot_be_sent_back() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    client.send_message("T", 0, "", "x").await;
    for offset in [-1, 1, i64::MAX] {
        let request = SendMessageBack {
            offset,
            group: "G",
            delay_level: 0,
            origin_message_id: None,
            origin_topic: Some("T"),
            unit_mode: false,
            max_reconsume_times: None,
        };
        let code = RequestCode::ConsumerSendMessageBack;
        let answer = client.call(code, &request, b"").await;
        assert_eq!(answer.response_code(), ResponseCode::SystemError);
    }
}
