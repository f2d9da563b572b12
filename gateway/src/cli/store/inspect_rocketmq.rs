//! `gantry store inspect-rocketmq`.

use super::rocketmq::{QueueSurvey, RocketmqStore, Survey};
use anyhow::Result;
use std::collections::BTreeSet;
use std::io::{Write, stderr, stdout};
use std::path::Path;

/// Prints what a store of RocketMQ holds.
pub(super) fn inspect(directory: &Path) -> Result<()> {
    let store = RocketmqStore::open(directory)?;
    for warning in &store.warnings {
        writeln!(stderr(), "warning: {warning}")?;
    }
    let survey = store.survey(&|_| ())?;
    let mut out = stdout().lock();
    print_log(&mut out, &store, &survey)?;
    print_topics(&mut out, &store, &survey)?;
    print_groups(&mut out, &store)?;
    for (level, offset) in &store.delays {
        writeln!(out, "delay level {level}\tnext offset {offset}")?;
    }
    Ok(())
}

fn print_log(out: &mut impl Write, store: &RocketmqStore, survey: &Survey) -> Result<()> {
    let first = store.files.first().map(|file| file.base);
    let (files, first) = (store.files.len(), first.unwrap_or_default());
    writeln!(
        out,
        "log\t{files} files from {first}, records up to {}",
        survey.end
    )?;
    if let Some(torn) = &survey.torn {
        writeln!(out, "log\tno record after that: {torn}")?;
    }
    if survey.unqueued > 0 {
        writeln!(out, "log\t{} records that are in no queue", survey.unqueued)?;
    }
    if survey.inner_batches > 0 {
        writeln!(
            out,
            "log\t{} records of many messages",
            survey.inner_batches
        )?;
    }
    Ok(())
}

fn print_topics(out: &mut impl Write, store: &RocketmqStore, survey: &Survey) -> Result<()> {
    let configured = store.topics.keys().map(|topic| topic.as_str());
    let names: BTreeSet<&str> = configured
        .chain(survey.topics.keys().map(String::as_str))
        .collect();
    for name in names {
        let queues = store.topics.get(name).map(|spec| spec.queue_count());
        match queues {
            Some(queues) => writeln!(out, "topic {name}\t{queues} queues")?,
            None => writeln!(out, "topic {name}\tonly in the log")?,
        }
        for (queue, facts) in survey.topics.get(name).into_iter().flatten() {
            let QueueSurvey {
                first,
                next,
                records,
                ..
            } = facts;
            let records = format!("{records} records from {first}, next offset {next}");
            writeln!(out, "topic {name}\tqueue {queue}\t{records}")?;
        }
    }
    Ok(())
}

fn print_groups(out: &mut impl Write, store: &RocketmqStore) -> Result<()> {
    for (group, settings) in &store.groups.settings {
        writeln!(out, "group {group}\t{settings}")?;
    }
    for (group, topics) in &store.groups.forbidden {
        for (topic, mask) in topics {
            writeln!(out, "group {group}\ttopic {topic}\tforbidden {mask}")?;
        }
    }
    for (group, topics) in &store.progress {
        for (topic, queues) in topics {
            for (queue, offset) in queues {
                writeln!(
                    out,
                    "group {group}\ttopic {topic}\tqueue {queue}\tnext offset {offset}"
                )?;
            }
        }
    }
    Ok(())
}
