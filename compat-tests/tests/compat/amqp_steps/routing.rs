//! Steps 11 to 13: which queues a message goes to.

use super::broker::Broker;
use super::client::{
    Argument, Client, Outstanding, close, due, exchange_named, mandatory, publish, short, table,
    text,
};
use super::wire::Heard;
use gantry_amqp::codec::method::{basic, exchange};
use gantry_amqp::codec::table::ArrayBuilder;
use gantry_amqp::codec::{PropertyList, ServerMethod, Table, Value};

/// Which of messages with these keys and headers an exchange routes, in one go: what it does not
/// comes back.
fn routed(client: &mut Client, exchange: &str, messages: &[(&str, Option<Table>)]) -> Vec<bool> {
    client.open(2);
    client.confirm_select(2);
    for (at, (key, headers)) in messages.iter().enumerate() {
        let properties = PropertyList {
            headers: headers.as_ref().map(Table::view),
            ..PropertyList::default()
        };
        let publish = mandatory(exchange, key);
        client.publish_with(2, publish, properties, &at.to_string());
    }
    let mut routed = vec![true; messages.len()];
    let mut outstanding = Outstanding::up_to(messages.len() as u64);
    while !outstanding.is_empty() {
        match client.wire.hear() {
            Heard::Message(2, returned) => {
                let at: usize = returned.text().parse().unwrap();
                routed[at] = false;
            }
            Heard::Method(2, ServerMethod::BasicAck(ack)) => outstanding.note(&ack),
            other => panic!("{other:?}"),
        }
    }
    client.close_channel(2);
    routed
}

/// Which of `keys` a binding of a topic exchange takes.
fn taken(client: &mut Client, broker: &Broker, pattern: &str, keys: &[&str]) -> Vec<bool> {
    let (exchange, queue) = (broker.name("topic"), broker.name("queue"));
    client.declare_exchange(1, &exchange, "topic");
    client.private_queue(1, &queue);
    // Without a key the binding's would be the queue's name: that is only so without both.
    client.bind(1, &queue, &exchange, pattern);
    let messages: Vec<_> = keys.iter().map(|key| (*key, None)).collect();
    let taken = routed(client, &exchange, &messages);
    client.delete_queue(1, &queue);
    taken
}

/// The matching of the specification, word by word.
fn matches(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern.split_first(), key.split_first()) {
        (None, None) => true,
        (Some((&"#", rest)), None) => matches(rest, key),
        (Some((&"#", rest)), Some((_, words))) => matches(rest, key) || matches(pattern, words),
        (Some((&first, rest)), Some((word, words))) => {
            (first == "*" || first == *word) && matches(rest, words)
        }
        _ => false,
    }
}

/// An empty text has no words; an empty word between dots is one.
fn words(text: &str) -> Vec<&str> {
    if text.is_empty() {
        Vec::new()
    } else {
        text.split('.').collect()
    }
}

#[test]
fn step_11_topics_match_as_in_the_reference_table() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let keys = ["", "a", "a.b", "a..c", "a.b.c", ".", "b.a", "a*", "ab"];
    let table: &[(&str, &[&str])] = &[
        ("", &[""]),
        ("#", &keys),
        ("#.#", &keys),
        ("*", &["a", "a*", "ab"]),
        (
            "*.#",
            &["a", "a.b", "a..c", "a.b.c", ".", "b.a", "a*", "ab"],
        ),
        (
            "#.*",
            &["a", "a.b", "a..c", "a.b.c", ".", "b.a", "a*", "ab"],
        ),
        ("*.*", &["a.b", ".", "b.a"]),
        ("a.*.c", &["a..c", "a.b.c"]),
        ("a.#", &["a", "a.b", "a..c", "a.b.c"]),
        ("#.a", &["a", "b.a"]),
        ("a..c", &["a..c"]),
        ("a*", &["a*"]),
        ("*.#.*", &["a.b", "a..c", "a.b.c", ".", "b.a"]),
    ];
    for (pattern, expected) in table {
        let taken = taken(&mut client, &broker, pattern, &keys);
        let taken = keys.iter().zip(taken).filter(|(_, taken)| *taken);
        let taken: Vec<_> = taken.map(|(key, _)| *key).collect();
        assert_eq!(&taken, expected, "{pattern:?}");
    }
}

#[test]
fn step_11_topics_match_as_the_specification_says() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let texts = |alphabet: [&str; 3]| {
        let mut all = vec![String::new()];
        for one in alphabet {
            all.push(one.to_owned());
            for two in alphabet {
                all.push(format!("{one}.{two}"));
                all.extend(alphabet.map(|three| format!("{one}.{two}.{three}")));
            }
        }
        all
    };
    let keys = texts(["a", "b", ""]);
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for pattern in texts(["a", "*", "#"]) {
        let taken = taken(&mut client, &broker, &pattern, &keys);
        for (key, taken) in keys.iter().zip(taken) {
            let expected = matches(&words(&pattern), &words(key));
            assert_eq!(taken, expected, "{pattern:?} and {key:?}");
        }
    }
}

#[test]
fn step_11_a_queue_of_many_bindings_gets_a_message_once() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (exchange, queue) = (broker.name("topic"), broker.name("queue"));
    client.declare_exchange(1, &exchange, "topic");
    client.private_queue(1, &queue);
    for pattern in ["#", "a.#", "a.b", "a.b", "*.b"] {
        client.bind(1, &queue, &exchange, pattern);
    }
    assert_eq!(routed(&mut client, &exchange, &[("a.b", None)]), [true]);
    assert_eq!(client.look(1, &queue).0, 1);
}

/// Which of messages with these headers a binding of a headers exchange takes.
fn taken_by_headers(
    client: &mut Client,
    broker: &Broker,
    arguments: &[Argument<'_>],
    messages: &[Option<Table>],
) -> Vec<bool> {
    let (exchange, queue) = (broker.name("headers"), broker.name("queue"));
    client.declare_exchange(1, &exchange, "headers");
    client.private_queue(1, &queue);
    client.bind_with(1, &queue, &exchange, "ignored", arguments);
    let messages: Vec<_> = messages.iter().map(|each| ("", each.clone())).collect();
    let taken = routed(client, &exchange, &messages);
    client.delete_queue(1, &queue);
    taken
}

#[test]
fn step_12_headers_match_all_or_any() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (one, two) = (("a", text("1")), ("b", text("2")));
    let messages = [
        None,
        Some(table(&[])),
        Some(table(&[one])),
        Some(table(&[two, one])),
        Some(table(&[one, ("b", text("3"))])),
        Some(table(&[("c", text("1"))])),
    ];
    let mode = |mode| ("x-match", text(mode));
    let all = [false, false, false, true, false, false];
    let any = [false, false, true, true, true, false];
    let modes: [(&[Argument<'_>], [bool; 6]); 7] = [
        (&[one, two], all),
        (&[mode("all"), one, two], all),
        (&[mode("all-with-x"), one, two], all),
        (&[mode("any"), one, two], any),
        (&[mode("any-with-x"), one, two], any),
        (&[mode("all")], [true; 6]),
        (&[mode("any")], [false; 6]),
    ];
    for (arguments, expected) in modes {
        let taken = taken_by_headers(&mut client, &broker, arguments, &messages);
        assert_eq!(taken, expected, "{arguments:?}");
    }
}

#[test]
fn step_12_headers_of_extensions_count_only_when_asked() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (own, extension) = (("a", text("1")), ("x-b", text("2")));
    let messages = [
        Some(table(&[own])),
        Some(table(&[extension])),
        Some(table(&[own, extension])),
    ];
    for (mode, expected) in [
        ("all", [true, false, true]),
        ("any", [true, false, true]),
        ("all-with-x", [false, false, true]),
        ("any-with-x", [true, true, true]),
    ] {
        let arguments = [("x-match", text(mode)), own, extension];
        let taken = taken_by_headers(&mut client, &broker, &arguments, &messages);
        assert_eq!(taken, expected, "{mode}");
    }
}

#[test]
fn step_12_values_compare_without_the_width_of_integers_and_void_is_any() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let of = |value| Some(table(&[("a", value)]));
    let messages = [
        of(Value::I8(1)),
        of(Value::U16(1)),
        of(Value::I64(1)),
        of(text("1")),
        of(Value::Bool(true)),
        of(Value::Void),
        Some(table(&[])),
    ];
    let cases = [
        (
            Value::I32(1),
            [true, true, true, false, false, false, false],
        ),
        (text("1"), [false, false, false, true, false, false, false]),
        (
            Value::Bool(true),
            [false, false, false, false, true, false, false],
        ),
        (Value::Void, [true, true, true, true, true, true, false]),
    ];
    for (value, expected) in cases {
        let taken = taken_by_headers(&mut client, &broker, &[("a", value)], &messages);
        assert_eq!(taken, expected, "{value:?}");
    }
}

#[test]
fn step_12_other_ways_to_match_are_refused() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    let bind = gantry_amqp::codec::method::queue::Bind {
        queue: short(&queue),
        exchange: short("amq.headers"),
        arguments: table(&[("x-match", text("foo"))]),
        ..Default::default()
    };
    let said = "PRECONDITION_FAILED - Invalid x-match field value <<\"foo\">>; expected all, any, \
                all-with-x, or any-with-x";
    assert_eq!(client.refused(1, bind), close(406, said, (50, 20)));
}

#[test]
fn step_13_a_circle_of_exchanges_takes_a_message_once() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let exchanges = ["a", "b", "c"].map(|role| broker.name(role));
    let queue = broker.name("queue");
    client.private_queue(1, &queue);
    for exchange in &exchanges {
        client.declare_exchange(1, exchange, "fanout");
        client.bind(1, &queue, exchange, "");
    }
    for (from, to) in [(0, 1), (1, 2), (2, 0), (0, 0), (0, 2)] {
        client.bind_exchange(1, &exchanges[to], &exchanges[from], "");
    }
    for exchange in &exchanges {
        assert_eq!(routed(&mut client, exchange, &[("", None)]), [true]);
    }
    assert_eq!(client.look(1, &queue).0, 3);
}

#[test]
fn step_13_bound_exchanges_match_one_after_the_other() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (topic, direct, queue) = (
        broker.name("topic"),
        broker.name("direct"),
        broker.name("q"),
    );
    client.declare_exchange(1, &topic, "topic");
    client.declare_exchange(1, &direct, "direct");
    client.private_queue(1, &queue);
    client.bind_exchange(1, &direct, &topic, "a.*");
    client.bind(1, &queue, &direct, "a.b");
    let keys = [("a.b", None), ("a.c", None), ("b.b", None)];
    assert_eq!(routed(&mut client, &topic, &keys), [true, false, false]);
    let unbind = exchange::Unbind {
        destination: short(&direct),
        source: short(&topic),
        routing_key: short("a.*"),
        ..exchange::Unbind::default()
    };
    due!(client.call(1, unbind), ExchangeUnbindOk);
    assert_eq!(routed(&mut client, &topic, &keys[..1]), [false]);
}

fn with_alternate(name: &str, kind: &str, alternate: &str) -> exchange::Declare {
    exchange::Declare {
        arguments: table(&[("alternate-exchange", text(alternate))]),
        ..exchange_named(name, kind)
    }
}

#[test]
fn step_13_alternate_exchanges_take_what_is_not_routed() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let [first, second, third] = ["first", "second", "third"].map(|role| broker.name(role));
    let queues = ["one", "two", "three"].map(|role| broker.name(role));
    client.declare_exchange_with(1, with_alternate(&first, "direct", &second));
    client.declare_exchange_with(1, with_alternate(&second, "direct", &third));
    client.declare_exchange(1, &third, "fanout");
    for (queue, exchange) in queues.iter().zip([&first, &second, &third]) {
        client.private_queue(1, queue);
        client.bind(1, queue, exchange, exchange);
    }
    let keys = [
        (first.as_str(), None),
        (second.as_str(), None),
        ("nothing", None),
    ];
    assert_eq!(routed(&mut client, &first, &keys), [true, true, true]);
    for (queue, (key, _)) in queues.iter().zip(keys) {
        let message = client.get_with(1, queue, true).unwrap();
        assert_eq!(message.origin(), (first.as_str(), key));
        assert_eq!(message.left(), 0);
    }
}

#[test]
fn step_13_circles_of_alternate_exchanges_and_missing_ones_lead_nowhere() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let [one, two, lost] = ["one", "two", "lost"].map(|role| broker.name(role));
    client.declare_exchange_with(1, with_alternate(&one, "direct", &two));
    client.declare_exchange_with(1, with_alternate(&two, "direct", &one));
    client.declare_exchange_with(1, with_alternate(&lost, "fanout", &broker.name("missing")));
    for exchange in [&one, &two, &lost] {
        assert_eq!(routed(&mut client, exchange, &[("k", None)]), [false]);
    }
}

fn list(texts: &[&str]) -> ArrayBuilder {
    let mut list = ArrayBuilder::new();
    for each in texts {
        list.push(text(each));
    }
    list
}

#[test]
fn step_13_copies_go_to_further_keys_and_blind_ones_are_not_seen() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let [to, copied, blind] = ["to", "copied", "blind"].map(|role| broker.name(role));
    for queue in [&to, &copied, &blind] {
        client.private_queue(1, queue);
    }
    // A queue that is named twice gets one.
    let (open, hidden) = (list(&[&copied, &to]), list(&[&blind, "nowhere"]));
    let headers = table(&[
        ("before", text("kept")),
        ("CC", Value::Array(open.view())),
        ("BCC", Value::Array(hidden.view())),
        ("after", Value::I32(1)),
    ]);
    assert_eq!(routed(&mut client, "", &[(&to, Some(headers))]), [true]);
    for queue in [&to, &copied, &blind] {
        let message = client.get_with(1, queue, true).unwrap();
        assert_eq!(message.left(), 0, "one copy");
        assert_eq!(message.origin(), ("", to.as_str()));
        assert_eq!(message.header("before"), Some(text("kept")));
        assert_eq!(message.header("CC"), Some(Value::Array(open.view())));
        assert_eq!(message.header("BCC"), None);
        assert_eq!(message.header("after"), Some(Value::I32(1)));
    }
}

#[test]
fn step_13_copies_are_lists() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    for name in ["CC", "BCC"] {
        let headers = table(&[(name, text("q"))]);
        let properties = PropertyList {
            headers: Some(headers.view()),
            ..PropertyList::default()
        };
        client.publish_with(1, publish("", "q"), properties, "x");
        let said = format!(
            "PRECONDITION_FAILED - invalid message: {{unacceptable_type_in_header,\"{name}\",longstr}}"
        );
        assert_eq!(client.channel_close(1), close(406, &said, (60, 40)));
        client.open(1);
    }
    client.send(1, basic::Qos::default());
    due!(client.hear(1), BasicQosOk);
}
