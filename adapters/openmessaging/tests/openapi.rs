//! What the document says is there, is.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod endpoint;

use axum::http::Method;
use endpoint::Api;
use gantry_openmessaging::Config;
use serde_json::Value;

#[tokio::test]
async fn every_operation_is_served() {
    let api = Api::new(Config {
        wait_ms_max: 1,
        ..Config::default()
    });
    let document = api.ask("GET", "/openapi.json", &[], "").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    for own in Config::default().paths {
        assert!(paths.contains_key(&own), "{own}");
    }
    let mut count = 0;
    for (path, operations) in paths {
        let filled = path.replace("{name}", "n").replace("{namespace}", "s");
        for method in operations.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            let answer = api.ask(method.as_str(), &filled, &[], "").await;
            let (status, _) = answer.statuses();
            assert_ne!(status, 405, "{method} {path}");
            let detail = String::from_utf8_lossy(&answer.body);
            assert!(
                !detail.contains("there is no such resource"),
                "{method} {path}"
            );
            count += 1;
        }
    }
    assert!(count > 40, "{count} operations");
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    let api = Api::new(Config::default());
    let document = api.ask("GET", "/openapi.json", &[], "").await.json();
    let mut left = vec![&document];
    let mut count = 0;
    while let Some(value) = left.pop() {
        if let Some(Value::String(to)) = value.get("$ref") {
            let place = to.strip_prefix('#').unwrap();
            assert!(document.pointer(place).is_some(), "{to}");
            count += 1;
        }
        match value {
            Value::Array(items) => left.extend(items),
            Value::Object(fields) => left.extend(fields.values()),
            _ => {}
        }
    }
    assert!(count > 100, "{count} references");
}

#[tokio::test]
async fn the_page_loads_nothing_of_others() {
    let api = Api::new(Config::default());
    let page = api.ask("GET", "/docs", &[], "").await;
    assert_eq!(page.statuses().0, 200);
    let text = String::from_utf8(page.body.clone()).unwrap();
    assert!(text.contains("openapi.json") && !text.contains("://"));
    assert!(page.field("content-security-policy").is_some());
}
