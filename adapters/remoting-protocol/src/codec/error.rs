/// Why a stream of frames cannot be read on. Always the peer's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A TLS client on a plain port.
    #[error("the peer speaks TLS on a plain port")]
    TlsHello,
    /// An HTTP client.
    #[error("the peer speaks HTTP")]
    HttpRequest,
    /// The length field is negative, too short for a frame, or over the limit.
    #[error("a frame of length {length} where 4 to {} are allowed", limit.saturating_sub(4))]
    FrameLength {
        /// What the length field says.
        length: i32,
        /// Bytes allowed for a whole frame.
        limit: usize,
    },
    /// The header form is neither 0 (JSON) nor 1 (ROCKETMQ).
    #[error("unknown header form {0}")]
    UnknownSerialization(u8),
    /// The header is longer than its frame.
    #[error("a header of {header} bytes in a frame of {frame}")]
    HeaderLength {
        /// Bytes of the header.
        header: usize,
        /// Bytes of the whole frame.
        frame: usize,
    },
    /// The header cannot be parsed.
    #[error("the header at byte {at}: {fault}")]
    Header {
        /// Bytes into the header.
        at: usize,
        /// What is wrong there.
        fault: HeaderFault,
    },
}

/// What is wrong inside a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// The text is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Another token was due.
    #[error("{0} expected")]
    Expected(&'static str),
    /// A number field without a 32-bit number.
    #[error("`{0}` is not a 32-bit number")]
    NotANumber(&'static str),
    /// The header ends in the middle of something, or has bytes left over.
    #[error("the header's lengths do not add up")]
    Length,
    /// Values are nested deeper than any header needs.
    #[error("nested too deep")]
    TooDeep,
    /// More fields than any header needs.
    #[error("too many fields")]
    TooManyFields,
}

impl HeaderFault {
    pub(super) const fn at(self, at: usize) -> DecodeError {
        DecodeError::Header { at, fault: self }
    }
}

impl DecodeError {
    /// Names what a wrong length field really is.
    pub(super) fn of_length(prefix: [u8; 4], limit: usize) -> Self {
        match &prefix {
            [0x16, 0x03, _, _] => Self::TlsHello,
            b"GET " | b"POST" | b"PUT " | b"HEAD" | b"OPTI" | b"DELE" | b"PATC" | b"CONN"
            | b"TRAC" | b"PRI " => Self::HttpRequest,
            _ => Self::FrameLength {
                length: i32::from_be_bytes(prefix),
                limit,
            },
        }
    }
}
