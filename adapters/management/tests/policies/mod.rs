//! Policies, parameters and limits, as RabbitMQ 3.10.8 answers the same requests.

use crate::world::{World, error};
use serde_json::{Value, json};

const NOT_AUTHORISED: &str = "not_authorised: User not authorised to access object";
const NO_ADMINISTRATOR: &str = "not_authorised: Not administrator user";

#[tokio::test]
async fn policies_are_set_listed_and_taken_back() {
    let world = World::new().await;
    let policy = json!({ "pattern": "^q", "definition": { "max-length": 5 }, "priority": 2 });
    assert_eq!(world.put("policies/%2F/p", policy.clone()).await, 201);
    assert_eq!(world.put("policies/%2F/p", policy).await, 204);
    let told = json!({
        "vhost": "/",
        "name": "p",
        "pattern": "^q",
        "apply-to": "all",
        "definition": { "max-length": 5 },
        "priority": 2,
    });
    assert_eq!(world.get("policies").await, json!([told]));
    assert_eq!(world.get("policies/%2F").await, json!([told]));
    assert_eq!(world.get("policies/%2F/p").await, told);
    let parameter = json!({
        "value": {
            "pattern": "^q",
            "definition": { "max-length": 5 },
            "priority": 2,
            "apply-to": "all",
        },
        "vhost": "/",
        "component": "policy",
        "name": "p",
    });
    assert_eq!(world.get("parameters/policy/%2F/p").await, parameter);
    assert_eq!(
        world.get("parameters").await,
        json!([]),
        "only when asked for"
    );
    assert_eq!(world.get("operator-policies").await, json!([]));
    assert_eq!(world.status("GET", "policies/nope").await, 404);
    assert_eq!(world.status("DELETE", "policies/%2F/p").await, 204);
    assert_eq!(world.status("DELETE", "policies/%2F/p").await, 404);
    assert_eq!(world.status("GET", "policies/%2F/p").await, 404);
    let policy = json!({ "pattern": "", "definition": { "max-length": 5 } });
    let answer = world.ask("PUT", "policies/nope/p", policy).await;
    assert_eq!(error(&answer), (404, "not_found: vhost_not_found".into()));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_users_policies_escape_it() {
    let world = World::new().await;
    let wrong = json!({ "pattern": "a", "definition": { "bogus": "x" } });
    let answer = world.ask("PUT", "policies/%2F/p", wrong.clone()).await;
    let text = "bad_request: Validation failed\n\n[{&lt;&lt;\"bogus\"&gt;&gt;,\
                &lt;&lt;\"x\"&gt;&gt;}] are not recognised policy settings\n";
    assert_eq!(error(&answer), (400, text.into()));
    let answer = world.ask("PUT", "operator-policies/%2F/p", wrong).await;
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    assert_eq!(error(&answer), (400, text));
    for (body, text) in [
        (json!({ "pattern": "a" }), "[{key_missing,definition}]"),
        (
            json!({ "definition": { "max-length": 5 } }),
            "[{key_missing,pattern}]",
        ),
    ] {
        let answer = world.ask("PUT", "policies/%2F/p", body).await;
        assert_eq!(error(&answer), (400, format!("bad_request: {text}")));
    }
    let broken = json!({ "pattern": "(", "definition": { "max-length": 5 } });
    let (status, text) = error(&world.ask("PUT", "policies/%2F/p", broken).await);
    assert_eq!(status, 400);
    assert!(text.contains("pattern should be regular expression but is invalid"));
    assert_eq!(world.get("policies").await, json!([]));
}

#[tokio::test]
async fn queues_and_exchanges_say_which_policies_rule_them() {
    let world = World::new().await;
    let quorum = json!({ "durable": true, "arguments": { "x-queue-type": "quorum" } });
    world.put("queues/%2F/q1", json!({})).await;
    world.put("queues/%2F/q2", quorum).await;
    world.put("exchanges/%2F/q", json!({})).await;
    let policy = |priority: i64, definition: Value| json!({ "pattern": "^q", "definition": definition, "priority": priority });
    let low = policy(1, json!({ "max-length": 9, "message-ttl": 9 }));
    world.put("policies/%2F/low", low).await;
    let high = policy(2, json!({ "max-length": 5, "delivery-limit": 3 }));
    world.put("policies/%2F/high", high).await;
    let cap = policy(0, json!({ "max-length": 3, "expires": 60_000 }));
    world.put("operator-policies/%2F/cap", cap).await;
    let ruled = |queue: &Value| {
        ["policy", "operator_policy", "effective_policy_definition"].map(|name| queue[name].clone())
    };
    let classic = [
        json!("low"),
        json!("cap"),
        json!({ "expires": 60_000, "max-length": 3, "message-ttl": 9 }),
    ];
    assert_eq!(ruled(&world.get("queues/%2F/q1").await), classic);
    let quorum = [
        json!("high"),
        json!("cap"),
        json!({ "delivery-limit": 3, "expires": 60_000, "max-length": 3 }),
    ];
    let all = world.get("queues/%2F").await;
    assert_eq!((ruled(&all[0]), ruled(&all[1])), (classic, quorum));
    assert_eq!(world.get("exchanges/%2F/q").await["policy"], "high");
    assert_eq!(
        world.get("exchanges/%2F/amq.topic").await["policy"],
        Value::Null
    );
    for policy in [
        "policies/%2F/low",
        "policies/%2F/high",
        "operator-policies/%2F/cap",
    ] {
        assert_eq!(world.status("DELETE", policy).await, 204);
    }
    let nothing = [Value::Null, Value::Null, json!({})];
    assert_eq!(ruled(&world.get("queues/%2F/q2").await), nothing);
}

/// Users called as their tags begin: all but `px` may open `/`.
async fn make_users(world: &World) {
    for (name, tags) in [
        ("mg", "management"),
        ("pm", "policymaker"),
        ("px", "policymaker"),
    ] {
        let user = json!({ "password": name, "tags": tags });
        assert_eq!(world.put(&format!("users/{name}"), user).await, 201);
        if name != "px" {
            let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
            world.put(&format!("permissions/%2F/{name}"), all).await;
        }
    }
}

/// What a request is answered with, where `refusal` is none for one that is done.
async fn expect(
    world: &World,
    (user, method, path): (&str, &str, &str),
    body: &Value,
    status: u16,
    refusal: &str,
) {
    let body = (method == "PUT").then(|| body.clone());
    let answer = world.ask_as(user, method, path, body).await;
    let expected = if refusal.is_empty() { ": " } else { refusal };
    assert_eq!(
        error(&answer),
        (status, expected.to_owned()),
        "{user} {method} {path}"
    );
}

#[tokio::test]
async fn policymakers_set_policies() {
    let world = World::new().await;
    make_users(&world).await;
    let policy = json!({ "pattern": "^q", "definition": { "max-length": 5 }, "value": 5 });
    for (user, method, path, status, refusal) in [
        ("mg", "GET", "policies", 200, ""),
        ("mg", "GET", "operator-policies/%2F", 200, ""),
        ("mg", "GET", "vhost-limits", 200, ""),
        ("mg", "GET", "policies/%2F/p", 401, NOT_AUTHORISED),
        ("mg", "GET", "parameters", 401, NOT_AUTHORISED),
        ("mg", "GET", "global-parameters", 401, NOT_AUTHORISED),
        ("mg", "PUT", "policies/%2F/p", 401, NOT_AUTHORISED),
        ("pm", "PUT", "policies/%2F/p", 201, ""),
        ("pm", "GET", "policies/%2F/p", 200, ""),
        ("pm", "GET", "parameters", 200, ""),
        ("pm", "PUT", "global-parameters/g", 201, ""),
        ("px", "PUT", "policies/%2F/q", 401, NOT_AUTHORISED),
        ("px", "DELETE", "policies/%2F/p", 401, NOT_AUTHORISED),
        ("pm", "DELETE", "policies/%2F/p", 204, ""),
    ] {
        expect(&world, (user, method, path), &policy, status, refusal).await;
    }
}

#[tokio::test]
async fn only_administrators_set_operators_policies_and_limits() {
    let world = World::new().await;
    make_users(&world).await;
    let policy = json!({ "pattern": "^q", "definition": { "max-length": 5 }, "value": 5 });
    for path in [
        "operator-policies/%2F/p",
        "parameters/operator_policy/%2F/p",
        "parameters/vhost-limits/%2F/limits",
        "vhost-limits/%2F/max-queues",
        "user-limits/pm/max-channels",
    ] {
        for method in ["PUT", "DELETE"] {
            let asked = ("pm", method, path);
            expect(&world, asked, &policy, 401, NO_ADMINISTRATOR).await;
        }
    }
}

#[tokio::test]
async fn virtual_hosts_are_limited() {
    let world = World::new().await;
    let of = |value: Value| json!([{ "vhost": "/", "value": value }]);
    assert_eq!(world.get("vhost-limits").await, json!([]));
    for (name, value) in [("max-queues", 1), ("max-connections", -5)] {
        let path = format!("vhost-limits/%2F/{name}");
        assert_eq!(world.put(&path, json!({ "value": value })).await, 204);
    }
    let both = json!({ "max-connections": -5, "max-queues": 1 });
    assert_eq!(world.get("vhost-limits/%2F").await, of(both.clone()));
    let parameter =
        json!({ "value": both, "vhost": "/", "component": "vhost-limits", "name": "limits" });
    assert_eq!(world.get("parameters").await, json!([parameter]));
    assert_eq!(world.put("queues/%2F/q1", json!({})).await, 201);
    let answer = world.ask("PUT", "queues/%2F/q2", json!({})).await;
    let text = "bad_request: cannot declare queue 'q2': queue limit in vhost '/' (1) is reached";
    assert_eq!(error(&answer), (400, text.into()));
    assert_eq!(world.put("queues/%2F/q1", json!({})).await, 204);
    for name in ["max-queues", "max-queues", "max-connections", "zz"] {
        let path = format!("vhost-limits/%2F/{name}");
        assert_eq!(world.status("DELETE", &path).await, 204);
    }
    assert_eq!(world.get("vhost-limits").await, of(json!([])));
}

#[tokio::test]
async fn parameters_are_set_by_component() {
    let world = World::new().await;
    let limits = json!({ "value": { "max-queues": 7 } });
    let path = "parameters/vhost-limits/%2F/limits";
    assert_eq!(world.put(path, limits.clone()).await, 201);
    assert_eq!(world.put(path, limits).await, 204);
    assert_eq!(world.status("DELETE", path).await, 204);
    assert_eq!(world.status("DELETE", path).await, 404);
    for (path, value, text) in [
        (
            "parameters/zz/%2F/t",
            json!({}),
            "Validation failed\n\ncomponent zz not found\n",
        ),
        (
            "parameters/policy/%2F/t",
            json!({}),
            "policies may not be set using this method",
        ),
        (
            path,
            json!({ "max-queues": "a" }),
            "Validation failed\n\nmax-queues should be a number, actually was &lt;&lt;\"a\"&gt;&gt;\n",
        ),
        (
            "vhost-limits/%2F/zz",
            json!(2),
            "Validation failed\n\nUnrecognised terms [{<<\"zz\">>,2}] in limits\n",
        ),
        (
            "user-limits/guest/zz",
            json!(2),
            "Unrecognised terms [{<<\"zz\">>,2}] in user-limits",
        ),
    ] {
        let answer = world.ask("PUT", path, json!({ "value": value })).await;
        assert_eq!(error(&answer), (400, format!("bad_request: {text}")));
    }
}

#[tokio::test]
async fn users_are_limited() {
    let world = World::new().await;
    for name in ["max-channels", "max-connections"] {
        let path = format!("user-limits/guest/{name}");
        assert_eq!(world.put(&path, json!({ "value": 20 })).await, 204);
    }
    let limits = json!({ "max-channels": 20, "max-connections": 20 });
    let told = json!([{ "user": "guest", "value": limits }]);
    assert_eq!(world.get("user-limits").await, told);
    assert_eq!(world.get("users/guest").await["limits"], limits);
    assert_eq!(
        world
            .status("DELETE", "user-limits/guest/max-channels")
            .await,
        204
    );
    assert_eq!(
        world
            .status("DELETE", "user-limits/guest/max-connections")
            .await,
        204
    );
    assert_eq!(world.get("user-limits/guest").await, json!([]));
    assert_eq!(world.status("GET", "user-limits/nope").await, 404);
}

#[tokio::test]
async fn definitions_carry_policies_parameters_and_limits() {
    let world = World::new().await;
    world.put("vhosts/v", json!({})).await;
    let policy =
        json!({ "pattern": "^q", "definition": { "max-length": 5 }, "apply-to": "queues" });
    world.put("policies/v/p", policy.clone()).await;
    world.put("operator-policies/v/o", policy).await;
    world
        .put("vhost-limits/v/max-queues", json!({ "value": 9 }))
        .await;
    world
        .put("user-limits/guest/max-channels", json!({ "value": 9 }))
        .await;
    world
        .put("global-parameters/g", json!({ "value": [1, { "a": 2 }] }))
        .await;
    let definitions = world.get("definitions").await;
    let other = World::new().await;
    let mut foreign = definitions.clone();
    let shovel = json!({ "component": "shovel", "vhost": "v", "name": "s", "value": {} });
    foreign["parameters"].as_array_mut().unwrap().push(shovel);
    let answer = other.ask("POST", "definitions", foreign).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    for part in ["policies", "parameters", "global_parameters", "users"] {
        let there = other.get("definitions").await;
        assert_eq!(there[part], definitions[part]);
        assert_ne!(there[part], json!([]));
    }
    let own = world.get("definitions/v").await;
    assert_eq!(own["policies"], definitions["policies"]);
    assert_eq!(own["parameters"], definitions["parameters"]);
    other.put("vhosts/w", json!({})).await;
    let answer = other.ask("POST", "definitions/w", own).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    for path in ["policies/w/p", "operator-policies/w/o"] {
        assert_eq!(other.get(path).await["apply-to"], "queues");
    }
    assert_eq!(
        other.get("vhost-limits/w").await[0]["value"]["max-queues"],
        9
    );
    assert_eq!(other.status("DELETE", "vhosts/w").await, 204);
    assert_eq!(other.get("policies").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn settings_without_effect_are_counted() {
    let world = World::new().await;
    let definition = json!({ "ha-mode": "all", "max-length": 5 });
    let policy = json!({ "pattern": "^q", "definition": definition });
    assert_eq!(world.put("policies/%2F/p", policy).await, 201);
    let rows = world.get("gantry/ignored").await;
    let rows = rows.as_array().unwrap();
    let of_policies = rows.iter().filter(|row| row["kind"] == "policy_setting");
    let names: Vec<_> = of_policies.map(|row| &row["name"]).collect();
    assert_eq!(names, [&json!("ha-mode")]);
}
