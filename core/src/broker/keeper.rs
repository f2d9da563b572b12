//! What keeps the store: the flusher, and a household that writes index files and snapshots and
//! makes the next segment ready. Each has a thread, or is stepped by whoever opened the broker.

use super::keys::batch_keys;
use super::lease::relay as lease_relay;
use super::relay::{Next, Relay};
use super::shared::Shared;
use crate::Error;
use crate::index::{ClosedStretch, Lane};
use crate::leases::ChangeSignal;
use crate::model::{PhysicalOffset, Timestamp};
use crate::queue::Producers;
use crate::state::{Snapshot, State};
use crate::store::{Chore, Store};
use crate::vfs::Vfs;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at the disk and at what has expired (RocketMQ's `cleanResourceInterval`).
const ROUND: Duration = Duration::from_secs(10);
/// The same while something could not be done for want of room.
const HURRIED_ROUND: Duration = Duration::from_secs(1);

/// The running threads.
#[derive(Debug)]
pub(super) struct Keeper {
    flusher: JoinHandle<()>,
    chores: JoinHandle<()>,
    relay: JoinHandle<()>,
    leases: JoinHandle<()>,
    lease_changes: Arc<ChangeSignal>,
}

/// What the store has to be done for it, and who does it.
#[derive(Debug)]
pub(super) struct Household {
    pub(super) shared: Weak<Shared>,
    pub(super) store: Arc<Store>,
    pub(super) vfs: Arc<dyn Vfs>,
    /// The data directory.
    pub(super) directory: PathBuf,
    pub(super) chores: Receiver<Chore>,
    /// Stretches whose files are not written yet, the oldest first.
    pub(super) closed: VecDeque<Arc<ClosedStretch>>,
    /// Each queue's next offset at the end of the last stretch that has its file.
    pub(super) ends: BTreeMap<u32, u64>,
    /// Where the last file ends, if no snapshot was written there yet.
    pub(super) unsaved_end: Option<PhysicalOffset>,
    /// When the last snapshot was written, or the store was opened.
    pub(super) saved_at: Timestamp,
    /// What it had applied.
    pub(super) saved_applied: u64,
    /// Where the stretches begin whose index files are said to be damaged.
    pub(super) suspects: BTreeSet<PhysicalOffset>,
    /// Up to here index files were checked since the first.
    pub(super) checked_to: PhysicalOffset,
    /// [`Shared::deaths`] when dead segments were last looked for.
    pub(super) surveyed_deaths: u64,
}

/// A broker's work that has no thread: done when asked for, on the caller's.
#[derive(Debug)]
pub struct Steps(Household, Relay);

impl Steps {
    pub(super) const fn of(household: Household, relay: Relay) -> Self {
        Self(household, relay)
    }

    /// Flushes what is appended.
    ///
    /// # Errors
    /// [`Error::Storage`]; the store takes no writes after it.
    pub fn flush(&self) -> Result<(), Error> {
        self.0.store.flusher.flush()
    }

    /// Does what has come up: index files, snapshots, the next segment.
    pub fn keep(&mut self) {
        while let Ok(chore) = self.0.chores.try_recv() {
            self.0.take(chore);
        }
        if let Some(shared) = self.0.shared.upgrade() {
            shared.write_lease_progress();
        }
        self.0.round();
    }

    /// Delivers what is due.
    pub fn relay(&mut self) {
        while self.1.step() == Next::Now {}
    }
}

impl Keeper {
    /// Starts the threads.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn start(shared: &Arc<Shared>, household: Household) -> io::Result<Self> {
        let changes = Arc::clone(shared.leases.changes());
        let interval = Duration::from_millis(shared.config.leases.persist_interval_ms);
        let (told, owner) = (Arc::clone(&changes), household.shared.clone());
        let leases = spawn("gantry-leases", move || {
            lease_relay::run(&owner, &told, interval)
        })?;
        let store = Arc::clone(&household.store);
        let (relay, signal) = (Relay::of(shared), Arc::clone(&shared.relay));
        let flusher = spawn("gantry-flusher", move || store.flusher.run())?;
        let chores = spawn("gantry-keeper", move || household.run())?;
        let relay = spawn("gantry-relay", move || relay.run(&signal))?;
        Ok(Self {
            flusher,
            chores,
            relay,
            leases,
            lease_changes: changes,
        })
    }

    /// Lets all finish what they have.
    pub(super) fn stop(self, store: &Store) {
        self.lease_changes.stop();
        let _panicked = self.leases.join();
        // A thread that panicked has said so.
        let _panicked = self.relay.join();
        store.order(Chore::Stop);
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
        self.round();
        loop {
            let is_hurried = !self.closed.is_empty()
                || self.unsaved_end.is_some()
                || self.store.health.is_full();
            let round = if is_hurried { HURRIED_ROUND } else { ROUND };
            let goes_on = match self.chores.recv_timeout(round) {
                Ok(chore) => self.take_all(chore),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => false,
            };
            if !goes_on {
                self.put_away();
                return;
            }
            self.round();
        }
    }

    /// Takes `first` and what came behind it; whether to go on. A round does for all of them: one
    /// for each would fall ever further behind when a round takes longer than a stretch.
    fn take_all(&mut self, first: Chore) -> bool {
        let mut goes_on = true;
        let mut next = Some(first);
        while let Some(chore) = next {
            goes_on &= !matches!(chore, Chore::Stop);
            self.take(chore);
            next = self.chores.try_recv().ok();
        }
        goes_on
    }

    fn take(&mut self, chore: Chore) {
        match chore {
            Chore::Closed(stretch) => self.closed.push_back(stretch),
            Chore::Mend(base) => {
                self.suspects.insert(base);
            }
            Chore::Stop => {}
        }
    }

    /// All that is due now.
    fn round(&mut self) {
        self.put_away();
        if let Some(shared) = self.shared.upgrade() {
            self.forget(&shared);
            self.check_index(&shared);
            self.close_when_due(&shared);
        }
        self.prepare_spare();
        self.store.stretches.release_pages();
    }

    /// Writes what is closed, of a store that has been sealed and that nothing keeps.
    ///
    /// # Errors
    /// [`Error::Storage`] when a file could not be written.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        while let Ok(chore) = self.chores.try_recv() {
            self.take(chore);
        }
        self.try_put_away()
    }

    fn prepare_spare(&self) {
        if let Err(error) = self.store.prepare_spare() {
            tracing::debug!(%error, "the next segment could not be made ahead");
        }
    }

    /// Writes the files of closed stretches as far as it goes, and a snapshot: what fails is tried
    /// again.
    fn put_away(&mut self) {
        if let Err(error) = self.try_put_away() {
            // What has no file stays in memory and would be scanned again after a restart.
            tracing::warn!(%error, waiting = self.closed.len(), "indexing stretches failed");
        }
    }

    /// The index files of closed stretches, and one snapshot at the end of the last. Both may only
    /// tell of what is on the disk: a power cut must not leave them ahead of the log.
    fn try_put_away(&mut self) -> Result<(), Error> {
        if self.closed.is_empty() && self.unsaved_end.is_none() {
            return Ok(());
        }
        let failed = |error: io::Error| Error::Storage(error.to_string());
        let known = self.shared.upgrade().map(|shared| known(&shared));
        crash_point!("index.before_flush");
        if !planted!("index.before_flush") {
            self.store.flush_placed()?;
        }
        while let Some(stretch) = self.closed.front().cloned() {
            crash_point!("index.before_write");
            let keys = batch_keys(&self.store, &stretch);
            let filed = self.store.stretches.persist(&stretch, &keys);
            filed.map_err(failed)?;
            self.closed.pop_front();
            self.unsaved_end = Some(stretch.end);
            for ((queue, lane), run) in &stretch.runs {
                if *lane == Lane::Main {
                    self.ends.insert(*queue, run.end().get());
                }
            }
        }
        crash_point!("snapshot.before_write");
        if let (Some(end), Some((state, producers))) = (self.unsaved_end, known) {
            let applied = state.applied;
            let snapshot = self.snapshot(end, state, producers);
            let snapshots = self.directory.join("state");
            snapshot.write(&*self.vfs, &snapshots).map_err(failed)?;
            self.saved_applied = applied;
        }
        self.unsaved_end = None;
        self.saved_at = self.store.clock.now();
        crash_point!("snapshot.after_write");
        Ok(())
    }

    /// Ends the open stretch when the state has changed and no snapshot was written for long, so
    /// that the next one leaves less to be replayed.
    fn close_when_due(&self, shared: &Shared) {
        let interval = shared.config.store.snapshot_interval_ms;
        let since = self.store.clock.now().millis_since(self.saved_at);
        let is_due = interval > 0 && since >= interval;
        if is_due
            && shared.state.read().applied > self.saved_applied
            && let Err(error) = self.store.close_open_stretch()
        {
            tracing::debug!(%error, "the open stretch could not be closed for a snapshot");
        }
    }

    fn snapshot(
        &self,
        end: PhysicalOffset,
        state: State,
        producers: BTreeMap<u32, Producers>,
    ) -> Snapshot {
        let is_forgotten = planted!("snapshot.forget_ends");
        Snapshot {
            position: end.get(),
            state,
            ends: if is_forgotten {
                BTreeMap::new()
            } else {
                self.ends.clone()
            },
            producers,
        }
    }
}

/// What a snapshot is made of.
fn known(shared: &Shared) -> (State, BTreeMap<u32, Producers>) {
    // The outcomes in the stretches are then noted as such: a replay does not see them again.
    drop(shared.settling.lock());
    let producers = shared.producers();
    // After the producers: what they have seen is flushed with the state's own records.
    (shared.state.read().clone(), producers)
}
