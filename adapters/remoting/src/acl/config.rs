use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashSet;
use std::fmt;

/// Who may ask for something, when requests must be signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AclConfig {
    /// Whether every request must be signed by one of the users.
    pub enabled: bool,
    /// Those who may sign.
    pub users: Vec<UserConfig>,
}

/// One who may sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserConfig {
    /// The user's name in requests.
    pub access_key: String,
    /// What the user's requests are signed with.
    pub secret_key: Secret,
    /// Whether the user may do more than send, consume and look: topics, groups, settings.
    #[serde(default)]
    pub admin: bool,
}

/// Text that is never shown, neither by `Debug` nor when it is written out again.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` to itself.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(secret)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Errors of serde show what did not fit, and that would be the secret.
        match String::deserialize(deserializer) {
            Ok(text) => Ok(Self(text)),
            Err(_) => Err(D::Error::custom("secret_key is text, in quotes")),
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(secret)")
    }
}

/// Why nobody could work with such users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AclConfigError {
    /// Requests must be signed and nobody can.
    #[error("requests must be signed, but there are no users")]
    NoUsers,
    /// An empty access key or secret key.
    #[error("user {0:?} has an empty access_key or secret_key")]
    Empty(String),
    /// Two users of one name.
    #[error("there are two users {0:?}")]
    Twice(String),
}

impl AclConfig {
    /// Whether the users are of use.
    ///
    /// # Errors
    /// Why they are not.
    pub fn check(&self) -> Result<(), AclConfigError> {
        if self.enabled && self.users.is_empty() {
            return Err(AclConfigError::NoUsers);
        }
        let mut names = HashSet::new();
        for user in &self.users {
            let name = user.access_key.clone();
            if name.is_empty() || user.secret_key.bytes().is_empty() {
                return Err(AclConfigError::Empty(name));
            }
            if !names.insert(&user.access_key) {
                return Err(AclConfigError::Twice(name));
            }
        }
        Ok(())
    }
}
