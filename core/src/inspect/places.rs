//! Which queues the records of a log are in, as a replay would find it.

use crate::index::{Entry, INNER_NONE, IndexFile, Lane, TAG_UNKNOWN};
use crate::model::{PhysicalOffset, QueueOffset, property};
use crate::record::{Further, RecordView, dispatched, tag_hash};
use crate::state::{Command, State};
use crate::store::{Facts, Scan, Scanned, Segments};
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};

/// How the commands begin that say nothing of topics, and of which there are many.
const PROGRESS: &[u8] = br#"{"do":"commit_offsets""#;
/// How a checkpoint begins.
const CHECKPOINT: &[u8] = br#"{"do":"checkpoint""#;
/// The state's own queue among all queues.
const STATE_QUEUE: u32 = 0;

/// The state while the log is walked.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) state: State,
    /// Each queue's next offset, by its number.
    next: HashMap<u32, u64>,
    /// Of all queues there are.
    numbers: HashSet<u32>,
}

/// An entry that a record has in the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The queue's number.
    pub(super) queue: u32,
    pub(super) lane: Lane,
    pub(super) entry: Entry,
}

impl Places {
    pub(super) fn from(state: State) -> Self {
        let mut places = Self {
            state,
            ..Self::default()
        };
        places.note_queues();
        places
    }

    /// The entries `record` must have. Takes it into account when it is a command.
    pub(super) fn of(&mut self, record: &RecordView) -> SmallVec<[Place; 1]> {
        let mut places = SmallVec::new();
        let Some(said) = Said::by(record) else {
            return places;
        };
        let entry = Entry {
            base: record.queue_offset(),
            count: said.count,
            position: record.position(),
            size: u32::try_from(record.bytes().len()).unwrap_or(u32::MAX),
            tag: said.tag,
            stored_at: record.stored_at(),
            inner: INNER_NONE,
        };
        if record.topic() == property::STATE_TOPIC {
            places.extend(self.enter(STATE_QUEUE, entry));
            self.apply(record);
            return places;
        }
        let position = record.position().get();
        let number = self.queue(record.topic(), record.queue().get(), position);
        let Some(queue) = number.filter(|_| !record.sys_flag().is_unqueued()) else {
            return places;
        };
        if record.is_forwarded() {
            let lane = Lane::Forwarded;
            places.push(Place { queue, lane, entry });
            return places;
        }
        let Some(place) = self.enter(queue, entry) else {
            return places;
        };
        places.push(place);
        if !said.is_dispatched {
            return places;
        }
        for (further, base) in dispatched(record) {
            let queue = match further {
                Further::Queue(number) => self.numbers.contains(&number).then_some(number),
                Further::Topic(name) => self.queue(&name, 0, position),
            };
            if let Some(queue) = queue {
                let entry = Entry {
                    base,
                    count: 1,
                    ..entry
                };
                places.extend(self.enter(queue, entry));
            }
        }
        places
    }

    /// The offset the next record of a queue gets.
    pub(super) fn next(&self, queue: u32) -> u64 {
        let main = self
            .state
            .bounds
            .get(&queue)
            .map_or(0, |bounds| bounds.main);
        self.next.get(&queue).map_or(main, |next| main.max(*next))
    }

    /// The number of a queue for a record at `position`.
    pub(super) fn queue(&self, topic: &str, queue: u32, position: u64) -> Option<u32> {
        let topic = self.state.topics.get(topic)?;
        (position >= topic.created_at).then_some(())?;
        topic.queues.get(usize::try_from(queue).ok()?).copied()
    }

    fn enter(&mut self, queue: u32, entry: Entry) -> Option<Place> {
        let main = self
            .state
            .bounds
            .get(&queue)
            .map_or(0, |bounds| bounds.main);
        let next = self.next.entry(queue).or_insert(main);
        let base = entry.base.get();
        (base >= *next || base < main).then_some(())?;
        *next = entry.end().get();
        let lane = Lane::Main;
        Some(Place { queue, lane, entry })
    }

    fn apply(&mut self, record: &RecordView) {
        let body = record.body();
        if body.starts_with(PROGRESS) {
            return;
        }
        let end = record.position().advance(record.bytes().len() as u64);
        let Ok(command) = serde_json::from_slice::<Command>(&body) else {
            return;
        };
        let is_checkpoint = matches!(command, Command::Checkpoint { .. });
        let topic = match &command {
            Command::CreateTopic { name, .. }
            | Command::AlterTopic { name, .. }
            | Command::DeleteTopic { name } => Some(name.clone()),
            _ => None,
        };
        for queue in self.queues_of(topic.as_deref()) {
            self.numbers.remove(&queue);
        }
        self.state.apply(command, end.get());
        self.numbers.extend(self.queues_of(topic.as_deref()));
        if is_checkpoint {
            self.note_queues();
        }
    }

    fn queues_of(&self, topic: Option<&str>) -> Vec<u32> {
        let topic = topic.and_then(|name| self.state.topics.get(name));
        topic.map_or_else(Vec::new, |topic| topic.queues.clone())
    }

    fn note_queues(&mut self) {
        let topics = self.state.topics.values();
        self.numbers = topics.flat_map(|topic| &topic.queues).copied().collect();
    }
}

/// What a record says of its entries. [`Facts`] are more, and take longer.
struct Said {
    count: u32,
    tag: i32,
    /// It is in further queues.
    is_dispatched: bool,
}

impl Said {
    fn by(record: &RecordView) -> Option<Self> {
        let (mut tag, mut is_dispatched) = (0, false);
        if record.is_batch() {
            let Facts { count, tag, .. } = Facts::of_record(record)?;
            return Some(Self {
                count,
                tag,
                is_dispatched,
            });
        }
        for (name, value) in record.properties().iter() {
            match name {
                property::TAGS => tag = tag_hash(value),
                property::DISPATCH | property::INNER_MULTI_DISPATCH => is_dispatched = true,
                _ => {}
            }
        }
        if property::is_waiting_topic(record.topic()) {
            // The index keeps something else in its place.
            tag = Facts::of_record(record)?.tag;
        }
        Some(Self {
            count: 1,
            tag,
            is_dispatched,
        })
    }
}

impl Place {
    /// Whether the index says the same. What it says of tags and times it need not: a record may
    /// have been damaged and repaired since, and a clock may have gone back.
    pub(super) fn is(&self, entry: &Entry) -> bool {
        let wanted = &self.entry;
        let tag_is_known = wanted.tag != TAG_UNKNOWN && entry.tag != TAG_UNKNOWN;
        (wanted.base, wanted.count, wanted.position, wanted.size)
            == (entry.base, entry.count, entry.position, entry.size)
            && (!tag_is_known || wanted.tag == entry.tag)
    }
}

/// The state at the log's beginning: that of the newest checkpoint, which the index finds, and
/// where there is none in it, a walk over the rest of the log.
pub(super) fn first_state(segments: &Segments, indexes: &[IndexFile], mut tail: Scan) -> State {
    let mut newest = None;
    loop {
        match tail.next() {
            Scanned::Record(record) => {
                newest = checkpoint(&record).or(newest);
            }
            Scanned::Damaged(_) | Scanned::Lost(..) => {}
            Scanned::End(_) | Scanned::Unreadable(_) => break,
        }
    }
    let found = || {
        let runs = indexes.iter().rev();
        let runs = runs.filter_map(|file| file.run(STATE_QUEUE, Lane::Main));
        runs.flat_map(|run| run.entries().collect::<Vec<_>>().into_iter().rev())
            .find_map(|entry| checkpoint(&record_at(segments, &entry)?))
    };
    newest.or_else(found).unwrap_or_default()
}

/// The record an entry names, when there is one of its place and size.
pub(super) fn record_at(segments: &Segments, entry: &Entry) -> Option<RecordView> {
    let length = usize::try_from(entry.size).ok()?;
    let bytes = segments.slice(entry.position, length).ok()?;
    let record = RecordView::parse(&bytes).ok()?;
    (record.position() == entry.position && record.bytes().len() == length).then_some(record)
}

/// Whether `record` is in some queue at `offset`.
pub(super) fn is_at(record: &RecordView, offset: QueueOffset) -> bool {
    record.queue_offset() == offset || dispatched(record).iter().any(|(_, found)| *found == offset)
}

fn checkpoint(record: &RecordView) -> Option<State> {
    let is_checkpoint =
        record.topic() == property::STATE_TOPIC && record.body().starts_with(CHECKPOINT);
    is_checkpoint.then_some(())?;
    record.verify().ok()?;
    let command = serde_json::from_slice::<Command>(&record.body()).ok()?;
    let mut state = State::default();
    let end = record.position().advance(record.bytes().len() as u64);
    state.apply(command, end.get());
    Some(state)
}

/// One past the last byte the index files cover from `start` on without a hole.
pub(super) fn covered(start: PhysicalOffset, indexes: &[IndexFile]) -> PhysicalOffset {
    indexes.iter().fold(start, |covered, file| {
        if file.base() == covered {
            file.end()
        } else {
            covered
        }
    })
}
