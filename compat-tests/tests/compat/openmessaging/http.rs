//! A stock HTTP client at the resources below `/v1`.

use crate::http_client;
use compat_tests::gantry::Gantry;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{Method, Result};
use serde_json::{Value, json};

pub struct Http {
    client: Client,
    base: String,
}

impl Http {
    /// In HTTP/1.1.
    pub fn of(gantry: &Gantry) -> Self {
        Self::with(gantry, http_client::builder().http1_only().build())
    }

    /// In HTTP/2 without TLS, with prior knowledge of it.
    pub fn of_h2c(gantry: &Gantry) -> Self {
        Self::with(
            gantry,
            http_client::builder().http2_prior_knowledge().build(),
        )
    }

    fn with(gantry: &Gantry, client: Result<Client>) -> Self {
        Self {
            client: client.unwrap(),
            base: format!("http://{}", gantry.endpoint("openmessaging").unwrap()),
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.base.clone() + path)
    }

    pub fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().unwrap()
    }

    pub fn put(&self, path: &str, body: &Value) -> Response {
        self.request(Method::PUT, path).json(body).send().unwrap()
    }

    pub fn delete(&self, path: &str) -> Response {
        self.request(Method::DELETE, path).send().unwrap()
    }

    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.try_post(path, body).unwrap()
    }

    /// As [`Http::post`], of a server that may end meanwhile.
    pub fn try_post(&self, path: &str, body: &Value) -> Result<Response> {
        self.request(Method::POST, path).json(body).send()
    }

    /// Sends a batch of bodies to `t`, all of which are taken.
    pub fn send(&self, bodies: &[&str]) {
        let messages: Vec<_> = bodies.iter().map(|body| json!({ "body": body })).collect();
        let answer = self.post("/v1/destinations/t/messages:batch", &json!(messages));
        assert_eq!(answer.status(), 200);
    }

    /// Receives for `c` what the request says; no messages where there are none.
    pub fn receive(&self, request: &Value) -> Vec<Value> {
        let answer = self.post("/v1/subscriptions/c/messages:receive", request);
        match answer.status().as_u16() {
            204 => Vec::new(),
            status => {
                let mut told = told(answer, status);
                assert_eq!(status, 200, "{told}");
                serde_json::from_value(told["messages"].take()).unwrap()
            }
        }
    }

    /// Says something of messages of `c`, with further fields; status and outcome of each.
    pub fn settle(&self, verb: &str, messages: &[&Value], further: Value) -> Vec<(u64, Value)> {
        let handles = messages.iter().map(|message| &message["receiptHandle"]);
        let mut request = further;
        request["receiptHandles"] = handles.cloned().collect();
        let path = format!("/v1/subscriptions/c/messages:{verb}");
        let answer: Value = self.post(&path, &request).json().unwrap();
        let items = answer["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| (item["status"].as_u64().unwrap(), item.clone()))
            .collect()
    }
}

/// An answer of a status, and its JSON if it has any.
pub fn told(answer: Response, status: u16) -> Value {
    let (seen, text) = (answer.status(), answer.text().unwrap());
    assert_eq!(seen, status, "{text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The bodies of messages.
pub fn bodies(messages: &[Value]) -> Vec<&str> {
    let bodies = messages.iter().map(|message| message["body"].as_str());
    bodies.map(Option::unwrap).collect()
}
