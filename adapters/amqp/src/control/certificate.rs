//! What a client's TLS certificate calls it.

use serde::{Deserialize, Serialize};

/// The names of a certificate that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The whole subject, as RabbitMQ writes it: `CN=anna,O=company`.
    pub subject: String,
    /// Its common name, several with commas between them.
    pub common_name: Option<String>,
}

/// How a connection came that is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secured {
    /// What the client has shown, and proven to be its own.
    pub certificate: Option<Certificate>,
}

/// Which part of a certificate is the user's name (`ssl_cert_login_from`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginFrom {
    /// The whole subject.
    #[default]
    DistinguishedName,
    /// The common name alone.
    CommonName,
}

impl Certificate {
    /// The user it is of.
    #[must_use]
    pub fn login(&self, from: LoginFrom) -> Option<&str> {
        match from {
            LoginFrom::DistinguishedName => Some(&self.subject),
            LoginFrom::CommonName => self.common_name.as_deref(),
        }
    }
}
