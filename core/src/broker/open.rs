//! Opening a broker: the newest snapshot, then what the log says since.

use super::Config;
use super::conversion::ConversionCache;
use super::keeper::{Household, Keeper};
use super::shared::{Shared, state_topic};
use super::topics::Topics;
use crate::Error;
use crate::model::{Clock, PhysicalOffset, QueueId, QueueOffset, TopicName};
use crate::queue::Queue;
use crate::record::RecordView;
use crate::state::{Command, Snapshot, State};
use crate::store::{Facts, Opening, Scanned};
use parking_lot::{Mutex, RwLock};
use rustix::fs::FlockOperation;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

/// The state's own queue among all queues.
const STATE_QUEUE: u32 = 0;

pub(super) fn open(
    directory: &Path,
    config: Config,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Shared>, Error> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Error::Storage(format!("{what} {}: {error}", directory.display()))
    };
    std::fs::create_dir_all(directory).map_err(|error| failed("creating", &error))?;
    let lock = lock(directory)?;
    let (chores, received) = channel();
    let mut opening = Opening::open(directory, config.store.clone(), chores)?;
    let snapshots = directory.join("state");
    let snapshot = Snapshot::load(&snapshots, opening.covered().get())
        .map_err(|error| failed("reading the snapshots of", &error))?
        .unwrap_or_default();
    let mut replay = Replay::from(snapshot)?;
    let mut scan = opening.scan(opening.start().max(PhysicalOffset::new(replay.position)));
    let reason = loop {
        match scan.next() {
            Scanned::Record(record) => replay.take(&mut opening, &record),
            Scanned::End(reason) => break reason,
        }
    };
    let mut ends = replay.ends;
    let covered_ends = opening
        .stretches()
        .queue_ends(PhysicalOffset::new(replay.position));
    ends.extend(
        covered_ends
            .into_iter()
            .map(|(queue, end)| (queue, end.get())),
    );
    let store_host = config.store_host;
    let store = opening.finish(scan.position(), reason, Arc::clone(&clock), store_host)?;
    let store = Arc::new(store);
    let shared = Arc::new(Shared {
        cache: ConversionCache::new(config.store.conversion_cache_bytes_max),
        config,
        clock,
        store: Arc::clone(&store),
        state: RwLock::new(replay.state),
        state_topic: state_topic()?,
        state_queue: replay.state_queue,
        topics: replay.topics,
        keeper: Mutex::default(),
        mapped_bytes: 0.into(),
        next_producer_id: Mutex::default(),
        is_stopping: false.into(),
        _lock: lock,
    });
    let household = Household {
        shared: Arc::downgrade(&shared),
        store,
        directory: snapshots,
        chores: received,
        ends,
    };
    let keeper = Keeper::start(household).map_err(|error| failed("keeping", &error))?;
    *shared.keeper.lock() = Some(keeper);
    Ok(shared)
}

/// Makes the directory ours until the file is dropped.
fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("lock");
    let file = File::create(&path);
    let file = file.map_err(|error| Error::Storage(format!("{}: {error}", path.display())))?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Error::Storage(format!(
            "{} is used by another process",
            directory.display()
        ))
    })?;
    Ok(file)
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
        let next = QueueOffset::new(ends.get(&STATE_QUEUE).copied().unwrap_or(0));
        let state_queue = Arc::new(Queue::new(STATE_QUEUE, state_topic()?, next));
        Ok(Self {
            position,
            state,
            topics,
            state_queue,
            ends,
        })
    }

    fn take(&mut self, opening: &mut Opening, record: &RecordView) {
        let Some(facts) = Facts::of_record(record) else {
            tracing::error!(position = %record.position(), "a batch without a header is passed over");
            return;
        };
        if record.topic() == self.state_queue.topic().as_str() {
            let queue = Arc::clone(&self.state_queue);
            opening.replay(record, &facts, &queue, |_| None);
            self.apply(record);
            return;
        }
        let position = record.position();
        match self.queue(record.topic(), record.queue(), position) {
            Some(queue) => {
                let further = |name: &str| self.queue(name, QueueId::new(0), position);
                opening.replay(record, &facts, &queue, further);
            }
            None => opening.pass(record),
        }
    }

    /// The queue a record at `position` belongs to; none when its topic was deleted since.
    fn queue(&self, topic: &str, queue: QueueId, position: PhysicalOffset) -> Option<Arc<Queue>> {
        let created_at = self.state.topics.get(topic)?.created_at;
        (position.get() >= created_at).then_some(())?;
        self.topics.by_name(topic)?.queue(queue).ok()
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
            | Command::DeleteTopic { name } => TopicName::new(name).ok(),
            _ => None,
        };
        self.state.apply(command, end);
        if let Some(name) = topic {
            self.topics.reflect(&name, &self.state, &BTreeMap::new());
        }
    }
}
