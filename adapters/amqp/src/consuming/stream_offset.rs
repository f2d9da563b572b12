//! Where a consumer begins to read a stream.

use crate::codec::Value;
use crate::topology::type_name;
use gantry_core::model::{OffsetRange, QueueId, QueueOffset, Timestamp};
use gantry_core::vhosts::millis_of_age;
use gantry_core::{Client, Error, Topic};

/// `x-stream-offset`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum StreamOffset {
    /// The oldest message there is.
    First,
    /// The newest message there is.
    Last,
    /// What comes from now on.
    #[default]
    Next,
    /// The message of that number, or the oldest after it.
    At(QueueOffset),
    /// The first message stored at that time or later.
    From(Timestamp),
}

/// Where that is in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// Nothing before it is delivered.
    pub(super) from: QueueOffset,
    /// Where to read, which is there.
    pub(super) next: QueueOffset,
}

impl StreamOffset {
    /// What an argument says at `now`: a text, a number (below 0 it is 0, as with RabbitMQ), a
    /// timestamp, or a span of time before now.
    ///
    /// # Errors
    /// It says nothing, as RabbitMQ shows it.
    pub(super) fn of(value: Value<'_>, now: Timestamp) -> Result<Self, String> {
        if let Some(number) = value.integer() {
            return Ok(Self::At(QueueOffset::from_wire(number).unwrap_or_default()));
        }
        if let Value::Timestamp(seconds) = value {
            let millis = i64::try_from(seconds).unwrap_or(i64::MAX);
            return Ok(Self::From(Timestamp::from_millis(
                millis.saturating_mul(1_000),
            )));
        }
        match value.text() {
            Some("first") => Ok(Self::First),
            Some("last") => Ok(Self::Last),
            Some("next") => Ok(Self::Next),
            Some(text) => match millis_of_age(text) {
                Some(age) => {
                    let age = i64::try_from(age).unwrap_or(i64::MAX);
                    Ok(Self::From(Timestamp::from_millis(
                        now.millis().saturating_sub(age),
                    )))
                }
                None => Err(format!(
                    "{{invalid_stream_offset_arg,{{longstr,<<{text:?}>>}}}}"
                )),
            },
            None => Err(format!("{{unacceptable_type,{}}}", type_name(value))),
        }
    }

    /// Where it is now.
    ///
    /// # Errors
    /// The stream is gone.
    pub(super) fn find(self, client: &Client, topic: &Topic) -> Result<Start, Error> {
        let queue = QueueId::new(0);
        let range = client.offset_range(topic, queue)?;
        let OffsetRange { start, end } = range;
        let from = match self {
            Self::First => start,
            Self::Last => QueueOffset::new(end.get().saturating_sub(1)).max(start),
            Self::Next => end,
            Self::At(offset) => offset.max(start),
            Self::From(time) => client.offset_stored_at(topic, queue, time)?.unwrap_or(end),
        };
        Ok(Start {
            from,
            next: from.min(end),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Value<'_>) -> Result<StreamOffset, String> {
        StreamOffset::of(value, Timestamp::from_millis(10_000_000))
    }

    #[test]
    fn an_offset_is_a_word_a_number_a_time_or_a_span() {
        let text = |text: &'static str| of(Value::LongString(text.as_bytes()));
        assert_eq!(text("first"), Ok(StreamOffset::First));
        assert_eq!(text("last"), Ok(StreamOffset::Last));
        assert_eq!(text("next"), Ok(StreamOffset::Next));
        let at = |millis| Ok(StreamOffset::From(Timestamp::from_millis(millis)));
        assert_eq!(text("5m"), at(10_000_000 - 300_000));
        assert_eq!(of(Value::Timestamp(3)), at(3_000));
        assert_eq!(of(Value::Timestamp(u64::MAX)), at(i64::MAX));
        let number = |offset| Ok(StreamOffset::At(QueueOffset::new(offset)));
        assert_eq!(of(Value::I32(7)), number(7));
        assert_eq!(of(Value::U8(7)), number(7));
        assert_eq!(of(Value::I64(-1)), number(0));
    }

    #[test]
    fn what_says_nothing_is_refused_as_rabbitmq_does() {
        let refused = of(Value::LongString(b"3"));
        let text = "{invalid_stream_offset_arg,{longstr,<<\"3\">>}}";
        assert_eq!(refused, Err(text.to_owned()));
        assert_eq!(
            of(Value::Bool(true)),
            Err("{unacceptable_type,bool}".to_owned())
        );
    }
}
