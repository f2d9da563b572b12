//! A send request as core's message, and what the broker adds to it.

use crate::error::Refusal;
use bytes::{BufMut, Bytes, BytesMut};
use gantry_core::model::{Properties, PropertyError, QueueId, property};
use gantry_core::{MessageView, Topic};
use gantry_remoting_protocol::record::Record;
use gantry_remoting_protocol::{ResponseCode, Text, record};

/// Properties the broker writes anew into each record. A consumer that sends on what it received
/// sends them along.
const BROKERS_OWN: &[&str] = &[
    property::CRC32,
    property::DISPATCH,
    property::INNER_MULTI_QUEUE_OFFSET,
    property::SETTLES,
];

/// `area` without what the broker writes itself; as it is, when there is none of that.
pub(crate) fn without_brokers_own(area: Text) -> Text {
    if record::properties(&area).any(|(name, _)| is_brokers_own(name)) {
        without(&area, is_brokers_own)
    } else {
        area
    }
}

/// A message as it is sent to who reads `queue` of `topic`. A stream of AMQP's has messages that
/// were published elsewhere: clients take a message's place from the record, which would be that.
pub(crate) fn addressed(view: &MessageView, topic: &Topic, queue: QueueId) -> Bytes {
    if topic.rules().stream.is_none() {
        return view.bytes.clone();
    }
    let name = topic.name().as_str();
    let own = match Record::decode(&mut view.bytes.clone()) {
        Ok(record) if &*record.topic != name => Record {
            topic: name.to_owned().into(),
            queue_id: queue.to_wire(),
            queue_offset: view.offset.to_wire(),
            ..record
        },
        _ => return view.bytes.clone(),
    };
    let mut out = BytesMut::new();
    match own.encode(&mut out) {
        Ok(()) => out.freeze(),
        // It was decoded from as many bytes, but for the topic's.
        Err(_) => view.bytes.clone(),
    }
}

/// Whether the broker writes a property itself.
pub(crate) fn is_brokers_own(name: &str) -> bool {
    // Nothing else that a message has often begins so.
    matches!(name.as_bytes().first(), Some(b'_' | b'I')) && BROKERS_OWN.contains(&name)
}

/// `area` without the properties whose name `is_dropped`.
pub(crate) fn without(area: &Text, is_dropped: impl Fn(&str) -> bool) -> Text {
    let mut kept = String::with_capacity(area.len());
    for (name, value) in record::properties(area).filter(|(name, _)| !is_dropped(name)) {
        kept.extend([name, "\u{1}", value, "\u{2}"]);
    }
    kept.into()
}

/// The answer to a message whose properties cannot be.
pub(crate) fn illegal(error: PropertyError) -> Refusal {
    Refusal::new(ResponseCode::MessageIllegal, error.to_string())
}

/// What a producer's properties ask of the broker, found in one pass.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes<'a> {
    /// The client's own message id (`UNIQ_KEY`).
    pub(crate) unique_key: Option<&'a str>,
    /// `WAIT=false`: answered before the flush, whatever is configured.
    pub(crate) waits_not: bool,
    /// A delay level, or a time.
    pub(crate) is_delayed: bool,
    /// The cancelling of a timed message in the way before recalls.
    pub(crate) is_cancelling: bool,
    /// A half message (`TRAN_MSG=true`).
    pub(crate) is_transactional: bool,
    /// Some are the broker's, not to be taken from anybody.
    pub(crate) has_brokers_own: bool,
}

impl<'a> Wishes<'a> {
    /// Of a repeated name the last counts.
    pub(crate) fn read(properties: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut wishes = Self::default();
        for (name, value) in properties {
            match name {
                property::UNIQ_KEY => wishes.unique_key = Some(value),
                property::WAIT => wishes.waits_not = value.eq_ignore_ascii_case("false"),
                "TRAN_MSG" => wishes.is_transactional = value.eq_ignore_ascii_case("true"),
                name if property::is_delay(name) => wishes.is_delayed = true,
                "TIMER_DEL_UNIQKEY" => wishes.is_cancelling = true,
                name => wishes.has_brokers_own |= is_brokers_own(name),
            }
        }
        wishes
    }
}

/// Appends the broker's properties to producers' areas, many areas in one allocation.
#[derive(Debug)]
pub(crate) struct PropertyStage {
    buffer: BytesMut,
    added: Bytes,
}

impl PropertyStage {
    const NAME_END: u8 = 1;
    const VALUE_END: u8 = 2;
    /// Room taken at once.
    const RESERVE: usize = 16 * 1024;

    /// A stage that appends the pairs of `added`, as every record of this broker has them.
    pub(crate) fn new(added: &[(&str, &str)]) -> Self {
        let mut area = BytesMut::new();
        for (name, value) in added {
            Self::put(&mut area, name, value);
        }
        Self {
            buffer: BytesMut::new(),
            added: area.freeze(),
        }
    }

    fn put(area: &mut BytesMut, name: &str, value: &str) {
        area.put_slice(name.as_bytes());
        area.put_u8(Self::NAME_END);
        area.put_slice(value.as_bytes());
        area.put_u8(Self::VALUE_END);
    }

    /// The producer's `area` with the broker's pairs behind it, and `unique_key` where the
    /// producer gave none.
    pub(crate) fn extend(
        &mut self,
        area: &[u8],
        unique_key: Option<&str>,
    ) -> Result<Properties, PropertyError> {
        let length = area.len() + 1 + self.added.len() + unique_key.map_or(0, |key| key.len() + 10);
        if self.buffer.capacity() < length {
            self.buffer.reserve(length.max(Self::RESERVE));
        }
        self.buffer.put_slice(area);
        if area.last().is_some_and(|last| *last != Self::VALUE_END) {
            self.buffer.put_u8(Self::VALUE_END);
        }
        if let Some(key) = unique_key {
            Self::put(&mut self.buffer, property::UNIQ_KEY, key);
        }
        self.buffer.put_slice(&self.added);
        Properties::from_wire(self.buffer.split().freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_properties_come_last_and_count() {
        let mut stage = PropertyStage::new(&[("MSG_REGION", "r"), ("CLUSTER", "c")]);
        let properties = stage.extend(b"a\x01b\x02CLUSTER\x01x", None).unwrap();
        assert_eq!(
            &properties.as_bytes()[..],
            b"a\x01b\x02CLUSTER\x01x\x02MSG_REGION\x01r\x02CLUSTER\x01c\x02"
        );
        assert_eq!(properties.value("CLUSTER"), Some("c"));
        let empty = stage.extend(b"", Some("id")).unwrap();
        assert_eq!(
            empty.iter().next(),
            Some(("UNIQ_KEY", "id")),
            "nothing stands before it"
        );
    }

    #[test]
    fn what_a_consumer_sends_on_loses_the_last_brokers_marks() {
        let received = "a\u{1}b\u{2}__CRC32#\u{1}0123456789\u{2}";
        let area = without_brokers_own(received.into());
        assert_eq!(area.as_str(), "a\u{1}b\u{2}");
    }

    #[test]
    fn an_area_that_outgrows_its_limit_is_refused() {
        let mut stage = PropertyStage::new(&[("MSG_REGION", "r")]);
        let longest = vec![b'a'; Properties::BYTES_MAX];
        assert!(stage.extend(&longest, None).is_err());
    }

    #[test]
    fn wishes_are_the_last_of_each_name() {
        let pairs = [
            ("WAIT", "true"),
            ("UNIQ_KEY", "1"),
            ("DELAY", "3"),
            ("WAIT", "false"),
            ("TRAN_MSG", "True"),
        ];
        let wishes = Wishes::read(pairs.into_iter());
        let expected = Wishes {
            unique_key: Some("1"),
            waits_not: true,
            is_delayed: true,
            is_transactional: true,
            ..Wishes::default()
        };
        assert_eq!(wishes, expected);
    }
}
