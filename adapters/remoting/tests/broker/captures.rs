//! What real clients sent to a real broker, sent to this one.

use super::support::{Server, TestClient};
use bytes::BytesMut;
use gantry_core::model::{TopicName, TopicSpec};
use gantry_remoting_protocol::{Command, FRAME_BYTES_MAX, RequestCode, ResponseCode, decode};
use std::path::Path;

/// Recorded streams of clients to a broker, with their names.
fn streams() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../remoting-protocol/testdata");
    let mut streams = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if (name.contains("-br1.") || name.contains("-br2.")) && name.ends_with("c2s.bin") {
            streams.push((name, std::fs::read(&path).unwrap()));
        }
    }
    streams.sort();
    assert!(streams.len() > 10, "the recordings are there");
    streams
}

fn requests(stream: &[u8]) -> Vec<Command> {
    let mut buffer = BytesMut::from(stream);
    let mut requests = Vec::new();
    while let Some(request) = decode(&mut buffer, FRAME_BYTES_MAX).unwrap() {
        requests.push(request);
    }
    requests
}

/// Whether this broker refuses it: what is sent back and the half messages whose transactions end
/// are not there, nobody waits for the answers, and SQL comes later.
fn is_for_later(request: &Command) -> bool {
    let is_sql = request.fields.text("expressionType") == Some("SQL92");
    is_sql
        || matches!(
            request.request_code(),
            RequestCode::ConsumerSendMessageBack
                | RequestCode::EndTransaction
                | RequestCode::SendReplyMessage
                | RequestCode::SendReplyMessageV2
                | RequestCode::GetConsumerConnectionList
                // The recorded one is about SQL.
                | RequestCode::CheckClientConfig
        )
}

fn is_held(request: &Command) -> bool {
    matches!(
        request.request_code(),
        RequestCode::PullMessage | RequestCode::LitePullMessage
    )
}

#[tokio::test]
async fn what_stock_clients_ask_for_is_answered() {
    for (name, stream) in streams() {
        let server = Server::start().await;
        let core = server.broker.anonymous();
        let mut client = TestClient::connect(&server).await;
        for request in requests(&stream) {
            let Some(topic) = request.fields.text("topic") else {
                continue;
            };
            // A pull finds its topic: on the wire it had been made by another connection.
            let topic = TopicName::new(topic).unwrap();
            let _ = core.create_topic(&topic, TopicSpec::with_queues(4));
        }
        client.write(&stream).await;
        for request in requests(&stream) {
            if request.flag.is_oneway() || request.flag.is_response() || is_held(&request) {
                continue;
            }
            let answer = client.answer(request.opaque).await;
            let code = answer.response_code();
            let is_refused = matches!(
                code,
                ResponseCode::SystemError
                    | ResponseCode::RequestCodeNotSupported
                    | ResponseCode::MessageIllegal
                    | ResponseCode::NoPermission
                    | ResponseCode::InvalidParameter
                    | ResponseCode::TopicNotExist
            );
            assert_eq!(
                is_refused,
                is_for_later(&request),
                "{name}: {request:?} {answer:?}"
            );
        }
    }
}

/// A small generator with a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[tokio::test]
async fn damaged_requests_harm_nobody() {
    let server = Server::start().await;
    let mut bystander = TestClient::connect(&server).await;
    let mut random = Random(42);
    for (_, stream) in streams() {
        for _ in 0..8 {
            let mut damaged = stream.clone();
            for _ in 0..=random.below(6) {
                let at = random.below(damaged.len());
                damaged[at] = u8::try_from(random.below(256)).unwrap();
            }
            damaged.truncate(1 + random.below(damaged.len()));
            let mut client = TestClient::connect(&server).await;
            client.write_and_close(&damaged).await;
        }
    }
    let sent = bystander.send_message("Bystander", 0, "", "x").await;
    assert_eq!(sent.response_code(), ResponseCode::Success);
    assert_eq!(server.panics(), 0);
}
