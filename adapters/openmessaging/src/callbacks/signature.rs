//! The proof that a request is of whoever knows the callback's secret, and of that moment.

use bytes::Bytes;
use gantry_core::model::Timestamp;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::fmt::Write as _;

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 by the secret over the seconds since 1970, a dot, and the body.
pub(crate) fn signature(secret: &str, now: Timestamp, body: &Bytes) -> Option<String> {
    let seconds = now.millis().div_euclid(1_000);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let mut text = format!("t={seconds},v1=");
    for byte in mac.finalize().into_bytes() {
        // Text takes all that is written.
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_openssl_makes() {
        // printf '1700000000.hello' | openssl dgst -sha256 -hmac 0123456789abcdef
        let made = signature(
            "0123456789abcdef",
            Timestamp::from_millis(1_700_000_000_999),
            &Bytes::from_static(b"hello"),
        );
        let want =
            "t=1700000000,v1=adc6dd484b44cd99e9825b07b9475d45999b82cf8071c60272358d4a51fe73e9";
        assert_eq!(made.as_deref(), Some(want));
    }
}
