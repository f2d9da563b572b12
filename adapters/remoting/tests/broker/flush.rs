//! Sends whose producer waits for the disk.

use super::requests::send;
use super::support::{Server, TestClient};
use gantry_core::{Config, FlushMode};
use gantry_remoting_protocol::{RequestCode, ResponseCode};

/// A broker that waits for flushes, and has nobody who flushes.
fn sync() -> Config {
    let mut config = Config::default();
    config.store.segment_bytes = 1 << 20;
    config.store.stretch_bytes = 1 << 20;
    config.store.flush = FlushMode::Sync;
    config.store.flush_timeout_ms = 300;
    config
}

#[tokio::test]
async fn a_send_that_is_not_flushed_in_time_tells_where_it_went() {
    let (server, _steps) = Server::stepped(sync()).await;
    let mut client = TestClient::connect(&server).await;
    let sent = client
        .send_message("T", 1, "UNIQ_KEY\u{1}A\u{2}", "x")
        .await;
    assert_eq!(
        sent.response_code(),
        ResponseCode::FlushDiskTimeout,
        "{sent:?}"
    );
    let field = |name| sent.fields.text(name);
    assert_eq!(field("queueId"), Some("1"));
    assert_eq!(field("queueOffset"), Some("0"));
    assert_eq!(field("transactionId"), Some("A"));
    assert_eq!(field("MSG_REGION"), Some("DefaultRegion"));
    assert_eq!(field("msgId").map(str::len), Some(32));
    let next = client.send_message("T", 1, "", "y").await;
    assert_eq!(
        next.fields.text("queueOffset"),
        Some("1"),
        "the first is kept"
    );
}

#[tokio::test]
async fn a_send_that_is_flushed_succeeds() {
    let (server, steps) = Server::stepped(sync()).await;
    let mut client = TestClient::connect(&server).await;
    let late = client.send_message("T", 0, "", "x").await;
    assert_eq!(late.response_code(), ResponseCode::FlushDiskTimeout);
    for _ in 0..3 {
        let (header, body) = (send("T", 0, ""), &b"y"[..]);
        let opaque = client.send(RequestCode::SendMessageV2, &header, body).await;
        let flushes = async {
            loop {
                steps.flush().unwrap();
                tokio::task::yield_now().await;
            }
        };
        let sent = tokio::select! {
            sent = client.answer(opaque) => sent,
            () = flushes => unreachable!(),
        };
        assert_eq!(sent.response_code(), ResponseCode::Success, "{sent:?}");
    }
}

#[tokio::test]
async fn a_send_that_does_not_want_to_wait_does_not() {
    let (server, _steps) = Server::stepped(sync()).await;
    let mut client = TestClient::connect(&server).await;
    let sent = client
        .send_message("T", 0, "WAIT\u{1}false\u{2}", "x")
        .await;
    assert_eq!(sent.response_code(), ResponseCode::Success, "{sent:?}");
    let waits = client.send_message("T", 0, "WAIT\u{1}true\u{2}", "x").await;
    assert_eq!(waits.response_code(), ResponseCode::FlushDiskTimeout);
}
