//! `gantry store rebuild-index`.

use super::bar::Bar;
use super::{Settings, core_config};
use anyhow::{Context, Result};
use clap::Args;
use gantry_core::inspect::Inspection;
use gantry_core::model::{Clock, PhysicalOffset, SystemClock};
use gantry_core::{RebuildReport, rebuild_index};
use std::io::{Write, stdout};
use std::sync::Arc;

/// Make a store's index and snapshots anew from its log.
#[derive(Debug, Args)]
pub(super) struct Rebuild {
    #[command(flatten)]
    settings: Settings,
}

impl Rebuild {
    pub(super) fn run(&self) -> Result<()> {
        let config = self.settings.read()?;
        let opening = || format!("the store {}", config.data_dir.display());
        let total = Inspection::open(&config.data_dir)?.log_bytes();
        let bar = Bar::bytes("indexing", total)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let began = clock.now();
        let first = std::cell::OnceCell::new();
        let replayed = |position: PhysicalOffset| {
            let first = *first.get_or_init(|| position);
            bar.set(first.distance_to(position));
        };
        let core = core_config(&config);
        let made = rebuild_index(&config.data_dir, &core, &clock, &replayed);
        drop(bar);
        let RebuildReport {
            topics,
            queues,
            log_bytes,
            index_files,
            index_bytes,
        } = made.with_context(opening)?;
        let millis = clock.now().millis_since(began);
        let mut out = stdout().lock();
        writeln!(
            out,
            "{topics} topics, {queues} queues, {log_bytes} bytes of log"
        )?;
        writeln!(
            out,
            "{index_files} index files, {index_bytes} bytes, in {millis} ms"
        )?;
        Ok(())
    }
}
