//! `gantry store import-rocketmq`.

mod plan;

use super::bar::Bar;
use super::rocketmq::{RocketmqStore, Survey};
use super::{Settings, core_config};
use crate::config::Config;
use anyhow::{Context, Result};
use clap::Args;
use gantry_core::model::{Clock, SystemClock};
use gantry_core::{ImportReport, ImportStep, import_log};
use plan::Plan;
use std::cell::RefCell;
use std::io::{Write, stderr, stdout};
use std::path::PathBuf;
use std::sync::Arc;

/// Make a store of that of a stopped Apache RocketMQ broker: its log, topics and groups' progress.
///
/// The original is only read. Messages keep their queues, offsets and ids.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The broker's storePathRootDir.
    directory: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

impl Import {
    pub(super) fn run(&self) -> Result<()> {
        let config = self.settings.read()?;
        let store = RocketmqStore::open(&self.directory)?;
        let total = store.files.iter().map(|file| file.bytes).sum();
        let checking = Bar::bytes("checking", total)?;
        let survey = store.survey(&|bytes| checking.add(bytes));
        drop(checking);
        let survey = survey.with_context(|| self.directory.display().to_string())?;
        let plan = Plan::of(&store, &survey)
            .with_context(|| format!("{} cannot be imported", self.directory.display()))?;
        for warning in store.warnings.iter().chain(&plan.warnings) {
            writeln!(stderr(), "warning: {warning}")?;
        }
        warn_of_retention(&config, &survey)?;
        let report = copy(&plan, &config)?;
        print(&mut stdout().lock(), &store, &plan, &report)
    }
}

fn copy(plan: &Plan, config: &Config) -> Result<ImportReport> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let start = plan.log.start();
    let total = start.distance_to(plan.log.end);
    let bars = RefCell::new((Bar::bytes("copying", total)?, false));
    let step = |step: ImportStep| {
        let (bar, is_indexing) = &mut *bars.borrow_mut();
        match step {
            ImportStep::Copied(bytes) => bar.add(bytes),
            ImportStep::Indexed(position) => {
                if !*is_indexing && let Ok(next) = Bar::bytes("indexing", total) {
                    *bar = next;
                }
                *is_indexing = true;
                bar.set(start.distance_to(position));
            }
        }
    };
    let made = import_log(
        &plan.log,
        &config.data_dir,
        &core_config(config),
        &clock,
        &step,
    );
    made.with_context(|| format!("importing into {}", config.data_dir.display()))
}

/// What is older than messages are kept goes as soon as the store is served.
fn warn_of_retention(config: &Config, survey: &Survey) -> Result<()> {
    let kept_ms = config.store.retention_ms;
    let age = survey
        .first_stored_at
        .map(|stored_at| SystemClock.now().millis_since(stored_at));
    if kept_ms > 0 && age.is_some_and(|age| age > kept_ms) {
        writeln!(
            stderr(),
            "warning: the oldest messages are older than store.retention_ms={kept_ms} and go once \
             the store is served; with store.retention_ms=0 they stay"
        )?;
    }
    Ok(())
}

fn print(
    out: &mut impl Write,
    store: &RocketmqStore,
    plan: &Plan,
    report: &ImportReport,
) -> Result<()> {
    let ImportReport {
        topics,
        queues,
        messages,
        waiting,
        log_bytes,
        is_reflinked,
    } = report;
    let how = if *is_reflinked { "shared" } else { "copied" };
    writeln!(out, "topics\t{topics}")?;
    writeln!(out, "queues\t{queues}")?;
    writeln!(out, "messages\t{messages}")?;
    writeln!(out, "bytes\t{log_bytes}, {how}")?;
    let (groups, settings) = (store.progress.len(), store.groups.settings.len());
    writeln!(
        out,
        "groups\tprogress of {groups}, settings of {settings} kept"
    )?;
    for (reason, records) in plan.skipped.iter().filter(|(_, records)| *records > 0) {
        writeln!(out, "left out\t{records} records {reason}")?;
    }
    if *waiting > 0 {
        writeln!(out, "delayed\t{waiting} messages wait on")?;
    }
    Ok(())
}
