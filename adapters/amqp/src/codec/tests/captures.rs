//! What stock clients sent, and what RabbitMQ answered.

use crate::codec::method::{basic, connection};
use crate::codec::{
    Assembler, ClientMethod, Command, Content, ContentMethod, FrameMax, HEARTBEAT_FRAME, Payload,
    Properties, ServerMethod, Value, decode, write_content,
};
use crate::testdata::{Recording, recordings};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;

const MESSAGE_BYTES_MAX: u64 = 1 << 20;

fn recording(name: &str) -> Recording {
    let found = recordings().into_iter().find(|each| each.name == name);
    found.unwrap_or_else(|| panic!("{name} is recorded"))
}

fn commands(recording: &Recording) -> Vec<(u16, Command)> {
    let mut channels = HashMap::new();
    let mut commands = Vec::new();
    for frame in recording.frames() {
        if frame.payload == Payload::Heartbeat {
            continue;
        }
        let assembler = channels
            .entry(frame.channel)
            .or_insert_with(|| Assembler::new(MESSAGE_BYTES_MAX));
        let command = assembler.accept(frame.payload).unwrap();
        commands.extend(command.map(|command| (frame.channel, command)));
    }
    assert!(channels.values().all(|channel| !channel.is_in_content()));
    commands
}

fn publishes(recording: &Recording) -> Vec<(basic::Publish, Content)> {
    let published = commands(recording).into_iter().filter_map(|(_, command)| {
        let Command::Publish(publish, content) = command else {
            return None;
        };
        Some((publish, content))
    });
    published.collect()
}

#[test]
fn what_clients_send_is_understood_to_its_last_byte() {
    let mut messages = 0;
    let mut methods = 0;
    for recording in recordings().iter().filter(|each| each.is_from_client()) {
        for (_, command) in commands(recording) {
            match command {
                Command::Method(_) => methods += 1,
                Command::Publish(_, content) => {
                    let list = content.properties.list();
                    let list = list.unwrap_or_else(|fault| panic!("{}: {fault}", recording.name));
                    assert_eq!(list.encode(), content.properties, "{}", recording.name);
                    messages += 1;
                }
            }
        }
    }
    assert!(methods > 300 && messages == 67, "{methods}, {messages}");
}

#[test]
fn what_clients_sent_is_written_again_byte_for_byte() {
    for recording in recordings().iter().filter(|each| each.is_from_client()) {
        let mut again = BytesMut::new();
        for frame in recording.frames() {
            match frame.payload {
                Payload::Method(payload) => {
                    let method = ClientMethod::decode(&payload).unwrap();
                    method.encode(frame.channel, &mut again);
                }
                other => put_frame(frame.channel, &other, &mut again),
            }
        }
        assert!(again == recording.frame_bytes(), "{}", recording.name);
    }
}

#[test]
fn what_rabbitmq_answered_is_written_again_byte_for_byte() {
    for recording in recordings().iter().filter(|each| !each.is_from_client()) {
        let limit = negotiated(recording);
        let mut again = BytesMut::new();
        let mut frames = recording.frames().into_iter();
        while let Some(frame) = frames.next() {
            let Payload::Method(payload) = frame.payload else {
                assert_eq!(frame.payload, Payload::Heartbeat, "{}", recording.name);
                again.extend_from_slice(&HEARTBEAT_FRAME);
                continue;
            };
            let method = ServerMethod::decode(&payload).unwrap();
            let content = match &method {
                ServerMethod::BasicDeliver(deliver) => ContentMethod::Deliver(deliver),
                ServerMethod::BasicGetOk(got) => ContentMethod::GetOk(got),
                ServerMethod::BasicReturn(returned) => ContentMethod::Return(returned),
                _ => {
                    method.encode(frame.channel, &mut again);
                    continue;
                }
            };
            let Some(Payload::Header(header)) = frames.next().map(|frame| frame.payload) else {
                panic!("{}: a content without its header", recording.name);
            };
            let size = usize::try_from(u64::from_be_bytes(*header[4..].first_chunk().unwrap()));
            let mut body = BytesMut::new();
            while body.len() < size.unwrap() {
                match frames.next().map(|frame| frame.payload) {
                    Some(Payload::Body(part)) => body.extend_from_slice(&part),
                    other => panic!("{}: {other:?}", recording.name),
                }
            }
            let properties = Properties::from_raw(header.slice(12..));
            assert_eq!(properties.list().unwrap().encode(), properties);
            let body = body.freeze();
            write_content(
                frame.channel,
                limit,
                content,
                &properties,
                &body,
                &mut again,
            )
            .unwrap();
        }
        assert!(again == recording.frame_bytes(), "{}", recording.name);
    }
}

/// The frame limit in the client's tune-ok.
fn negotiated(answers: &Recording) -> FrameMax {
    let requests = recording(&answers.name.replace("s2c", "c2s"));
    let tuned = commands(&requests).into_iter().find_map(|(_, command)| {
        let Command::Method(ClientMethod::ConnectionTuneOk(tuned)) = command else {
            return None;
        };
        Some(tuned.frame_max)
    });
    FrameMax::new(tuned.unwrap_or_default())
}

fn put_frame(channel: u16, payload: &Payload, out: &mut BytesMut) {
    let (kind, payload) = match payload {
        Payload::Method(payload) => (1, payload),
        Payload::Header(payload) => (2, payload),
        Payload::Body(payload) => (3, payload),
        Payload::Heartbeat => (8, &Bytes::new()),
    };
    out.unsplit(super::frame(kind, channel, payload));
}

#[test]
fn every_type_is_read_as_rabbitmq_reads_it() {
    let (_, content) = publishes(&recording("raw-fields-1.c2s.bin")).remove(0);
    let list = content.properties.list().unwrap();
    let headers = list.headers.unwrap();
    let tags: String = headers
        .iter()
        .map(|field| char::from(field.value.tag()))
        .collect();
    for tag in "tbBsuIilfdDSATFVx".chars() {
        assert!(tags.contains(tag), "{tag} in {tags}");
    }
    let raw: Vec<_> = headers.iter().map(|field| field.raw_bytes()).collect();
    assert_eq!(raw.concat(), headers.raw());
    assert!(headers.iter().any(|field| field.value == Value::Bool(true)));
    assert_eq!(list.priority, Some(255));
    assert_eq!(list.timestamp, Some(1 << 63));
}

#[test]
fn a_body_of_one_frame_is_not_copied_and_others_are_put_together() {
    let sizes: Vec<_> = publishes(&recording("pika-basic-1.c2s.bin"))
        .iter()
        .map(|(_, content)| content.body.len())
        .collect();
    assert!(sizes.contains(&0) && sizes.contains(&20_480), "{sizes:?}");
    let [(_, large)] = &publishes(&recording("amqp091-go-body-131072-1.c2s.bin"))[..] else {
        panic!("one message");
    };
    assert_eq!(large.body.len(), 140_000);

    let [start_ok, ..] = &commands(&recording("java-basic-1.c2s.bin"))[..] else {
        panic!("no commands");
    };
    let Command::Method(ClientMethod::ConnectionStartOk(start_ok)) = &start_ok.1 else {
        panic!("{start_ok:?}");
    };
    assert_eq!(&start_ok.response[..], b"\0guest\0guest");
    let product = start_ok.client_properties.view().get("product").unwrap();
    assert_eq!(product.text(), Some("RabbitMQ"));
    let capabilities = start_ok.client_properties.view().get("capabilities");
    let Some(Value::Table(capabilities)) = capabilities else {
        panic!("{capabilities:?}");
    };
    assert_eq!(capabilities.get("basic.nack"), Some(Value::Bool(true)));
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let recording = recording("lapin-basic-1.c2s.bin");
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    for byte in recording.frame_bytes() {
        buffer.extend_from_slice(&[byte]);
        frames.extend(decode(&mut buffer, FrameMax::new(8192)).unwrap());
    }
    assert_eq!(frames, recording.frames());
}

#[test]
fn rabbitmqs_closes_are_our_closes() {
    for (name, code, text) in [
        ("pika-connection-error-1", 503, "COMMAND_INVALID - "),
        ("pika-auth-failure-1", 403, "ACCESS_REFUSED - "),
        ("pika-vhost-missing-1", 530, "NOT_ALLOWED - "),
    ] {
        let recording = recording(&format!("{name}.s2c.bin"));
        let close = recording.frames().into_iter().find_map(|frame| {
            let Payload::Method(payload) = frame.payload else {
                return None;
            };
            match ServerMethod::decode(&payload).unwrap() {
                ServerMethod::ConnectionClose(close) => Some(close),
                _ => None,
            }
        });
        let connection::Close {
            reply_code,
            reply_text,
            ..
        } = close.unwrap();
        assert_eq!(reply_code, code, "{name}");
        assert!(reply_text.starts_with(text), "{name}: {reply_text}");
    }
}
