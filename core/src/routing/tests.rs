use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

#[derive(Default)]
struct Sent {
    headers: HashMap<&'static str, Value>,
}

impl Sent {
    fn with(headers: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        let headers = headers.into_iter().collect();
        Self { headers }
    }
}

impl Routable for Sent {
    fn header(&self, name: &str) -> Option<Value> {
        self.headers.get(name).cloned()
    }

    fn property(&self, name: &str) -> Option<Bytes> {
        (name == "message_id").then(|| Bytes::from_static(b"id"))
    }
}

fn text(text: &'static str) -> Value {
    Value::Text(Bytes::from_static(text.as_bytes()))
}

fn queue(name: &str) -> Destination {
    Destination::Queue(name.into())
}

fn exchange(name: &str) -> Destination {
    Destination::Exchange(name.into())
}

fn binding(source: &str, destination: Destination, key: &str) -> Binding {
    Binding {
        source: source.into(),
        destination,
        key: key.into(),
        arguments: Arguments::default(),
    }
}

fn router(exchanges: &[(&str, ExchangeKind)]) -> Router {
    let mut router = Router::default();
    for (name, kind) in exchanges {
        let spec = ExchangeSpec::durable(kind.clone());
        assert_eq!(router.declare(name, spec), Ok(true));
    }
    router
}

fn routed(router: &Router, exchange: &str, key: &str) -> BTreeSet<String> {
    let queues = router.route(exchange, &[key], &Sent::default());
    let count = queues.len();
    let queues: BTreeSet<String> = queues.iter().map(|name| (**name).to_owned()).collect();
    assert_eq!(queues.len(), count, "each once");
    queues
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn patterns_match_as_rabbitmq_reads_them() {
    let matches = |pattern: &str, key: &str| {
        let mut router = router(&[("t", ExchangeKind::Topic)]);
        router.bind(&binding("t", queue("q"), pattern)).unwrap();
        !routed(&router, "t", key).is_empty()
    };
    for (pattern, keys) in [
        ("a.*.c", &["a.b.c", "a..c"][..]),
        ("#", &["", "a", "a.b", ".."]),
        ("", &[""]),
        ("a*", &["a*"]),
        ("a.#", &["a", "a.b", "a.b.c"]),
        ("#.c", &["c", "a.c", "a.b.c"]),
        ("a.#.z", &["a.z", "a.b.z", "a.z.z"]),
        ("#.#", &["", "a"]),
    ] {
        for key in keys {
            assert!(matches(pattern, key), "{pattern} takes {key:?}");
        }
    }
    for (pattern, keys) in [
        ("*", &["", "a.b"][..]),
        ("*.#", &[""]),
        ("a*", &["ab", "a"]),
        ("a.*.c", &["a.c", "a.b.b.c"]),
        ("a.#", &["", "b.a"]),
        ("", &["a", "."]),
    ] {
        for key in keys {
            assert!(!matches(pattern, key), "{pattern} does not take {key:?}");
        }
    }
}

/// What a topic exchange does, in the plainest words.
fn takes(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern.split_first(), key.split_first()) {
        (None, None) => true,
        (Some((&"#", rest)), _) => {
            takes(rest, key) || (!key.is_empty() && takes(pattern, &key[1..]))
        }
        (Some((&"*", rest)), Some((_, more))) => takes(rest, more),
        (Some((word, rest)), Some((first, more))) => word == first && takes(rest, more),
        _ => false,
    }
}

fn split(key: &str) -> Vec<&str> {
    if key.is_empty() {
        Vec::new()
    } else {
        key.split('.').collect()
    }
}

fn key() -> impl Strategy<Value = String> {
    let word = prop_oneof![Just("a"), Just("b"), Just(""), Just("*"), Just("#")];
    prop::collection::vec(word, 0..6).prop_map(|words| words.join("."))
}

proptest! {
    #[test]
    fn a_topic_exchange_takes_what_its_patterns_say(
        patterns in prop::collection::vec((key(), 0..4_u8), 1..12),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        keys in prop::collection::vec(key(), 1..12),
    ) {
        let mut router = router(&[("t", ExchangeKind::Topic)]);
        let mut bound = BTreeSet::new();
        for (pattern, number) in &patterns {
            let binding = binding("t", queue(&number.to_string()), pattern);
            let is_new = router.bind(&binding).unwrap();
            prop_assert_eq!(is_new, bound.insert((pattern.as_str(), *number)));
        }
        for index in gone {
            let (pattern, number) = index.get(&patterns);
            router.unbind(&binding("t", queue(&number.to_string()), pattern));
            bound.remove(&(pattern.as_str(), *number));
        }
        prop_assert_eq!(router.bindings_of("t").len(), bound.len());
        for key in &keys {
            let taken = bound.iter().filter(|(pattern, _)| takes(&split(pattern), &split(key)));
            let expected: BTreeSet<String> = taken.map(|(_, number)| number.to_string()).collect();
            prop_assert_eq!(routed(&router, "t", key), expected, "{}", key);
        }
    }
}

#[test]
fn direct_and_fanout_exchanges_take_each_queue_once() {
    let mut router = router(&[("d", ExchangeKind::Direct), ("f", ExchangeKind::Fanout)]);
    for (source, name, key) in [
        ("d", "one", "k"),
        ("d", "two", "k"),
        ("d", "two", "l"),
        ("f", "one", "k"),
        ("f", "one", "l"),
        ("f", "two", ""),
    ] {
        assert_eq!(router.bind(&binding(source, queue(name), key)), Ok(true));
    }
    assert_eq!(router.bind(&binding("d", queue("one"), "k")), Ok(false));
    assert_eq!(routed(&router, "d", "k"), names(&["one", "two"]));
    assert_eq!(routed(&router, "d", "l"), names(&["two"]));
    assert_eq!(routed(&router, "d", "m"), names(&[]));
    assert_eq!(routed(&router, "f", "m"), names(&["one", "two"]));
    let both = router.route("d", &["k", "l"], &Sent::default());
    assert_eq!(both.len(), 2, "CC adds no second copy");
    router.unbind(&binding("f", queue("one"), "k"));
    assert_eq!(routed(&router, "f", "m"), names(&["one", "two"]));
    router.unbind(&binding("f", queue("one"), "l"));
    assert_eq!(routed(&router, "f", "m"), names(&["two"]));
    assert_eq!(routed(&router, "none", "k"), names(&[]));
}

#[test]
fn headers_are_matched_by_value_and_not_by_width() {
    let asks = |how: Option<&'static str>, wanted: &[(&'static str, Value)], sent: &Sent| {
        let how = how.map(|how| ("x-match", text(how)));
        let all = how.into_iter().chain(wanted.iter().cloned());
        let mut router = router(&[("h", ExchangeKind::Headers)]);
        let mut bound = binding("h", queue("q"), "");
        bound.arguments = all.collect();
        router.bind(&bound).unwrap();
        !router.route("h", &[""], sent).is_empty()
    };
    let sent = Sent::with([("n", Value::Integer(1)), ("x-s", text("v"))]);
    let (one, other) = (("n", Value::Integer(1)), ("m", Value::Integer(2)));
    assert!(asks(None, std::slice::from_ref(&one), &sent));
    assert!(!asks(None, &[one.clone(), other.clone()], &sent));
    assert!(asks(Some("any"), &[one, other.clone()], &sent));
    assert!(!asks(Some("any"), &[other], &sent));
    assert!(!asks(None, &[("n", text("1"))], &sent), "'1' is not 1");
    assert!(asks(None, &[("n", Value::Void)], &sent), "it is there");
    let x = ("x-s", text("w"));
    assert!(asks(None, std::slice::from_ref(&x), &sent), "left out");
    assert!(!asks(Some("all-with-x"), std::slice::from_ref(&x), &sent));
    assert!(!asks(Some("any"), std::slice::from_ref(&x), &sent));
    assert!(asks(None, &[], &Sent::default()));
    assert!(!asks(Some("any"), &[], &sent));
}

#[test]
fn bindings_that_make_no_sense_are_refused_and_change_nothing() {
    let on_key = ExchangeKind::ConsistentHash(HashOn::Key);
    let mut router = router(&[("h", ExchangeKind::Headers), ("c", on_key)]);
    let mut odd = binding("h", queue("q"), "");
    odd.arguments = [("x-match", text("some"))].into_iter().collect();
    let refused = router.bind(&odd).unwrap_err();
    let text =
        "Invalid x-match field value <<\"some\">>; expected all, any, all-with-x, or any-with-x";
    assert_eq!(refused.to_string(), text);
    for weight in ["0", "-1", "x", ""] {
        let refused = router.bind(&binding("c", queue("q"), weight));
        assert!(matches!(refused, Err(BindError::Illegal(_))), "{weight}");
    }
    let missing = router.bind(&binding("c", exchange("none"), "1"));
    assert_eq!(missing, Err(BindError::NoExchange("none".into())));
    assert!(!router.is_source("h") && !router.is_source("c"));
    assert!(router.bindings_to(&queue("q")).is_empty());
}

#[test]
fn a_hash_takes_one_queue_by_weight_and_keeps_to_it() {
    let on_key = ExchangeKind::ConsistentHash(HashOn::Key);
    let on_id = ExchangeKind::ConsistentHash(HashOn::Property("message_id".into()));
    let mut router = router(&[("c", on_key), ("p", on_id)]);
    assert_eq!(routed(&router, "c", "k"), names(&[]));
    for (name, weight) in [("one", "1"), ("three", "3")] {
        router.bind(&binding("c", queue(name), weight)).unwrap();
        router.bind(&binding("p", queue(name), weight)).unwrap();
    }
    let keys: Vec<String> = (0..4_000).map(|number| number.to_string()).collect();
    let before: Vec<_> = keys.iter().map(|key| routed(&router, "c", key)).collect();
    assert!(before.iter().all(|queues| queues.len() == 1));
    let three = before.iter().filter(|it| **it == names(&["three"])).count();
    assert!((2_800..3_200).contains(&three), "{three} of 4,000");
    router.bind(&binding("c", queue("more"), "1")).unwrap();
    let moved = keys.iter().zip(&before).filter(|(key, before)| {
        let now = routed(&router, "c", key);
        assert!(now == **before || now == names(&["more"]));
        now != **before
    });
    let moved = moved.count();
    assert!((600..1_000).contains(&moved), "{moved} of 4,000");
    let by_id: BTreeSet<_> = keys.iter().map(|key| routed(&router, "p", key)).collect();
    assert_eq!(by_id.len(), 1, "whatever the key");
}

#[test]
fn messages_go_through_exchanges_and_their_alternates_and_cycles_end() {
    let mut router = router(&[("a", ExchangeKind::Direct), ("b", ExchangeKind::Fanout)]);
    let alternate = |name: &str, kind| ExchangeSpec {
        alternate: Some(name.into()),
        ..ExchangeSpec::durable(kind)
    };
    router
        .declare("c", alternate("d", ExchangeKind::Direct))
        .unwrap();
    router
        .declare("d", alternate("c", ExchangeKind::Direct))
        .unwrap();
    router
        .declare("e", alternate("none", ExchangeKind::Direct))
        .unwrap();
    router.bind(&binding("a", exchange("b"), "k")).unwrap();
    router.bind(&binding("b", exchange("a"), "")).unwrap();
    router.bind(&binding("b", queue("q"), "")).unwrap();
    router.bind(&binding("a", queue("q"), "k")).unwrap();
    router.bind(&binding("d", queue("rest"), "k")).unwrap();
    assert_eq!(routed(&router, "a", "k"), names(&["q"]));
    assert_eq!(routed(&router, "b", "other"), names(&["q"]));
    assert_eq!(routed(&router, "c", "k"), names(&["rest"]));
    assert_eq!(routed(&router, "c", "other"), names(&[]));
    assert_eq!(routed(&router, "e", "k"), names(&[]));
}

#[test]
fn what_is_left_without_bindings_goes_if_it_was_to_and_takes_others_along() {
    let mut router = router(&[("kept", ExchangeKind::Fanout)]);
    for name in ["first", "second"] {
        let spec = ExchangeSpec {
            is_auto_delete: true,
            ..ExchangeSpec::durable(ExchangeKind::Fanout)
        };
        router.declare(name, spec).unwrap();
    }
    router
        .bind(&binding("kept", exchange("first"), ""))
        .unwrap();
    router
        .bind(&binding("first", exchange("second"), ""))
        .unwrap();
    router.bind(&binding("second", queue("q"), "")).unwrap();
    router.bind(&binding("second", queue("q"), "more")).unwrap();
    let first = binding("second", queue("q"), "");
    let removed = router.unbind(&first);
    assert_eq!(
        (removed.exchanges, removed.bindings),
        (vec![], vec![first.clone()])
    );
    assert_eq!(router.unbind(&first), Removed::default());
    let removed = router.delete_queue("q");
    let exchanges: [Arc<str>; 2] = ["second".into(), "first".into()];
    assert_eq!(removed.exchanges, exchanges);
    let bindings = [
        binding("second", queue("q"), "more"),
        binding("first", exchange("second"), ""),
        binding("kept", exchange("first"), ""),
    ];
    assert_eq!(removed.bindings, bindings);
    assert!(router.exchange("kept").is_some() && !router.is_source("kept"));
    assert!(router.bindings_to(&exchange("first")).is_empty());
    let exchanges: [Arc<str>; 1] = ["kept".into()];
    assert_eq!(router.delete_exchange("kept").exchanges, exchanges);
    assert_eq!(router.exchanges().count(), 0);
    assert_eq!(router.delete_exchange("kept"), Removed::default());
}

#[test]
fn an_exchange_declared_again_must_be_the_same() {
    let mut router = router(&[("x", ExchangeKind::Direct)]);
    let same = ExchangeSpec {
        arguments: [("other", Value::Void)].into_iter().collect(),
        ..ExchangeSpec::durable(ExchangeKind::Direct)
    };
    assert_eq!(
        router.declare("x", same.clone()),
        Ok(false),
        "arguments say nothing"
    );
    let differs = |change: &dyn Fn(&mut ExchangeSpec)| {
        let mut spec = same.clone();
        change(&mut spec);
        router.exchange("x").unwrap();
        let mut router = self::router(&[("x", ExchangeKind::Direct)]);
        router.declare("x", spec).unwrap_err().argument
    };
    assert_eq!(differs(&|spec| spec.kind = ExchangeKind::Fanout), "type");
    assert_eq!(differs(&|spec| spec.is_durable = false), "durable");
    assert_eq!(differs(&|spec| spec.is_auto_delete = true), "auto_delete");
    assert_eq!(differs(&|spec| spec.is_internal = true), "internal");
    let alternate = differs(&|spec| spec.alternate = Some("y".into()));
    assert_eq!(alternate, "alternate-exchange");
}
