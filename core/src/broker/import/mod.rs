//! Taking over the commit log of a RocketMQ broker: its files become this store's, and what its
//! tables say becomes the state at the log's beginning. From then on the store is like any other:
//! a checkpoint at the log's end says the same again, so that index and snapshots can be made
//! anew from the log alone.

mod files;
mod plan;
mod waiting;

pub use plan::{ImportedFile, ImportedLog, ImportedProgress, ImportedQueue, ImportedTopic};

use super::Config;
use super::keeper::Household;
use super::open::open_as;
use super::shared::Shared;
use crate::model::{Clock, PhysicalOffset, QueueOffset};
use crate::vfs::{RealVfs, Vfs};
use crate::{Error, StoreHealth};
use files::Workplace;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// How far an import has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportStep {
    /// So many more bytes are copied.
    Copied(u64),
    /// The log is indexed up to this position.
    Indexed(PhysicalOffset),
}

/// What an import made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// Topics that exist now.
    pub topics: usize,
    /// Their queues.
    pub queues: usize,
    /// Messages that can be read.
    pub messages: u64,
    /// Delayed messages that will be delivered when they are due.
    pub waiting: u64,
    /// Bytes of the log up to its last imported record.
    pub log_bytes: u64,
    /// Whether the files share their blocks with the originals.
    pub is_reflinked: bool,
}

/// Makes the store `directory` of `log`. The originals are only read. Until this returns there
/// is no log in `directory`: what an interrupted import leaves is removed by the next.
///
/// # Errors
/// [`Error::Invalid`] when `directory` has a log, or `log` contradicts itself or a limit of
/// `config`; [`Error::Storage`] when files cannot be copied or another process uses `directory`.
pub fn import_log(
    log: &ImportedLog,
    directory: &Path,
    config: &Config,
    clock: &Arc<dyn Clock>,
    step: &dyn Fn(ImportStep),
) -> Result<ImportReport, Error> {
    log.check(config)?;
    let workplace = Workplace::make(directory)?;
    let is_reflinked = workplace.copy(&log.files, log.end, &|bytes| {
        step(ImportStep::Copied(bytes))
    })?;
    let state = log.state(clock.now());
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let (shared, household) = open_as(
        vfs,
        workplace.path(),
        config.clone(),
        Arc::clone(clock),
        Some(state),
        &|position| step(ImportStep::Indexed(position)),
    )?;
    let messages = compare(log, &shared)?;
    let waiting = waiting::carry_over(log, &shared)?;
    settle(log, &shared, household)?;
    let report = ImportReport {
        topics: shared.topics.all().len(),
        queues: queues(&shared),
        messages,
        waiting,
        log_bytes: log.start().distance_to(log.end),
        is_reflinked,
    };
    drop(shared);
    workplace.publish()?;
    Ok(report)
}

fn queues(shared: &Shared) -> usize {
    let topics = shared.topics.all();
    topics.iter().map(|topic| topic.queues().len()).sum()
}

/// Every queue begins and ends where it did in the other store; how many messages that are.
fn compare(log: &ImportedLog, shared: &Shared) -> Result<u64, Error> {
    let mut messages = 0;
    for wanted in &log.topics {
        let topic = shared.topics.by_name(wanted.name.as_str());
        let topic = topic.ok_or_else(|| Error::TopicNotFound(wanted.name.clone()))?;
        for (id, wanted) in wanted.queues.iter().enumerate() {
            let queue = topic.queues().get(id).cloned();
            let queue = queue.ok_or_else(|| Error::Internal("a queue is missing".to_owned()))?;
            let (start, next) = (queue.start(), queue.next());
            if (start, next) != (wanted.first, wanted.next) {
                return Err(Error::Storage(format!(
                    "queue {id} of topic {} would go from {start} to {next}, it went from {} to {}",
                    topic.name(),
                    wanted.first,
                    wanted.next
                )));
            }
            messages += start.distance_to(next);
        }
    }
    if shared.state_queue.next() > QueueOffset::ZERO {
        let topic = &shared.state_topic;
        return Err(Error::Invalid(format!(
            "the log has records of {topic}, which is not a topic of others"
        )));
    }
    let damages = shared.store.damages.all();
    damages.first().map_or(Ok(messages), |range| {
        let (from, to) = (range.from, range.to);
        Err(Error::Storage(format!(
            "the log is damaged from {from} to {to}"
        )))
    })
}

/// Says in the log what its topics are, and puts everything on the disk.
fn settle(log: &ImportedLog, shared: &Shared, mut household: Household) -> Result<(), Error> {
    shared.checkpoint(log.start(), &BTreeMap::new())?;
    shared.shutdown()?;
    household.finish()?;
    match shared.store.health.state() {
        StoreHealth::Healthy | StoreHealth::ReadOnly => Ok(()),
        StoreHealth::DiskFull => Err(Error::DiskFull),
        StoreHealth::Failed(why) => Err(Error::Storage(why)),
    }
}
