//! Settled messages become progress in the log: at most every so often, and before a broker stops.

use crate::Error;
use crate::broker::offsets::OffsetCommit;
use crate::broker::shared::Shared;
use crate::leases::{ChangeSignal, GroupLeases, LedgerKey, Ledgers};
use crate::model::{GroupName, PhysicalOffset, TopicName};
use crate::state::{Command, LeaseChange};
use std::sync::Weak;
use std::time::Duration;

/// Writes progress until it is told to stop.
pub(in crate::broker) fn run(shared: &Weak<Shared>, changes: &ChangeSignal, interval: Duration) {
    while changes.wait(interval) {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        shared.write_lease_progress();
    }
}

impl Shared {
    /// Writes the progress of all groups that have any new.
    pub(in crate::broker) fn write_lease_progress(&self) {
        for group in self.leases.changes().take() {
            if let Err(error) = self.write_progress_of(&group) {
                tracing::debug!(%group, %error, "what a group acknowledged is not in the log yet");
                self.leases.changes().note(&group);
                return;
            }
            self.leases.forget_if_empty(&group);
        }
    }

    /// Writes a group's progress, if it has any new.
    ///
    /// # Errors
    /// A failed store.
    pub(in crate::broker) fn write_progress_of(&self, group: &GroupName) -> Result<(), Error> {
        let Some(leases) = self.leases.known(group) else {
            return Ok(());
        };
        let mut ledgers = leases.lock();
        let mut state = self.state_mut();
        let count = ledgers.by_queue.len();
        ledgers.by_queue.retain(|(topic, _), ledger| {
            let known = state.topics.get(topic.as_str());
            known.is_some_and(|known| known.uuid == ledger.topic())
        });
        let mut queues = Vec::new();
        for ((topic, queue), ledger) in &ledgers.by_queue {
            if ledger.is_changed() {
                queues.push(LeaseChange {
                    topic: topic.as_str().to_owned(),
                    queue: queue.get(),
                    progress: ledger.progress(),
                });
            }
        }
        if !queues.is_empty() {
            let command = Command::LeaseProgress {
                group: group.as_str().to_owned(),
                committed_at: self.clock.now().millis(),
                queues,
            };
            self.log(&mut state, command)?;
        }
        drop(state);
        ledgers.by_queue.retain(|_, ledger| {
            ledger.written();
            !ledger.is_idle()
        });
        let gone = count - ledgers.by_queue.len();
        self.leases.release_ledgers(gone);
        Ok(())
    }

    /// Logs a command that changes a group's progress, and tells its leases with `tell`; where the
    /// command's record ends.
    pub(in crate::broker) fn log_progress(
        &self,
        group: &GroupName,
        command: Command,
        tell: impl Fn(&mut Ledgers),
    ) -> Result<PhysicalOffset, Error> {
        if let Some(leases) = self.leases.known(group) {
            // Locked while the command is logged: what is settled must not be written after it,
            // by who had not heard of it.
            let mut ledgers = leases.lock();
            let end = self.log(&mut self.state_mut(), command)?;
            self.tell_leases(group, &leases, &mut ledgers, &tell);
            return Ok(end);
        }
        let end = self.log(&mut self.state_mut(), command)?;
        // Who began to lease meanwhile may not have seen it.
        if let Some(leases) = self.leases.known(group) {
            self.tell_leases(group, &leases, &mut leases.lock(), &tell);
        }
        Ok(end)
    }

    fn tell_leases(
        &self,
        group: &GroupName,
        leases: &GroupLeases,
        ledgers: &mut Ledgers,
        tell: &impl Fn(&mut Ledgers),
    ) {
        let count = ledgers.by_queue.len();
        tell(ledgers);
        self.leases.release_ledgers(count - ledgers.by_queue.len());
        self.leases.changes().note(group);
        leases.wake(ledgers);
    }
}

/// Moves the ledgers of a group to where somebody says it is.
pub(in crate::broker) fn commit(ledgers: &mut Ledgers, commits: &[(LedgerKey, u64)]) {
    for (key, offset) in commits {
        if let Some(ledger) = ledgers.by_queue.get_mut(key) {
            ledger.commit(*offset);
        }
    }
}

/// The ledgers a commit is for.
pub(in crate::broker) fn targets(commits: &[OffsetCommit]) -> Vec<(LedgerKey, u64)> {
    let target = |commit: &OffsetCommit| {
        let key = (commit.topic.clone(), commit.queue);
        (key, commit.offset.get())
    };
    commits.iter().map(target).collect()
}

/// Forgets the ledgers of one topic, or of all.
pub(in crate::broker) fn forget(ledgers: &mut Ledgers, topic: Option<&TopicName>) {
    let is_other = |of: &TopicName| topic.is_some_and(|topic| topic != of);
    ledgers.by_queue.retain(|(of, _), _| is_other(of));
}
