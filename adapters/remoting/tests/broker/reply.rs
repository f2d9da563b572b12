//! Answers to messages, handed to the client that waits for them.

use crate::requests::{pull, send};
use crate::support::{Server, TestClient, messages};
use bytes::BytesMut;
use gantry_remoting_protocol::header::PushReply;
use gantry_remoting_protocol::{Answer, Command, RequestCode, ResponseCode};

const ANSWERS: &str = "DefaultCluster_REPLY_TOPIC";
const PROPERTIES: &str =
    "REPLY_TO_CLIENT\u{1}asker\u{2}CORRELATION_ID\u{1}7\u{2}MSG_TYPE\u{1}reply\u{2}";

async fn take(client: &mut TestClient, push: &Command, code: ResponseCode) {
    let mut out = BytesMut::new();
    push.reply_to().answer(&Answer::of(code), &mut out);
    client.write(&out).await;
}

#[tokio::test]
async fn an_answer_goes_to_who_waits_for_it_and_is_stored() {
    let server = Server::start().await;
    let mut asker = TestClient::connect(&server).await;
    asker.heartbeat("asker", "G", "T").await;
    let mut answerer = TestClient::connect(&server).await;
    let header = send(ANSWERS, 0, PROPERTIES);
    let code = RequestCode::SendReplyMessageV2;
    let sent = answerer.send(code, &header, b"answer").await;
    let push = loop {
        let notice = asker.notice().await;
        if notice.request_code() == RequestCode::PushReplyMessageToClient {
            break notice;
        }
    };
    assert_eq!(&push.body[..], b"answer");
    let said: PushReply<'_> = push.header().unwrap();
    let properties = said.properties.unwrap();
    assert!(properties.starts_with(PROPERTIES), "{properties:?}");
    assert!(properties.contains("PUSH_REPLY_TIME"));
    assert_eq!((said.topic, said.queue_id), (ANSWERS, 0));
    take(&mut asker, &push, ResponseCode::Success).await;
    let answer = answerer.answer(sent).await;
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");
    assert_eq!(answer.fields.text("queueOffset"), Some("0"));
    let stored = answerer.pull(&pull("G", ANSWERS, 0, 0)).await;
    assert_eq!(&messages(&stored)[0].body[..], b"answer");
}

#[tokio::test]
async fn who_answers_hears_that_nobody_takes_it() {
    let server = Server::start().await;
    let mut answerer = TestClient::connect(&server).await;
    let header = send(ANSWERS, 0, PROPERTIES);
    let code = RequestCode::SendReplyMessageV2;
    let answer = answerer.call(code, &header, b"answer").await;
    assert_eq!(answer.response_code(), ResponseCode::SystemError);
    let remark = answer.remark.as_deref().unwrap_or_default();
    assert!(remark.contains("channel of <asker> not found"), "{remark}");
    let mut asker = TestClient::connect(&server).await;
    asker.heartbeat("asker", "G", "T").await;
    let sent = answerer.send(code, &header, b"answer").await;
    let push = loop {
        let notice = asker.notice().await;
        if notice.request_code() == RequestCode::PushReplyMessageToClient {
            break notice;
        }
    };
    take(&mut asker, &push, ResponseCode::SystemError).await;
    let answer = answerer.answer(sent).await;
    assert_eq!(answer.response_code(), ResponseCode::SystemError);
}
