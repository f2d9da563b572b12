//! Who is not called.

use super::receiver::{Receiver, Reply, status};
use super::{Api, local};
use gantry_openmessaging::Config;
use serde_json::json;

#[tokio::test]
async fn a_receiver_that_does_not_want_messages_gets_none() {
    let unwilling = [
        status(200),
        status(404),
        Reply::Status(
            200,
            vec![("webhook-allowed-origin", "elsewhere".to_owned())],
        ),
        Reply::Status(
            200,
            vec![
                ("webhook-allowed-origin", "*".to_owned()),
                ("webhook-allowed-rate", "0".to_owned()),
            ],
        ),
        // Where it points nobody goes, to ask no more than to send.
        Reply::Status(307, vec![("location", "/elsewhere".to_owned())]),
    ];
    let mut api = Api::new(local());
    api.produce("t", &[], "hello").await;
    for handshake in unwilling {
        let mut receiver = Receiver::with(handshake, |_| status(200)).await;
        let set = api
            .set("c", json!({"source": "t", "url": receiver.url()}))
            .await;
        assert_eq!(set.statuses(), (403, "1403"));
        assert_eq!(api.callback("c").await.statuses(), (404, "1418"));
        let asked = receiver.rest();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].method, "OPTIONS");
    }
    api.stop().await;
    // Who is trusted is not asked.
    let mut config = local();
    config.callbacks.without_handshake = vec!["127.0.0.1".parse().unwrap()];
    let mut api = Api::over(api.broker, api.home, config);
    let mut receiver = Receiver::with(status(404), |_| status(200)).await;
    let callback = json!({"source": "t", "url": receiver.url()});
    assert_eq!(api.set("c", callback).await.status, 201);
    assert_eq!(receiver.next().await.text(), "hello");
    api.stop().await;
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_whatever_they_are_called() {
    let mut receiver = Receiver::new().await;
    let port = receiver.address.port();
    let mut api = Api::new(Config::default());
    api.produce("t", &[], "hello").await;
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "[fe80::1]",
        "[fd00::1]",
        "[64:ff9b::7f00:1]",
        "224.0.0.1",
    ] {
        let url = format!("http://{host}:{port}/hook");
        let set = api.set("c", json!({"source": "t", "url": url})).await;
        assert_eq!(set.statuses(), (403, "1403"), "{host}");
    }
    assert_eq!(api.callback("c").await.status, 404);
    api.stop().await;
    assert_eq!(receiver.rest().len(), 0);
}

#[tokio::test]
async fn an_address_that_may_be_called_no_more_is_refused_when_messages_come() {
    let mut receiver = Receiver::new().await;
    let api = Api::new(local());
    api.produce("t", &[], "first").await;
    let url = format!("http://localhost:{}/hook", receiver.address.port());
    assert_eq!(
        api.set("c", json!({"source": "t", "url": url}))
            .await
            .status,
        201
    );
    assert_eq!(receiver.delivery().await.text(), "first");
    // As when a name has come to lead elsewhere: it stands, and its address is not to be called.
    let mut api = api.again(Config::default()).await;
    api.produce("t", &[], "second").await;
    let course = api.course("c", |course| course["failed"] == 1).await;
    let said = course["lastError"].as_str().unwrap();
    assert!(said.starts_with("localhost has no address that"), "{said}");
    api.stop().await;
    assert_eq!(receiver.rest().len(), 0);
}

#[tokio::test]
async fn nobody_goes_where_a_receiver_points() {
    let mut elsewhere = Receiver::new().await;
    let mut receiver = Receiver::new().await;
    for code in [301, 302, 307, 308] {
        receiver.reply(Reply::Status(code, vec![("location", elsewhere.url())]));
    }
    let mut api = Api::new(local());
    api.produce("t", &[], "hello").await;
    let retry = json!({"firstMillis": 1});
    let callback = json!({"source": "t", "url": receiver.url(), "retry": retry});
    assert_eq!(api.set("c", callback).await.status, 201);
    for _ in 0..5 {
        assert_eq!(receiver.delivery().await.text(), "hello");
    }
    api.stop().await;
    assert_eq!(elsewhere.rest().len(), 0);
    assert_eq!(api.settled("c").await, 1);
}

#[tokio::test]
async fn a_callback_that_cannot_be_is_refused_with_what_is_wrong() {
    let receiver = Receiver::new().await;
    let mut api = Api::new(local());
    api.produce("t", &[], "hello").await;
    let url = receiver.url();
    let wrong = [
        (json!({"source": "t"}), (400, "1400")),
        (
            json!({"source": "t", "url": url, "batch": 1}),
            (400, "1400"),
        ),
        (json!({"source": "none", "url": url}), (404, "1404")),
        (json!({"source": "t", "url": "ftp://h/"}), (400, "1418")),
        (
            json!({"source": "t", "url": "http://user@127.0.0.1/"}),
            (400, "1418"),
        ),
        (
            json!({"source": "t", "url": "http://no.such.host.invalid/"}),
            (400, "1418"),
        ),
        (
            json!({"source": "t", "url": "http://127.0.0.1:1/"}),
            (424, "1418"),
        ),
        (
            json!({"source": "t", "url": url, "secret": "short"}),
            (400, "1418"),
        ),
        (
            json!({"source": "t", "url": url, "batchMax": 0}),
            (400, "1418"),
        ),
        (
            json!({"source": "t", "url": url, "batchMax": 257}),
            (400, "1418"),
        ),
        (
            json!({"source": "t", "url": url, "batchMax": 2, "mode": "message"}),
            (400, "1418"),
        ),
        (
            json!({"source": "t", "url": url, "concurrency": 33}),
            (400, "1418"),
        ),
        (
            json!({"source": "t", "url": url, "timeoutMillis": 120_001}),
            (400, "1418"),
        ),
        (
            json!({"source": "t", "url": url, "retry": {"attemptsMax": 17}}),
            (400, "1418"),
        ),
        (
            json!({"source": "t", "url": url, "filter": "a >", "filterType": "SQL92"}),
            (400, "1418"),
        ),
    ];
    for (callback, statuses) in wrong {
        let set = api.set("c", callback.clone()).await;
        assert_eq!(set.statuses(), statuses, "{callback}");
    }
    api.stop().await;
}

#[tokio::test]
async fn there_are_no_more_callbacks_than_may_be() {
    let receiver = Receiver::new().await;
    let mut config = local();
    config.callbacks.callbacks_max = 1;
    let mut api = Api::new(config);
    api.produce("t", &[], "hello").await;
    let callback = json!({"source": "t", "url": receiver.url()});
    assert_eq!(api.set("c", callback.clone()).await.status, 201);
    assert_eq!(api.set("c", callback.clone()).await.status, 200);
    assert_eq!(api.set("d", callback).await.statuses(), (429, "1502"));
    let path = "/v1/subscriptions/c/callback";
    for status in [200, 404] {
        let ended = api.ask("DELETE", path, &[], String::new()).await;
        assert_eq!(ended.status, status);
    }
    api.stop().await;
}
