//! Receipt handles: what acknowledges a message, as text that any header or URL holds.
//!
//! ```text
//! base64url of: 1 | queue u32 | offset u64 | leased at i64 | serial u32 | topic, UTF-8
//! ```
//!
//! It says which handing out is meant and gives no right: a made up one is of no lease. After a
//! restart the log knows which leases were settled, and others are handed out again.

use crate::error::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gantry_core::model::{QueueId, QueueOffset, Timestamp, TopicName};
use gantry_core::{LeaseReceipt, LeaseToken};

/// The form.
const FORM: u8 = 1;

/// The handle of a receipt.
pub(crate) fn handle(receipt: &LeaseReceipt) -> String {
    let topic = receipt.topic.as_str().as_bytes();
    let mut bytes = Vec::with_capacity(25 + topic.len());
    bytes.push(FORM);
    bytes.extend_from_slice(&receipt.queue.get().to_be_bytes());
    bytes.extend_from_slice(&receipt.offset.get().to_be_bytes());
    bytes.extend_from_slice(&receipt.token.leased_at.millis().to_be_bytes());
    bytes.extend_from_slice(&receipt.token.serial.to_be_bytes());
    bytes.extend_from_slice(topic);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The receipt of a handle.
///
/// # Errors
/// It is none.
pub(crate) fn receipt(handle: &str) -> Result<LeaseReceipt, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(handle).ok();
    let receipt = bytes.as_deref().and_then(read);
    receipt.ok_or_else(|| Refusal::parameter("the receipt handle is none of this broker's"))
}

fn read(bytes: &[u8]) -> Option<LeaseReceipt> {
    let (&form, bytes) = bytes.split_first()?;
    let (queue, bytes) = bytes.split_first_chunk()?;
    let (offset, bytes) = bytes.split_first_chunk()?;
    let (leased_at, bytes) = bytes.split_first_chunk()?;
    let (serial, topic) = bytes.split_first_chunk()?;
    let receipt = LeaseReceipt {
        topic: TopicName::new(std::str::from_utf8(topic).ok()?).ok()?,
        queue: QueueId::new(u32::from_be_bytes(*queue)),
        offset: QueueOffset::new(u64::from_be_bytes(*offset)),
        token: LeaseToken {
            leased_at: Timestamp::from_millis(i64::from_be_bytes(*leased_at)),
            serial: u32::from_be_bytes(*serial),
        },
    };
    (form == FORM).then_some(receipt)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_handle_is_its_receipt_and_nothing_else_is() {
        let made = LeaseReceipt {
            topic: TopicName::new("ns%ordérs").unwrap(),
            queue: QueueId::new(3),
            offset: QueueOffset::new(u64::MAX),
            token: LeaseToken {
                leased_at: Timestamp::from_millis(-1),
                serial: 77,
            },
        };
        let text = handle(&made);
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_eq!(receipt(&text).unwrap(), made);
        for wrong in ["", "AQ", "!", &text[..20], &text[2..]] {
            assert!(receipt(wrong).is_err(), "{wrong}");
        }
    }
}
