//! Transactions: half messages, their ends, and the questions of the broker.

use super::requests::{batch, pull, send};
use super::support::{Server, TestClient, messages};
use bytes::BytesMut;
use gantry_core::FlushMode;
use gantry_remoting_protocol::codec::Request;
use gantry_remoting_protocol::header::{
    CheckTransaction, EndTransaction, ResumeCheck, SendRequest,
};
use gantry_remoting_protocol::record::{MessageId, Record, properties};
use gantry_remoting_protocol::{Command, NoFields, RequestCode, ResponseCode};

const HALF: &str = "TRAN_MSG\u{1}true\u{2}PGROUP\u{1}P\u{2}";
const INTERVAL_MS: i64 = 5;

/// Asks every 5 ms of the clock.
async fn server() -> Server {
    server_that_asks(15).await
}

async fn server_that_asks(check_max: u32) -> Server {
    let mut config = gantry_core::Config::default();
    config.store.segment_bytes = 16 << 20;
    config.store.stretch_bytes = 4 << 20;
    config.transactions.timeout_ms = 1;
    config.transactions.check_interval_ms = INTERVAL_MS.unsigned_abs();
    config.transactions.check_max = check_max;
    Server::with(config).await
}

async fn half(client: &mut TestClient, key: &str) -> Command {
    let area = format!("{HALF}UNIQ_KEY\u{1}{key}\u{2}");
    let header = SendRequest {
        sys_flag: 0x4,
        ..send("T", 1, &area)
    };
    let code = RequestCode::SendMessageV2;
    let sent = client.call(code, &header, key.as_bytes()).await;
    assert_eq!(sent.response_code(), ResponseCode::Success, "{sent:?}");
    sent
}

/// The end of the transaction of a sent half message, as clients make it of the answer.
fn end(sent: &Command, outcome: i32) -> EndTransaction<'_> {
    let id: MessageId = sent.fields.text("msgId").unwrap().parse().unwrap();
    EndTransaction {
        group: "P",
        topic: Some("T"),
        half_offset: sent.fields.value("queueOffset").unwrap(),
        position: id.offset,
        outcome,
        is_from_check: false,
        message_id: sent.fields.text("transactionId"),
        transaction_id: sent.fields.text("transactionId"),
    }
}

async fn finish(client: &mut TestClient, header: &EndTransaction<'_>) -> (ResponseCode, String) {
    let answer = client.call(RequestCode::EndTransaction, header, b"").await;
    let remark = answer.remark.as_ref().map(ToString::to_string);
    (answer.response_code(), remark.unwrap_or_default())
}

async fn bodies(client: &mut TestClient, topic: &str, queue: i32) -> Vec<String> {
    let pulled = client.pull(&pull("G", topic, queue, 0)).await;
    if pulled.response_code() != ResponseCode::Success {
        return Vec::new();
    }
    let text = |record: &Record| String::from_utf8(record.body.to_vec()).unwrap();
    messages(&pulled).iter().map(text).collect()
}

async fn producer_beats(client: &mut TestClient, id: &str, group: &str) {
    let body = format!(
        r#"{{"clientID":"{id}","consumerDataSet":[],"heartbeatFingerprint":0,"producerDataSet":[{{"groupName":"{group}"}}],"withoutSub":false}}"#
    );
    let code = RequestCode::HeartBeat;
    let answer = client.call(code, &NoFields, body.as_bytes()).await;
    assert_eq!(answer.response_code(), ResponseCode::Success);
}

#[tokio::test]
async fn a_committed_message_is_pulled_once_and_a_rolled_back_one_never() {
    let server = server().await;
    let mut client = TestClient::connect(&server).await;
    let (one, two) = (
        half(&mut client, "one").await,
        half(&mut client, "two").await,
    );
    assert_eq!(one.fields.text("queueId"), Some("1"), "the one asked for");
    assert_eq!(
        two.fields.text("queueOffset"),
        Some("1"),
        "of the half topic"
    );
    assert_eq!(two.fields.text("transactionId"), Some("two"));
    assert!(bodies(&mut client, "T", 1).await.is_empty());
    let ok = (ResponseCode::Success, String::new());
    assert_eq!(
        finish(&mut client, &end(&one, EndTransaction::UNKNOWN)).await,
        ok
    );
    assert_eq!(
        finish(&mut client, &end(&two, EndTransaction::ROLLBACK)).await,
        ok
    );
    assert_eq!(
        finish(&mut client, &end(&one, EndTransaction::COMMIT)).await,
        ok
    );
    let pulled = messages(&client.pull(&pull("G", "T", 1, 0)).await);
    let [message] = &pulled[..] else {
        panic!("{pulled:?}")
    };
    assert_eq!(message.body, "one");
    assert_eq!(message.sys_flag, 0x8);
    let prepared = message.prepared_transaction_offset;
    assert_eq!(prepared, end(&one, 0).position);
    let names: Vec<_> = properties(&message.properties)
        .map(|(name, _)| name)
        .collect();
    assert!(
        names.contains(&"TRAN_MSG") && !names.contains(&"REAL_TOPIC"),
        "{names:?}"
    );
    for header in [
        end(&one, EndTransaction::COMMIT),
        end(&two, EndTransaction::COMMIT),
    ] {
        let (code, remark) = finish(&mut client, &header).await;
        assert_eq!(code, ResponseCode::SystemError);
        assert_eq!(remark, "Find prepared transaction message failed");
    }
    assert_eq!(bodies(&mut client, "T", 1).await, ["one"]);
}

#[tokio::test]
async fn an_end_that_does_not_fit_its_half_message_says_what_is_wrong() {
    let server = server().await;
    let mut client = TestClient::connect(&server).await;
    let sent = half(&mut client, "x").await;
    let right = || end(&sent, EndTransaction::COMMIT);
    let cases = [
        (
            EndTransaction {
                group: "Q",
                ..right()
            },
            "The producer group wrong",
        ),
        (
            EndTransaction {
                half_offset: 7,
                ..right()
            },
            "The transaction state table offset wrong",
        ),
        (
            EndTransaction {
                half_offset: -1,
                ..right()
            },
            "The transaction state table offset wrong",
        ),
        (
            EndTransaction {
                position: 1,
                ..right()
            },
            "The commit log offset wrong",
        ),
        (
            EndTransaction {
                position: -1,
                ..right()
            },
            "Find prepared transaction message failed",
        ),
        (
            EndTransaction {
                position: i64::MAX,
                half_offset: i64::MAX,
                ..right()
            },
            "Find prepared transaction message failed",
        ),
        (
            EndTransaction {
                outcome: 3,
                ..right()
            },
            "commitOrRollback is 3, neither 0, 8 nor 12",
        ),
    ];
    for (header, expected) in cases {
        let (code, remark) = finish(&mut client, &header).await;
        assert_eq!((code, &*remark), (ResponseCode::SystemError, expected));
    }
    assert!(bodies(&mut client, "T", 1).await.is_empty());
    let late = format!("{HALF}CHECK_IMMUNITY_TIME_IN_SECONDS\u{1}2\u{2}");
    let sent = client.send_message("T", 1, &late, "late").await;
    server.clock.advance(2_001);
    let (code, _) = finish(&mut client, &end(&sent, EndTransaction::COMMIT)).await;
    assert_eq!(code, ResponseCode::IllegalOperation);
}

#[tokio::test]
async fn what_cannot_be_a_half_message_is_refused() {
    let server = server().await;
    let mut client = TestClient::connect(&server).await;
    let header = SendRequest {
        is_batch: true,
        ..send("T", 0, HALF)
    };
    let code = RequestCode::SendBatchMessage;
    let refused = client.call(code, &header, &batch(&["a", "b"])).await;
    assert_eq!(refused.response_code(), ResponseCode::MessageIllegal);
    let header = SendRequest {
        sys_flag: 0x4,
        ..send("T", 0, "")
    };
    let refused = client.call(RequestCode::SendMessageV2, &header, b"x").await;
    assert_eq!(refused.response_code(), ResponseCode::NoPermission);
    for topic in [
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "TRANS_CHECK_MAX_TIME_TOPIC",
    ] {
        let refused = client.send_message(topic, 0, HALF, "x").await;
        assert_eq!(
            refused.response_code(),
            ResponseCode::NoPermission,
            "{topic}"
        );
    }
}

#[tokio::test]
async fn many_ends_in_one_read_are_each_answered_and_one_way_ones_are_not() {
    let server = server().await;
    let mut client = TestClient::connect(&server).await;
    let mut halves = Vec::new();
    for number in 0..50 {
        halves.push(half(&mut client, &format!("{number:02}")).await);
    }
    let mut out = BytesMut::new();
    let mut answered = Vec::new();
    for (number, sent) in halves.iter().enumerate() {
        let outcome = if number % 5 == 0 {
            EndTransaction::ROLLBACK
        } else {
            EndTransaction::COMMIT
        };
        let header = end(sent, outcome);
        if number % 2 == 0 {
            answered.push(client.encode(&mut out, RequestCode::EndTransaction, &header, b""));
            continue;
        }
        let request = Request {
            code: RequestCode::EndTransaction,
            opaque: 1_000,
            is_oneway: true,
            fields: Some(&header),
            body_len: 0,
        };
        request.encode(&mut out);
    }
    let last = client.encode(
        &mut out,
        RequestCode::SendMessageV2,
        &send("T", 1, ""),
        b"99",
    );
    client.write(&out).await;
    for opaque in answered {
        let answer = client.answer(opaque).await;
        assert_eq!(answer.response_code(), ResponseCode::Success);
    }
    client.answer(last).await;
    let expected: Vec<String> = (0..50)
        .filter(|number| number % 5 != 0)
        .chain([99])
        .map(|number: u32| format!("{number:02}"))
        .collect();
    let mut found = bodies(&mut client, "T", 1).await;
    let rest = client.pull(&pull("G", "T", 1, 32)).await;
    let text = |record: &Record| String::from_utf8(record.body.to_vec()).unwrap();
    found.extend(messages(&rest).iter().map(text));
    assert_eq!(found, expected, "in the order of the ends");
    assert!(client.has_nothing_left());
    assert_eq!(server.panics(), 0);
}

/// Waits for the question of the broker, and checks what stays the same in each.
async fn question(client: &mut TestClient, key: &str) -> Command {
    let notice = client.notice().await;
    assert_eq!(notice.request_code(), RequestCode::CheckTransactionState);
    assert!(notice.flag.is_oneway());
    let header: CheckTransaction<'_> = notice.header().unwrap();
    assert_eq!(header.topic, Some("RMQ_SYS_TRANS_HALF_TOPIC"));
    assert_eq!(
        (header.message_id, header.transaction_id),
        (Some(key), Some(key))
    );
    let message = Record::decode(&mut notice.body.clone()).unwrap();
    assert_eq!((message.topic.as_str(), message.queue_id), ("T", 1));
    assert_eq!(message.physical_offset, header.position);
    assert_eq!(message.body, key);
    assert_eq!(
        Some(message.message_id().offset),
        header.offset_message_id.map(|id| {
            let id: MessageId = id.parse().unwrap();
            id.offset
        })
    );
    notice
}

fn reply(notice: &Command, outcome: i32) -> EndTransaction<'_> {
    let header: CheckTransaction<'_> = notice.header().unwrap();
    EndTransaction {
        group: "P",
        topic: None,
        half_offset: header.half_offset,
        position: header.position,
        outcome,
        is_from_check: true,
        message_id: header.message_id,
        transaction_id: header.transaction_id,
    }
}

#[tokio::test]
async fn any_producer_of_the_group_is_asked_and_its_answer_counts() {
    let server = server().await;
    let mut sender = TestClient::connect(&server).await;
    half(&mut sender, "x").await;
    drop(sender);
    let (mut other, mut stranger) = (
        TestClient::connect(&server).await,
        TestClient::connect(&server).await,
    );
    producer_beats(&mut stranger, "s", "Q").await;
    // Nobody is asked as long as nobody is there: many intervals pass without counting.
    for _ in 0..20 {
        server.clock.advance(INTERVAL_MS);
        producer_beats(&mut stranger, "s", "Q").await;
    }
    producer_beats(&mut other, "o", "P").await;
    server.clock.advance(INTERVAL_MS);
    let first = question(&mut other, "x").await;
    let unknown = finish(&mut other, &reply(&first, EndTransaction::UNKNOWN)).await;
    assert_eq!(unknown.0, ResponseCode::Success);
    server.clock.advance(INTERVAL_MS);
    let second = question(&mut other, "x").await;
    assert_eq!(
        first.fields.text("commitLogOffset"),
        second.fields.text("commitLogOffset")
    );
    let committed = finish(&mut other, &reply(&second, EndTransaction::COMMIT)).await;
    assert_eq!(committed.0, ResponseCode::Success);
    assert_eq!(bodies(&mut other, "T", 1).await, ["x"]);
    assert!(stranger.notices.is_empty());
}

#[tokio::test]
async fn what_nobody_ends_is_given_up_and_can_be_taken_up_again() {
    let server = server_that_asks(2).await;
    let mut client = TestClient::connect(&server).await;
    producer_beats(&mut client, "c", "P").await;
    half(&mut client, "x").await;
    for _ in 0..2 {
        server.clock.advance(INTERVAL_MS);
        question(&mut client, "x").await;
    }
    server.clock.advance(INTERVAL_MS);
    let given_up = loop {
        let pulled = client
            .pull(&pull("G", "TRANS_CHECK_MAX_TIME_TOPIC", 0, 0))
            .await;
        if pulled.response_code() == ResponseCode::Success {
            break messages(&pulled).remove(0);
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(given_up.body, "x");
    let id = given_up.message_id().to_string();
    let resume = ResumeCheck {
        topic: None,
        message_id: &id,
    };
    let code = RequestCode::ResumeCheckHalfMessage;
    let answer = client.call(code, &resume, b"").await;
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");
    let again = client.call(code, &resume, b"").await;
    assert_eq!(again.response_code(), ResponseCode::SystemError);
    let rubbish = ResumeCheck {
        topic: None,
        message_id: "x",
    };
    let refused = client.call(code, &rubbish, b"").await;
    assert_eq!(refused.response_code(), ResponseCode::SystemError);
    server.clock.advance(INTERVAL_MS);
    let notice = question(&mut client, "x").await;
    let committed = finish(&mut client, &reply(&notice, EndTransaction::COMMIT)).await;
    assert_eq!(committed.0, ResponseCode::Success);
    assert_eq!(bodies(&mut client, "T", 1).await, ["x"]);
}

#[tokio::test]
async fn an_end_waits_for_the_disk_as_a_send_does() {
    let mut config = gantry_core::Config::default();
    config.store.segment_bytes = 1 << 20;
    config.store.stretch_bytes = 1 << 20;
    config.store.flush = FlushMode::Sync;
    config.store.flush_timeout_ms = 300;
    let (server, steps) = Server::stepped(config).await;
    let mut client = TestClient::connect(&server).await;
    let mut halves = Vec::new();
    for key in ["commit", "rollback"] {
        let area = format!("{HALF}UNIQ_KEY\u{1}{key}\u{2}");
        let sent = client.send_message("T", 1, &area, key).await;
        assert_eq!(sent.response_code(), ResponseCode::FlushDiskTimeout);
        halves.push(sent);
    }
    steps.flush().unwrap();
    let outcomes = [EndTransaction::COMMIT, EndTransaction::ROLLBACK];
    for (sent, outcome) in halves.iter().zip(outcomes) {
        let (code, _) = finish(&mut client, &end(sent, outcome)).await;
        assert_eq!(code, ResponseCode::FlushDiskTimeout, "nobody flushes");
    }
    assert_eq!(bodies(&mut client, "T", 1).await, ["commit"]);
}
