//! Step 37: policies, and limits of virtual hosts and of users.

use super::broker::{Broker, is_peer};
use super::client::{Client, Terms, due, exchange_named, mandatory, queue_named, table, text};
use super::tenant::Tenant;
use super::wire::PATIENCE;
use compat_tests::process::now;
use gantry_amqp::codec::method::{channel, queue};
use gantry_amqp::codec::{PropertyList, ServerMethod, Value};
use serde_json::json;

/// A durable queue with arguments.
fn declare(client: &mut Client, name: &str, arguments: &[(&str, Value<'_>)]) {
    let declare = queue::Declare {
        durable: true,
        arguments: table(arguments),
        ..queue_named(name)
    };
    client.declare(1, declare);
}

/// Waits until a queue has so many messages ready. RabbitMQ's queues hear of a policy a moment
/// after it was set, a gantry's before.
fn becomes(client: &mut Client, queue: &str, ready: u32) {
    client.counts(1, queue, (ready, 0));
}

const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];

#[test]
fn step_37_of_an_argument_and_a_policy_the_lesser_number_counts() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let tenant = Tenant::of(&broker);
    tenant.rule("p", "^q", 0, &json!({ "max-length": 3 }));
    let mut client = tenant.connect(&broker);
    for (queue, limit, left) in [("q1", None, 3), ("q2", Some(2), 2), ("q3", Some(4), 3)] {
        let limit = limit.map(|limit| ("x-max-length", Value::I32(limit)));
        declare(&mut client, queue, limit.as_slice());
        client.fill(queue, &FIVE);
        becomes(&mut client, queue, left);
    }
    declare(&mut client, "other", &[]);
    client.fill("other", &FIVE);
    becomes(&mut client, "other", 5);
}

#[test]
fn step_37_only_the_policy_of_the_greatest_priority_counts() {
    let Some((_broker, tenant, mut client)) = Tenant::start() else {
        return;
    };
    declare(&mut client, "q", &[]);
    client.fill("q", &FIVE);
    tenant.rule("high", "^q$", 2, &json!({ "max-length": 4 }));
    becomes(&mut client, "q", 4);
    let reject = json!({ "max-length": 1, "overflow": "reject-publish" });
    tenant.rule("low", "q", 1, &reject);
    client.fill("q", &["f"]);
    assert_eq!(
        client.drain(1, "q"),
        ["c", "d", "e", "f"],
        "nothing of the other's"
    );
    tenant.free("high");
    client.confirm_select(1);
    let deadline = now() + PATIENCE;
    let mut last = 0;
    // It takes one, and no more.
    loop {
        client.publish(1, "q", "g");
        last += 1;
        match client.hear(1) {
            ServerMethod::BasicNack(nack) => {
                assert_eq!(nack.delivery_tag, last);
                break;
            }
            ServerMethod::BasicAck(_) => assert!(now() < deadline, "all are taken"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn step_37_a_queue_has_no_policy_with_a_setting_it_has_no_use_for() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let tenant = Tenant::of(&broker);
    let both = json!({ "max-length": 2, "delivery-limit": 1 });
    tenant.rule("quorum", "^q", 2, &both);
    tenant.rule("any", "^q", 1, &json!({ "max-length": 3 }));
    let mut client = tenant.connect(&broker);
    declare(&mut client, "q1", &[]);
    declare(&mut client, "q2", &[("x-queue-type", text("quorum"))]);
    for (queue, left) in [("q1", 3), ("q2", 2)] {
        client.fill(queue, &FIVE);
        becomes(&mut client, queue, left);
    }
    // It comes once more, and is gone.
    for left in [2, 1] {
        let message = client.get(1, "q2").unwrap();
        assert_eq!(message.text(), "d");
        client.requeue(1, due!(message.method, BasicGetOk).delivery_tag);
        becomes(&mut client, "q2", left);
    }
    assert_eq!(client.get(1, "q2").unwrap().text(), "e");
}

#[test]
fn step_37_operators_cap_what_users_ask_for() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let tenant = Tenant::of(&broker);
    let asked = json!({ "max-length": 5, "overflow": "reject-publish" });
    tenant.rule("p", "^q", 0, &asked);
    tenant.cap("o", "^q", &json!({ "max-length": 2 }));
    let mut client = tenant.connect(&broker);
    declare(&mut client, "q", &[]);
    client.confirm_select(1);
    for tag in 1..=2 {
        client.publish(1, "q", "taken");
        client.confirmed_after(1, tag);
    }
    client.publish(1, "q", "refused");
    let nack = due!(client.hear(1), BasicNack);
    assert_eq!(nack.delivery_tag, 3, "the rest of the policy counts");
    tenant.cap("o", "^q", &json!({ "max-length": 9 }));
    let path = format!("operator-policies/{}/o", tenant.name);
    let (status, policy) = tenant.ask("GET", &path, &json!({}));
    assert_eq!(
        (status, &policy["definition"]["max-length"]),
        (200, &json!(9))
    );
    declare(&mut client, "q9", &[("x-max-length", Value::I32(4))]);
    client.fill("q9", &FIVE[..4]);
    client.publish(1, "q9", "refused");
    due!(client.hear(1), BasicNack);
}

#[test]
fn step_37_a_shorter_limit_drops_the_oldest_messages_at_once() {
    let Some((_broker, tenant, mut client)) = Tenant::start() else {
        return;
    };
    declare(&mut client, "q", &[]);
    client.fill("q", &FIVE);
    tenant.rule("p", "^q", 0, &json!({ "max-length": 3 }));
    becomes(&mut client, "q", 3);
    tenant.rule("p", "^q", 0, &json!({ "max-length-bytes": 2 }));
    becomes(&mut client, "q", 2);
    assert_eq!(client.drain(1, "q"), ["d", "e"]);
}

#[test]
fn step_37_dead_letters_go_where_a_policy_says_unless_an_argument_does() {
    let Some((_broker, tenant, mut client)) = Tenant::start() else {
        return;
    };
    for name in ["mine", "theirs"] {
        client.declare_exchange(1, name, "fanout");
        declare(&mut client, &format!("dead-{name}"), &[]);
        client.bind(1, &format!("dead-{name}"), name, "");
    }
    declare(
        &mut client,
        "q1",
        &[("x-dead-letter-exchange", text("mine"))],
    );
    declare(&mut client, "q2", &[]);
    let to = json!({ "dead-letter-exchange": "theirs", "dead-letter-routing-key": "k" });
    tenant.rule("p", "^q", 0, &to);
    // What dies tells when a queue has heard of it.
    tenant.rule("p2", "^q", 1, &json!({ "dead-letter-exchange": "theirs", "dead-letter-routing-key": "k", "max-length": 1 }));
    for queue in ["q1", "q2"] {
        client.fill(queue, &["x", "y"]);
        becomes(&mut client, queue, 1);
    }
    for name in ["mine", "theirs"] {
        let queue = format!("dead-{name}");
        becomes(&mut client, &queue, 1);
        let dead = client.get(1, &queue).unwrap();
        let got = due!(dead.method.clone(), BasicGetOk);
        assert_eq!((dead.text(), got.routing_key.as_str()), ("x", "k"));
    }
}

#[test]
fn step_37_messages_that_are_there_keep_their_time_to_live() {
    let Some((_broker, tenant, mut client)) = Tenant::start() else {
        return;
    };
    declare(&mut client, "q1", &[]);
    declare(&mut client, "q2", &[]);
    client.fill("q1", &["there"]);
    tenant.rule("p", "^q", 0, &json!({ "message-ttl": 1 }));
    expires_later(&mut client, "q2");
    // All the while it was the older.
    assert_eq!(client.get_with(1, "q1", true).unwrap().text(), "there");
    expires_later(&mut client, "q1");
}

/// Waits until what comes into a queue expires.
fn expires_later(client: &mut Client, queue: &str) {
    let deadline = now() + PATIENCE;
    loop {
        client.fill(queue, &["later"]);
        if client.get_with(1, queue, true).is_none() {
            return;
        }
        assert!(now() < deadline, "nothing expires");
    }
}

#[test]
fn step_37_an_unused_queue_goes_when_a_policy_says_so() {
    let Some((_broker, tenant, mut client)) = Tenant::start() else {
        return;
    };
    declare(&mut client, "q", &[]);
    declare(&mut client, "other", &[]);
    tenant.rule("p", "^q", 0, &json!({ "expires": 300 }));
    let path = format!("queues/{}/q", tenant.name);
    let deadline = now() + PATIENCE;
    while tenant.ask("GET", &path, &json!({})).0 != 404 {
        assert!(now() < deadline, "it is still there");
    }
    client.look(1, "other");
}

#[test]
fn step_37_an_exchange_has_an_alternate_as_long_as_a_policy_says() {
    let Some((_broker, tenant, mut client)) = Tenant::start() else {
        return;
    };
    for exchange in ["spare", "own"] {
        client.declare_exchange(1, exchange, "fanout");
        declare(&mut client, &format!("q-{exchange}"), &[]);
        client.bind(1, &format!("q-{exchange}"), exchange, "");
    }
    client.declare_exchange(1, "x1", "direct");
    let mut with_own = exchange_named("x2", "direct");
    with_own.arguments = table(&[("alternate-exchange", text("own"))]);
    client.declare_exchange_with(1, with_own);
    tenant.rule("p", "^x", 0, &json!({ "alternate-exchange": "spare" }));
    client.confirm_select(1);
    for (exchange, queue, tag) in [("x1", "q-spare", 1), ("x2", "q-own", 2)] {
        client.publish_with(1, mandatory(exchange, "k"), PropertyList::default(), "m");
        client.confirmed_after(1, tag);
        assert_eq!(client.drain(1, queue), ["m"]);
    }
    tenant.free("p");
    client.publish_with(1, mandatory("x1", "k"), PropertyList::default(), "m");
    let returned = client.message(1);
    assert_eq!(due!(returned.method, BasicReturn).reply_code, 312);
    client.confirmed_after(1, 3);
}

#[test]
fn step_37_policies_and_limits_outlive_a_restart() {
    let Some(mut broker) = Broker::start_own(&[], &[]) else {
        return;
    };
    let tenant = Tenant::of(&broker);
    tenant.rule(
        "p",
        "^q",
        0,
        &json!({ "max-length": 5, "alternate-exchange": "spare" }),
    );
    tenant.rule("gone", "^q", 9, &json!({ "max-length": 1 }));
    tenant.free("gone");
    tenant.cap("o", "^q", &json!({ "max-length": 3 }));
    tenant.limit("vhost-limits", "max-queues", 2);
    let mut client = tenant.connect(&broker);
    declare(&mut client, "q1", &[]);
    let path = format!("definitions/{}", tenant.name);
    let before = tenant.ask("GET", &path, &json!({})).1;
    client.close();
    broker.restart();
    let mut client = tenant.connect(&broker);
    for queue in ["q1", "q2"] {
        declare(&mut client, queue, &[]);
        client.fill(queue, &FIVE);
        becomes(&mut client, queue, 3);
    }
    let refused = client.refused(1, queue_named("q3"));
    assert_eq!(refused.reply_code, 406);
    let after = tenant.ask("GET", &path, &json!({})).1;
    for part in ["policies", "parameters"] {
        assert_eq!(after[part], before[part]);
    }
    assert_eq!(after["policies"][0]["name"], "p");
}

#[test]
fn step_37_definitions_carry_policies_and_limits_to_another_virtual_host() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (tenant, other) = (Tenant::of(&broker), Tenant::of(&broker));
    tenant.rule("p", "^q", 2, &json!({ "max-length": 5 }));
    tenant.cap("o", "^q", &json!({ "max-length": 3 }));
    tenant.limit("vhost-limits", "max-queues", 1);
    let path = format!("definitions/{}", tenant.name);
    let definitions = tenant.ask("GET", &path, &json!({})).1;
    let path = format!("definitions/{}", other.name);
    let (status, answer) = tenant.ask("POST", &path, &definitions);
    assert_eq!(status, 204, "{answer}");
    let mut client = other.connect(&broker);
    declare(&mut client, "q", &[]);
    client.fill("q", &FIVE);
    becomes(&mut client, "q", 3);
    assert_eq!(client.refused(1, queue_named("q2")).reply_code, 406);
}

#[test]
fn step_37_a_virtual_host_has_no_more_queues_than_it_may() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let tenant = Tenant::of(&broker);
    tenant.limit("vhost-limits", "max-queues", 1);
    let mut client = tenant.connect(&broker);
    declare(&mut client, "q1", &[]);
    let refused = client.refused(1, queue_named("q2"));
    let vhost = &tenant.name;
    let said = format!(
        "PRECONDITION_FAILED - cannot declare queue 'q2': queue limit in vhost '{vhost}' (1) is \
         reached"
    );
    assert_eq!((refused.reply_code, &*refused.reply_text), (406, &*said));
    // One that is there is no other.
    declare(&mut client, "q1", &[]);
    tenant.limit("vhost-limits", "max-queues", -1);
    declare(&mut client, "q2", &[]);
}

/// Why a connection of the tenant's user is not opened.
fn refused(broker: &Broker, tenant: &Tenant) -> channel::Close {
    let response = tenant.response();
    let terms = Terms {
        virtual_host: &tenant.name,
        response: &response,
        ..Terms::default()
    };
    Client::tuned(broker, &terms).connection_close()
}

fn connect(broker: &Broker, tenant: &Tenant) -> Client {
    let response = tenant.response();
    let terms = Terms {
        virtual_host: &tenant.name,
        response: &response,
        ..Terms::default()
    };
    Client::connect_as(broker, &terms)
}

#[test]
fn step_37_a_virtual_host_has_no_more_connections_than_it_may() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let tenant = Tenant::of(&broker);
    tenant.limit("vhost-limits", "max-connections", 1);
    let first = connect(&broker, &tenant);
    let close = refused(&broker, &tenant);
    let name = &tenant.name;
    let said = format!(
        "NOT_ALLOWED - access to vhost '{name}' refused for user '{name}': connection limit (1) \
         is reached"
    );
    assert_eq!((close.reply_code, &*close.reply_text), (530, &*said));
    assert_eq!((close.class_id, close.method_id), (10, 40));
    first.close();
    tenant.limit("vhost-limits", "max-connections", 0);
    assert_eq!(refused(&broker, &tenant).reply_code, 530);
    tenant.limit("vhost-limits", "max-connections", -1);
    connect(&broker, &tenant).close();
}

#[test]
fn step_37_a_user_has_no_more_connections_than_it_may() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let tenant = Tenant::of(&broker);
    tenant.limit("user-limits", "max-connections", 1);
    let first = connect(&broker, &tenant);
    let close = refused(&broker, &tenant);
    let name = &tenant.name;
    let said = format!(
        "NOT_ALLOWED - connection refused for user '{name}': user connection limit (1) is reached"
    );
    assert_eq!((close.reply_code, &*close.reply_text), (530, &*said));
    // Others have theirs.
    tenant.connect(&broker).close();
    tenant.delete(&format!("user-limits/{name}/max-connections"));
    connect(&broker, &tenant).close();
    first.close();
}

#[test]
fn step_37_a_user_has_no_more_channels_than_it_may() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let tenant = Tenant::of(&broker);
    tenant.limit("user-limits", "max-channels", 2);
    let (mut one, mut other) = (connect(&broker, &tenant), connect(&broker, &tenant));
    one.open(1);
    other.open(1);
    other.send(2, channel::Open::default());
    let close = other.connection_close();
    let name = &tenant.name;
    let said = format!(
        "NOT_ALLOWED - number of channels opened for user '{name}' has reached the maximum \
         allowed user limit of (2)"
    );
    assert_eq!((close.reply_code, &*close.reply_text), (530, &*said));
    if !is_peer() {
        // Its channel counts no more; RabbitMQ's does a moment longer.
        one.open(2);
    }
}
