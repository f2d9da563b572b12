//! The texts by which clients know what they popped: receipt handles and offset tables
//! (`ExtraInfoUtil`), and the bits of batched acknowledgements.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// The mark of a message that was popped from the topic itself, not from a retry topic.
const TOPIC_ITSELF: &str = "0";

/// The receipt of one popped message (`extraInfo`, property `POP_CK`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptHandle {
    /// The first message of its queue in the same answer.
    pub start_offset: i64,
    /// When it was popped.
    pub pop_time: i64,
    /// How long it is the client's, in milliseconds.
    pub invisible_ms: i64,
    /// Stock brokers' revive queue; any number the broker gave out.
    pub revive_queue: i32,
    /// `0` for the topic itself, `1` and `2` for its retry topics.
    pub retry: String,
    /// The broker's name.
    pub broker_name: String,
    /// The queue.
    pub queue_id: i32,
    /// The message.
    pub offset: i64,
}

/// Text that is no receipt handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a receipt handle of eight fields")]
pub struct HandleError;

impl ReceiptHandle {
    /// The mark of the topic itself.
    #[must_use]
    pub fn of_topic_itself() -> String {
        TOPIC_ITSELF.to_owned()
    }
}

impl fmt::Display for ReceiptHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {} {} {} {} {} {} {}",
            self.start_offset,
            self.pop_time,
            self.invisible_ms,
            self.revive_queue,
            self.retry,
            self.broker_name,
            self.queue_id,
            self.offset
        )
    }
}

impl FromStr for ReceiptHandle {
    type Err = HandleError;

    /// Fields after the eighth, as proxies append one, are not looked at.
    fn from_str(text: &str) -> Result<Self, HandleError> {
        let mut fields = text.split(' ');
        let mut next = || fields.next().ok_or(HandleError);
        Ok(Self {
            start_offset: number(next()?)?,
            pop_time: number(next()?)?,
            invisible_ms: number(next()?)?,
            revive_queue: number(next()?)?,
            retry: next()?.to_owned(),
            broker_name: next()?.to_owned(),
            queue_id: number(next()?)?,
            offset: number(next()?)?,
        })
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, HandleError> {
    text.parse().map_err(|_| HandleError)
}

/// The tables of a pop's answer, from which clients make the handles themselves. Each queue is
/// entered once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetInfo {
    /// `0 QUEUE FIRST;…`
    pub start_offsets: String,
    /// `0 QUEUE OFFSET,OFFSET;…`
    pub message_offsets: String,
    /// `0 qoQUEUE%OFFSET COUNT;…`: how often a message was popped before.
    pub order_counts: String,
}

impl OffsetInfo {
    /// Enters a queue's messages in the order of the answer: offset, and times it was popped
    /// before.
    pub fn add(&mut self, queue_id: i32, messages: &[(i64, i32)]) {
        let Some((first, _)) = messages.first() else {
            return;
        };
        // Writing to a string does not fail.
        let _ = self.write(queue_id, *first, messages);
    }

    fn write(&mut self, queue_id: i32, first: i64, messages: &[(i64, i32)]) -> fmt::Result {
        let part = if self.start_offsets.is_empty() {
            ""
        } else {
            ";"
        };
        write!(
            self.start_offsets,
            "{part}{TOPIC_ITSELF} {queue_id} {first}"
        )?;
        write!(self.message_offsets, "{part}{TOPIC_ITSELF} {queue_id} ")?;
        for (at, (offset, _)) in messages.iter().enumerate() {
            let part = if at == 0 { "" } else { "," };
            write!(self.message_offsets, "{part}{offset}")?;
        }
        for (offset, count) in messages.iter().filter(|(_, count)| *count > 0) {
            let part = if self.order_counts.is_empty() {
                ""
            } else {
                ";"
            };
            write!(
                self.order_counts,
                "{part}{TOPIC_ITSELF} qo{queue_id}%{offset} {count}"
            )?;
        }
        Ok(())
    }
}

/// The offsets a batch's bits name, from `start` on: bit `i` of byte `i / 8` is `start + i`. At
/// most `count_max`; `None` for text that is not base64, more bits, or offsets out of range.
#[must_use]
pub fn offsets_of(bits: &str, start: i64, count_max: usize) -> Option<Vec<i64>> {
    let bytes = STANDARD.decode(bits).ok()?;
    let mut offsets = Vec::new();
    for (at, byte) in (0_i64..).zip(bytes) {
        for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
            if offsets.len() == count_max {
                return None;
            }
            let distance = at.checked_mul(8)?.checked_add(bit)?;
            offsets.push(start.checked_add(distance)?);
        }
    }
    Some(offsets)
}

/// The bits of offsets from `start` on, as [`offsets_of`] reads them; offsets before it are left
/// out.
#[must_use]
pub fn bits_of(offsets: &[i64], start: i64) -> String {
    let mut bytes = Vec::new();
    for offset in offsets {
        let Some(distance) = offset
            .checked_sub(start)
            .and_then(|at| usize::try_from(at).ok())
        else {
            continue;
        };
        let at = distance / 8;
        if bytes.len() <= at {
            bytes.resize(at.saturating_add(1), 0_u8);
        }
        if let Some(byte) = bytes.get_mut(at) {
            *byte |= 1 << (distance % 8);
        }
    }
    STANDARD.encode(bytes)
}

/// Reads `data` as handles and bits; must never panic, and what is read must survive being
/// written.
pub fn fuzz_pop(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(handle) = text.parse::<ReceiptHandle>() {
        assert_eq!(handle.to_string().parse(), Ok(handle));
    }
    if let Some(offsets) = offsets_of(text, 5, 1_000) {
        assert_eq!(offsets_of(&bits_of(&offsets, 5), 5, 1_000), Some(offsets));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_handle_reads_as_java_writes_it() {
        let text = "0 1795441478695 60000 1 0 broker-a 1 7";
        let handle: ReceiptHandle = text.parse().unwrap();
        assert_eq!(
            (handle.pop_time, handle.revive_queue),
            (1_795_441_478_695, 1)
        );
        assert_eq!((handle.queue_id, handle.offset), (1, 7));
        assert_eq!(handle.to_string(), text);
        let with_position = format!("{text} 4711");
        assert_eq!(with_position.parse(), Ok(handle));
        for broken in [
            "",
            "0 1 2 3 0 b 1",
            "0 x 60000 1 0 b 1 7",
            "0 1 2 99999999999 0 b 1 7",
        ] {
            assert_eq!(
                broken.parse::<ReceiptHandle>(),
                Err(HandleError),
                "{broken}"
            );
        }
    }

    #[test]
    fn tables_read_as_java_writes_them() {
        let mut info = OffsetInfo::default();
        info.add(0, &[(4, 0), (6, 2)]);
        info.add(3, &[]);
        info.add(1, &[(0, 1)]);
        assert_eq!(info.start_offsets, "0 0 4;0 1 0");
        assert_eq!(info.message_offsets, "0 0 4,6;0 1 0");
        assert_eq!(info.order_counts, "0 qo0%6 2;0 qo1%0 1");
    }

    #[test]
    fn bits_are_javas() {
        // BitSet {0, 1, 9}.toByteArray() is 03 02.
        assert_eq!(offsets_of("AwI=", 10, 3), Some(vec![10, 11, 19]));
        assert_eq!(bits_of(&[10, 11, 19], 10), "AwI=");
        assert_eq!(offsets_of("AwI=", 10, 2), None, "over the limit");
        assert_eq!(offsets_of("AwI=", i64::MAX, 3), None);
        assert_eq!(offsets_of("?", 0, 3), None);
    }

    proptest! {
        #[test]
        fn any_text_is_safe(text in any::<String>(), data: Vec<u8>) {
            fuzz_pop(text.as_bytes());
            fuzz_pop(&data);
            fuzz_pop(STANDARD.encode(data).as_bytes());
        }
    }
}
