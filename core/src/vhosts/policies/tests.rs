//! Which policies rule, and what they say together with arguments.

use super::*;
use crate::model::Timestamp;
use crate::routing::{Arguments, Value as Argument};
use crate::vhosts::QueueRules;
use serde_json::{Map, json};

fn policy(priority: i64, definition: Value) -> Policy {
    let Value::Object(definition) = definition else {
        panic!("no object: {definition}");
    };
    Policy {
        pattern: "^q".to_owned(),
        applies_to: AppliesTo::All,
        priority,
        definition,
    }
}

fn policies(users: &[(&str, Policy)], operators: &[(&str, Policy)]) -> Policies {
    let mut policies = Policies::default();
    for (kind, all) in [(PolicyKind::User, users), (PolicyKind::Operator, operators)] {
        for (name, policy) in all {
            let rule = Rule::new(policy.clone()).unwrap();
            assert!(policies.put(kind, (*name).into(), rule));
        }
    }
    policies
}

fn said(ruling: &Ruling) -> (Option<&str>, Option<&str>, Value) {
    let settings: Map<_, _> = ruling.settings.clone().into_iter().collect();
    let (policy, operator) = (&ruling.policy, &ruling.operator_policy);
    (policy.as_deref(), operator.as_deref(), settings.into())
}

#[test]
fn only_the_policy_of_the_greatest_priority_counts() {
    let both = policies(
        &[
            ("a", policy(1, json!({ "max-length": 1, "expires": 9 }))),
            ("b", policy(2, json!({ "max-length": 2 }))),
            ("c", policy(2, json!({ "max-length": 3 }))),
        ],
        &[],
    );
    let ruling = both.queue("q", QueueKind::Classic);
    assert_eq!(said(&ruling), (Some("b"), None, json!({ "max-length": 2 })));
    assert_eq!(both.queue("other", QueueKind::Classic), Ruling::default());
}

#[test]
fn operators_cap_numbers_and_add_their_own() {
    let users = [(
        "u",
        policy(
            1,
            json!({ "max-length": 5, "message-ttl": 7, "overflow": "reject-publish" }),
        ),
    )];
    let caps = json!({ "max-length": 9, "message-ttl": 2, "expires": 3 });
    let capped = policies(&users, &[("o", policy(1, caps))]);
    let ruling = capped.queue("q", QueueKind::Quorum);
    let both =
        json!({ "expires": 3, "max-length": 5, "message-ttl": 2, "overflow": "reject-publish" });
    assert_eq!(said(&ruling), (Some("u"), Some("o"), both));
    assert_eq!(
        said(&capped.exchange("q")).1,
        None,
        "operators rule no exchange"
    );
}

#[test]
fn a_policy_is_for_what_it_says_and_for_queues_that_have_a_use_for_all_of_it() {
    let rules = |policy: Policy| {
        let one = policies(&[("p", policy)], &[]);
        let kinds = [QueueKind::Classic, QueueKind::Quorum, QueueKind::Stream];
        let queues = kinds.map(|kind| one.queue("q", kind).policy.is_some());
        (queues, one.exchange("q").policy.is_some())
    };
    let mut given = policy(1, json!({ "max-length-bytes": 1 }));
    for (applies_to, expected) in [
        (AppliesTo::All, ([true, true, true], true)),
        (AppliesTo::Queues, ([true, true, true], false)),
        (AppliesTo::ClassicQueues, ([true, false, false], false)),
        (AppliesTo::QuorumQueues, ([false, true, false], false)),
        (AppliesTo::Streams, ([false, false, true], false)),
        (AppliesTo::Exchanges, ([false, false, false], true)),
    ] {
        given.applies_to = applies_to;
        assert_eq!(rules(given.clone()), expected, "{applies_to:?}");
        assert_eq!(AppliesTo::named(applies_to.name()), Some(applies_to));
    }
    for (setting, expected) in [
        ("delivery-limit", [false, true, false]),
        ("queue-mode", [true, false, false]),
        ("max-age", [false, false, true]),
        ("message-ttl", [true, true, false]),
    ] {
        let given = policy(1, json!({ "max-length-bytes": 1, setting: 1 }));
        assert_eq!(rules(given).0, expected, "{setting}");
    }
}

#[test]
fn patterns_may_stand_anywhere_and_assert() {
    for (pattern, name, is_in) in [
        ("q", "a.q.b", true),
        ("", "anything", true),
        (r"^(?!amq\.).*", "amq.direct", false),
        (r"^(?!amq\.).*", "mine", true),
        // One that would go back for ever.
        (r"^(a+)+(?!x)$", &format!("{}b", "a".repeat(60)), false),
    ] {
        let policy = Policy {
            pattern: pattern.to_owned(),
            ..policy(0, json!({ "max-length": 1 }))
        };
        let rule = Rule::new(policy).unwrap();
        assert_eq!(rule.is_for_exchange(name), is_in, "{pattern} {name}");
    }
    let broken = Policy {
        pattern: "(".to_owned(),
        ..policy(0, json!({}))
    };
    assert!(Rule::new(broken).is_err());
}

#[test]
fn of_arguments_and_policies_the_lesser_number_counts_and_else_the_argument() {
    let numbers = [
        "message-ttl",
        "expires",
        "max-length",
        "max-length-bytes",
        "delivery-limit",
    ];
    let found = |rules: &QueueRules| {
        [
            rules.life_ms(Timestamp::from_millis(1)),
            rules.expires_ms,
            rules.ready_max,
            rules.ready_bytes_max,
            rules.returns_max.map(u64::from),
        ]
    };
    for (argument, setting, least) in [
        (Some(2), Some(3), Some(2)),
        (Some(3), Some(2), Some(2)),
        (Some(3), None, Some(3)),
        (None, Some(2), Some(2)),
        (None, None, None),
    ] {
        let arguments: Arguments = numbers
            .iter()
            .filter_map(|name| Some((format!("x-{name}"), Argument::Integer(argument?))))
            .collect();
        let settings = numbers.iter();
        let settings = settings.filter_map(|name| Some(((*name).to_owned(), json!(setting?))));
        let rules = QueueRules::of(&arguments, &settings.collect());
        assert_eq!(found(&rules), [least; 5], "{argument:?} {setting:?}");
    }
}

#[test]
fn of_texts_the_argument_counts_each_by_itself() {
    let arguments: Arguments = [
        ("x-overflow", Argument::Text("drop-head".into())),
        ("x-dead-letter-exchange", Argument::Text("mine".into())),
    ]
    .into_iter()
    .collect();
    let settings = json!({
        "overflow": "reject-publish",
        "dead-letter-exchange": "theirs",
        "dead-letter-routing-key": "key",
        "max-priority": 5,
    });
    let settings: Settings = serde_json::from_value(settings).unwrap();
    let rules = QueueRules::of(&arguments, &settings);
    let to = rules.dead_letters.unwrap();
    assert_eq!(
        (&*to.exchange, to.routing_key.as_deref()),
        ("mine", Some("key"))
    );
    assert!(rules.overflow == crate::vhosts::Overflow::DropHead);
    assert_eq!(rules.priority_max, None, "no policy sets it");
    let rules = QueueRules::of(&Arguments::default(), &settings);
    assert!(rules.overflow == crate::vhosts::Overflow::RejectPublish);
    assert_eq!(&*rules.dead_letters.unwrap().exchange, "theirs");
}
