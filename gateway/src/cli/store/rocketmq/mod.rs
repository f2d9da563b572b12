//! What a stopped Apache RocketMQ broker left in its store directory (`storePathRootDir`).
//!
//! Everything is read and checked before anything is made of it; nothing is ever written there.

mod config;
mod lock;
mod log;
mod queues;
mod survey;
mod tables;

pub(crate) use log::LogFile;
pub(crate) use queues::QueueEnds;
pub(crate) use survey::{QueueSurvey, Survey};
pub(crate) use tables::{Groups, Progress};

use anyhow::{Context, Result, ensure};
use gantry_core::model::{QueueOffset, Timestamp, TopicName, TopicSpec};
use lock::StoreLock;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A store directory of RocketMQ. While it is held no broker starts on it.
#[derive(Debug)]
pub(crate) struct RocketmqStore {
    /// `topics.json`, the broker's own topics with it.
    pub(crate) topics: BTreeMap<TopicName, TopicSpec>,
    /// `consumerOffset.json`.
    pub(crate) progress: Progress,
    /// `subscriptionGroup.json`.
    pub(crate) groups: Groups,
    /// `delayOffset.json`: by level, the next message of the level's queue that is due.
    pub(crate) delays: BTreeMap<u32, QueueOffset>,
    /// Timer messages due up to then were delivered.
    pub(crate) timers_read_until: Timestamp,
    /// The commit log's files in their order; at least one.
    pub(crate) files: Vec<LogFile>,
    /// The offset each queue goes on at, as its consume queue says.
    pub(crate) queue_ends: QueueEnds,
    /// Whether the broker was stopped in order: then its log has no torn end.
    pub(crate) is_orderly: bool,
    /// What is not as it should be, yet no reason to give up.
    pub(crate) warnings: Vec<String>,
    _lock: StoreLock,
}

impl RocketmqStore {
    /// Reads the directory's tables and lists its log.
    ///
    /// # Errors
    /// A broker runs on it, it is no such directory, or its topics or its log cannot be read.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let mut warnings = Warnings::default();
        let opened = || format!("the RocketMQ store {}", directory.display());
        let lock = StoreLock::take(directory).with_context(opened)?;
        refuse_dledger(directory).with_context(opened)?;
        let is_orderly = !directory.join("abort").exists();
        if !is_orderly {
            warnings.add(
                "the broker was not stopped in order: the groups' progress may be older than the \
                 messages"
                    .to_owned(),
            );
        }
        let files = log::files(&directory.join("commitlog")).with_context(opened)?;
        let config = directory.join("config");
        Ok(Self {
            topics: tables::topics(&config, &mut warnings).with_context(opened)?,
            progress: tables::progress(&config, &mut warnings),
            groups: tables::groups(&config, &mut warnings),
            delays: tables::delays(&config, &mut warnings),
            timers_read_until: timers_read_until(&config),
            files,
            queue_ends: queues::ends(&directory.join("consumequeue"), &mut warnings),
            is_orderly,
            warnings: warnings.into_list(),
            _lock: lock,
        })
    }

    /// Walks the log, as slow as the disk; `read` hears how many bytes further it is.
    ///
    /// # Errors
    /// The log cannot be read to its end.
    pub(crate) fn survey(&self, read: &dyn Fn(u64)) -> Result<Survey> {
        Survey::of(&self.files, read)
    }
}

/// The first field of `timercheck`; without it no timer message was ever delivered.
fn timers_read_until(config: &Path) -> Timestamp {
    let bytes = fs::read(config.join("timercheck")).unwrap_or_default();
    let read = bytes.first_chunk().map(|read| i64::from_be_bytes(*read));
    Timestamp::from_millis(read.unwrap_or_default())
}

/// Logs of `DLedger` have another record around each of RocketMQ's.
fn refuse_dledger(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        ensure!(
            !name.to_string_lossy().starts_with("dledger-"),
            "its log is kept by DLedger, which cannot be imported"
        );
    }
    Ok(())
}

/// What was found to be odd, in the order it was found.
#[derive(Debug, Default)]
struct Warnings(Vec<String>);

impl Warnings {
    /// Most that are kept: a broken table may have one a line.
    const MAX: usize = 1_000;

    fn add(&mut self, warning: String) {
        if self.0.len() < Self::MAX {
            self.0.push(warning);
        }
    }

    fn into_list(self) -> Vec<String> {
        self.0
    }
}

#[cfg(test)]
mod tests;
