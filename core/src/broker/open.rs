//! Opening a broker: the newest snapshot, then what the log says since.

use super::Config;
use super::consumed;
use super::conversion::ConversionCache;
use super::keeper::Household;
use super::relay::Checks;
use super::shared::{Shared, state_topic};
use super::topics::Topics;
use crate::Error;
use crate::index::TAG_UNKNOWN;
use crate::leases::LeaseEngine;
use crate::model::{Clock, PhysicalOffset, QueueId, QueueOffset, TopicName, property};
use crate::queue::Queue;
use crate::record::{Further, RecordView};
use crate::state::{Command, Snapshot, State};
use crate::store::{Facts, Opening, Scanned};
use crate::traffic::Traffic;
use crate::vfs::Vfs;
use crate::vhosts::{self, VirtualHosts};
use parking_lot::{Mutex, RwLock};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

/// The state's own queue among all queues.
const STATE_QUEUE: u32 = 0;

/// Hears up to where the log is replayed, at each record.
pub(super) type Listener<'a> = &'a dyn Fn(PhysicalOffset);

/// Opens the store of `directory`. Nothing runs by itself yet: see [`Keeper::start`].
///
/// [`Keeper::start`]: super::keeper::Keeper::start
pub(super) fn open(
    vfs: Arc<dyn Vfs>,
    directory: &Path,
    config: Config,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<Shared>, Household), Error> {
    open_as(vfs, directory, config, clock, None, &|_| {})
}

/// As [`open`]; with `first`, that is the state at the log's beginning, whatever snapshots and
/// checkpoints say.
pub(super) fn open_as(
    vfs: Arc<dyn Vfs>,
    directory: &Path,
    config: Config,
    clock: Arc<dyn Clock>,
    first: Option<State>,
    replayed: Listener<'_>,
) -> Result<(Arc<Shared>, Household), Error> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Error::Storage(format!("{what} {}: {error}", directory.display()))
    };
    vfs.create_directories(directory)
        .map_err(|error| failed("creating", &error))?;
    let lock = lock(&*vfs, directory)?;
    let (chores, received) = channel();
    let (store, clock_of_store) = (config.store.clone(), Arc::clone(&clock));
    let mut opening = Opening::open(&vfs, directory, store, clock_of_store, chores)?;
    let snapshot = newest_state(&*vfs, directory, &opening, first)
        .map_err(|error| failed("reading the state of", &error))?;
    crash_point!("recover.before_replay");
    let saved_applied = snapshot.state.applied;
    let mut replay = Replay::from(snapshot)?;
    let end = replay
        .run(&mut opening, replayed)
        .map_err(|error| failed("reading the log of", &error))?;
    crash_point!("recover.replayed");
    let ends = replay.take_ends(&opening);
    let store = Arc::new(opening.finish(end, config.store_host)?);
    let shared = Arc::new(Shared {
        vhosts: replay.vhosts(),
        cache: ConversionCache::new(config.store.conversion_cache_bytes_max),
        leases: LeaseEngine::new(config.leases.clone(), clock.now()),
        config,
        clock,
        store: Arc::clone(&store),
        state_topic: state_topic()?,
        state_queue: replay.state_queue,
        state: RwLock::new(replay.state),
        topics: replay.topics,
        produced: Traffic::default(),
        refused: 0.into(),
        keeper: Mutex::default(),
        deaths: 0.into(),
        retention: Mutex::default(),
        next_producer_id: Mutex::default(),
        is_stopping: false.into(),
        settling: Mutex::default(),
        relay: Arc::default(),
        checks: Checks::default(),
        _lock: lock,
    });
    let household = Household {
        shared: Arc::downgrade(&shared),
        store,
        vfs,
        directory: directory.to_owned(),
        chores: received,
        closed: VecDeque::new(),
        unsaved_end: None,
        suspects: BTreeSet::new(),
        checked_to: PhysicalOffset::ZERO,
        saved_at: shared.clock.now(),
        saved_applied,
        // Whatever died before the start is looked for once.
        surveyed_deaths: u64::MAX,
        ends,
    };
    Ok((shared, household))
}

/// Makes the directory ours until what is returned is dropped.
fn lock(vfs: &dyn Vfs, directory: &Path) -> Result<Box<dyn Any + Send + Sync>, Error> {
    vfs.lock(&directory.join("lock")).map_err(|error| {
        let why: &dyn std::fmt::Display = match error.kind() {
            ErrorKind::WouldBlock => &"another process uses it",
            _ => &error,
        };
        Error::Storage(format!("locking {}: {why}", directory.display()))
    })
}

/// The state a replay starts with: `first` where it is given, else the newest snapshot's, else
/// the newest checkpoint's.
fn newest_state(
    vfs: &dyn Vfs,
    directory: &Path,
    opening: &Opening,
    first: Option<State>,
) -> io::Result<Snapshot> {
    let snapshot = Snapshot::load(vfs, &directory.join("state"), opening.covered().get())?;
    if let Some(state) = first {
        return Ok(Snapshot {
            state,
            ..Snapshot::default()
        });
    }
    // One from before the log's beginning lacks what was said in between.
    match snapshot.filter(|snapshot| snapshot.position >= opening.start().get()) {
        Some(snapshot) => Ok(snapshot),
        None => last_checkpoint(opening),
    }
}

/// The newest checkpoint of the state in the log, without which a log that has lost its beginning
/// does not say what its topics are.
fn last_checkpoint(opening: &Opening) -> io::Result<Snapshot> {
    let mut newest = Snapshot::default();
    let mut scan = opening.scan(opening.start());
    loop {
        match scan.next() {
            Scanned::Record(record) if record.topic() == property::STATE_TOPIC => {
                let command = serde_json::from_slice(&record.body());
                if let Ok(Command::Checkpoint { state }) = command
                    && let Some(whole) = state.unpack()
                {
                    newest.producers = whole.producers;
                    newest.state = State {
                        applied: scan.position().get(),
                        ..whole.state
                    };
                }
            }
            Scanned::Record(_) | Scanned::Damaged(_) | Scanned::Lost(..) => {}
            Scanned::End(_) => return Ok(newest),
            Scanned::Unreadable(error) => return Err(error),
        }
    }
}

/// State and topics while the log is replayed.
struct Replay {
    position: u64,
    state: State,
    topics: Topics,
    state_queue: Arc<Queue>,
    ends: BTreeMap<u32, u64>,
}

impl Replay {
    fn from(snapshot: Snapshot) -> Result<Self, Error> {
        let Snapshot {
            position,
            state,
            ends,
            producers,
        } = snapshot;
        let topics = Topics::default();
        for name in state
            .topics
            .keys()
            .filter_map(|name| TopicName::new(name).ok())
        {
            topics.reflect(&name, &state, &ends);
        }
        for queue in topics
            .all()
            .iter()
            .flat_map(|topic| topic.queues().to_vec())
        {
            if let Some(known) = producers.get(&queue.number()) {
                *queue.producers.lock() = known.clone();
            }
        }
        let main = state
            .bounds
            .get(&STATE_QUEUE)
            .map_or(0, |bounds| bounds.main);
        let next = ends.get(&STATE_QUEUE).copied().unwrap_or(0).max(main);
        let next = QueueOffset::new(next);
        let state_queue = Arc::new(Queue::new(
            STATE_QUEUE,
            state_topic()?,
            QueueId::new(0),
            next,
        ));
        Ok(Self {
            position,
            state,
            topics,
            state_queue,
            ends,
        })
    }

    /// Walks the log to its end, which it returns.
    fn run(&mut self, opening: &mut Opening, replayed: Listener<'_>) -> io::Result<PhysicalOffset> {
        let mut scan = opening.scan(opening.start().max(PhysicalOffset::new(self.position)));
        loop {
            replayed(scan.position());
            match scan.next() {
                Scanned::Record(record) => self.take(opening, &record),
                Scanned::Damaged(record) => {
                    let end = record.position().advance(record.bytes().len() as u64);
                    opening.damages().note(record.position(), end);
                    self.take_damaged(opening, &record);
                }
                Scanned::Lost(from, to) => {
                    opening.damages().note(from, to);
                    opening.pass(from, to);
                }
                Scanned::End(reason) => {
                    tracing::debug!(end = %scan.position(), %reason, "the log's end");
                    return Ok(scan.position());
                }
                Scanned::Unreadable(error) => return Err(error),
            }
        }
    }

    /// A record whose body is damaged keeps its place in its queue, so that reading it is an error
    /// and not a gap nobody notices. Where the damage is elsewhere, the queue it names may be
    /// another's.
    fn take_damaged(&mut self, opening: &mut Opening, record: &RecordView) {
        let is_state = record.topic() == self.state_queue.topic().as_str();
        let facts = Facts::of_record(record).filter(|facts| {
            let properties = record.properties();
            let said = properties.value(property::INNER_NUM);
            !record.is_batch() || said.and_then(|said| said.parse().ok()) == Some(facts.count)
        });
        let queue = self.queue(record.topic(), record.queue(), record.position());
        match (facts, queue) {
            (Some(mut facts), Some(queue))
                if !is_state
                    && record.is_body_damaged()
                    && record.queue_offset() == queue.next() =>
            {
                (facts.producer, facts.tag) = (None, TAG_UNKNOWN);
                opening.replay(record, &facts, Some(&queue), |_| None);
            }
            _ => {
                let end = record.position().advance(record.bytes().len() as u64);
                opening.pass(record.position(), end);
            }
        }
    }

    fn take(&mut self, opening: &mut Opening, record: &RecordView) {
        let end = record.position().advance(record.bytes().len() as u64);
        let Some(facts) = Facts::of_record(record) else {
            tracing::error!(position = %record.position(), "a batch without a header is passed over");
            opening.pass(record.position(), end);
            return;
        };
        if record.topic() == self.state_queue.topic().as_str() {
            let queue = Arc::clone(&self.state_queue);
            opening.replay(record, &facts, Some(&queue), |_| None);
            if self.position > 0 && planted!("recover.forget_commands") {
                return;
            }
            self.apply(record);
            return;
        }
        let position = record.position();
        if let Some((queue, offset)) = facts.settles {
            self.state.settle(queue, offset);
        }
        // Of what was copied forward it was true before.
        if facts.consumes && !record.is_forwarded() {
            consumed::replay(&mut self.state, record, |number| self.topics.queue(number));
        }
        self.take_ops(record);
        // Of a deleted topic's record the further queues may live on.
        let queue = self.queue(record.topic(), record.queue(), position);
        let is_taken =
            |queue: &Arc<Queue>| !record.is_forwarded() && !queue.admits(record.queue_offset());
        if record.sys_flag().is_unqueued() {
            opening.pass(position, end);
        } else if queue.as_ref().is_some_and(is_taken) {
            tracing::error!(%position, "a record whose offset its queue has already is passed over");
            opening.pass(position, end);
        } else {
            let further = |further: &Further| match further {
                Further::Queue(number) => self.topics.queue(*number),
                Further::Topic(name) => self.queue(name, QueueId::new(0), position),
            };
            opening.replay(record, &facts, queue.as_ref(), further);
        }
    }

    /// A note of a broker whose log was imported: which of its half messages have their outcome.
    fn take_ops(&mut self, record: &RecordView) {
        if record.topic() != property::OP_TOPIC || record.is_batch() {
            return;
        }
        let half = self.queue(property::HALF_TOPIC, record.queue(), record.position());
        let (Some(half), body) = (half, record.body()) else {
            return;
        };
        let offsets = std::str::from_utf8(&body).unwrap_or_default().split(',');
        for offset in offsets.filter_map(|offset| offset.parse().ok()) {
            self.state.settle(half.number(), offset);
        }
    }

    /// Each queue's next offset, by its number.
    fn take_ends(&mut self, opening: &Opening) -> BTreeMap<u32, u64> {
        let from = PhysicalOffset::new(self.position);
        let covered = opening.stretches().queue_ends(from);
        let mut ends = std::mem::take(&mut self.ends);
        ends.extend(covered.into_iter().map(|(queue, end)| (queue, end.get())));
        ends
    }

    /// The virtual hosts as the state has them.
    fn vhosts(&self) -> VirtualHosts {
        match self.state.documents.get(vhosts::NAMESPACE) {
            Some(documents) => VirtualHosts::load(documents, |name| self.topics.by_name(name)),
            None => VirtualHosts::load(&BTreeMap::new(), |_| None),
        }
    }

    /// The queue a record at `position` belongs to; none when its topic was deleted since.
    fn queue(&self, topic: &str, queue: QueueId, position: PhysicalOffset) -> Option<Arc<Queue>> {
        let created_at = self.state.topics.get(topic)?.created_at;
        (position.get() >= created_at).then_some(())?;
        self.topics.by_name(topic)?.queue(queue).ok()
    }

    /// After a checkpoint, which says the same of the topics as what came before it, and more of
    /// where their queues begin.
    fn reflect_all(&self) {
        for name in self.state.topics.keys() {
            if let Ok(name) = TopicName::new(name) {
                self.topics.reflect(&name, &self.state, &BTreeMap::new());
            }
        }
    }

    fn apply(&mut self, record: &RecordView) {
        let end = record.position().advance(record.bytes().len() as u64).get();
        let command: Command = match serde_json::from_slice(&record.body()) {
            Ok(command) => command,
            Err(error) => {
                let position = record.position();
                tracing::error!(%position, %error, "a command of a newer version is passed over");
                return;
            }
        };
        let topic = match &command {
            Command::CreateTopic { name, .. }
            | Command::AlterTopic { name, .. }
            | Command::DeleteTopic { name }
            | Command::RaiseStarts { name, .. } => TopicName::new(name).ok(),
            _ => None,
        };
        let is_checkpoint = matches!(command, Command::Checkpoint { .. });
        self.state.apply(command, end);
        if is_checkpoint {
            self.reflect_all();
        }
        if let Some(name) = topic {
            self.topics.reflect(&name, &self.state, &BTreeMap::new());
        }
    }
}
