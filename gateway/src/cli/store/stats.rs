//! `gantry store stats`.

use super::Place;
use super::bar::Bar;
use anyhow::Result;
use clap::Args;
use gantry_core::inspect::{Inspection, SegmentStats, Stats as Numbers, TopicStats};
use std::io::{Write, stdout};

/// Count a store's segments, topics and messages.
#[derive(Debug, Args)]
pub(super) struct Stats {
    #[command(flatten)]
    place: Place,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Stats {
    pub(super) fn run(&self) -> Result<()> {
        let store = Inspection::open(&self.place.data_dir)?;
        let bar = Bar::bytes("counting", store.log_bytes())?;
        let stats = store.stats(&mut |bytes| bar.set(bytes))?;
        drop(bar);
        let mut out = stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, &stats)?;
            writeln!(out)?;
            return Ok(());
        }
        print_segments(&mut out, &stats.segments)?;
        writeln!(out)?;
        print_topics(&mut out, &stats.topics)?;
        writeln!(out)?;
        print_totals(&mut out, &stats)
    }
}

fn print_segments(out: &mut impl Write, segments: &[SegmentStats]) -> Result<()> {
    writeln!(
        out,
        "{:20} {:>14} {:>12} {:>14} {:>14} {:>10} {:>6}",
        "segment", "bytes", "records", "first stored", "last stored", "damaged", "live"
    )?;
    for segment in segments {
        let time = |time: Option<i64>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        let share = segment.live_bytes.saturating_mul(100);
        let share = share.checked_div(segment.record_bytes).unwrap_or(0);
        writeln!(
            out,
            "{:20} {:>14} {:>12} {:>14} {:>14} {:>10} {:>5}%",
            segment.file,
            segment.bytes,
            segment.records,
            time(segment.first_stored_at),
            time(segment.last_stored_at),
            segment.damaged_bytes,
            share
        )?;
    }
    Ok(())
}

fn print_topics(out: &mut impl Write, topics: &[TopicStats]) -> Result<()> {
    let width = topics.iter().map(|topic| topic.topic.chars().count()).max();
    let width = width.unwrap_or(0).max(5);
    writeln!(
        out,
        "{:width$} {:>6} {:>12} {:>14} {:>14} {:>14}",
        "topic", "queue", "messages", "bytes", "start", "next"
    )?;
    for topic in topics {
        let (name, queues) = (&topic.topic, topic.queues.len());
        writeln!(
            out,
            "{name:width$} {:>6} {:>12} {:>14}",
            format!("of {queues}"),
            topic.messages,
            topic.bytes
        )?;
        let used = topic.queues.iter().enumerate();
        for (id, queue) in used.filter(|(_, queue)| queue.next > 0) {
            writeln!(
                out,
                "{:width$} {id:>6} {:>12} {:>14} {:>14} {:>14}",
                "",
                queue.next.saturating_sub(queue.start),
                queue.bytes,
                queue.start,
                queue.next
            )?;
        }
    }
    Ok(())
}

fn print_totals(out: &mut impl Write, stats: &Numbers) -> Result<()> {
    let Numbers {
        start,
        end,
        records,
        messages,
        ..
    } = stats;
    let segments = stats.segments.len();
    writeln!(
        out,
        "log        {start} to {end}, {segments} segments, {records} records"
    )?;
    let queues: usize = stats.topics.iter().map(|topic| topic.queues.len()).sum();
    let topics = stats.topics.len();
    writeln!(
        out,
        "topics     {topics}, {queues} queues, {messages} messages"
    )?;
    writeln!(out, "groups     {}", stats.groups)?;
    writeln!(
        out,
        "index      {} files, {} bytes, {} keys",
        stats.index_files, stats.index_bytes, stats.index_keys
    )?;
    writeln!(
        out,
        "snapshots  {} files, {} bytes",
        stats.snapshot_files, stats.snapshot_bytes
    )?;
    Ok(())
}
