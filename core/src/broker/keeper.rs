//! The threads that keep the store: the flusher, and one that writes index files and snapshots
//! and makes the next segment ready.

use super::shared::Shared;
use crate::Error;
use crate::index::ClosedStretch;
use crate::state::Snapshot;
use crate::store::{Chore, Store};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

/// The running threads.
#[derive(Debug)]
pub(super) struct Keeper {
    flusher: JoinHandle<()>,
    chores: JoinHandle<()>,
}

/// What the thread of the chores knows.
pub(super) struct Household {
    pub(super) shared: Weak<Shared>,
    pub(super) store: Arc<Store>,
    /// Where snapshots go.
    pub(super) directory: PathBuf,
    pub(super) chores: Receiver<Chore>,
    /// Each queue's next offset at the end of the last stretch that has its file.
    pub(super) ends: BTreeMap<u32, u64>,
}

impl Keeper {
    /// Starts both threads.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn start(household: Household) -> io::Result<Self> {
        let store = Arc::clone(&household.store);
        let flusher = spawn("gantry-flusher", move || store.flusher.run())?;
        let chores = spawn("gantry-keeper", move || household.run())?;
        Ok(Self { flusher, chores })
    }

    /// Lets both finish what they have.
    pub(super) fn stop(self, store: &Store) {
        store.order(Chore::Stop);
        // A thread that panicked has said so.
        let _panicked = self.chores.join();
        store.flusher.stop();
        let _panicked = self.flusher.join();
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
}

impl Household {
    fn run(mut self) {
        self.prepare_spare();
        while let Ok(chore) = self.chores.recv() {
            match chore {
                Chore::Stop => return,
                Chore::Closed(stretch) => {
                    if let Err(error) = self.put_away(&stretch) {
                        // The stretch stays in memory and is scanned again after a restart.
                        tracing::error!(%error, base = %stretch.base, "indexing a stretch failed");
                    }
                    self.prepare_spare();
                }
            }
        }
    }

    fn prepare_spare(&self) {
        if let Err(error) = self.store.prepare_spare() {
            tracing::warn!(%error, "the next segment could not be made ahead");
        }
    }

    /// Writes a stretch's index file and a snapshot at its end. Both may only tell of what is on
    /// the disk: a power cut must not leave them ahead of the log.
    fn put_away(&mut self, stretch: &ClosedStretch) -> Result<(), Error> {
        let failed = |error: io::Error| Error::Storage(error.to_string());
        for (queue, run) in &stretch.runs {
            self.ends.insert(*queue, run.end().get());
        }
        let snapshot = self
            .shared
            .upgrade()
            .map(|shared| self.snapshot(&shared, stretch));
        self.store.flusher.flush_through(self.store.appended())?;
        self.store.stretches.persist(stretch).map_err(failed)?;
        if let Some(snapshot) = snapshot {
            snapshot.write(&self.directory).map_err(failed)?;
        }
        Ok(())
    }

    fn snapshot(&self, shared: &Shared, stretch: &ClosedStretch) -> Snapshot {
        let now = shared.clock.now();
        let mut producers = BTreeMap::new();
        for queue in shared
            .topics
            .all()
            .iter()
            .flat_map(|topic| topic.queues().to_vec())
        {
            let mut known = queue.producers.lock();
            known.expire(now);
            if !known.is_empty() {
                producers.insert(queue.number(), known.clone());
            }
        }
        // After the producers: what they have seen is flushed with the state's own records.
        let state = shared.state.read().clone();
        Snapshot {
            position: stretch.end.get(),
            state,
            ends: self.ends.clone(),
            producers,
        }
    }
}
