//! The signature: HMAC-SHA1 over the values of all fields in order of their names, then the body.

use super::config::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gantry_remoting_protocol::{Command, RequestCode};
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use std::collections::BTreeMap;
use std::fmt;

/// The field of the signature itself.
const SIGNATURE: &[u8] = b"Signature";
/// Old clients add it to a query by unique key after they have signed.
const UNIQUE_KEY_QUERY: &[u8] = b"_UNIQUE_KEY_QUERY";
/// V4_9_3, the last of those.
const UNSIGNED_QUERY_VERSION_MAX: i32 = 399;

/// A user's secret, ready to sign with.
pub(super) struct Key(Hmac<Sha1>);

impl Key {
    pub(super) fn new(secret: &Secret) -> Self {
        // Any length will do for an HMAC: longer keys are hashed first.
        let empty = || Hmac::new(&Default::default());
        Self(Hmac::new_from_slice(secret.bytes()).unwrap_or_else(|_| empty()))
    }

    /// Whether the command carries this key's signature. Takes as long for a wrong one.
    pub(super) fn has_signed(&self, command: &Command) -> bool {
        let mut fields: BTreeMap<&[u8], &[u8]> = command.fields.iter_bytes().collect();
        let Some(signature) = fields.remove(SIGNATURE) else {
            return false;
        };
        let Ok(signature) = BASE64.decode(signature) else {
            return false;
        };
        let is_query = command.request_code() == RequestCode::QueryMessage;
        if is_query && command.version <= UNSIGNED_QUERY_VERSION_MAX {
            fields.remove(UNIQUE_KEY_QUERY);
        }
        let mut hmac = self.0.clone();
        for value in fields.values() {
            hmac.update(value);
        }
        hmac.update(&command.body);
        hmac.verify_slice(&signature).is_ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(secret)")
    }
}
