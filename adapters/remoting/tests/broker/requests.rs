//! The requests of the tests, as stock clients make them.

use super::support::{START, TestClient};
use bytes::BytesMut;
use gantry_remoting_protocol::header::{GroupRequest, PullRequest, SendRequest};
use gantry_remoting_protocol::record::SubMessage;
use gantry_remoting_protocol::{Command, RequestCode};

/// A single send to a queue.
pub fn send<'a>(topic: &'a str, queue_id: i32, properties: &str) -> SendRequest<'a> {
    SendRequest {
        producer_group: "producers",
        topic,
        default_topic: "TBW102",
        default_topic_queues: 4,
        queue_id,
        born_timestamp: START.millis() - 7,
        properties: properties.to_owned().into(),
        ..SendRequest::default()
    }
}

/// A pull of everything from `offset` that does not wait.
pub fn pull<'a>(group: &'a str, topic: &'a str, queue_id: i32, offset: i64) -> PullRequest<'a> {
    PullRequest {
        group,
        topic,
        queue_id,
        queue_offset: offset,
        max_messages: 32,
        sys_flag: 4,
        commit_offset: 0,
        suspend_timeout_ms: 0,
        subscription: Some("*"),
        subscription_version: 0,
        expression_type: Some("TAG"),
    }
}

/// The same, held for up to `millis`.
pub fn held_pull<'a>(
    group: &'a str,
    topic: &'a str,
    queue_id: i32,
    offset: i64,
    millis: i64,
) -> PullRequest<'a> {
    PullRequest {
        sys_flag: 2 | 4,
        suspend_timeout_ms: millis,
        ..pull(group, topic, queue_id, offset)
    }
}

/// The body of a batch of messages without properties.
pub fn batch(bodies: &[&'static str]) -> BytesMut {
    let mut out = BytesMut::new();
    for body in bodies {
        let message = SubMessage {
            flag: 0,
            body: body.as_bytes().into(),
            properties: String::new().into(),
        };
        message.encode(&mut out).unwrap();
    }
    out
}

/// A heartbeat of one consumer of `group`.
pub fn heartbeat(
    client: &str,
    group: &str,
    topic: &str,
    expression: &str,
    version: i64,
) -> Vec<u8> {
    let subscription = |topic: &str, expression: &str| {
        format!(
            r#"{{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"{expression}","subVersion":{version},"tagsSet":[],"topic":"{topic}"}}"#
        )
    };
    format!(
        r#"{{"clientID":"{client}","consumerDataSet":[{{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"{group}","messageModel":"CLUSTERING","subscriptionDataSet":[{},{}],"unitMode":false}}],"heartbeatFingerprint":0,"producerDataSet":[{{"groupName":"CLIENT_INNER_PRODUCER"}}],"withoutSub":false}}"#,
        subscription(topic, expression),
        subscription(&format!("%RETRY%{group}"), "*"),
    )
    .into_bytes()
}

impl TestClient {
    /// Sends a message to a topic created on the way, and returns the answer.
    pub async fn send_message(
        &mut self,
        topic: &str,
        queue: i32,
        properties: &str,
        body: &str,
    ) -> Command {
        let header = send(topic, queue, properties);
        self.call(RequestCode::SendMessageV2, &header, body.as_bytes())
            .await
    }

    pub async fn pull(&mut self, header: &PullRequest<'_>) -> Command {
        self.call(RequestCode::PullMessage, header, b"").await
    }

    pub async fn heartbeat(&mut self, client: &str, group: &str, topic: &str) -> Command {
        let body = heartbeat(client, group, topic, "*", 1);
        self.call(
            RequestCode::HeartBeat,
            &gantry_remoting_protocol::NoFields,
            &body,
        )
        .await
    }

    pub async fn consumers(&mut self, group: &str) -> Command {
        let header = GroupRequest { group };
        self.call(RequestCode::GetConsumerListByGroup, &header, b"")
            .await
    }
}
