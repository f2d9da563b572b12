//! A message and what answers it, in one request.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod endpoint;

use endpoint::{Answer, Api};
use gantry_openmessaging::Config;

async fn ask(api: &Api, query: &str, fields: &[(&str, &str)]) -> Answer {
    let path = format!("/v1/destinations/t:request{query}");
    api.ask("POST", &path, fields, "question").await
}

/// Sends what answers a message, to where the message says.
async fn answer(api: &Api, question: &Answer, body: &'static str) {
    let fields = ["x-oms-h-correlationid", "x-oms-namespace"]
        .map(|name| (name, question.field(name).unwrap_or_default()));
    let to = question.field("x-oms-h-replyto").unwrap();
    let fields = [&fields[..], &[("x-oms-h-destination", to)]].concat();
    assert_eq!(api.produce(&fields, body).await.status, 200);
}

#[tokio::test]
async fn who_asks_gets_the_answer_that_is_meant() {
    let api = Api::new(Config::default());
    let respond = async {
        let first = api.pull(&[("x-oms-waitMills", "5000")]).await;
        let second = api.pull(&[("x-oms-waitMills", "5000")]).await;
        assert_eq!(
            (&*first.body, &*second.body),
            (&b"question"[..], &b"question"[..])
        );
        let ids = [&first, &second].map(|one| one.field("x-oms-h-correlationid"));
        let (ours, other) = if ids[0] == Some("ours") {
            (&first, &second)
        } else {
            (&second, &first)
        };
        answer(&api, other, "another's").await;
        answer(&api, ours, "ours").await;
    };
    let named = [
        ("x-oms-h-correlationId", "ours"),
        ("x-oms-p-colour", "green"),
    ];
    let (ours, other, ()) = tokio::join!(ask(&api, "", &named), ask(&api, "", &[]), respond);
    assert_eq!(
        (ours.statuses(), &*ours.body),
        ((200, "1200"), &b"ours"[..])
    );
    assert_eq!(ours.field("x-oms-h-correlationid"), Some("ours"));
    assert_eq!(other.body, b"another's");
}

#[tokio::test]
async fn nobody_is_waited_for_longer_than_was_said() {
    let api = Api::new(Config::default());
    let late = ask(&api, "?timeoutMillis=1", &[]).await;
    assert_eq!(late.statuses(), (408, "1410"));
    let question = api.pull(&[]).await;
    assert_eq!(question.body, b"question", "it was sent");
    answer(&api, &question, "too late").await;
    let again = ask(&api, "?timeoutMillis=1", &[]).await;
    assert_eq!(
        again.statuses(),
        (408, "1410"),
        "an answer has its question"
    );
}

#[tokio::test]
async fn no_more_wait_than_may() {
    let api = Api::new(Config {
        waiting_max: 0,
        ..Config::default()
    });
    assert_eq!(ask(&api, "", &[]).await.statuses().0, 429);
    assert_eq!(
        api.pull(&[]).await.statuses().0,
        404,
        "and nothing was sent"
    );
    let wrong = api.ask("POST", "/v1/destinations/t", &[], "").await;
    assert_eq!(wrong.statuses(), (405, "1400"));
}

#[tokio::test]
async fn who_prefers_it_does_not_wait() {
    let api = Api::new(Config::default());
    let path = "/v1/destinations/t/messages";
    let fields = [("prefer", "return=minimal, respond-async")];
    let sent = api.ask("POST", path, &fields, "soon").await;
    assert_eq!(sent.statuses(), (202, "1200"));
    assert_eq!(sent.field("preference-applied"), Some("respond-async"));
    assert_eq!(api.pull(&[]).await.body, b"soon");
}
