//! What can be wrong with a peer's bytes.

/// Why bytes are no Kafka request. Every one of them closes the connection without an answer, as
/// Apache Kafka does; only an ApiVersions request of an unknown version is answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The frame's length is negative, or too small for a header.
    #[error("a frame of {0} bytes")]
    FrameLength(i32),
    /// The frame is longer than the configured limit.
    #[error("a frame of {length} bytes, more than {limit}")]
    FrameTooLong {
        /// What the length field says.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The peer speaks something else on this port; the text names what it looks like.
    #[error("the peer speaks {0}")]
    NotKafka(&'static str),
    /// An API that is not served.
    #[error("API key {0} is not served")]
    UnknownApi(i16),
    /// A version of a served API that is not served.
    #[error("API key {key} version {version} is not served")]
    UnsupportedVersion {
        /// The API.
        key: i16,
        /// The version asked for.
        version: i16,
    },
    /// A field ends after the frame does.
    #[error("{needed} bytes needed where {left} are left")]
    Truncated {
        /// Bytes the field has.
        needed: usize,
        /// Bytes the frame has.
        left: usize,
    },
    /// A length or count below what null is written as.
    #[error("a length of {0}")]
    NegativeLength(i32),
    /// Null where the protocol has no null.
    #[error("null in a field that has none")]
    UnexpectedNull,
    /// A variable-length integer over 32 bits.
    #[error("a variable-length integer over 32 bits")]
    Varint,
    /// Text that is not UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// More array elements than the configured limit.
    #[error("more than {0} array elements")]
    TooManyElements(usize),
    /// What `kafka-protocol` objects to in a body whose lengths are right.
    #[error("{0}")]
    Body(String),
}
