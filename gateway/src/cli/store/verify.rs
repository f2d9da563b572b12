//! `gantry store verify`.

use super::Place;
use super::bar::Bar;
use anyhow::{Result, bail};
use clap::Args;
use gantry_core::inspect::{Finding, Inspection};
use std::io::{Write, stdout};

/// Most findings that are printed; the rest is counted.
const PRINTED_MAX: u64 = 10_000;

/// Check every record, index file and snapshot of a store; the status is 1 when something is
/// wrong.
#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    place: Place,
}

impl Verify {
    pub(super) fn run(&self) -> Result<()> {
        let store = Inspection::open(&self.place.data_dir)?;
        let bar = Bar::bytes("verifying", store.log_bytes())?;
        let (mut count, mut lines) = (0_u64, Vec::new());
        let mut out = stdout().lock();
        let mut failed = None;
        let mut found = |finding: Finding| {
            count += 1;
            if count <= PRINTED_MAX {
                lines.clear();
                describe(&finding, &mut lines);
                failed = failed.take().or_else(|| out.write_all(&lines).err());
            }
        };
        let verified = store.verify(&mut found, &mut |bytes| bar.set(bytes));
        drop(bar);
        failed.map_or(Ok(()), Err)?;
        if count > PRINTED_MAX {
            writeln!(out, "{} more are not listed", count - PRINTED_MAX)?;
        }
        writeln!(
            out,
            "{} records of {} bytes, log end {}",
            verified.records, verified.record_bytes, verified.end
        )?;
        if let Some(position) = verified.torn_at {
            writeln!(
                out,
                "a torn record at {position}, never flushed: the next start cuts it off"
            )?;
        }
        writeln!(
            out,
            "{} index files, {} bytes of log without (the next start makes theirs); {} snapshots",
            verified.indexes, verified.unindexed_bytes, verified.snapshots
        )?;
        if verified.known_damages > 0 {
            let known = verified.known_damages;
            writeln!(out, "{known} ranges are in the list of known damage")?;
        }
        if count > 0 {
            bail!(
                "{count} things are wrong in {}",
                self.place.data_dir.display()
            );
        }
        writeln!(out, "nothing is wrong")?;
        Ok(())
    }
}

fn describe(finding: &Finding, line: &mut Vec<u8>) {
    let Finding {
        kind,
        from,
        to,
        file,
        place,
    } = finding;
    let mut text = format!("{kind}\t{from}..{to}\t{file}");
    if let Some(place) = place {
        let (queue, offset) = (place.queue, place.offset);
        if place.topic.is_empty() {
            text += &format!("\tqueue number {queue}, offset {offset}");
        } else {
            text += &format!("\ttopic {}, queue {queue}, offset {offset}", place.topic);
        }
    }
    text.push('\n');
    line.extend_from_slice(text.as_bytes());
}
