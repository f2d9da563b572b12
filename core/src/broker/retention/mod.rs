//! Forgetting on purpose: queues' starts rise as their topics' rules say, and segments whose
//! time has come leave the log whole. What outlives its segment is copied forward first.

mod plan;
mod starts;
mod survey;

use super::keeper::Household;
use super::shared::Shared;
use crate::model::{PhysicalOffset, QueueOffset};
use crate::state::Bounds;
use crate::store::Segment;
use crate::vfs::Space;
use crate::{Error, RetentionStatus};
use plan::{Plan, Reason};
use std::collections::BTreeMap;
use std::sync::Arc;
use survey::{Survey, Survivor};

/// Most of what would be dropped that may have to be copied forward, in percent: beyond it the
/// copying would cost more than it frees.
const LIVE_PERCENT_MAX: u64 = 50;

impl Household {
    /// Forgets what is due now.
    pub(super) fn forget(&mut self, shared: &Shared) {
        if shared.check_running().is_err() {
            return;
        }
        let space = match self.vfs.space(&self.directory) {
            Ok(space) => space,
            Err(error) => {
                tracing::warn!(%error, "the disk's room is not known");
                Space::default()
            }
        };
        self.store.health.set_space(space);
        let limit = u64::from(shared.config.store.disk_read_only_percent);
        self.store
            .health
            .set_read_only(limit > 0 && space.used_percent() >= limit);
        if let Err(error) = self.finish_expiry(shared) {
            tracing::warn!(%error, "expired segments could not be taken out of the log");
            return;
        }
        if let Err(error) = shared.raise_starts() {
            tracing::warn!(%error, "the starts of queues could not be raised");
        }
        match self.reclaim_all(shared, &space) {
            Ok(()) => {}
            Err(Error::ShuttingDown) => tracing::debug!("reclaiming is left for the next start"),
            Err(error) => tracing::warn!(%error, "expired segments could not be reclaimed"),
        }
    }

    /// Ends what a crash has interrupted.
    fn finish_expiry(&self, shared: &Shared) -> Result<(), Error> {
        let start = PhysicalOffset::new(shared.state.read().log_start);
        let finished = if self.store.segments.start() < start {
            // The checkpoint that says so, and what was copied forward, may not be on the disk.
            self.store.flush_placed()?;
            self.store.expire_before(start)
        } else {
            self.store.drop_expired()
        };
        finished.map_err(|error| Error::Storage(error.to_string()))
    }

    /// Reclaims what may go, of segments that are mostly dead one after the other.
    fn reclaim_all(&mut self, shared: &Shared, space: &Space) -> Result<(), Error> {
        loop {
            let deaths = shared.deaths();
            let looks_for_dead = deaths != self.surveyed_deaths;
            if self.reclaim(shared, space, looks_for_dead)? != Some(Reason::Dead) {
                self.surveyed_deaths = deaths;
                return Ok(());
            }
        }
    }

    /// Reclaims the oldest segments if they may go; why they went.
    fn reclaim(
        &self,
        shared: &Shared,
        space: &Space,
        looks_for_dead: bool,
    ) -> Result<Option<Reason>, Error> {
        let plan = Plan::make(&self.store, shared, space, looks_for_dead);
        let Some(plan) = plan else {
            shared.set_retention_status(RetentionStatus::default());
            return Ok(None);
        };
        let survey = Survey::of(&self.store, shared, &plan);
        let percent = survey.live_bytes.saturating_mul(100) / plan.bytes().max(1);
        let is_pinned = percent > LIVE_PERCENT_MAX || survey.has_shared_records(&self.store);
        if is_pinned {
            if plan.reason != Reason::Dead {
                shared.set_retention_status(RetentionStatus {
                    pinned_bytes: plan.bytes(),
                    pinned_by: survey.topics(),
                });
            }
            return Ok(None);
        }
        let end = plan.end;
        crash_point!("expire.begun");
        let survivors = self.copy_forward(shared, &survey)?;
        crash_point!("forward.done");
        tracing::info!(%end, reason = ?plan.reason, survivors, "the log's oldest part goes");
        self.store.flush_placed()?;
        let bounds = survey.bounds(shared);
        crash_point!("expire.before_checkpoint");
        shared.checkpoint(end, &bounds)?;
        crash_point!("expire.after_checkpoint");
        self.store.flush_placed()?;
        crash_point!("expire.before_raise");
        raise(shared, &bounds);
        shared.set_retention_status(RetentionStatus::default());
        self.store
            .expire_before(end)
            .map_err(|error| Error::Storage(error.to_string()))?;
        Ok(Some(plan.reason))
    }

    fn copy_forward(&self, shared: &Shared, survey: &Survey) -> Result<usize, Error> {
        let mut copied = 0;
        for Survivor { queue, run, lane } in &survey.survivors {
            for entry in run.entries() {
                if !survey.rules.is_alive(queue, *lane, &entry) {
                    continue;
                }
                match self.store.forward(queue, &entry) {
                    Ok(()) => copied += 1,
                    // Its segment is damaged and will be set aside, not removed.
                    Err(Error::Damaged(position)) => {
                        let end = position.advance(u64::from(entry.size));
                        shared.store.damages.note(position, end);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(copied)
    }
}

/// Lets the queues' handles know what the state says of their beginnings.
fn raise(shared: &Shared, bounds: &BTreeMap<u32, Bounds>) {
    for queue in shared
        .topics
        .all()
        .iter()
        .flat_map(|topic| topic.queues().to_vec())
    {
        if let Some(bounds) = bounds.get(&queue.number()) {
            queue.raise(
                QueueOffset::new(bounds.start),
                QueueOffset::new(bounds.main),
            );
        }
    }
}

/// Bytes of some segments.
fn bytes_of(segments: &[Arc<Segment>]) -> u64 {
    segments.iter().map(|segment| segment.size()).sum()
}
