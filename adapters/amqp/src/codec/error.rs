//! Whose fault it is, at which method, and how the peer is told.

use super::method::{MethodId, connection};
use super::properties::PropertyFault;
use super::table::TableFault;
use super::{ReplyCode, Scope};
use std::fmt;

/// Why bytes are not what a client may send. Its text is RabbitMQ's wherever RabbitMQ has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// 501: a frame over the limit, known by its first seven bytes.
    #[error("type {kind}, all octets = <<>>: {{frame_too_large,{bytes},{bytes_max}}}")]
    FrameTooLarge {
        /// The frame's type.
        kind: u8,
        /// Bytes of its payload.
        bytes: u32,
        /// Bytes of a payload that a sender keeps to.
        bytes_max: u32,
    },
    /// 501: the octet after the payload.
    #[error("type {kind}, {octets}: {{invalid_frame_end_marker,{found}}}")]
    FrameEnd {
        /// The frame's type.
        kind: u8,
        /// Its payload.
        octets: Octets,
        /// What stands in place of 0xCE.
        found: u8,
    },
    /// 501: a type there is not, a heartbeat with a payload, or a frame too short for its type.
    #[error("type {kind}, {octets}: unknown_frame")]
    UnknownFrame {
        /// The frame's type.
        kind: u8,
        /// Its payload.
        octets: Octets,
    },
    /// 501: arguments cut short, or octets left over.
    #[error("cannot decode {octets}")]
    Arguments {
        /// Whose arguments.
        method: MethodId,
        /// All of them.
        octets: Octets,
    },
    /// 501: a name that is no text.
    #[error("Malformed UTF-8 in shortstr")]
    NotUtf8,
    /// 501: more body than the content header said. RabbitMQ only notices at the next method.
    #[error("content body of more than the declared {declared} bytes")]
    BodyTooLong {
        /// Of the content.
        method: MethodId,
        /// The body's size in the content header.
        declared: u64,
    },
    /// 502: a table in arguments. RabbitMQ closes the socket without a word.
    #[error("{fault}")]
    Table {
        /// Whose arguments.
        method: MethodId,
        /// What is wrong with it.
        fault: TableFault,
    },
    /// 502: properties of a message. RabbitMQ answers 541, if anything ever reads them.
    #[error("{fault}")]
    Properties {
        /// Of the content.
        method: MethodId,
        /// What is wrong with them.
        fault: PropertyFault,
    },
    /// 503: a method of the other side, or one there is not (for which RabbitMQ closes the socket).
    #[error("unimplemented method")]
    Unimplemented(MethodId),
    /// 505: a frame that has no place on its channel.
    #[error("type {kind}, {octets}")]
    UnexpectedFrame {
        /// The frame's type.
        kind: u8,
        /// Its payload.
        octets: Octets,
    },
    /// 505: content without its method.
    #[error("expected method frame, got non method frame instead")]
    ExpectedMethod,
    /// 505: a method without its content, or a header whose weight is not 0.
    #[error(
        "expected content header for class {}, got non content header frame instead",
        .0.class
    )]
    ExpectedHeader(MethodId),
    /// 505: the content header of another class.
    #[error(
        "expected content header for class {}, got one for class {found} instead",
        .method.class
    )]
    HeaderClass {
        /// Of the content.
        method: MethodId,
        /// The class in the header.
        found: u16,
    },
    /// 505: a content that ends early.
    #[error("expected content body, got non content body frame instead")]
    ExpectedBody(MethodId),
    /// 406, and only the channel's end: a message over the limit. RabbitMQ takes the whole body
    /// first; here it is refused by its header.
    #[error("message size {bytes} is larger than configured max size {bytes_max}")]
    MessageTooLarge {
        /// Of the content.
        method: MethodId,
        /// What the content header says.
        bytes: u64,
        /// What is allowed.
        bytes_max: u64,
    },
}

impl DecodeError {
    /// The code to close with.
    #[must_use]
    pub const fn reply_code(&self) -> ReplyCode {
        match self {
            Self::FrameTooLarge { .. }
            | Self::FrameEnd { .. }
            | Self::UnknownFrame { .. }
            | Self::Arguments { .. }
            | Self::NotUtf8
            | Self::BodyTooLong { .. } => ReplyCode::FrameError,
            Self::Table { .. } | Self::Properties { .. } => ReplyCode::SyntaxError,
            Self::Unimplemented(_) => ReplyCode::CommandInvalid,
            Self::UnexpectedFrame { .. }
            | Self::ExpectedMethod
            | Self::ExpectedHeader(_)
            | Self::HeaderClass { .. }
            | Self::ExpectedBody(_) => ReplyCode::UnexpectedFrame,
            Self::MessageTooLarge { .. } => ReplyCode::PreconditionFailed,
        }
    }

    /// The method to name in the close; none for what is wrong with a frame.
    #[must_use]
    pub const fn method(&self) -> MethodId {
        match self {
            Self::Arguments { method, .. }
            | Self::BodyTooLong { method, .. }
            | Self::Table { method, .. }
            | Self::Properties { method, .. }
            | Self::Unimplemented(method)
            | Self::ExpectedHeader(method)
            | Self::HeaderClass { method, .. }
            | Self::ExpectedBody(method)
            | Self::MessageTooLarge { method, .. } => *method,
            Self::FrameTooLarge { .. }
            | Self::FrameEnd { .. }
            | Self::UnknownFrame { .. }
            | Self::NotUtf8
            | Self::UnexpectedFrame { .. }
            | Self::ExpectedMethod => MethodId::NONE,
        }
    }

    /// What it ends.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.reply_code().scope()
    }

    /// Whether nothing after it can be read: where the next frame begins is not known.
    #[must_use]
    pub const fn ends_input(&self) -> bool {
        matches!(self, Self::FrameTooLarge { .. } | Self::FrameEnd { .. })
    }

    /// The arguments of the close that tells the peer; those of both classes are the same.
    #[must_use]
    pub fn close(&self) -> connection::Close {
        let code = self.reply_code();
        connection::Close::new(code, code.text(self), self.method())
    }
}

/// As many as RabbitMQ shows.
const OCTETS_SHOWN: usize = 16;

/// The first octets of a payload, as RabbitMQ shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octets {
    first: [u8; OCTETS_SHOWN],
    count: usize,
}

impl Octets {
    pub(crate) fn of(payload: &[u8]) -> Self {
        let mut first = [0; OCTETS_SHOWN];
        for (to, from) in first.iter_mut().zip(payload) {
            *to = *from;
        }
        Self {
            first,
            count: payload.len(),
        }
    }
}

impl fmt::Display for Octets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.count > OCTETS_SHOWN {
            "first 16"
        } else {
            "all"
        };
        write!(formatter, "{which} octets = <<")?;
        for (index, octet) in self.first.iter().take(self.count).enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(formatter, "{comma}{octet}")?;
        }
        formatter.write_str(">>")
    }
}
