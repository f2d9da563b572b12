//! Messages that come again: what clients see of it, and what a dead letter says.

use bytes::{Bytes, BytesMut};
use gantry_core::model::{GroupName, Properties, TopicName, property};
use gantry_core::record::RecordView;
use gantry_remoting_protocol::pop::ReceiptHandle;
use gantry_remoting_protocol::record::{MessageId, Record};

/// `POP_CK`: the receipt; clients make it themselves where it is absent.
const RECEIPT: &str = "POP_CK";
/// `ORIGIN_GROUP`: for whom the message is tried again.
const GROUP: &str = "ORIGIN_GROUP";
/// `RETRY_TOPIC`: the topic of a message that is in another now.
const TOPIC: &str = "RETRY_TOPIC";
/// `ORIGIN_MESSAGE_ID`: where the first of its records lies.
const ID: &str = "ORIGIN_MESSAGE_ID";

/// A stored message as one popped `times` times before. A message without room for more
/// properties goes without them; one that is no record stays as it is.
pub(super) fn again(
    stored: &Bytes,
    times: i32,
    handle: &ReceiptHandle,
    group: &GroupName,
) -> Bytes {
    let Ok(mut record) = Record::decode(&mut stored.clone()) else {
        return stored.clone();
    };
    record.reconsume_times = times;
    let mut out = BytesMut::with_capacity(stored.len().saturating_add(256));
    let own = record.properties.clone();
    let part = if own.is_empty() || own.ends_with('\u{2}') {
        ""
    } else {
        "\u{2}"
    };
    let added = format!(
        "{}{part}{RECEIPT}\u{1}{handle}\u{2}{GROUP}\u{1}{group}\u{2}",
        own.as_str()
    );
    record.properties = added.into();
    if record.encode(&mut out).is_err() {
        record.properties = own;
        if record.encode(&mut out).is_err() {
            return stored.clone();
        }
    }
    out.freeze()
}

/// A dead letter's properties: the message's own, and where it was.
pub(super) fn dead_letter_properties(record: &RecordView, topic: &TopicName) -> Properties {
    let id = MessageId {
        host: record.store_host(),
        offset: i64::try_from(record.position().get()).unwrap_or(i64::MAX),
    };
    let id = id.to_string();
    let properties = record.properties();
    let own = || {
        let kept = |name: &str| ![TOPIC, property::WAIT, property::DELAY, RECEIPT].contains(&name);
        let pairs = properties.iter();
        pairs.filter(move |(name, _)| kept(name) && !property::is_reserved(name))
    };
    let first = properties.value(ID).is_none();
    let marks = [(TOPIC, topic.as_str()), (property::WAIT, "false")];
    let origin = first.then_some((ID, id.as_str()));
    let all = own().chain(marks).chain(origin);
    Properties::from_pairs(all)
        // There is no room for the marks.
        .or_else(|_| Properties::from_pairs(own()))
        .unwrap_or_default()
}
