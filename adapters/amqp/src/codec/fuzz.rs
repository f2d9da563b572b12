//! Any bytes at all, for fuzzers and the tests' fixed seeds. None of these may panic.

use super::{
    Assembler, ClientMethod, Command, ContentMethod, FrameMax, Properties, ServerMethod, Table,
    TableView, Value, decode, write_content,
};
use bytes::{Bytes, BytesMut};

/// Bodies longer than this are refused.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;

/// Decodes `data` as a client's frames and what they carry, and writes again what came out.
pub fn fuzz_frames(data: &[u8]) {
    let mut buffer = BytesMut::from(data);
    let mut assembler = Assembler::new(MESSAGE_BYTES_MAX);
    let mut out = BytesMut::new();
    loop {
        let frame = match decode(&mut buffer, FrameMax::OFFERED) {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(error) if error.ends_input() => {
                let _ = error.close();
                return;
            }
            Err(error) => {
                let _ = error.close();
                continue;
            }
        };
        out.clear();
        match assembler.accept(frame.payload) {
            Ok(Some(Command::Method(method))) => method.encode(frame.channel, &mut out),
            Ok(Some(Command::Publish(publish, content))) => {
                walk_properties(&content.properties);
                let method = ContentMethod::Publish(&publish);
                let (properties, body) = (&content.properties, &content.body);
                let limit = FrameMax::LEAST;
                let written =
                    write_content(frame.channel, limit, method, properties, body, &mut out);
                assert_eq!(written.is_ok(), !out.is_empty(), "all or nothing");
            }
            Ok(None) => {}
            Err(error) => {
                let _ = error.close();
            }
        }
    }
}

/// Decodes `data` as the payload of method frames of either side.
pub fn fuzz_methods(data: &[u8]) {
    let payload = Bytes::copy_from_slice(data);
    let mut out = BytesMut::new();
    if let Ok(method) = ClientMethod::decode(&payload) {
        method.encode(1, &mut out);
    }
    if let Ok(method) = ServerMethod::decode(&payload) {
        method.encode(1, &mut out);
    }
}

/// Decodes `data` as a table and as properties, and visits all values.
pub fn fuzz_tables(data: &[u8]) {
    let raw = Bytes::copy_from_slice(data);
    if let Ok(table) = Table::parse(raw.clone()) {
        walk(Value::Table(table.view()));
    }
    walk_properties(&Properties::from_raw(raw));
}

fn walk_properties(properties: &Properties) {
    if let Ok(list) = properties.list() {
        let again = list.encode();
        assert_eq!(again.raw(), properties.raw(), "nothing was changed");
        walk(Value::Table(list.headers.unwrap_or_default()));
    }
}

fn walk(root: Value<'_>) {
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        match value {
            Value::Table(table) => {
                let bytes: usize = table.iter().map(|field| field.raw_bytes().len()).sum();
                assert_eq!(bytes, TableView::raw(table).len(), "fields fill a table");
                open.extend(table.iter().map(|field| field.value));
            }
            Value::Array(array) => open.extend(array),
            _ => {}
        }
    }
}
