//! The API over a real socket.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod policies;
mod world;

use serde_json::{Value, json};
use world::{World, error};

#[tokio::test]
async fn who_may_not_is_told_as_rabbitmq_tells() {
    let world = World::new().await;
    let answer = world.ask_as("", "GET", "overview", None).await;
    assert_eq!((answer.status, answer.body), (401, Value::Null));
    assert!(answer.head.contains("Basic realm=\"RabbitMQ Management\""));
    let answer = world.ask_as("nobody", "GET", "overview", None).await;
    assert_eq!(error(&answer), (401, "not_authorized: Login failed".into()));
    for (name, tags) in [("none", ""), ("m", "management"), ("w", "monitoring")] {
        let user = json!({ "password": name, "tags": tags });
        assert_eq!(world.put(&format!("users/{name}"), user).await, 201);
    }
    let answer = world.ask_as("none", "GET", "whoami", None).await;
    assert_eq!(
        error(&answer),
        (401, "not_authorised: Not management user".into())
    );
    let answer = world.ask_as("m", "GET", "users", None).await;
    assert_eq!(
        error(&answer),
        (401, "not_authorised: Not administrator user".into())
    );
    let answer = world.ask_as("m", "GET", "nodes", None).await;
    assert_eq!(
        error(&answer),
        (401, "not_authorised: Not monitor user".into())
    );
    assert_eq!(world.ask_as("w", "GET", "nodes", None).await.status, 200);
    let answer = world.ask_as("m", "GET", "vhosts", None).await;
    assert_eq!(answer.body, json!([]), "it has no permission anywhere");
    let answer = world
        .ask_as("m", "PUT", "queues/%2F/q", Some(json!({})))
        .await;
    assert_eq!(answer.status, 401);
    let rights = json!({ "configure": "^m", "write": "", "read": "" });
    assert_eq!(world.put("permissions/%2F/m", rights).await, 201);
    let answer = world
        .ask_as("m", "PUT", "queues/%2F/m1", Some(json!({})))
        .await;
    assert_eq!(answer.status, 201);
    let answer = world
        .ask_as("m", "PUT", "queues/%2F/q", Some(json!({})))
        .await;
    assert_eq!(
        error(&answer),
        (401, "not_authorised: Access refused.".into())
    );
}

#[tokio::test]
async fn queues_are_declared_filled_emptied_and_deleted() {
    let world = World::new().await;
    let arguments = json!({ "arguments": { "x-max-length": 5 } });
    assert_eq!(world.put("queues/%2F/q", arguments.clone()).await, 201);
    assert_eq!(world.put("queues/%2F/q", arguments).await, 204);
    let answer = world
        .ask("PUT", "queues/%2F/q", json!({ "durable": false }))
        .await;
    let expected = "bad_request: inequivalent arg 'durable' for queue 'q' in vhost '/': \
                    received 'false' but current is 'true'";
    assert_eq!(error(&answer), (400, expected.to_owned()));
    let answer = world.ask("PUT", "queues/nowhere/q", json!({})).await;
    assert_eq!(error(&answer), (404, "not_found: vhost_not_found".into()));
    let message = json!({
        "properties": { "delivery_mode": 2, "headers": { "h": 1, "l": [true] } },
        "routing_key": "q",
        "payload": "hello",
        "payload_encoding": "string",
    });
    let publish = "exchanges/%2F/amq.default/publish";
    let answer = world.ask("POST", publish, message.clone()).await;
    assert_eq!(
        (answer.status, answer.body),
        (200, json!({ "routed": true }))
    );
    let answer = world
        .ask("POST", "exchanges/%2F/nope/publish", message)
        .await;
    let expected = "bad_request: 404 NOT_FOUND - no exchange 'nope' in vhost '/'";
    assert_eq!(error(&answer), (400, expected.to_owned()));
    let queue = world.get("queues/%2F/q").await;
    assert_eq!(
        (&queue["messages"], &queue["state"]),
        (&json!(1), &json!("running"))
    );
    let look = |ackmode: &str| json!({ "count": 5, "ackmode": ackmode, "encoding": "auto", "truncate": 3 });
    let got = world
        .ask("POST", "queues/%2F/q/get", look("ack_requeue_true"))
        .await;
    let expected = json!([{
        "payload_bytes": 5,
        "redelivered": false,
        "exchange": "",
        "routing_key": "q",
        "message_count": 0,
        "properties": { "delivery_mode": 2, "headers": { "h": 1, "l": [true] } },
        "payload": "hel",
        "payload_encoding": "string",
    }]);
    assert_eq!(got.body, expected);
    let answer = world.status("DELETE", "queues/%2F/q?if-empty=true").await;
    assert_eq!(answer, 400);
    assert_eq!(world.status("DELETE", "queues/%2F/q/contents").await, 204);
    assert_eq!(world.get("queues/%2F/q").await["messages"], 0);
    assert_eq!(
        world.status("DELETE", "queues/%2F/q?if-empty=true").await,
        204
    );
    assert_eq!(world.status("GET", "queues/%2F/q").await, 404);
    assert_eq!(world.status("DELETE", "queues/%2F/q").await, 404);
    assert_eq!(
        world.get("aliveness-test/%2F").await,
        json!({ "status": "ok" })
    );
}

#[tokio::test]
async fn streams_are_described_and_not_emptied() {
    let world = World::new().await;
    let stream = json!({ "arguments": { "x-queue-type": "stream", "x-max-age": "7D" } });
    assert_eq!(world.put("queues/%2F/s", stream.clone()).await, 201);
    assert_eq!(world.put("queues/%2F/s", stream.clone()).await, 204);
    let ageless = json!({ "arguments": { "x-queue-type": "stream" } });
    assert_eq!(world.put("queues/%2F/s", ageless).await, 400);
    let message = json!({
        "properties": {},
        "routing_key": "s",
        "payload": "hello",
        "payload_encoding": "string",
    });
    for _ in 0..3 {
        let publish = "exchanges/%2F/amq.default/publish";
        let answer = world.ask("POST", publish, message.clone()).await;
        assert_eq!(answer.body, json!({ "routed": true }));
    }
    let described = world.get("queues/%2F/s").await;
    let fields = ["type", "durable", "messages", "messages_ready", "consumers"];
    let fields = fields.map(|name| described[name].clone());
    let expected = [json!("stream"), json!(true), json!(3), json!(3), json!(0)];
    assert_eq!(fields, expected);
    assert_eq!(described["arguments"], stream["arguments"]);
    let readers = described["readers"].as_object().unwrap();
    assert_eq!(readers.values().collect::<Vec<_>>(), [0]);
    let look = json!({ "count": 1, "ackmode": "ack_requeue_true", "encoding": "auto" });
    let answer = world.ask("POST", "queues/%2F/s/get", look).await;
    let expected = "basic.get not supported by stream queues queue 's' in vhost '/'";
    let (status, reason) = error(&answer);
    assert_eq!(status, 400);
    assert!(reason.ends_with(expected), "{reason}");
    assert_eq!(world.status("DELETE", "queues/%2F/s/contents").await, 400);
    assert_eq!(world.get("queues/%2F/s").await["messages"], 3);
    assert_eq!(world.status("DELETE", "queues/%2F/s").await, 204);
    assert_eq!(world.status("GET", "queues/%2F/s").await, 404);
}

#[tokio::test]
async fn bindings_have_keys_that_delete_them() {
    let world = World::new().await;
    assert_eq!(world.put("queues/%2F/q", json!({})).await, 201);
    assert_eq!(
        world
            .put("exchanges/%2F/x", json!({ "type": "topic" }))
            .await,
        201
    );
    assert_eq!(
        world
            .put("exchanges/%2F/x", json!({ "type": "topic" }))
            .await,
        204
    );
    let path = "bindings/%2F/e/x/q/q";
    let answer = world
        .ask("POST", path, json!({ "routing_key": "a.*" }))
        .await;
    assert_eq!(answer.status, 201);
    assert!(
        answer.head.contains("location: q/a.%252A"),
        "{}",
        answer.head
    );
    let arguments = json!({ "routing_key": "b", "arguments": { "k": "v" } });
    assert_eq!(world.ask("POST", path, arguments).await.status, 201);
    let all = world.get("bindings/%2F").await;
    assert_eq!(
        all.as_array().unwrap().len(),
        3,
        "that by its name among them"
    );
    let between = world.get(path).await;
    assert_eq!(between[0]["properties_key"], "a.%2A");
    for binding in between.as_array().unwrap() {
        let key = binding["properties_key"].as_str().unwrap();
        let one = format!("{path}/{}", key.replace('%', "%25"));
        assert_eq!(&world.get(&one).await, binding);
        assert_eq!(world.status("DELETE", &one).await, 204);
        assert_eq!(world.status("DELETE", &one).await, 404);
    }
    assert_eq!(
        world
            .get("queues/%2F/q/bindings")
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let answer = world
        .ask("POST", "bindings/%2F/e/x/q/nope", json!({}))
        .await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        world.status("DELETE", "exchanges/%2F/amq.default").await,
        405
    );
    assert_eq!(world.status("DELETE", "exchanges/%2F/amq.topic").await, 401);
    assert_eq!(world.status("DELETE", "exchanges/%2F/x").await, 204);
}

#[tokio::test]
async fn definitions_go_from_one_broker_into_another() {
    let world = World::new().await;
    assert_eq!(
        world.put("vhosts/v", json!({ "description": "d" })).await,
        201
    );
    let user = json!({ "password": "anna", "tags": ["management"] });
    assert_eq!(world.put("users/anna", user).await, 201);
    let rights = json!({ "configure": "^a", "write": ".*", "read": "" });
    assert_eq!(world.put("permissions/v/anna", rights).await, 201);
    let limits = json!({ "exchange": "x", "write": "^a", "read": "" });
    assert_eq!(world.put("topic-permissions/v/anna", limits).await, 201);
    assert_eq!(
        world
            .put("queues/v/q", json!({ "arguments": { "x-expires": 60000 } }))
            .await,
        201
    );
    assert_eq!(
        world.put("exchanges/v/x", json!({ "type": "topic" })).await,
        201
    );
    let binding = json!({ "routing_key": "a.#", "arguments": { "n": 1 } });
    let bound = world.ask("POST", "bindings/v/e/x/q/q", binding).await;
    assert_eq!(bound.status, 201);
    let exported = world.get("definitions").await;
    assert_eq!(exported["queues"].as_array().unwrap().len(), 1);
    assert_eq!(exported["vhosts"][1]["description"], "d");

    let other = World::new().await;
    let imported = other.ask("POST", "definitions", exported.clone()).await;
    assert_eq!(imported.status, 204, "{imported:?}");
    assert_eq!(other.get("definitions").await, exported);
    let answer = other.ask_as("anna", "GET", "whoami", None).await;
    assert_eq!(answer.body["name"], "anna", "its password came with it");
    let answer = other.ask_as("anna", "GET", "vhosts", None).await;
    assert_eq!(answer.body[0]["name"], "v");
    let of_vhost = other.get("definitions/v").await;
    assert_eq!(of_vhost["queues"][0]["name"], "q");
    assert_eq!(of_vhost["queues"][0].get("vhost"), None);
    assert_eq!(other.status("DELETE", "vhosts/v").await, 204);
    assert_eq!(
        other.get("definitions").await["permissions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(other.status("DELETE", "vhosts/%2F").await, 400);
}

#[tokio::test]
async fn lists_have_pages_columns_and_an_order() {
    let world = World::new().await;
    for name in ["a1", "a2", "a3", "b1"] {
        assert_eq!(
            world.put(&format!("queues/%2F/{name}"), json!({})).await,
            201
        );
    }
    let path = "queues?page=2&page_size=2&name=%5Ea&use_regex=true&sort=name&columns=name";
    let expected = json!({
        "filtered_count": 3,
        "item_count": 1,
        "items": [{ "name": "a3" }],
        "page": 2,
        "page_count": 2,
        "page_size": 2,
        "total_count": 4,
    });
    assert_eq!(world.get(path).await, expected);
    assert_eq!(world.status("GET", "queues?page=3").await, 400);
    let overview = world.get("overview").await;
    assert_eq!(overview["object_totals"]["queues"], 4);
    assert_eq!(overview["listeners"][0]["protocol"], "amqp");
    for check in [
        "alarms",
        "virtual-hosts",
        "port-listener/5672",
        "protocol-listener/amqp",
    ] {
        assert_eq!(
            world.get(&format!("health/checks/{check}")).await["status"],
            "ok"
        );
    }
    assert_eq!(
        world.status("GET", "health/checks/port-listener/1").await,
        503
    );
    assert_eq!(world.status("GET", "nothing").await, 404);
    assert_eq!(world.status("POST", "overview").await, 405);
    let hosts = world.server.client().virtual_hosts();
    assert_eq!(
        world.get("vhosts").await.as_array().unwrap().len(),
        hosts.len()
    );
}

#[tokio::test]
async fn a_path_may_end_with_a_slash() {
    let world = World::new().await;
    for path in ["connections/", "queues/%2f/", "overview/?columns=node"] {
        let answer = world.ask_as("guest", "GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let unknown = world.ask_as("guest", "GET", "nonsense/", None).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn what_was_granted_without_effect_is_told() {
    let world = World::new().await;
    let arguments = json!({ "x-queue-mode": "lazy", "x-max-length": 3, "x-own": true });
    let queue = json!({ "arguments": arguments });
    assert_eq!(world.put("queues/%2F/q", queue.clone()).await, 201);
    assert_eq!(world.put("queues/%2F/q", queue).await, 204);
    let refused = json!({ "arguments": { "x-max-age": "1h", "x-other": 1 } });
    assert_eq!(world.put("queues/%2F/r", refused).await, 400);
    let told = world.get("gantry/ignored").await;
    let row = |name| json!({ "kind": "queue_argument", "name": name, "times": 2 });
    assert_eq!(told, json!([row("x-own"), row("x-queue-mode")]));
    let known = world.server.ledger().known_rows();
    let known = known.iter().filter(|row| row.times > 0);
    let known: Vec<_> = known.map(|row| (&*row.name, row.times)).collect();
    assert_eq!(known, [("other", 2), ("x-queue-mode", 2)]);
}

#[tokio::test]
async fn counters_are_told_with_how_fast_they_move() {
    let world = World::new().await;
    assert_eq!(world.put("queues/%2F/q", json!({})).await, 201);
    let message = json!({
        "properties": {}, "routing_key": "q", "payload": "x", "payload_encoding": "string",
    });
    let publish = "exchanges/%2F/amq.default/publish";
    for (there, published, rate) in [(0, 0, 0.0), (0, 10, 2.0), (10, 25, 3.0)] {
        for _ in there..published {
            let answer = world.ask("POST", publish, message.clone()).await;
            assert_eq!(answer.status, 200);
        }
        for path in ["queues/%2F/q", "vhosts/%2F"] {
            let told = world.get(path).await;
            assert_eq!(told["messages"], published, "{path}");
            assert_eq!(told["messages_details"]["rate"], rate, "{path}");
        }
        let overview = world.get("overview").await;
        assert_eq!(overview["queue_totals"]["messages_details"]["rate"], rate);
        let queue = world.get("queues/%2F/q").await;
        let stats = &queue["message_stats"];
        assert_eq!(stats["publish"], published);
        assert_eq!(stats["publish_details"]["rate"], rate);
        world.clock.advance(5_000);
    }
    let churn = &world.get("overview").await["churn_rates"];
    let queues = ["queue_declared", "queue_created", "queue_deleted"].map(|name| &churn[name]);
    assert_eq!(queues, [&json!(1), &json!(1), &json!(0)]);
}
