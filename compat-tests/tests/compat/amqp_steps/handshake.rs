//! Steps 1 to 5: from the first byte to heartbeats.

use super::broker::Broker;
use super::client::{CAPABILITIES, Client, Terms, close, due, publish, short};
use super::wire::{Heard, Wire};
use bytes::Bytes;
use compat_tests::process::now;
use gantry_amqp::codec::method::connection;
use gantry_amqp::codec::{HEARTBEAT_FRAME, Properties, SUPPORTED, Value};
use std::time::Duration;

/// What the server says to eight bytes, until it closes the stream.
fn refusal(broker: &Broker, header: &[u8; 8]) -> Vec<u8> {
    let mut wire = Wire::dial(&broker.address());
    wire.put(header);
    wire.read_to_end()
}

#[test]
fn step_01_amqp_091_is_answered_with_start() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (_client, start) = Client::greeted(&broker);
    assert_eq!((start.version_major, start.version_minor), (0, 9));
    let mechanisms = String::from_utf8(start.mechanisms.to_vec()).unwrap();
    let mut mechanisms: Vec<&str> = mechanisms.split(' ').collect();
    mechanisms.sort_unstable();
    assert_eq!(mechanisms, ["AMQPLAIN", "PLAIN"]);
    assert_eq!(&start.locales[..], b"en_US");
    let properties = start.server_properties.view();
    assert_said(&start, &["product", "version", "platform"]);
    let Some(Value::Table(capabilities)) = properties.get("capabilities") else {
        panic!("no capabilities in {properties:?}");
    };
    for name in [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
    ] {
        assert_eq!(capabilities.get(name), Some(Value::Bool(true)), "{name}");
    }
}

fn assert_said(start: &connection::Start, names: &[&str]) {
    for name in names {
        let value = start.server_properties.view().get(name);
        let said = value.and_then(Value::text);
        assert!(said.is_some_and(|said| !said.is_empty()), "{name}");
    }
}

#[test]
fn step_01_the_server_says_whose_it_is() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (_client, start) = Client::greeted(&broker);
    assert_said(&start, &["copyright", "information", "cluster_name"]);
}

#[test]
fn step_01_the_historic_header_of_09_is_answered_with_start() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut wire = Wire::dial(&broker.address());
    wire.put(b"AMQP\x01\x01\0\x09");
    let Heard::Method(0, method) = wire.hear() else {
        panic!("no method");
    };
    let start = due!(method, ConnectionStart);
    assert_eq!((start.version_major, start.version_minor), (0, 9));
}

#[test]
fn step_01_every_other_header_is_answered_with_the_supported_one_and_the_end() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let others: [&[u8; 8]; 7] = [
        b"AMQP\x03\x01\0\0",             // 1.0 with SASL
        b"AMQP\0\x01\0\0",               // 1.0
        b"AMQP\0\0\x08\0",               // 0-8
        b"AMQP\x09\x09\x09\x09",         // there never was
        b"GET / HT",                     // a browser
        b"\x16\x03\x01\x02\0\x01\0\x01", // a TLS client
        b"\0\0\0\0\0\0\0\0",
    ];
    for header in others {
        assert_eq!(refusal(&broker, header), SUPPORTED, "{header:?}");
    }
}

#[test]
fn step_01_a_header_may_come_byte_by_byte() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut wire = Wire::dial(&broker.address());
    for byte in SUPPORTED {
        wire.put(&[byte]);
    }
    assert!(matches!(wire.hear(), Heard::Method(0, _)));
}

#[test]
fn step_02_plain_and_amqplain_let_the_user_in() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let amqplain = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest";
    for (mechanism, response) in [("PLAIN", &b"\0guest\0guest"[..]), ("AMQPLAIN", amqplain)] {
        for capabilities in [CAPABILITIES, &[]] {
            let terms = Terms {
                capabilities,
                mechanism,
                response,
                ..Terms::default()
            };
            Client::connect_as(&broker, &terms).close();
        }
    }
}

#[test]
fn step_02_a_wrong_password_is_told_to_clients_that_can_hear_it() {
    let Some(broker) = Broker::start() else {
        return;
    };
    for response in [&b"\0guest\0wrong"[..], b"\0nobody\0guest"] {
        let terms = Terms {
            response,
            ..Terms::default()
        };
        let began = now();
        let client = Client::introduced(&broker, &terms);
        let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
                    For details see the broker logfile.";
        assert_eq!(client.connection_close(), close(403, text, (0, 0)));
        assert!(began.elapsed() < Duration::from_secs(2), "at once");
    }
}

#[test]
fn step_02_a_wrong_password_ends_the_stream_of_other_clients_after_a_while() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let terms = Terms {
        response: b"\0guest\0wrong",
        capabilities: &["basic.nack"],
        ..Terms::default()
    };
    let began = now();
    let mut client = Client::introduced(&broker, &terms);
    client.end();
    let took = began.elapsed();
    let expected = Duration::from_millis(2_500)..Duration::from_secs(6);
    assert!(expected.contains(&took), "{took:?}");
}

#[test]
fn step_02_what_is_no_authentication_is_closed_with_a_reason() {
    let test = "step_02_what_is_no_authentication_is_closed_with_a_reason";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let wrong = [
        ("PLAIN", &b"guest"[..], 502),
        ("NOPE", b"\0guest\0guest", 503),
    ];
    for (mechanism, response, code) in wrong {
        let terms = Terms {
            mechanism,
            response,
            ..Terms::default()
        };
        let close = Client::introduced(&broker, &terms).connection_close();
        assert_eq!(close.reply_code, code, "{close:?}");
        assert_eq!((close.class_id, close.method_id), (10, 11));
    }
}

#[test]
fn step_03_the_server_offers_rabbitmqs_limits() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::introduced(&broker, &Terms::default());
    let tune = due!(client.hear(0), ConnectionTune);
    let offer = connection::Tune {
        channel_max: 2047,
        frame_max: 131_072,
        heartbeat: 60,
    };
    assert_eq!(tune, offer);
}

#[test]
fn step_03_lower_limits_and_any_heartbeat_are_taken() {
    let Some(broker) = Broker::start() else {
        return;
    };
    for (channel_max, frame_max, heartbeat) in [
        (1, 4096, 0),
        (2047, 131_072, 0),
        (100, 8192, 600),
        (1, 131_072, 65_535),
    ] {
        let terms = Terms {
            channel_max,
            frame_max,
            heartbeat,
            ..Terms::default()
        };
        let mut client = Client::connect_as(&broker, &terms);
        client.open(1);
        client.close();
    }
}

#[test]
fn step_03_limits_beyond_the_offer_are_refused_with_a_reason() {
    let test = "step_03_limits_beyond_the_offer_are_refused_with_a_reason";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    for (channel_max, frame_max, text) in [
        (
            0,
            131_072,
            "channel_max = 0 is higher than the maximum allowed value (2047)",
        ),
        (
            2048,
            131_072,
            "channel_max = 2048 is higher than the maximum allowed value (2047)",
        ),
        (
            2047,
            0,
            "frame_max = 0 is higher than the maximum allowed value (131072)",
        ),
        (
            2047,
            131_073,
            "frame_max = 131073 is higher than the maximum allowed value (131072)",
        ),
        (
            2047,
            4095,
            "frame_max = 4095 is lower than the minimum allowed value (4096)",
        ),
    ] {
        let terms = Terms {
            channel_max,
            frame_max,
            ..Terms::default()
        };
        let text = format!("NOT_ALLOWED - negotiated {text}");
        let refused = Client::tuned(&broker, &terms).connection_close();
        assert_eq!(refused, close(530, &text, (10, 31)));
    }
}

#[test]
fn step_03_no_more_channels_than_agreed_on_are_open_at_a_time() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let terms = Terms {
        channel_max: 2,
        ..Terms::default()
    };
    let mut client = Client::connect_as(&broker, &terms);
    client.open(1);
    // They are counted: any number passes.
    client.open(60_000);
    client.close_channel(1);
    client.open(2);
    let open = gantry_amqp::codec::method::channel::Open::default();
    client.send(1, open);
    let text = "NOT_ALLOWED - number of channels opened (2) has reached the negotiated \
                channel_max (2)";
    assert_eq!(client.connection_close(), close(530, text, (0, 0)));
}

#[test]
fn step_03_frames_are_no_longer_than_agreed_on() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let terms = Terms {
        frame_max: 4096,
        ..Terms::default()
    };
    let mut client = Client::connect_as(&broker, &terms);
    client.open(1);
    let queue = broker.name("frames");
    client.private_queue(1, &queue);
    let body: Vec<u8> = (0..20_000).map(|at| (at % 251) as u8).collect();
    let body = Bytes::from(body);
    client.publish_raw(1, publish("", &queue), &Properties::NONE, &body);
    client.wire.frame_limit = 4096 - 8;
    let message = client.get(1, &queue).unwrap();
    assert_eq!(message.body, body);
}

#[test]
fn step_03_a_frame_beyond_the_limit_ends_the_connection() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("frames");
    client.private_queue(1, &queue);
    // Of type 3, on channel 1, a byte longer than what passes.
    client.wire.put(&[3, 0, 1]);
    client.wire.put(&131_073_u32.to_be_bytes());
    let refused = due!(client.hear(0), ConnectionClose);
    let text = "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,131073,131064}";
    assert_eq!((refused.reply_code, refused.reply_text), (501, short(text)));
}

#[test]
fn step_04_a_virtual_host_that_is_not_there_is_refused() {
    let Some(broker) = Broker::start() else {
        return;
    };
    for virtual_host in ["nope", ""] {
        let terms = Terms {
            virtual_host,
            ..Terms::default()
        };
        let refused = Client::tuned(&broker, &terms).connection_close();
        let text = format!("NOT_ALLOWED - vhost {virtual_host} not found");
        assert_eq!(refused, close(530, &text, (10, 40)));
    }
}

#[test]
fn step_05_the_server_sends_heartbeats_and_keeps_who_sends_them() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let terms = Terms {
        heartbeat: 1,
        ..Terms::default()
    };
    let mut client = Client::connect_as(&broker, &terms);
    let began = now();
    let mut heard = 0;
    // Longer than it keeps who is silent.
    while began.elapsed() < Duration::from_secs(5) {
        let within = client.wire.hear_within(Duration::from_millis(1_500));
        assert!(matches!(within, Some(Heard::Heartbeat)), "{within:?}");
        heard += 1;
        client.wire.put(&HEARTBEAT_FRAME);
    }
    // One each half interval.
    assert!((5..=12).contains(&heard), "{heard}");
    client.close();
}

#[test]
fn step_05_who_is_silent_for_three_intervals_is_dropped_without_a_word() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let terms = Terms {
        heartbeat: 1,
        ..Terms::default()
    };
    let mut client = Client::connect_as(&broker, &terms);
    let began = now();
    client.end();
    let took = began.elapsed();
    let expected = Duration::from_millis(1_900)..Duration::from_secs(5);
    assert!(expected.contains(&took), "{took:?}");
}

#[test]
fn step_05_any_traffic_is_a_heartbeat() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let terms = Terms {
        heartbeat: 1,
        ..Terms::default()
    };
    let mut client = Client::connect_as(&broker, &terms);
    let began = now();
    while began.elapsed() < Duration::from_secs(4) {
        let heard = client.wire.hear_within(Duration::from_millis(1_500));
        assert!(matches!(heard, Some(Heard::Heartbeat)), "{heard:?}");
        client.open(1);
        client.close_channel(1);
    }
    client.close();
}

#[test]
fn step_05_without_heartbeats_silence_is_allowed() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::connect(&broker);
    let heard = client.wire.hear_within(Duration::from_secs(4));
    assert!(heard.is_none(), "{heard:?}");
    client.open(1);
    client.close();
}
