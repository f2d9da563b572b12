use super::{Control, Credentials, Event, Profile, RABBITMQ_CAPABILITIES, Settings};
use crate::codec::method::{basic, channel, connection};
use crate::codec::{
    ClientMethod, DecodeError, FrameMax, HEARTBEAT_FRAME, MethodId, Payload, ProtocolHeader,
    ReplyCode, ServerMethod, ShortString, Table, decode,
};
use crate::testdata::{Recording, recordings};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const NOW: Duration = Duration::ZERO;

/// RabbitMQ 3.10.8 as it was recorded.
fn recorded_settings() -> Settings {
    let text = |text: &str| text.to_owned();
    Settings {
        profile: Profile {
            capabilities: RABBITMQ_CAPABILITIES.map(text).to_vec(),
            product: text("RabbitMQ"),
            version: text("3.10.8"),
            platform: text("Erlang/OTP 25.2.3"),
            copyright: Some(text(
                "Copyright (c) 2007-2022 VMware, Inc. or its affiliates.",
            )),
            information: Some(text(
                "Licensed under the MPL 2.0. Website: https://rabbitmq.com",
            )),
            cluster_name: text("peer@vm"),
        },
        ..Settings::default()
    }
}

fn control() -> Control {
    Control::new(Arc::new(recorded_settings()))
}

/// What a test's server finds out, and answers.
fn settle(control: &mut Control, event: Option<Event>, out: &mut BytesMut) {
    match event {
        Some(Event::Authenticate(Credentials::Password { user, password })) => {
            if user == "guest" && password == "guest" {
                control.authenticated(out);
            } else {
                control.refuse_credentials(NOW, out);
            }
        }
        Some(Event::OpenVirtualHost(name)) => match name.as_str() {
            "/" => control.opened(out),
            name => control.refuse_open(&format!("vhost {name} not found"), NOW, out),
        },
        Some(Event::Finished) | None => {}
        other => panic!("{other:?}"),
    }
}

/// The methods of channel 0 in `bytes`, one after another as they were written.
fn channel_0(mut bytes: BytesMut) -> BytesMut {
    let mut out = BytesMut::new();
    while let Some(frame) = decode(&mut bytes, FrameMax::OFFERED).unwrap() {
        if let (0, Payload::Method(payload)) = (frame.channel, frame.payload) {
            ServerMethod::decode(&payload).unwrap().encode(0, &mut out);
        }
    }
    out
}

fn replay(requests: &Recording) -> (Control, BytesMut) {
    let mut control = control();
    let mut out = BytesMut::new();
    let greeted = control.greet(ProtocolHeader::Amqp091, &mut out);
    assert_eq!(greeted, None);
    for frame in requests.frames() {
        let Payload::Method(payload) = frame.payload else {
            continue;
        };
        let method = ClientMethod::decode(&payload).unwrap();
        if let ClientMethod::ExchangeDeclare(declare) = &method
            && declare.kind.as_str() == "nosuchtype"
        {
            let text = ReplyCode::CommandInvalid.text("unknown exchange type 'nosuchtype'");
            let close = connection::Close::new(ReplyCode::CommandInvalid, text, method.id());
            control.close(close, NOW, &mut out);
        }
        if frame.channel == 0 {
            let event = control.accept(method, NOW, &mut out);
            settle(&mut control, event, &mut out);
        }
    }
    (control, out)
}

#[test]
fn every_recorded_client_gets_what_rabbitmq_gave_it() {
    let recordings = recordings();
    let find = |name: String| recordings.iter().find(|each| each.name == name).unwrap();
    let mut connections = 0;
    for requests in recordings.iter().filter(|each| each.is_from_client()) {
        let answers = find(requests.name.replace("c2s", "s2c"));
        let (_, ours) = replay(requests);
        let theirs = channel_0(BytesMut::from(&answers.bytes[..]));
        assert_eq!(ours, theirs, "{}", requests.name);
        connections += 1;
    }
    assert_eq!(connections, 24);
}

fn method(method: impl Into<ClientMethod>) -> ClientMethod {
    method.into()
}

fn start_ok(response: &'static [u8]) -> ClientMethod {
    method(connection::StartOk {
        client_properties: Table::default(),
        mechanism: ShortString::from_static("PLAIN"),
        response: Bytes::from_static(response),
        locale: ShortString::from_static("en_US"),
    })
}

fn tune_ok(channel_max: u16, frame_max: u32, heartbeat: u16) -> ClientMethod {
    method(connection::TuneOk {
        channel_max,
        frame_max,
        heartbeat,
    })
}

fn open() -> ClientMethod {
    method(connection::Open {
        virtual_host: ShortString::from_static("/"),
        ..connection::Open::default()
    })
}

/// A control that has taken all of `methods`, and what it wrote to the last.
fn after(methods: impl IntoIterator<Item = ClientMethod>) -> (Control, BytesMut) {
    let mut control = control();
    let mut out = BytesMut::new();
    assert_eq!(control.greet(ProtocolHeader::Amqp091, &mut out), None);
    for method in methods {
        out.clear();
        let event = control.accept(method, NOW, &mut out);
        settle(&mut control, event, &mut out);
    }
    (control, out)
}

fn running(heartbeat: u16) -> Control {
    let (control, _) = after([
        start_ok(b"\0guest\0guest"),
        tune_ok(2047, 131_072, heartbeat),
        open(),
    ]);
    assert!(control.is_running());
    control
}

/// The close in `out`: code, text, method.
fn close_in(out: &mut BytesMut) -> (u16, String, MethodId) {
    let frame = decode(out, FrameMax::OFFERED).unwrap().unwrap();
    let Payload::Method(payload) = frame.payload else {
        panic!("{frame:?}");
    };
    match ServerMethod::decode(&payload).unwrap() {
        ServerMethod::ConnectionClose(close) => (
            close.reply_code,
            close.reply_text.to_string(),
            MethodId::new(close.class_id, close.method_id),
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_protocols_are_told_which_is_spoken() {
    for header in [ProtocolHeader::Amqp10Sasl, ProtocolHeader::HttpRequest] {
        let mut control = control();
        let mut out = BytesMut::new();
        assert_eq!(control.greet(header, &mut out), Some(Event::Finished));
        assert_eq!(&out[..], b"AMQP\0\0\x09\x01");
        assert_eq!(control.deadline(), None);
    }
}

#[test]
fn a_client_too_old_to_be_told_waits_and_is_dropped() {
    let (mut control, mut out) = after([start_ok(b"\0guest\0wrong")]);
    assert!(out.is_empty());
    let until = Duration::from_secs(3);
    assert_eq!(control.deadline(), Some(until));
    assert_eq!(
        control.expire(until - Duration::from_millis(1), &mut out),
        None
    );
    assert_eq!(control.expire(until, &mut out), Some(Event::Drop));
    assert!(out.is_empty());
}

#[test]
fn what_does_not_belong_into_a_handshake_is_refused_aloud() {
    let guest = || start_ok(b"\0guest\0guest");
    for (methods, code, text) in [
        (
            vec![start_ok(b"guest")],
            502,
            "SYNTAX_ERROR - PLAIN response invalid",
        ),
        (
            vec![open()],
            504,
            "CHANNEL_ERROR - unexpected method in connection state starting",
        ),
        (
            vec![guest(), tune_ok(2048, 131_072, 0)],
            530,
            "NOT_ALLOWED - negotiated channel_max = 2048 is higher than the maximum allowed value \
             (2047)",
        ),
        (
            vec![guest(), tune_ok(0, 131_072, 0)],
            530,
            "NOT_ALLOWED - negotiated channel_max = 0 is higher than the maximum allowed value \
             (2047)",
        ),
        (
            vec![guest(), tune_ok(1, 4095, 0)],
            530,
            "NOT_ALLOWED - negotiated frame_max = 4095 is lower than the minimum allowed value \
             (4096)",
        ),
        (
            vec![guest(), tune_ok(1, 4096, 0), open(), guest()],
            504,
            "CHANNEL_ERROR - unexpected method in connection state running",
        ),
        (
            vec![
                guest(),
                tune_ok(1, 4096, 0),
                open(),
                method(channel::Open::default()),
            ],
            504,
            "CHANNEL_ERROR - unexpected method in connection state running",
        ),
    ] {
        let id = methods.last().unwrap().id();
        let (control, mut out) = after(methods);
        assert_eq!(close_in(&mut out), (code, text.to_owned(), id));
        assert!(control.is_closing());
    }
}

#[test]
fn limits_are_those_of_tune_ok() {
    let (control, _) = after([start_ok(b"\0guest\0guest")]);
    assert_eq!(control.frame_max(), FrameMax::BEFORE_TUNE);
    let (control, _) = after([start_ok(b"\0guest\0guest"), tune_ok(7, 4096, 5)]);
    assert_eq!(control.frame_max(), FrameMax::LEAST);
    let tuned = control.tuned().unwrap();
    assert_eq!(tuned.channel_max, 7);
    assert_eq!(tuned.heartbeat, Some(Duration::from_secs(5)));
}

#[test]
fn a_client_that_does_not_open_is_dropped() {
    let mut out = BytesMut::new();
    let mut control = control();
    let late = Duration::from_secs(10);
    assert_eq!(control.deadline(), Some(late));
    assert_eq!(control.expire(late, &mut out), Some(Event::Drop));
    let (mut control, _) = after([start_ok(b"\0guest\0guest"), tune_ok(1, 4096, 1)]);
    assert_eq!(control.deadline(), Some(late), "no heartbeat counts yet");
    assert_eq!(control.expire(late, &mut out), Some(Event::Drop));
    assert!(out.is_empty());
}

#[test]
fn heartbeats_fill_silence_and_three_of_the_clients_may_fail() {
    let mut control = running(2);
    let mut out = BytesMut::new();
    let at = Duration::from_millis;
    assert_eq!(control.deadline(), Some(at(1000)));
    control.note_sent(at(500));
    assert_eq!(control.deadline(), Some(at(1500)));
    assert_eq!(control.expire(at(1000), &mut out), None);
    assert!(out.is_empty(), "something else was written");
    assert_eq!(control.expire(at(1500), &mut out), None);
    assert_eq!(out[..], HEARTBEAT_FRAME);
    control.note_received(at(4000));
    assert_eq!(control.expire(at(9999), &mut out), None);
    assert_eq!(control.expire(at(10_000), &mut out), Some(Event::Drop));
    assert_eq!(running(0).deadline(), None);
}

#[test]
fn a_close_of_ours_lets_the_client_read_it() {
    let mut control = running(0);
    let mut out = BytesMut::new();
    let method_id = MethodId::new(60, 40);
    let too_large = DecodeError::MessageTooLarge {
        method: method_id,
        bytes: 2,
        bytes_max: 1,
    };
    control.fail(&too_large, NOW, &mut out);
    assert!(control.is_running(), "that ends its channel only");
    control.fail(&DecodeError::ExpectedMethod, NOW, &mut out);
    let (code, _, id) = close_in(&mut out);
    assert_eq!((code, id), (505, MethodId::NONE));
    assert!(control.is_closing() && !control.is_running());
    // What it goes on sending is dropped, and a second mistake is not told.
    let acked = control.accept(method(basic::Ack::default()), NOW, &mut out);
    assert_eq!(acked, None);
    control.fail(&DecodeError::ExpectedMethod, NOW, &mut out);
    assert!(out.is_empty());
    // Both close at once.
    let close = method(connection::Close::default());
    assert_eq!(control.accept(close, NOW, &mut out), None);
    assert!(!out.is_empty());
    assert_eq!(control.deadline(), Some(Duration::from_secs(30)));
    let close_ok = method(connection::CloseOk {});
    assert_eq!(
        control.accept(close_ok, NOW, &mut out),
        Some(Event::Finished)
    );

    let mut control = running(0);
    let end = DecodeError::FrameTooLarge {
        kind: 3,
        bytes: 5000,
        bytes_max: 4088,
    };
    control.fail(&end, NOW, &mut out);
    assert_eq!(control.deadline(), Some(Duration::from_secs(3)));
}

#[test]
fn a_secret_may_be_renewed() {
    let mut control = running(0);
    let mut out = BytesMut::new();
    let update = method(connection::UpdateSecret {
        new_secret: Bytes::from_static(b"token"),
        reason: ShortString::default(),
    });
    let event = control.accept(update, NOW, &mut out);
    assert_eq!(
        event,
        Some(Event::UpdateSecret(Bytes::from_static(b"token")))
    );
    control.secret_updated(&mut out);
    let payload = &out[7..11];
    assert_eq!(payload, [0, 10, 0, 71]);
    let named = control.client().text("product");
    assert_eq!(named, None);
}

proptest! {
    #[test]
    fn methods_in_any_order_at_any_time_end_in_one_close_at_most(
        steps in proptest::collection::vec((0usize..400, 0u64..2_000), 0..40),
    ) {
        let mut methods: Vec<_> = recordings()
            .iter()
            .filter(|recording| recording.is_from_client())
            .flat_map(Recording::frames)
            .filter_map(|frame| match frame.payload {
                Payload::Method(payload) if frame.channel == 0 => {
                    Some(ClientMethod::decode(&payload).unwrap())
                }
                _ => None,
            })
            .collect();
        methods.push(method(connection::CloseOk {}));
        let mut control = control();
        let mut out = BytesMut::new();
        prop_assert_eq!(control.greet(ProtocolHeader::Amqp091, &mut out), None);
        let mut now = NOW;
        let mut closes = 0;
        for (index, millis) in steps {
            now += Duration::from_millis(millis);
            out.clear();
            if control.deadline().is_some_and(|deadline| deadline <= now) {
                let event = control.expire(now, &mut out);
                prop_assert!(event.is_some() || !out.is_empty(), "something was due");
            }
            let event = control.accept(methods[index % methods.len()].clone(), now, &mut out);
            if let Some(Event::UpdateSecret(_)) = event {
                continue;
            }
            settle(&mut control, event, &mut out);
            while let Some(frame) = decode(&mut out, FrameMax::OFFERED).unwrap() {
                let Payload::Method(payload) = frame.payload else {
                    continue;
                };
                let said = ServerMethod::decode(&payload).unwrap();
                closes += usize::from(matches!(said, ServerMethod::ConnectionClose(_)));
            }
        }
        prop_assert!(closes <= 1);
        prop_assert!(closes == 0 || control.is_closing());
    }
}
