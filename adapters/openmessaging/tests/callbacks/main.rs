//! Consumers whose messages are sent to them, against a broker and receivers of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod receiver;
mod refusals;
mod secured;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::{Extension, Router};
use gantry_core::model::SystemClock;
use gantry_core::{Broker, Config as CoreConfig};
use gantry_openmessaging::{Config, OpenMessaging};
use hmac::{Hmac, Mac as _};
use receiver::{Receiver, Reply, status};
use serde_json::{Value, json};
use sha2::Sha256;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{Barrier, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::ServiceExt as _;

/// An adapter that sends what is to be sent.
struct Api {
    server: Arc<OpenMessaging>,
    routes: Router,
    broker: Broker,
    home: TempDir,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

struct Answer {
    status: u16,
    oms: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn statuses(&self) -> (u16, &str) {
        (self.status, &self.oms)
    }
}

/// Settings that let the tests' receivers be called.
fn local() -> Config {
    let mut config = Config::default();
    config.callbacks.allow = vec!["127.0.0.0/8".parse().unwrap()];
    config
}

impl Api {
    fn new(config: Config) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut core = CoreConfig::default();
        core.store.segment_bytes = 1 << 24;
        core.store.stretch_bytes = 1 << 22;
        core.topics.default_queues = 1;
        let broker = Broker::open(home.path(), core, Arc::new(SystemClock)).unwrap();
        Self::over(broker, home, config)
    }

    fn over(broker: Broker, home: TempDir, config: Config) -> Self {
        let server = OpenMessaging::new(broker.anonymous(), config, Arc::new(SystemClock));
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 4711));
        let (stop, stopped) = oneshot::channel();
        let runs = Arc::clone(&server);
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            runs.run_callbacks(stopped, Duration::from_secs(30)).await;
        });
        Self {
            routes: server.routes().layer(Extension(ConnectInfo(peer))),
            server,
            broker,
            home,
            running: Some((stop, task)),
        }
    }

    /// Waits until what is under way has ended; nothing is sent afterwards.
    async fn stop(&mut self) {
        let (stop, task) = self.running.take().unwrap();
        drop(stop);
        task.await.unwrap();
    }

    /// The same broker with another adapter, as after a restart.
    async fn again(mut self, config: Config) -> Self {
        self.stop().await;
        Self::over(self.broker, self.home, config)
    }

    async fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)], body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let oms = parts.headers["x-oms-status"].to_str().unwrap().to_owned();
        Answer {
            status: parts.status.as_u16(),
            oms,
            body: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
        }
    }

    async fn produce(&self, destination: &str, fields: &[(&str, &str)], body: &str) {
        let path = format!("/v1/destinations/{destination}/messages");
        let sent = self.ask("POST", &path, fields, body.to_owned()).await;
        assert_eq!(sent.status, 201);
    }

    async fn set(&self, consumer: &str, callback: Value) -> Answer {
        let path = format!("/v1/subscriptions/{consumer}/callback");
        self.ask("PUT", &path, &[], callback.to_string()).await
    }

    async fn callback(&self, consumer: &str) -> Answer {
        let path = format!("/v1/subscriptions/{consumer}/callback");
        self.ask("GET", &path, &[], String::new()).await
    }

    /// How many messages of its source, from the oldest on, a consumer has settled.
    async fn settled(&self, consumer: &str) -> Value {
        let path = format!("/v1/subscriptions/{consumer}");
        let mut answer = self.ask("GET", &path, &[], String::new()).await.json();
        answer["progress"][0]["offset"].take()
    }

    /// Messages of a destination that a consumer may be handed out.
    async fn left(&self, consumer: &str, source: &str) -> Vec<String> {
        let path = format!("/v1/subscriptions/{consumer}/messages:receive");
        let asked = json!({"source": source, "max": 100}).to_string();
        let answer = self.ask("POST", &path, &[], asked).await;
        if answer.status == 204 {
            return Vec::new();
        }
        let messages = answer.json();
        let messages = messages["messages"].as_array().unwrap().iter();
        messages
            .map(|one| one["body"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until a callback has gone as far as `is_so` says.
    async fn course(&self, consumer: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let reached = async {
            loop {
                let course = self.callback(consumer).await.json()["course"].take();
                if is_so(&course) {
                    return course;
                }
                tokio::task::yield_now().await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
        reached.expect("the callback comes so far")
    }
}

#[tokio::test]
async fn a_message_is_sent_in_the_specifications_form_and_is_settled() {
    let mut receiver = Receiver::new().await;
    let mut api = Api::new(local());
    let fields = [
        ("x-oms-h-messageId", "id-1"),
        ("x-oms-p-colour", "green"),
        ("content-type", "text/plain"),
    ];
    api.produce("t", &fields, "hello").await;
    let set = api
        .set("c", json!({"source": "t", "url": receiver.url()}))
        .await;
    assert_eq!(set.statuses(), (201, "1200"));
    let asked = receiver.next().await;
    assert_eq!(asked.method, "OPTIONS");
    assert_eq!(asked.field("webhook-request-origin"), Some("gantry"));
    let sent = receiver.next().await;
    assert_eq!((sent.method.as_str(), sent.text()), ("POST", "hello"));
    for (name, value) in [
        ("x-oms-version", "1.0.0"),
        ("x-oms-h-messageid", "id-1"),
        ("x-oms-h-destination", "t"),
        ("x-oms-p-colour", "green"),
        ("content-type", "text/plain"),
        ("x-oms-consumerid", "c"),
        ("x-oms-source", "t"),
        ("x-oms-partition", "0"),
        ("x-oms-offset", "0"),
        ("x-oms-deliverycount", "1"),
        ("webhook-request-origin", "gantry"),
    ] {
        assert_eq!(sent.field(name), Some(value), "{name}");
    }
    assert_eq!(sent.field("x-oms-signature"), None);
    // And one that comes while nobody has anything to do.
    api.produce("t", &[], "later").await;
    assert_eq!(receiver.next().await.text(), "later");
    api.stop().await;
    assert_eq!(api.settled("c").await, 2);
    assert_eq!(api.callback("c").await.json()["course"]["delivered"], 2);
    assert_eq!(api.server.callback_figures().delivered, 2);
}

#[tokio::test]
async fn a_signature_is_of_the_moment_and_the_body_and_the_secret_is_never_told() {
    let secret = "0123456789abcdef";
    let mut receiver = Receiver::new().await;
    let mut api = Api::new(local());
    api.produce("t", &[], "hello").await;
    let callback = json!({"source": "t", "url": receiver.url(), "secret": secret});
    let set = api.set("c", callback).await;
    assert_eq!(set.json()["isSigned"], true);
    let sent = receiver.delivery().await;
    let signature = sent.field("x-oms-signature").unwrap();
    let (time, proof) = signature.split_once(",v1=").unwrap();
    let time = time.strip_prefix("t=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{time}.hello").as_bytes());
    let proof: Vec<u8> = (0..proof.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&proof[at..at + 2], 16).unwrap())
        .collect();
    mac.verify_slice(&proof).unwrap();
    let shown = api.callback("c").await;
    for answer in [&set, &shown] {
        assert!(!String::from_utf8_lossy(&answer.body).contains(secret));
    }
    // It stays when nothing is said of it, and goes when it is empty.
    for (asked, is_signed) in [(json!(null), true), (json!(""), false)] {
        let callback = json!({"source": "t", "url": receiver.url(), "secret": asked});
        assert_eq!(api.set("c", callback).await.json()["isSigned"], is_signed);
    }
    api.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_busy_is_left_alone_for_as_long_as_it_says() {
    let mut receiver = Receiver::new().await;
    receiver.reply(Reply::Status(503, vec![("retry-after", "1".to_owned())]));
    let mut api = Api::new(local());
    api.produce("t", &[], "hello").await;
    let retry = json!({"attemptsMax": 1, "firstMillis": 1});
    let callback = json!({"source": "t", "url": receiver.url(), "retry": retry});
    assert_eq!(api.set("c", callback).await.status, 201);
    receiver.delivery().await;
    let refused = Instant::now();
    // A message that comes meanwhile waits too.
    api.produce("t", &[], "second").await;
    let again = receiver.delivery().await;
    assert!(refused.elapsed() > Duration::from_millis(900));
    // That it was busy is nothing against the message: it has its one attempt left.
    assert_eq!(again.text(), "hello");
    assert_eq!(again.field("x-oms-deliverycount"), Some("1"));
    assert_eq!(receiver.delivery().await.text(), "second");
    let figures = api.server.callback_figures();
    assert_eq!((figures.failed, figures.dead_lettered), (1, 0));
    api.stop().await;
}

#[tokio::test]
async fn no_more_requests_come_than_the_receiver_lets_come() {
    let allowed = vec![
        ("webhook-allowed-origin", "*".to_owned()),
        ("webhook-allowed-rate", "600".to_owned()),
    ];
    let mut receiver = Receiver::with(Reply::Status(200, allowed), |_| status(200)).await;
    let mut api = Api::new(local());
    for _ in 0..5 {
        api.produce("t", &[], "hello").await;
    }
    let callback = json!({"source": "t", "url": receiver.url(), "concurrency": 8});
    assert_eq!(api.set("c", callback).await.status, 201);
    receiver.delivery().await;
    let first = Instant::now();
    for _ in 0..4 {
        receiver.delivery().await;
    }
    // A tenth of a second between two; the first was on its way for a moment.
    assert!(first.elapsed() > Duration::from_millis(350));
    api.stop().await;
}

#[tokio::test]
async fn requests_that_fail_together_are_one_failure() {
    let mut receiver = Receiver::new().await;
    let barrier = Arc::new(Barrier::new(8));
    let mut api = Api::new(local());
    for _ in 0..8 {
        receiver.reply(Reply::Together(Arc::clone(&barrier), 503));
        api.produce("t", &[], "hello").await;
    }
    let retry = json!({"firstMillis": 500, "maxMillis": 3_600_000});
    let callback = json!({"source": "t", "url": receiver.url(), "concurrency": 8, "retry": retry});
    assert_eq!(api.set("c", callback).await.status, 201);
    // Eight in a row would be waited for longer than this test waits.
    for _ in 0..16 {
        receiver.delivery().await;
    }
    api.stop().await;
    assert_eq!(api.server.callback_figures().delivered, 8);
}

#[tokio::test]
async fn a_message_that_is_never_taken_goes_to_the_dead_letters_and_others_do_not() {
    let mut receiver = Receiver::with(
        Reply::Status(200, vec![("webhook-allowed-origin", "*".to_owned())]),
        |arrived| status(if arrived.text() == "poison" { 500 } else { 200 }),
    )
    .await;
    let mut api = Api::new(local());
    for body in ["poison", "good"] {
        api.produce("t", &[], body).await;
    }
    let retry = json!({"attemptsMax": 3, "firstMillis": 1});
    let callback = json!({"source": "t", "url": receiver.url(), "retry": retry});
    assert_eq!(api.set("c", callback).await.status, 201);
    let course = api
        .course("c", |course| {
            course["deadLettered"] == 1 && course["delivered"] == 1
        })
        .await;
    assert_eq!(course["failed"], 3);
    assert_eq!(
        course["lastError"],
        "the receiver answered 500 Internal Server Error"
    );
    api.stop().await;
    let mut counts: Vec<_> = receiver
        .rest()
        .iter()
        .filter(|one| one.text() == "poison")
        .map(|one| one.field("x-oms-deliverycount").unwrap().to_owned())
        .collect();
    counts.sort();
    assert_eq!(counts, ["1", "2", "3"]);
    assert_eq!(api.settled("c").await, 2);
    assert_eq!(api.left("undertaker", "%DLQ%c").await, ["poison"]);
}

#[tokio::test]
async fn a_batch_is_one_request_and_one_bad_message_of_it_harms_no_other() {
    let mut receiver = Receiver::with(
        Reply::Status(200, vec![("webhook-allowed-origin", "*".to_owned())]),
        |arrived| {
            status(if arrived.text().contains("poison") {
                400
            } else {
                200
            })
        },
    )
    .await;
    let mut api = Api::new(local());
    for body in ["a", "poison", "b"] {
        api.produce("t", &[("x-oms-h-tag", "wanted")], body).await;
    }
    api.produce("t", &[("x-oms-h-tag", "other")], "unwanted")
        .await;
    let callback = json!({
        "source": "t", "url": receiver.url(), "batchMax": 10, "filter": "wanted",
        "retry": {"attemptsMax": 1},
    });
    let set = api.set("c", callback).await;
    assert_eq!(set.json()["mode"], "batch");
    let whole = receiver.delivery().await;
    assert_eq!(whole.field("content-type"), Some("application/json"));
    assert_eq!(whole.bodies(), ["a", "poison", "b"]);
    for body in ["a", "poison", "b"] {
        assert_eq!(receiver.delivery().await.bodies(), [body]);
    }
    api.stop().await;
    assert_eq!(api.settled("c").await, 4, "the filtered one too");
    assert_eq!(api.left("undertaker", "%DLQ%c").await, ["poison"]);
}

#[tokio::test]
async fn the_specifications_header_begins_a_callback_and_an_empty_one_ends_it() {
    let mut receiver = Receiver::new().await;
    let mut api = Api::new(local());
    api.produce("t", &[], "hello").await;
    let url = receiver.url();
    let fields = |url| {
        [
            ("x-oms-version", "1.0.0"),
            ("x-oms-consumerId", "c"),
            ("x-oms-source", "t"),
            ("x-oms-callbackURL", url),
        ]
    };
    let begun = api.ask("GET", "/", &fields(&url), String::new()).await;
    assert_eq!(begun.statuses(), (200, "1200"));
    assert_eq!(receiver.delivery().await.text(), "hello");
    let mut of_another = fields("");
    of_another[2].1 = "another";
    api.ask("POST", "/oms", &of_another, String::new()).await;
    assert_eq!(api.callback("c").await.status, 200);
    api.course("c", |course| course["delivered"] == 1).await;
    let ended = api.ask("POST", "/oms", &fields(""), String::new()).await;
    assert_eq!(ended.statuses(), (200, "1200"));
    assert_eq!(api.callback("c").await.statuses(), (404, "1418"));
    api.produce("t", &[], "stays").await;
    api.stop().await;
    assert_eq!(receiver.rest().len(), 0);
    assert_eq!(api.left("c", "t").await, ["stays"]);
}

#[tokio::test]
async fn a_callback_survives_a_restart_and_asks_its_receiver_no_second_time() {
    let mut receiver = Receiver::with(
        Reply::Status(
            200,
            vec![
                ("webhook-allowed-origin", "*".to_owned()),
                ("webhook-allowed-rate", "6000".to_owned()),
            ],
        ),
        |_| status(200),
    )
    .await;
    let api = Api::new(local());
    api.produce("t", &[], "first").await;
    let callback = json!({"source": "t", "url": receiver.url(), "ratePerMinute": 9000});
    assert_eq!(api.set("c", callback).await.json()["allowedRate"], 6000);
    let asked = receiver.next().await;
    assert_eq!(asked.field("webhook-request-rate"), Some("9000"));
    assert_eq!(receiver.next().await.text(), "first");
    let mut api = api.again(local()).await;
    api.produce("t", &[], "second").await;
    assert_eq!(receiver.next().await.text(), "second");
    assert_eq!(api.callback("c").await.json()["allowedRate"], 6000);
    api.stop().await;
    // A callback goes with its consumer, or it would send all from the beginning.
    let path = "/v1/subscriptions/c";
    assert_eq!(
        api.ask("DELETE", path, &[], String::new()).await.status,
        200
    );
    assert_eq!(api.callback("c").await.status, 404);
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_no_other() {
    let mut slow = Receiver::with(
        Reply::Status(200, vec![("webhook-allowed-origin", "*".to_owned())]),
        |_| Reply::Silence,
    )
    .await;
    let mut quick = Receiver::new().await;
    let mut api = Api::new(local());
    api.produce("t", &[], "0").await;
    let callback = json!({"source": "t", "url": slow.url(), "timeoutMillis": 200});
    assert_eq!(api.set("slow", callback).await.status, 201);
    slow.delivery().await;
    let callback = json!({"source": "t", "url": quick.url()});
    assert_eq!(api.set("quick", callback).await.status, 201);
    for number in 0..20 {
        assert_eq!(quick.delivery().await.text(), number.to_string());
        api.produce("t", &[], &(number + 1).to_string()).await;
    }
    let course = api.course("slow", |course| course["failed"] != 0).await;
    assert_eq!(course["lastError"], "no answer came within 200 ms");
    api.stop().await;
}

#[tokio::test]
async fn of_an_answer_without_an_end_no_more_is_read_than_may_be() {
    let mut receiver = Receiver::new().await;
    receiver.reply(Reply::Endless);
    let mut api = Api::new(local());
    for body in ["first", "second"] {
        api.produce("t", &[], body).await;
    }
    let callback = json!({"source": "t", "url": receiver.url(), "timeoutMillis": 100_000});
    assert_eq!(api.set("c", callback).await.status, 201);
    // It was taken all the same, and the next one does not wait for the rest of the answer.
    assert_eq!(receiver.delivery().await.text(), "first");
    assert_eq!(receiver.delivery().await.text(), "second");
    let course = api.course("c", |course| course["delivered"] == 2).await;
    assert_eq!(course["failed"], 0);
    api.stop().await;
}
