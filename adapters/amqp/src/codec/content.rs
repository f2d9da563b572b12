//! What comes on one channel: methods, and messages put together from method, header and bodies.

use super::error::Octets;
use super::frame::{HEARTBEAT, Payload};
use super::method::{Method, basic};
use super::write::{CONTENT_CLASS, CONTENT_HEADER_BYTES};
use super::{ClientMethod, DecodeError, MethodId, Properties};
use bytes::{Bytes, BytesMut};

/// What a client asks of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Everything but a message.
    Method(ClientMethod),
    /// A message.
    Publish(basic::Publish, Content),
}

/// A message's properties and body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// As they came; nobody has looked into them yet.
    pub properties: Properties,
    /// A body that came in one frame shares that frame's bytes; any other is a copy.
    pub body: Bytes,
}

/// Puts the frames of one channel together.
///
/// Bytes are kept as they come; what is reserved for a size that is only announced is never more
/// than sixteen times as much.
#[derive(Debug)]
pub struct Assembler {
    message_bytes_max: u64,
    awaited: Awaited,
    // The message that has begun. In place: moving it from state to state costs more than all
    // else that is done to a small one.
    publish: basic::Publish,
    properties: Properties,
    declared: u64,
    /// The body, when it comes in several frames.
    body: BytesMut,
}

/// What is reserved for a body, by the bytes of it that have come.
const RESERVED_FACTOR: usize = 16;

/// Which frame a channel waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Method,
    /// A method: a message has just ended at its header. Some clients send an empty body frame
    /// after it, for which RabbitMQ closes the connection.
    MethodAfterEmpty,
    Header,
    Body,
}

impl Assembler {
    /// An assembler of a channel just opened. A message may have `message_bytes_max` bytes of
    /// body.
    #[must_use]
    pub fn new(message_bytes_max: u64) -> Self {
        Self {
            message_bytes_max,
            awaited: Awaited::Method,
            publish: basic::Publish::default(),
            properties: Properties::NONE,
            declared: 0,
            body: BytesMut::new(),
        }
    }

    /// Takes the next frame's payload; gives what it completes.
    ///
    /// # Errors
    /// Those of [`ClientMethod::decode`]; 505 for a frame out of order; 501 for more body than
    /// declared; 406 for a message over the limit, whose bodies are the caller's to drop, as is
    /// all that comes on a channel that is being closed. The message that had begun is forgotten.
    pub fn accept(&mut self, payload: Payload) -> Result<Option<Command>, DecodeError> {
        let awaited = std::mem::replace(&mut self.awaited, Awaited::Method);
        match (awaited, payload) {
            (Awaited::Method | Awaited::MethodAfterEmpty, Payload::Method(payload)) => {
                if let Some(publish) = basic::Publish::decode(&payload) {
                    self.publish = publish?;
                    self.awaited = Awaited::Header;
                    return Ok(None);
                }
                Ok(Some(Command::Method(ClientMethod::decode(&payload)?)))
            }
            (Awaited::MethodAfterEmpty, Payload::Body(body)) if body.is_empty() => Ok(None),
            (Awaited::Header, Payload::Header(header)) => self.begin(&header),
            (Awaited::Body, Payload::Body(body)) => self.add(body),
            (awaited, payload) => {
                self.body = BytesMut::new();
                Err(out_of_order(awaited, &payload))
            }
        }
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub const fn is_in_content(&self) -> bool {
        matches!(self.awaited, Awaited::Header | Awaited::Body)
    }

    fn begin(&mut self, header: &Bytes) -> Result<Option<Command>, DecodeError> {
        let Some(&[c1, c0, 0, 0, s7, s6, s5, s4, s3, s2, s1, s0]) =
            header.first_chunk::<CONTENT_HEADER_BYTES>()
        else {
            return Err(DecodeError::ExpectedHeader(PUBLISH));
        };
        let class = u16::from_be_bytes([c1, c0]);
        if class != CONTENT_CLASS {
            return Err(DecodeError::HeaderClass {
                method: PUBLISH,
                found: class,
            });
        }
        let declared = u64::from_be_bytes([s7, s6, s5, s4, s3, s2, s1, s0]);
        if declared > self.message_bytes_max {
            return Err(DecodeError::MessageTooLarge {
                method: PUBLISH,
                bytes: declared,
                bytes_max: self.message_bytes_max,
            });
        }
        self.properties = Properties::from_raw(header.slice(CONTENT_HEADER_BYTES..));
        if declared == 0 {
            self.awaited = Awaited::MethodAfterEmpty;
            return Ok(Some(self.end(Bytes::new())));
        }
        self.declared = declared;
        self.awaited = Awaited::Body;
        Ok(None)
    }

    fn add(&mut self, body: Bytes) -> Result<Option<Command>, DecodeError> {
        let so_far = self.body.len() + body.len();
        if so_far as u64 > self.declared {
            self.body = BytesMut::new();
            return Err(DecodeError::BodyTooLong {
                method: PUBLISH,
                declared: self.declared,
            });
        }
        let is_whole = so_far as u64 == self.declared;
        if is_whole && self.body.is_empty() {
            return Ok(Some(self.end(body)));
        }
        if self.body.capacity() < so_far {
            let declared = usize::try_from(self.declared).unwrap_or(usize::MAX);
            let room = declared.min(so_far.saturating_mul(RESERVED_FACTOR));
            self.body.reserve(room - self.body.len());
        }
        self.body.extend_from_slice(&body);
        if is_whole {
            let body = std::mem::take(&mut self.body).freeze();
            return Ok(Some(self.end(body)));
        }
        self.awaited = Awaited::Body;
        Ok(None)
    }

    fn end(&mut self, body: Bytes) -> Command {
        let properties = std::mem::take(&mut self.properties);
        let content = Content { properties, body };
        Command::Publish(std::mem::take(&mut self.publish), content)
    }
}

const PUBLISH: MethodId = <basic::Publish as Method>::ID;

fn out_of_order(awaited: Awaited, payload: &Payload) -> DecodeError {
    match (awaited, payload) {
        (_, Payload::Heartbeat) => DecodeError::UnexpectedFrame {
            kind: HEARTBEAT,
            octets: Octets::of(&[]),
        },
        (Awaited::Method | Awaited::MethodAfterEmpty, _) => DecodeError::ExpectedMethod,
        (Awaited::Header, _) => DecodeError::ExpectedHeader(PUBLISH),
        (Awaited::Body, _) => DecodeError::ExpectedBody(PUBLISH),
    }
}
