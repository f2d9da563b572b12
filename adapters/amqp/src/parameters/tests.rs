//! What RabbitMQ 3.10.8 said to the same requests.

use super::*;
use serde_json::json;

fn said(kind: PolicyKind, fields: Value) -> String {
    let Value::Object(fields) = fields else {
        panic!("no object: {fields}");
    };
    match policy_of(kind, &fields) {
        Ok(_) => String::new(),
        Err(error) => {
            let text = error.to_string();
            let text = text.strip_prefix("Validation failed\n\n").unwrap();
            text.trim_end().to_owned()
        }
    }
}

fn defined(definition: Value) -> String {
    said(
        PolicyKind::User,
        json!({ "pattern": "^q", "definition": definition }),
    )
}

#[test]
fn settings_are_refused_in_rabbitmqs_words() {
    for (definition, text) in [
        (json!({}), "no policy provided"),
        (
            json!({ "message-ttl": "x" }),
            r#"<<"x">> is not a valid message TTL"#,
        ),
        (
            json!({ "message-ttl": 1.5 }),
            "1.5 is not a valid message TTL",
        ),
        (json!({ "expires": 0 }), "0 is not a valid queue expiry"),
        (
            json!({ "max-length-bytes": -5 }),
            "-5 is not a valid maximum length in bytes",
        ),
        (
            json!({ "overflow": "zz" }),
            r#"<<"zz">> is not a valid overflow value"#,
        ),
        (
            json!({ "dead-letter-exchange": 5 }),
            "5 is not a valid dead letter exchange name",
        ),
        (
            json!({ "max-priority": 5 }),
            r#"[{<<"max-priority">>,5}] are not recognised policy settings"#,
        ),
        (
            json!({ "bogus": 1, "max-length": -1, "foo": [true, {"a": null}] }),
            r#"[{<<"bogus">>,1},{<<"foo">>,[true,[{<<"a">>,null}]]}] are not recognised policy settings"#,
        ),
        (
            json!({ "ha-mode": "exactly" }),
            r#"ha-mode="exactly" takes an integer, none given"#,
        ),
        (
            json!({ "ha-mode": "nodes", "ha-params": "a" }),
            r#"ha-mode="nodes" takes a list, <<"a">> given"#,
        ),
        (
            json!({ "ha-mode": "all", "ha-sync-mode": "zz" }),
            r#"ha-sync-mode must be "manual" or "automatic", got <<"zz">>"#,
        ),
        (
            json!({ "ha-mode": "all", "ha-sync-batch-size": 0 }),
            "ha-sync-batch-size takes an integer greater than 0, 0 given",
        ),
        (
            json!({ "ha-params": 2 }),
            "ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown",
        ),
        (
            json!({ "queue-master-locator": 5 }),
            "5 invalid queue-master-locator value",
        ),
        (
            json!({ "queue-version": 3 }),
            "3 is not a valid queue-version value",
        ),
        (
            json!({ "max-age": "zz" }),
            r#"<<"zz">> is not a valid max age"#,
        ),
    ] {
        assert_eq!(defined(definition.clone()), text, "{definition}");
    }
}

#[test]
fn settings_of_rabbitmq_are_taken() {
    for definition in [
        json!({ "message-ttl": 0, "expires": 1, "max-length": 0, "max-length-bytes": 0 }),
        json!({ "overflow": "reject-publish-dlx", "delivery-limit": 0 }),
        json!({ "dead-letter-exchange": "", "dead-letter-routing-key": "k" }),
        json!({ "alternate-exchange": "x" }),
        json!({ "ha-mode": "nodes", "ha-params": ["a"], "ha-sync-mode": "automatic" }),
        json!({ "queue-mode": "lazy", "queue-version": 2, "queue-master-locator": "random" }),
        json!({ "queue-leader-locator": "balanced", "dead-letter-strategy": "at-least-once" }),
        json!({ "max-age": "1D", "stream-max-segment-size-bytes": 100, "initial-cluster-size": 3 }),
        json!({ "max-in-memory-length": 5, "max-in-memory-bytes": 5 }),
    ] {
        assert_eq!(defined(definition.clone()), "", "{definition}");
    }
}

#[test]
fn operators_may_limit_and_nothing_else() {
    for (definition, text) in [
        (json!({ "max-length": 5, "expires": 1 }), ""),
        (
            json!({ "overflow": "drop-head" }),
            r#"[{<<"overflow">>,<<"drop-head">>}] are not recognised policy settings"#,
        ),
        (
            json!({ "max-length": -1 }),
            "-1 is not a valid maximum length",
        ),
    ] {
        let fields = json!({ "pattern": "", "definition": definition });
        assert_eq!(said(PolicyKind::Operator, fields), text, "{definition}");
    }
}

#[test]
fn everything_else_of_a_policy_is_checked_as_well() {
    let fields = |name: &str, value: Value| {
        let mut fields = json!({ "pattern": "a", "definition": { "max-length": 1 } });
        fields[name] = value;
        said(PolicyKind::User, fields)
    };
    assert_eq!(
        fields("pattern", json!(5)),
        "pattern should be a binary but was 5"
    );
    assert_eq!(
        fields("priority", json!("a")),
        r#"priority should be a number, actually was <<"a">>"#
    );
    assert_eq!(
        fields("apply-to", json!("zz")),
        "apply-to 'zz' unrecognised; should be 'queues', 'exchanges' or 'all'"
    );
    assert_eq!(fields("priority", json!(-3)), "");
    assert_eq!(fields("apply-to", json!("quorum_queues")), "");
}

#[test]
fn limits_are_numbers_of_known_names() {
    let read = |fields: Value| {
        let Value::Object(fields) = fields else {
            panic!("no object: {fields}");
        };
        vhost_limits(&fields).map_err(|error| error.to_string())
    };
    let limits = read(json!({ "max-queues": 5 })).unwrap();
    assert_eq!((limits.max_queues, limits.max_connections), (Some(5), None));
    assert_eq!(
        read(json!({ "max-queues": "a" })).unwrap_err(),
        "Validation failed\n\nmax-queues should be a number, actually was <<\"a\">>\n"
    );
    assert_eq!(
        read(json!({ "zz": 2 })).unwrap_err(),
        "Validation failed\n\nUnrecognised terms [{<<\"zz\">>,2}] in limits\n"
    );
}
