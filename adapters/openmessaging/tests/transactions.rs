//! Half messages: nobody sees one before its transaction is committed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod endpoint;

use endpoint::{Answer, Api};
use gantry_openmessaging::Config;
use serde_json::{Value, json};

/// Sends a half message; its handle.
async fn begin(api: &Api, body: &'static str, further: &[(&str, &str)]) -> String {
    let fields = [&[("x-oms-h-transactionId", "t-1")], further].concat();
    let answer = api.produce(&fields, body).await;
    assert_eq!(answer.statuses(), (200, "1200"));
    assert_eq!(answer.field("x-oms-offset"), None, "it has no place yet");
    answer.field("x-oms-transactionhandle").unwrap().to_owned()
}

async fn end(api: &Api, handle: &str, verb: &str) -> Answer {
    let path = format!("/v1/transactions/{handle}:{verb}");
    api.ask("POST", &path, &[], "").await
}

async fn open(api: &Api, query: &str) -> Value {
    let path = format!("/v1/transactions{query}");
    let answer = api.ask("GET", &path, &[], "").await;
    assert_eq!(answer.statuses(), (200, "1200"));
    answer.json()
}

fn bodies(open: &Value) -> Vec<&str> {
    let all = open["transactions"].as_array().unwrap().iter();
    all.map(|one| one["message"]["body"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn what_is_committed_is_delivered_and_what_is_rolled_back_is_not() {
    let api = Api::new(Config::default());
    let (kept, dropped) = (
        begin(&api, "kept", &[("x-oms-p-colour", "green")]).await,
        begin(&api, "dropped", &[]).await,
    );
    assert_eq!(api.pull(&[]).await.statuses().0, 204);
    assert_eq!(end(&api, &dropped, "rollback").await.statuses().0, 200);
    assert_eq!(end(&api, &kept, "commit").await.statuses().0, 200);
    let pulled = api.pull(&[]).await;
    assert_eq!(pulled.body, b"kept");
    assert_eq!(pulled.field("x-oms-offset"), Some("0"));
    assert_eq!(pulled.field("x-oms-p-colour"), Some("green"));
    assert_eq!(pulled.field("x-oms-h-transactionid"), Some("t-1"));
    assert_eq!(api.pull(&[]).await.statuses().0, 204);
    // An end is an end.
    for (handle, verb) in [(&kept, "commit"), (&kept, "rollback"), (&dropped, "commit")] {
        assert_eq!(end(&api, handle, verb).await.statuses(), (409, "1418"));
    }
    assert_eq!(api.pull(&[]).await.statuses().0, 204);
}

#[tokio::test]
async fn many_end_with_one_request_each_with_its_own_outcome() {
    let api = Api::new(Config::default());
    let (first, second) = (begin(&api, "1", &[]).await, begin(&api, "2", &[]).await);
    end(&api, &first, "rollback").await;
    let handles = json!({"transactionHandles": [first, second, "no handle"]});
    let answer = api.post("/v1/transactions:commit", handles).await;
    assert_eq!(answer.statuses().0, 207);
    let items = answer.json()["items"].clone();
    let statuses: Vec<_> = items.as_array().unwrap().iter().collect();
    let statuses: Vec<_> = statuses.iter().map(|item| &item["status"]).collect();
    assert_eq!(statuses, [409, 200, 400]);
    assert_eq!(api.pull(&[]).await.body, b"2");
    let none = api
        .post(
            "/v1/transactions:rollback",
            json!({"transactionHandles": []}),
        )
        .await;
    assert_eq!(none.statuses(), (400, "1418"));
}

#[tokio::test]
async fn a_producer_asks_which_of_its_transactions_are_open() {
    let api = Api::new(Config::default());
    assert_eq!(bodies(&open(&api, "").await), [""; 0]);
    for body in ["1", "2", "3"] {
        begin(&api, body, &[("x-oms-producerGroup", "tills")]).await;
    }
    begin(&api, "others", &[]).await;
    let in_namespace = [
        ("x-oms-namespace", "shop"),
        ("x-oms-producerGroup", "tills"),
    ];
    begin(&api, "another shop's", &in_namespace).await;

    let first = open(&api, "?producerGroup=tills&limit=2").await;
    assert_eq!(bodies(&first), ["1", "2"]);
    let handle = first["transactions"][0]["transactionHandle"].as_str();
    assert_eq!(first["transactions"][0]["message"]["destination"], "t");
    assert_eq!(end(&api, handle.unwrap(), "commit").await.statuses().0, 200);
    let cursor = first["cursor"].as_str().unwrap();
    let rest = open(&api, &format!("?producerGroup=tills&cursor={cursor}")).await;
    assert_eq!((bodies(&rest), &rest["cursor"]), (vec!["3"], &Value::Null));
    assert_eq!(
        bodies(&open(&api, "?producerGroup=tills").await),
        ["2", "3"]
    );
    assert_eq!(bodies(&open(&api, "").await), ["others"]);
    let path = "/v1/namespaces/shop/transactions?producerGroup=tills";
    let answer = api.ask("GET", path, &[], "").await.json();
    assert_eq!(bodies(&answer), ["another shop's"]);
}

#[tokio::test]
async fn who_sends_a_half_message_again_gets_the_same_handle() {
    let api = Api::new(Config::default());
    let named = [("x-oms-h-messageId", "id-1")];
    let handle = begin(&api, "once", &named).await;
    assert_eq!(begin(&api, "once", &named).await, handle);
    assert_eq!(bodies(&open(&api, "").await), ["once"]);
}

#[tokio::test]
async fn what_is_no_handle_ends_nothing() {
    let api = Api::new(Config::default());
    let handle = begin(&api, "1", &[]).await;
    let cut = &handle[..handle.len() - 4];
    for (wrong, status) in [("AQ", 400), ("%21", 400), (cut, 404)] {
        let answer = end(&api, wrong, "commit").await;
        assert_eq!(answer.statuses(), (status, "1418"), "{wrong}");
    }
    let answer = end(&api, &handle, "forget").await;
    assert_eq!(answer.statuses(), (404, "1400"));
    assert_eq!(bodies(&open(&api, "").await), ["1"]);
}

#[tokio::test]
async fn a_batch_may_have_half_messages() {
    let api = Api::new(Config::default());
    let messages = json!([{"body": "plain"}, {"body": "half", "transactionId": "t-2"}]);
    let answer = api
        .post("/v1/destinations/t/messages:batch", messages)
        .await;
    let items = answer.json()["items"].clone();
    assert_eq!(
        (&items[0]["offset"], &items[1]["offset"]),
        (&json!(0), &Value::Null)
    );
    let handle = items[1]["transactionHandle"].as_str().unwrap();
    end(&api, handle, "commit").await;
    assert_eq!(api.pull(&[]).await.body, b"plain");
    assert_eq!(api.pull(&[]).await.body, b"half");
}
