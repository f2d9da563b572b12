//! What of a RocketMQ store becomes what here.

use crate::cli::store::rocketmq::{QueueSurvey, RocketmqStore, Survey};
use anyhow::{Result, ensure};
use gantry_core::model::{PhysicalOffset, QueueId, TopicName, TopicSpec};
use gantry_core::{ImportedFile, ImportedLog, ImportedProgress, ImportedQueue, ImportedTopic};
use std::collections::{BTreeMap, BTreeSet};

/// The adapter whose documents the settings become.
const NAMESPACE: &str = "rocketmq";
const LIGHT_PREFIX: &str = "%LMQ%";
/// Most queues a topic may come to have.
const QUEUES_MAX: u32 = 1 << 16;

/// What is imported.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) log: ImportedLog,
    /// Records that will be in no queue, by reason.
    pub(super) skipped: [(&'static str, u64); 2],
    pub(super) warnings: Vec<String>,
}

impl Plan {
    /// # Errors
    /// Something that cannot be imported.
    pub(super) fn of(store: &RocketmqStore, survey: &Survey) -> Result<Self> {
        ensure!(
            survey.inner_batches == 0,
            "{} records of its log hold many messages each (topics with queue.type=BatchCQ), which \
             cannot be read here",
            survey.inner_batches
        );
        if let Some(torn) = &survey.torn {
            ensure!(
                !store.is_orderly,
                "the log is broken at {}: {torn}; yet the broker was stopped in order",
                survey.end
            );
        }
        let mut warnings = Vec::new();
        if let Some(torn) = &survey.torn {
            let end = survey.end;
            warnings.push(format!(
                "the log's torn end is left out, from {end} on: {torn}"
            ));
        }
        let topics = topics(store, survey, &mut warnings)?;
        let kept = topics
            .iter()
            .filter(|topic| !topic.name.as_str().starts_with(LIGHT_PREFIX))
            .filter(|topic| topic.created_at < survey.end);
        let kept = kept.filter_map(|topic| survey.topics.get(topic.name.as_str()));
        let kept: u64 = kept
            .flat_map(BTreeMap::values)
            .map(|queue| queue.records)
            .sum();
        let skipped = [
            (
                "that were never in a queue (transactions of old clients)",
                survey.unqueued,
            ),
            ("of deleted topics", survey.records - survey.unqueued - kept),
        ];
        Ok(Self {
            log: ImportedLog {
                files: files(store),
                end: survey.end,
                topics,
                progress: progress(store),
                timers_read_until: store.timers_read_until,
                delays: store.delays.clone(),
                documents: documents(store)?,
            },
            skipped,
            warnings,
        })
    }
}

fn files(store: &RocketmqStore) -> Vec<ImportedFile> {
    let files = store.files.iter();
    let file = files.map(|file| ImportedFile {
        path: file.path.clone(),
        base: file.base,
        bytes: file.bytes,
    });
    file.collect()
}

/// The configured topics, and the light ones, which are in no table.
fn topics(
    store: &RocketmqStore,
    survey: &Survey,
    warnings: &mut Vec<String>,
) -> Result<Vec<ImportedTopic>> {
    let found = survey.topics.keys().map(String::as_str);
    let indexed = store.queue_ends.keys().map(TopicName::as_str);
    let light = found
        .chain(indexed)
        .filter(|name| name.starts_with(LIGHT_PREFIX));
    let light: BTreeSet<TopicName> = light.filter_map(|name| TopicName::new(name).ok()).collect();
    let light = light
        .into_iter()
        .filter(|name| !store.topics.contains_key(name))
        .map(|name| (name, TopicSpec::with_queues(1)));
    let configured = store.topics.clone().into_iter();
    configured
        .chain(light)
        .map(|(name, spec)| topic(name, spec, store, survey, warnings))
        .collect()
}

fn topic(
    name: TopicName,
    spec: TopicSpec,
    store: &RocketmqStore,
    survey: &Survey,
    warnings: &mut Vec<String>,
) -> Result<ImportedTopic> {
    let ends = store.queue_ends.get(&name);
    let mut found = survey.topics.get(name.as_str());
    let mut created_at = survey.made_again.get(name.as_str()).copied();
    // Deleted and made again, and nothing was sent since: what the log has is another topic's.
    let is_without_queues = store.is_orderly && !store.queue_ends.is_empty() && ends.is_none();
    if found.is_some() && is_without_queues {
        found = None;
        created_at = Some(survey.end);
    }
    let numbered = found.into_iter().flat_map(BTreeMap::keys);
    let numbered = numbered.chain(ends.into_iter().flat_map(BTreeMap::keys));
    let count = numbered
        .map(|queue| queue.get().saturating_add(1))
        .max()
        .unwrap_or(0);
    ensure!(
        count <= QUEUES_MAX,
        "topic {name} would have {count} queues"
    );
    let queue = |id| {
        let id = QueueId::new(id);
        if let Some(QueueSurvey { first, next, .. }) = found.and_then(|found| found.get(&id)) {
            let (first, next) = (*first, *next);
            return ImportedQueue { first, next };
        }
        let Some(end) = ends.and_then(|ends| ends.get(&id)) else {
            return ImportedQueue::default();
        };
        // All its messages have expired, and the offset goes on.
        if end.last_at >= survey.end {
            let at = end.last_at;
            warnings.push(format!(
                "the consume queue {id} of topic {name} is not used: its last message is at {at}, \
                 after the log's end"
            ));
            return ImportedQueue::default();
        }
        ImportedQueue {
            first: end.next,
            next: end.next,
        }
    };
    let queues = (0..count).map(queue).collect();
    Ok(ImportedTopic {
        created_at: created_at.unwrap_or(PhysicalOffset::ZERO),
        queues,
        spec,
        name,
    })
}

fn progress(store: &RocketmqStore) -> Vec<ImportedProgress> {
    let mut progress = Vec::new();
    for (group, topics) in &store.progress {
        for (topic, queues) in topics {
            progress.extend(queues.iter().map(|(queue, offset)| ImportedProgress {
                group: group.clone(),
                topic: topic.clone(),
                queue: *queue,
                offset: *offset,
            }));
        }
    }
    progress
}

/// What has no place in the state yet, for the adapter to find: `subscription-group/GROUP` and
/// `forbidden/GROUP` as the JSON RocketMQ keeps.
fn documents(store: &RocketmqStore) -> Result<Vec<(String, String, String)>> {
    let mut documents = Vec::new();
    let mut add = |key: String, value: String| {
        documents.push((NAMESPACE.to_owned(), key, value));
    };
    for (group, settings) in &store.groups.settings {
        add(format!("subscription-group/{group}"), settings.clone());
    }
    for (group, topics) in &store.groups.forbidden {
        let topics: BTreeMap<&str, i32> = topics
            .iter()
            .map(|(topic, mask)| (topic.as_str(), *mask))
            .collect();
        add(
            format!("forbidden/{group}"),
            serde_json::to_string(&topics)?,
        );
    }
    Ok(documents)
}
