use super::encode::{Frame, write_frame};
use super::fields::{Entry, Fields, Span};
use super::{Answer, FieldError, Text};
use crate::header::RequestHeader;
use crate::peer::version;
use crate::{LanguageCode, RequestCode, ResponseCode};
use bytes::{Bytes, BytesMut};

/// How a header is written. Each frame says its own, and answers follow the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Serialization {
    /// A JSON object; the default of all clients.
    #[default]
    Json,
    /// RocketMQ's binary form.
    RocketMq,
}

impl Serialization {
    /// The byte in the frame.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Json => 0,
            Self::RocketMq => 1,
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Json),
            1 => Some(Self::RocketMq),
            _ => None,
        }
    }
}

/// The flag bits of a header: 1 response, 2 one-way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flag(i32);

impl Flag {
    /// A request that wants an answer.
    pub const REQUEST: Self = Self(0);
    /// An answer.
    pub const RESPONSE: Self = Self(1);
    /// A request that must not be answered, not even with an error.
    pub const ONEWAY: Self = Self(2);

    /// The bits as they stand in a header.
    #[must_use]
    pub const fn from_bits(bits: i32) -> Self {
        Self(bits)
    }

    /// The bits as they stand in a header.
    #[must_use]
    pub const fn bits(self) -> i32 {
        self.0
    }

    /// Whether this is an answer.
    #[must_use]
    pub const fn is_response(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether no answer is wanted.
    #[must_use]
    pub const fn is_oneway(self) -> bool {
        self.0 & 2 != 0
    }
}

/// A request or an answer as it was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Of a request [`RequestCode`], of an answer [`ResponseCode`].
    pub code: i32,
    /// The sender's language.
    pub language: LanguageCode,
    /// The sender's version ordinal, see [`version`].
    pub version: i32,
    /// What pairs an answer with its request; any 32 bits.
    pub opaque: i32,
    /// Which of the two it is.
    pub flag: Flag,
    /// Text for people.
    pub remark: Option<Text>,
    /// What the code needs to know.
    pub fields: Fields,
    /// How the header came.
    pub serialization: Serialization,
    /// Everything after the header; empty when there was nothing.
    pub body: Bytes,
}

impl Command {
    /// What this request asks for.
    #[must_use]
    pub fn request_code(&self) -> RequestCode {
        RequestCode::from(self.code)
    }

    /// What this answer says.
    #[must_use]
    pub fn response_code(&self) -> ResponseCode {
        ResponseCode::from(self.code)
    }

    /// The fields as the header the handler needs.
    ///
    /// # Errors
    /// A required field is missing or ill-typed.
    pub fn header<'a, H: RequestHeader<'a>>(&'a self) -> Result<H, FieldError> {
        H::read(&self.fields)
    }

    /// All an answer needs of its request, for handlers that answer later.
    #[must_use]
    pub const fn reply_to(&self) -> ReplyTo {
        ReplyTo {
            opaque: self.opaque,
            serialization: self.serialization,
        }
    }

    /// Appends this command's frame up to its body, which follows it unchanged.
    pub fn encode(&self, out: &mut BytesMut) {
        let fields = (!self.fields.is_absent()).then_some(&self.fields as _);
        write_frame(
            out,
            &Frame {
                code: self.code,
                language: self.language,
                version: self.version,
                opaque: self.opaque,
                flag: self.flag,
                remark: self.remark.as_deref(),
                fields,
                serialization: self.serialization,
                body_len: self.body.len(),
            },
        );
    }
}

/// Whom an answer goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// The request's.
    pub opaque: i32,
    /// The request's.
    pub serialization: Serialization,
}

impl ReplyTo {
    /// Appends the answer's frame to `out` up to its body: the caller writes `body_len` bytes of
    /// body after it.
    pub fn answer(self, answer: &Answer<'_>, out: &mut BytesMut) {
        write_frame(
            out,
            &Frame {
                code: answer.code.value(),
                language: LanguageCode::Java,
                version: version::OURS,
                opaque: self.opaque,
                flag: Flag::RESPONSE,
                remark: answer.remark,
                fields: answer.fields,
                serialization: self.serialization,
                body_len: answer.body_len,
            },
        );
    }
}

/// A header whose text is still where it was parsed.
#[derive(Debug, Default)]
pub(super) struct ParsedHeader {
    pub(super) code: i32,
    pub(super) language: LanguageCode,
    pub(super) version: i32,
    pub(super) opaque: i32,
    pub(super) flag: i32,
    pub(super) remark: Option<Span>,
    pub(super) fields: Option<Vec<Entry>>,
}

impl ParsedHeader {
    pub(super) fn into_command(
        self,
        text: Bytes,
        serialization: Serialization,
        body: Bytes,
    ) -> Command {
        let remark = self.remark.map(|span| text.slice_ref(span.of(&text)));
        Command {
            code: self.code,
            language: self.language,
            version: self.version,
            opaque: self.opaque,
            flag: Flag::from_bits(self.flag),
            remark: remark.and_then(|bytes| Text::try_from(bytes).ok()),
            fields: Fields::new(text, self.fields),
            serialization,
            body,
        }
    }
}
