//! Frames over a bare socket: what the server said last, within a deadline.

use bytes::{Bytes, BytesMut};
use compat_tests::process::now;
use gantry_amqp::codec::{
    ClientMethod, FrameMax, Payload, Properties, ServerMethod, Value, decode,
};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long the server may think.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub struct Wire {
    stream: TcpStream,
    input: BytesMut,
    /// Longest payload in bytes that the server may send.
    pub frame_limit: usize,
    /// Messages whose bodies have not all come, by channel.
    begun: BTreeMap<u16, Begun>,
}

struct Begun {
    method: ServerMethod,
    header: Option<(Properties, usize)>,
    body: BytesMut,
}

/// What the server says.
#[derive(Debug)]
pub enum Heard {
    Method(u16, ServerMethod),
    Message(u16, Message),
    Heartbeat,
    /// It closed the stream.
    End,
}

/// A delivered, fetched or returned message.
#[derive(Clone, Debug)]
pub struct Message {
    pub method: ServerMethod,
    pub properties: Properties,
    pub body: Bytes,
}

impl Wire {
    pub fn dial(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            input: BytesMut::new(),
            frame_limit: usize::MAX,
            begun: BTreeMap::new(),
        }
    }

    /// Writes `bytes`. That nobody reads them any more shows in what is heard.
    pub fn put(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    pub fn send(&mut self, channel: u16, method: impl Into<ClientMethod>) {
        let mut out = BytesMut::new();
        method.into().encode(channel, &mut out);
        self.put(&out);
    }

    /// All bytes until the server closes the stream.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while self.read(PATIENCE).expect("an end") {}
        self.input.split().to_vec()
    }

    /// The next thing.
    pub fn hear(&mut self) -> Heard {
        let heard = self.hear_within(PATIENCE);
        heard.expect("the server says nothing")
    }

    /// The next thing, if it comes within `time`.
    pub fn hear_within(&mut self, time: Duration) -> Option<Heard> {
        let deadline = now() + time;
        loop {
            let limit = FrameMax::new(u32::MAX);
            while let Some(frame) = decode(&mut self.input, limit).unwrap() {
                if let Some(heard) = self.sort(frame.channel, frame.payload) {
                    return Some(heard);
                }
            }
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                return None;
            }
            if !self.read(left)? {
                return Some(Heard::End);
            }
        }
    }

    /// Reads what there is; whether there was anything before the end. Nothing once `time` is up.
    fn read(&mut self, time: Duration) -> Option<bool> {
        let mut chunk = vec![0; 1 << 16];
        self.stream.set_read_timeout(Some(time)).unwrap();
        match self.stream.read(&mut chunk) {
            Ok(count) => {
                self.input.extend_from_slice(&chunk[..count]);
                Some(count > 0)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                None
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Some(true),
            Err(error) => {
                let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
                assert!(kinds.contains(&error.kind()), "{error}");
                Some(false)
            }
        }
    }

    fn sort(&mut self, channel: u16, payload: Payload) -> Option<Heard> {
        match payload {
            Payload::Method(payload) => {
                let method = ServerMethod::decode(&payload).unwrap();
                if !has_content(&method) {
                    return Some(Heard::Method(channel, method));
                }
                let begun = Begun {
                    method,
                    header: None,
                    body: BytesMut::new(),
                };
                self.begun.insert(channel, begun);
            }
            Payload::Header(header) => {
                let size = u64::from_be_bytes(header[4..12].try_into().unwrap());
                let properties = Properties::from_raw(header.slice(12..));
                let begun = self.begun.get_mut(&channel).unwrap();
                begun.header = Some((properties, size as usize));
            }
            Payload::Body(body) => {
                assert!(body.len() <= self.frame_limit, "{} bytes", body.len());
                let begun = self.begun.get_mut(&channel).unwrap();
                begun.body.extend_from_slice(&body);
            }
            Payload::Heartbeat => return Some(Heard::Heartbeat),
        }
        self.whole(channel)
    }

    fn whole(&mut self, channel: u16) -> Option<Heard> {
        let (_, size) = self.begun.get(&channel)?.header.as_ref()?;
        if self.begun[&channel].body.len() < *size {
            return None;
        }
        let begun = self.begun.remove(&channel)?;
        let message = Message {
            method: begun.method,
            properties: begun.header?.0,
            body: begun.body.freeze(),
        };
        Some(Heard::Message(channel, message))
    }
}

const fn has_content(method: &ServerMethod) -> bool {
    matches!(
        method,
        ServerMethod::BasicDeliver(_) | ServerMethod::BasicGetOk(_) | ServerMethod::BasicReturn(_)
    )
}

impl Message {
    /// Its delivery tag.
    pub fn tag(&self) -> u64 {
        match &self.method {
            ServerMethod::BasicDeliver(method) => method.delivery_tag,
            ServerMethod::BasicGetOk(method) => method.delivery_tag,
            other => panic!("{other:?} has no tag"),
        }
    }

    pub fn redelivered(&self) -> bool {
        match &self.method {
            ServerMethod::BasicDeliver(method) => method.redelivered,
            ServerMethod::BasicGetOk(method) => method.redelivered,
            other => panic!("{other:?} is not delivered"),
        }
    }

    /// The tag of the consumer it is for.
    pub fn consumer(&self) -> &str {
        match &self.method {
            ServerMethod::BasicDeliver(method) => &method.consumer_tag,
            other => panic!("{other:?} is for no consumer"),
        }
    }

    /// The exchange and the routing key.
    pub fn origin(&self) -> (&str, &str) {
        match &self.method {
            ServerMethod::BasicDeliver(method) => (&method.exchange, &method.routing_key),
            ServerMethod::BasicGetOk(method) => (&method.exchange, &method.routing_key),
            ServerMethod::BasicReturn(method) => (&method.exchange, &method.routing_key),
            other => panic!("{other:?} has no origin"),
        }
    }

    /// How many are ready after it.
    pub fn left(&self) -> u32 {
        match &self.method {
            ServerMethod::BasicGetOk(method) => method.message_count,
            other => panic!("{other:?} does not count"),
        }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// One of its headers.
    pub fn header(&self, name: &str) -> Option<Value<'_>> {
        self.properties.list().unwrap().headers?.get(name)
    }
}
