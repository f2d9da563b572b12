//! What a client says to be let in.

use crate::codec::{TableView, Value};
use bytes::Bytes;
use std::fmt;

/// How a client may say who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// `\0user\0password`
    Plain,
    /// A table of `LOGIN` and `PASSWORD`, without its length.
    AmqPlain,
    /// The TLS certificate says it.
    External,
}

impl Mechanism {
    /// Its name in `connection.start` and `connection.start-ok`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::AmqPlain => "AMQPLAIN",
            Self::External => "EXTERNAL",
        }
    }

    /// What `response` says.
    pub(super) fn read(self, response: &Bytes) -> Option<Credentials> {
        match self {
            Self::Plain => read_plain(response),
            Self::AmqPlain => read_amqplain(response),
            Self::External => Some(Credentials::External),
        }
    }
}

/// Who a client says it is. Never printed with its secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// By a secret.
    Password {
        /// The user's name.
        user: String,
        /// A password or a token.
        password: Bytes,
    },
    /// As the TLS certificate says.
    External,
}

fn read_plain(response: &Bytes) -> Option<Credentials> {
    let mut parts = response.split(|byte| *byte == 0);
    let (Some([]), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    Some(Credentials::Password {
        user: String::from_utf8(user.to_vec()).ok()?,
        password: response.slice_ref(password),
    })
}

fn read_amqplain(response: &Bytes) -> Option<Credentials> {
    let table = TableView::parse(response).ok()?;
    let Some(Value::LongString(password)) = table.get("PASSWORD") else {
        return None;
    };
    Some(Credentials::Password {
        user: table.get("LOGIN")?.text()?.to_owned(),
        password: response.slice_ref(password),
    })
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => write!(formatter, "Password({user:?})"),
            Self::External => formatter.write_str("External"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mechanism: Mechanism, response: &'static [u8]) -> Option<Credentials> {
        mechanism.read(&Bytes::from_static(response))
    }

    #[test]
    fn responses_are_read_as_rabbitmq_reads_them() {
        let guest = Some(Credentials::Password {
            user: String::from("guest"),
            password: Bytes::from_static(b"s3cret"),
        });
        assert_eq!(read(Mechanism::Plain, b"\0guest\0s3cret"), guest);
        let amqplain = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x06s3cret";
        assert_eq!(read(Mechanism::AmqPlain, amqplain), guest);
        assert!(!format!("{guest:?}").contains("s3cret"));
        for wrong in [
            &b""[..],
            b"guest\0s3cret",
            b"\0guest",
            b"\0a\0b\0c",
            b"\0\xFF\0x",
        ] {
            assert_eq!(read(Mechanism::Plain, wrong), None, "{wrong:?}");
        }
        for wrong in [&b""[..], b"\x05LOGINS\0\0\0\x01g", b"\x05LOGIN"] {
            assert_eq!(read(Mechanism::AmqPlain, wrong), None, "{wrong:?}");
        }
        assert_eq!(read(Mechanism::External, b"x"), Some(Credentials::External));
    }
}
