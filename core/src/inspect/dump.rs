//! Records one after the other, as plain data.

use super::Inspection;
use crate::model::{PhysicalOffset, Timestamp, property};
use crate::record::RecordView;
use crate::state::Command;
use crate::store::{Facts, Scanned};
use bytes::Bytes;

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub struct DumpFilter {
    /// Those of one topic.
    pub topic: Option<String>,
    /// Those of the queues of that id.
    pub queue: Option<u32>,
    /// Those that stand at this position or after it.
    pub from: u64,
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// One message.
    Message,
    /// A Kafka record batch.
    Batch,
    /// One of both, copied forward from an expired segment.
    Forwarded,
    /// A record whose checksum does not match; nothing it says need be true.
    Damaged,
    /// Bytes where records have been.
    Lost,
}

impl RecordKind {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Batch => "batch",
            Self::Forwarded => "forwarded",
            Self::Damaged => "damaged",
            Self::Lost => "lost",
        }
    }
}

/// One record.
#[derive(Clone, Debug)]
pub struct DumpedRecord {
    /// Where it stands in the log.
    pub position: PhysicalOffset,
    /// Its bytes.
    pub size: u64,
    /// What it is. Of what is lost only the place is known.
    pub kind: RecordKind,
    /// The topic.
    pub topic: String,
    /// The queue.
    pub queue: u32,
    /// The offset of its first message.
    pub offset: u64,
    /// Offsets it takes: as many as it had messages when it was produced.
    pub count: u32,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// When its producer made it.
    pub born_at: Timestamp,
    /// The message's keys.
    pub keys: Option<String>,
    /// The message's tag.
    pub tags: Option<String>,
    /// The body: the application's, or a record batch.
    pub body: Bytes,
    /// What a record of the state says, as JSON; a whole state is unpacked.
    pub command: Option<String>,
}

impl Inspection {
    /// Hands the records that `filter` wants to `take` in log order, until it wants no more.
    pub fn dump(&self, filter: &DumpFilter, take: &mut dyn FnMut(DumpedRecord) -> bool) {
        let from = PhysicalOffset::new(filter.from);
        // A walk begins where a record does.
        let start = self.segments.find(from).map(|segment| segment.base());
        let start = start.or_else(|| self.segments.next_from(from).map(|next| next.base()));
        let Some(start) = start else {
            return;
        };
        let mut scan = self.scan(start);
        loop {
            let dumped = match scan.next() {
                Scanned::Record(record) => {
                    let wanted = filter.wants(&record);
                    wanted.then(|| dumped(&record, kind(&record)))
                }
                Scanned::Damaged(record) => {
                    let wanted = filter.wants(&record);
                    wanted.then(|| dumped(&record, RecordKind::Damaged))
                }
                Scanned::Lost(from, to) => {
                    let wanted = filter.topic.is_none() && filter.queue.is_none();
                    let wanted = wanted && to.get() > filter.from;
                    wanted.then(|| lost(from, to))
                }
                Scanned::End(_) | Scanned::Unreadable(_) => return,
            };
            if dumped.is_some_and(|dumped| !take(dumped)) {
                return;
            }
        }
    }
}

impl DumpFilter {
    fn wants(&self, record: &RecordView) -> bool {
        record.position().get() >= self.from
            && self.queue.is_none_or(|queue| record.queue().get() == queue)
            && self
                .topic
                .as_deref()
                .is_none_or(|topic| record.topic() == topic)
    }
}

fn kind(record: &RecordView) -> RecordKind {
    if record.is_forwarded() {
        RecordKind::Forwarded
    } else if record.is_batch() {
        RecordKind::Batch
    } else {
        RecordKind::Message
    }
}

fn dumped(record: &RecordView, kind: RecordKind) -> DumpedRecord {
    let properties = record.properties();
    let value = |name: &str| {
        let value = properties.value(name).filter(|_| !record.is_batch());
        value.map(str::to_owned)
    };
    let is_command = record.topic() == property::STATE_TOPIC;
    DumpedRecord {
        position: record.position(),
        size: record.bytes().len() as u64,
        kind,
        topic: record.topic().to_owned(),
        queue: record.queue().get(),
        offset: record.queue_offset().get(),
        count: Facts::of_record(record).map_or(1, |facts| facts.count),
        stored_at: record.stored_at(),
        born_at: record.born_at(),
        keys: value(property::KEYS),
        tags: value(property::TAGS),
        body: record.body(),
        command: is_command.then(|| command(&record.body())).flatten(),
    }
}

/// A command as it is, but for a checkpoint's state, which is packed.
fn command(body: &[u8]) -> Option<String> {
    let command = serde_json::from_slice::<Command>(body).ok()?;
    let mut json = serde_json::to_value(&command).ok()?;
    if let Command::Checkpoint { state } = &command
        && let Some(slot) = json.get_mut("state")
    {
        *slot = serde_json::to_value(state.unpack()?).ok()?;
    }
    Some(json.to_string())
}

fn lost(from: PhysicalOffset, to: PhysicalOffset) -> DumpedRecord {
    DumpedRecord {
        position: from,
        size: from.distance_to(to),
        kind: RecordKind::Lost,
        topic: String::new(),
        queue: 0,
        offset: 0,
        count: 0,
        stored_at: Timestamp::default(),
        born_at: Timestamp::default(),
        keys: None,
        tags: None,
        body: Bytes::new(),
        command: None,
    }
}
