//! The eight bytes a client begins with.

use bytes::{Buf, BytesMut};

/// Bytes of every protocol header.
pub const PROTOCOL_HEADER_BYTES: usize = 8;

/// What the server answers to every header but its own, before it closes.
pub const SUPPORTED: [u8; PROTOCOL_HEADER_BYTES] = *b"AMQP\0\0\x09\x01";

/// What a client wants to speak, by its first eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolHeader {
    /// AMQP 0-9-1, or 0-9 in its historic form, which differs in nothing that clients use.
    Amqp091,
    /// AMQP 0-8, or the drafts of it that RabbitMQ takes as such.
    Amqp08,
    /// AMQP 1.0 without authentication.
    Amqp10,
    /// AMQP 1.0 after TLS on the same port (its id 2).
    Amqp10Tls,
    /// AMQP 1.0 after SASL (its id 3).
    Amqp10Sasl,
    /// An AMQP there never was.
    UnknownAmqp([u8; 4]),
    /// A TLS client on a plain port.
    TlsHello,
    /// An HTTP client.
    HttpRequest,
    /// Something else.
    Unknown([u8; PROTOCOL_HEADER_BYTES]),
}

impl ProtocolHeader {
    /// Takes the header off the front of `buffer`, or nothing while it has not all come.
    pub fn read(buffer: &mut BytesMut) -> Option<Self> {
        let header = *buffer.first_chunk()?;
        buffer.advance(PROTOCOL_HEADER_BYTES);
        Some(Self::of(header))
    }

    /// What `header` stands for.
    #[must_use]
    pub fn of(header: [u8; PROTOCOL_HEADER_BYTES]) -> Self {
        match header {
            [b'A', b'M', b'Q', b'P', version @ ..] => match version {
                [0, 0, 9, 1] | [1, 1, 0, 9] => Self::Amqp091,
                [1, 1, 8, 0] | [1, 1, 9, 1] | [0, 0, 8, 0] => Self::Amqp08,
                [0, 1, 0, 0] => Self::Amqp10,
                [2, 1, 0, 0] => Self::Amqp10Tls,
                [3, 1, 0, 0] => Self::Amqp10Sasl,
                unknown => Self::UnknownAmqp(unknown),
            },
            [0x16, 0x03, ..] => Self::TlsHello,
            other if is_http(&other) => Self::HttpRequest,
            unknown => Self::Unknown(unknown),
        }
    }

    /// What to write before closing: the header that is spoken here, for whoever speaks another
    /// (section 4.2.2 of the specification; AMQP 1.0, section 2.2, asks the same). `None` for
    /// those who may go on.
    #[must_use]
    pub const fn refusal(self) -> Option<[u8; PROTOCOL_HEADER_BYTES]> {
        match self {
            Self::Amqp091 => None,
            Self::Amqp08
            | Self::Amqp10
            | Self::Amqp10Tls
            | Self::Amqp10Sasl
            | Self::UnknownAmqp(_)
            | Self::TlsHello
            | Self::HttpRequest
            | Self::Unknown(_) => Some(SUPPORTED),
        }
    }
}

fn is_http(header: &[u8]) -> bool {
    const METHODS: [&[u8]; 7] = [
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"PUT ",
        b"DELETE ",
        b"OPTIONS ",
        b"PRI * ",
    ];
    METHODS.iter().any(|method| header.starts_with(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_is_known_and_only_ours_may_go_on() {
        for (bytes, header) in [
            (b"AMQP\0\0\x09\x01", ProtocolHeader::Amqp091),
            (b"AMQP\x01\x01\0\x09", ProtocolHeader::Amqp091),
            (b"AMQP\x01\x01\x08\0", ProtocolHeader::Amqp08),
            (b"AMQP\0\x01\0\0", ProtocolHeader::Amqp10),
            (b"AMQP\x02\x01\0\0", ProtocolHeader::Amqp10Tls),
            (b"AMQP\x03\x01\0\0", ProtocolHeader::Amqp10Sasl),
            (b"AMQP\x09\x09\x09\x09", ProtocolHeader::UnknownAmqp([9; 4])),
            (b"\x16\x03\x01\x02\0\x01\0\x01", ProtocolHeader::TlsHello),
            (b"GET / HT", ProtocolHeader::HttpRequest),
            (b"OPTIONS ", ProtocolHeader::HttpRequest),
            (
                b"amqp\0\0\x09\x01",
                ProtocolHeader::Unknown(*b"amqp\0\0\x09\x01"),
            ),
        ] {
            let mut buffer = BytesMut::from(&bytes[..7]);
            assert_eq!(ProtocolHeader::read(&mut buffer), None, "{bytes:?}");
            buffer.extend_from_slice(&[bytes[7], b'x']);
            assert_eq!(ProtocolHeader::read(&mut buffer), Some(header));
            assert_eq!(&buffer[..], b"x", "the rest stays");
            let refused = header != ProtocolHeader::Amqp091;
            assert_eq!(header.refusal(), refused.then_some(SUPPORTED));
        }
    }
}
