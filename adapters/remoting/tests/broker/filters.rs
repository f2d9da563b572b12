//! Messages filtered by the broker: SQL92 over properties, long polls that wait for a match, and
//! what one pull does at most.

use super::consume::{kafka_batch, offsets, produce};
use super::requests::{heartbeat, held_pull, pull};
use super::support::{Server, TestClient, messages, small_store};
use gantry_remoting_protocol::header::PullRequest;
use gantry_remoting_protocol::{Command, NoFields, RequestCode, ResponseCode};

fn sql<'a>(expression: &'a str, header: PullRequest<'a>) -> PullRequest<'a> {
    PullRequest {
        subscription: Some(expression),
        expression_type: Some("SQL92"),
        ..header
    }
}

/// As a push consumer pulls: what it wants is in its heartbeat.
fn registered(version: i64) -> PullRequest<'static> {
    PullRequest {
        sys_flag: 0,
        subscription: None,
        subscription_version: version,
        expression_type: Some("SQL92"),
        ..pull("G", "T", 0, 0)
    }
}

fn sql_heartbeat(expression: &str, version: i64) -> Vec<u8> {
    let beat = String::from_utf8(heartbeat("c", "G", "T", expression, version)).unwrap();
    beat.replacen("\"TAG\"", "\"SQL92\"", 1).into_bytes()
}

fn bodies(answer: &Command) -> Vec<String> {
    let body = |record: &gantry_remoting_protocol::record::Record| {
        String::from_utf8(record.body.to_vec()).unwrap()
    };
    messages(answer).iter().map(body).collect()
}

async fn send_numbers(client: &mut TestClient, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        let properties = format!("n\u{1}{number}\u{2}TAGS\u{1}t{}\u{2}", number % 2);
        client
            .send_message("T", 0, &properties, &number.to_string())
            .await;
    }
}

fn remark(answer: &Command) -> &str {
    answer.remark.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn a_pull_with_an_expression_gets_what_matches_and_passes_the_rest() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    send_numbers(&mut client, 0..100).await;
    client.send_message("T", 0, "", "none").await;
    let cases = [
        ("n BETWEEN 40 AND 42", vec!["40", "41", "42"], 101),
        ("n > 95 AND TAGS = 't1'", vec!["97", "99"], 101),
        ("n IS NULL", vec!["none"], 101),
        ("n IN ('7') OR n = 3", vec!["3", "7"], 101),
    ];
    for (expression, expected, next) in cases {
        let answer = client.pull(&sql(expression, pull("G", "T", 0, 0))).await;
        assert_eq!(bodies(&answer), expected, "{expression}");
        assert_eq!(offsets(&answer), [next, 0, 101], "{expression}");
    }
    let few = PullRequest {
        max_messages: 2,
        ..sql("n > 50", pull("G", "T", 0, 0))
    };
    let answer = client.pull(&few).await;
    assert_eq!(bodies(&answer), ["51", "52"]);
    assert_eq!(offsets(&answer)[0], 53, "no more than it asked for");
    let answer = client.pull(&sql("n > 1000", pull("G", "T", 0, 0))).await;
    assert_eq!(answer.response_code(), ResponseCode::PullRetryImmediately);
    assert_eq!(offsets(&answer), [101, 0, 101]);
}

#[tokio::test]
async fn an_expression_that_is_none_is_refused_with_its_place() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    send_numbers(&mut client, 0..1).await;
    let answer = client.pull(&sql("n LIKE '1%'", pull("G", "T", 0, 0))).await;
    assert_eq!(
        answer.response_code(),
        ResponseCode::SubscriptionParseFailed
    );
    assert!(
        remark(&answer).contains("before LIKE at character 3"),
        "{answer:?}"
    );
    let check = |language: &str, expression: &str, is_class: bool| {
        format!(
            r#"{{"clientId":"c","group":"G","subscriptionData":{{"classFilterMode":{is_class},"expressionType":"{language}","subString":"{expression}","subVersion":1,"topic":"T"}}}}"#
        )
    };
    let cases = [
        (check("SQL92", "n > 3", false), ResponseCode::Success, ""),
        (
            check("SQL92", "n > > 3", false),
            ResponseCode::SubscriptionParseFailed,
            "found > at character 5",
        ),
        (check("TAG", "a || b", false), ResponseCode::Success, ""),
        (
            check("XPATH", "n", false),
            ResponseCode::SystemError,
            "by XPATH",
        ),
        (
            check("TAG", "a.Filter", true),
            ResponseCode::SystemError,
            "class filters are gone",
        ),
    ];
    for (body, code, expected) in cases {
        let code_of = RequestCode::CheckClientConfig;
        let answer = client.call(code_of, &NoFields, body.as_bytes()).await;
        assert_eq!(answer.response_code(), code, "{body}");
        assert!(remark(&answer).contains(expected), "{answer:?}");
    }
    let class = PullRequest {
        sys_flag: 8,
        ..pull("G", "T", 0, 0)
    };
    let answer = client.pull(&class).await;
    assert_eq!(answer.response_code(), ResponseCode::SystemError);
    assert!(remark(&answer).contains("class filters are gone"));
}

#[tokio::test]
async fn a_push_consumers_expression_comes_with_its_heartbeat() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    send_numbers(&mut client, 0..10).await;
    let beat = sql_heartbeat("n >= 8", 5);
    client.call(RequestCode::HeartBeat, &NoFields, &beat).await;
    let answer = client.pull(&registered(5)).await;
    assert_eq!(bodies(&answer), ["8", "9"]);
    let newer = client.pull(&registered(6)).await;
    assert_eq!(newer.response_code(), ResponseCode::SubscriptionNotLatest);
    let beat = sql_heartbeat("n >=", 6);
    let answer = client.call(RequestCode::HeartBeat, &NoFields, &beat).await;
    assert_eq!(answer.response_code(), ResponseCode::Success);
    let broken = client.pull(&registered(6)).await;
    assert_eq!(broken.response_code(), ResponseCode::FilterDataNotExist);
    assert!(remark(&broken).contains("the end at character 5"));
    let beat = sql_heartbeat("n < 1", 7);
    client.call(RequestCode::HeartBeat, &NoFields, &beat).await;
    assert_eq!(bodies(&client.pull(&registered(7)).await), ["0"]);
}

#[tokio::test]
async fn a_held_pull_is_woken_by_what_matches_alone() {
    let server = Server::start().await;
    let mut consumer = TestClient::connect(&server).await;
    let mut producer = TestClient::connect(&server).await;
    send_numbers(&mut producer, [1]).await;
    for (expression, language) in [("n = 7", "SQL92"), ("t1", "TAG")] {
        let end = offsets(&producer.pull(&pull("G", "T", 0, 0)).await)[2];
        let header = PullRequest {
            subscription: Some(expression),
            expression_type: Some(language),
            ..held_pull("G", "T", 0, end, 60_000)
        };
        let held = consumer.send(RequestCode::PullMessage, &header, b"").await;
        // Held before anything comes: requests of one connection are begun in their order.
        consumer.pull(&pull("G", "T", 0, 0)).await;
        send_numbers(&mut producer, [2, 4, 6]).await;
        // What was sent has woken whom it would.
        consumer.pull(&pull("G", "T", 0, 0)).await;
        assert!(consumer.has_nothing_left(), "{expression}: none matches");
        send_numbers(&mut producer, [7]).await;
        let answer = consumer.answer(held).await;
        assert_eq!(bodies(&answer), ["7"], "{expression}");
        assert_eq!(offsets(&answer), [end + 4, 0, end + 4]);
    }
}

#[tokio::test]
async fn a_held_pull_that_nothing_matched_goes_on_behind_what_came() {
    let server = Server::start().await;
    let mut consumer = TestClient::connect(&server).await;
    let mut producer = TestClient::connect(&server).await;
    send_numbers(&mut producer, [1]).await;
    let header = sql("n > 100", held_pull("G", "T", 0, 1, 1_000));
    let held = consumer.send(RequestCode::PullMessage, &header, b"").await;
    consumer.pull(&pull("G", "T", 0, 0)).await;
    send_numbers(&mut producer, [2, 3]).await;
    let answer = consumer.answer(held).await;
    assert_eq!(answer.response_code(), ResponseCode::PullRetryImmediately);
    assert_eq!(offsets(&answer), [3, 0, 3]);
    let header = sql("n > 100", held_pull("G", "T", 0, 3, 20));
    let answer = consumer.pull(&header).await;
    assert_eq!(answer.response_code(), ResponseCode::PullNotFound);
    assert_eq!(offsets(&answer), [3, 0, 3]);
}

#[tokio::test]
async fn one_pull_looks_at_no_more_than_its_limit() {
    let mut config = small_store();
    config.filter.messages_scanned_max = 64;
    config.filter.entries_passed_max = 50;
    let server = Server::with(config).await;
    let mut client = TestClient::connect(&server).await;
    send_numbers(&mut client, (0..300).map(|number| number * 2)).await;
    send_numbers(&mut client, [777]).await;
    for (expression, language, step) in [("n = 777", "SQL92", 64), ("t1", "TAG", 50)] {
        let (mut at, mut pulls) = (0, 0);
        let found = loop {
            pulls += 1;
            let header = PullRequest {
                subscription: Some(expression),
                expression_type: Some(language),
                // A pull that may be held is not held while there is more to look at.
                ..held_pull("G", "T", 0, at, 60_000)
            };
            let answer = client.pull(&header).await;
            if answer.response_code() == ResponseCode::Success {
                break answer;
            }
            assert_eq!(answer.response_code(), ResponseCode::PullRetryImmediately);
            let [next, _, _] = offsets(&answer);
            assert!(at < next && next <= at + step, "{expression}: {at} {next}");
            at = next;
        };
        assert_eq!(
            (bodies(&found), offsets(&found)[0]),
            (vec!["777".into()], 301)
        );
        assert_eq!(pulls, 300 / step + 1, "{expression}");
    }
}

#[tokio::test]
async fn kafka_records_are_filtered_by_their_headers() {
    let server = Server::start().await;
    let mut client = TestClient::connect(&server).await;
    // Records 0 to 9, tagged even and odd by a header.
    produce(&server, "T", kafka_batch(10, 1));
    let odd = |answer: &Command| -> Vec<i64> {
        let offsets = messages(answer);
        offsets.iter().map(|message| message.queue_offset).collect()
    };
    for expression in ["TAGS = 'odd'", "TAGS ENDSWITH 'dd' AND KEYS IS NOT NULL"] {
        let answer = client.pull(&sql(expression, pull("G", "T", 0, 3))).await;
        assert_eq!(odd(&answer), [3, 5, 7, 9], "{expression}");
        assert_eq!(offsets(&answer), [10, 0, 10]);
    }
    let answer = client.pull(&sql("TAGS = 'x'", pull("G", "T", 0, 3))).await;
    assert_eq!(answer.response_code(), ResponseCode::PullRetryImmediately);
    assert_eq!(offsets(&answer), [10, 0, 10]);
}

#[tokio::test]
async fn expressions_are_refused_where_they_are_switched_off() {
    let protocol = gantry_remoting::Config {
        property_filter_enabled: false,
        ..gantry_remoting::Config::default()
    };
    let server = Server::with_protocol(small_store(), protocol).await;
    let mut client = TestClient::connect(&server).await;
    send_numbers(&mut client, 0..1).await;
    let beat = sql_heartbeat("n = 0", 1);
    client.call(RequestCode::HeartBeat, &NoFields, &beat).await;
    for header in [sql("n = 0", pull("G", "T", 0, 0)), registered(1)] {
        let answer = client.pull(&header).await;
        assert_eq!(answer.response_code(), ResponseCode::SystemError);
        assert!(remark(&answer).ends_with("filter message by SQL92"));
    }
}
