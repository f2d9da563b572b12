//! Passwords as RabbitMQ keeps them, so that its users can be taken over with theirs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};
use std::fmt;

const SALT_BYTES: usize = 4;

/// How a password was hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HashAlgorithm {
    /// RabbitMQ's since 3.6.
    #[default]
    #[serde(rename = "rabbit_password_hashing_sha256")]
    Sha256,
    /// What it may be told to use.
    #[serde(rename = "rabbit_password_hashing_sha512")]
    Sha512,
}

/// A salt of four bytes and the hash of it and the password. One that is empty fits no password.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash {
    /// In base64.
    #[serde(rename = "password_hash")]
    text: String,
    #[serde(rename = "hashing_algorithm", default)]
    algorithm: HashAlgorithm,
}

impl PasswordHash {
    /// Of a password, with a salt that others do not have.
    #[must_use]
    pub fn new(password: &[u8], salt: [u8; SALT_BYTES]) -> Self {
        let algorithm = HashAlgorithm::Sha256;
        let hash = algorithm.hash(&salt, password);
        Self {
            text: STANDARD.encode([&salt[..], &hash].concat()),
            algorithm,
        }
    }

    /// As it is written down; `None` is no such hash.
    #[must_use]
    pub fn parse(text: &str, algorithm: HashAlgorithm) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let is_whole = bytes.is_empty() || bytes.len() == SALT_BYTES + algorithm.bytes();
        is_whole.then(|| Self {
            text: text.to_owned(),
            algorithm,
        })
    }

    /// In base64, the salt first.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How the password was hashed.
    #[must_use]
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Whether it is of that password. Nobody has an empty one.
    #[must_use]
    pub fn fits(&self, password: &[u8]) -> bool {
        let Ok(bytes) = STANDARD.decode(&self.text) else {
            return false;
        };
        let Some((salt, hash)) = bytes.split_at_checked(SALT_BYTES) else {
            return false;
        };
        !password.is_empty() && is_same(hash, &self.algorithm.hash(salt, password))
    }
}

impl HashAlgorithm {
    fn hash(self, salt: &[u8], password: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::new_with_prefix(salt)
                .chain_update(password)
                .finalize()
                .to_vec(),
            Self::Sha512 => Sha512::new_with_prefix(salt)
                .chain_update(password)
                .finalize()
                .to_vec(),
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// As RabbitMQ names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "rabbit_password_hashing_sha256",
            Self::Sha512 => "rabbit_password_hashing_sha512",
        }
    }

    /// The one RabbitMQ names so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut all = [Self::Sha256, Self::Sha512].into_iter();
        all.find(|each| each.name() == name)
    }
}

/// Takes the same time wherever they differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differing == 0
}

/// Hashes are for files, not for logs.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_rabbitmqs() {
        // RabbitMQ's documentation: "test12" with the salt 908DC60A.
        let known = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";
        let hash = PasswordHash::new(b"test12", [0x90, 0x8D, 0xC6, 0x0A]);
        assert_eq!(hash.text(), known);
        let parsed = PasswordHash::parse(known, HashAlgorithm::Sha256).unwrap();
        assert!(parsed.fits(b"test12"));
        assert!(!parsed.fits(b"test13") && !parsed.fits(b""));
        assert!(PasswordHash::parse("AAAA", HashAlgorithm::Sha256).is_none());
        let none = PasswordHash::parse("", HashAlgorithm::Sha256).unwrap();
        assert!(!none.fits(b"") && !none.fits(b"x"));
    }
}
