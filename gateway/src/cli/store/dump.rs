//! `gantry store dump`.

use super::Place;
use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use gantry_core::inspect::{DumpFilter, DumpedRecord, Inspection, RecordKind};
use serde_json::{Map, Value};
use std::io::{self, BufWriter, ErrorKind, Write, stdout};

/// Print the records of a store's log, each as a line of JSON.
#[derive(Debug, Args)]
pub(super) struct Dump {
    #[command(flatten)]
    place: Place,
    /// Records of this topic only.
    #[arg(long)]
    topic: Option<String>,
    /// Records of queues of this id only.
    #[arg(long)]
    queue: Option<u32>,
    /// Records from this position of the log on.
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    from: u64,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// With their bodies, in base64.
    #[arg(long)]
    bodies: bool,
}

impl Dump {
    pub(super) fn run(self) -> Result<()> {
        let store = Inspection::open(&self.place.data_dir)?;
        let filter = DumpFilter {
            topic: self.topic,
            queue: self.queue,
            from: self.from,
        };
        let mut out = BufWriter::new(stdout().lock());
        let mut left = self.limit.unwrap_or(u64::MAX);
        if left == 0 {
            return Ok(());
        }
        let mut written = Ok(());
        store.dump(&filter, &mut |record| {
            written = write_line(&mut out, &record, self.bodies);
            left -= 1;
            left > 0 && written.is_ok()
        });
        match written.and_then(|()| out.flush()) {
            // Whoever reads has enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }
}

fn write_line(out: &mut impl Write, record: &DumpedRecord, with_body: bool) -> io::Result<()> {
    let mut line = Map::new();
    let mut add = |name: &str, value: Value| {
        line.insert(name.to_owned(), value);
    };
    add("position", record.position.get().into());
    add("size", record.size.into());
    add("kind", record.kind.as_str().into());
    if record.kind != RecordKind::Lost {
        add("topic", record.topic.as_str().into());
        add("queue", record.queue.into());
        add("offset", record.offset.into());
        add("count", record.count.into());
        add("stored_at", record.stored_at.millis().into());
        add("born_at", record.born_at.millis().into());
        if let Some(keys) = &record.keys {
            add("keys", keys.as_str().into());
        }
        if let Some(tags) = &record.tags {
            add("tags", tags.as_str().into());
        }
        add("body_bytes", record.body.len().into());
    }
    if let Some(command) = &record.command {
        let command = serde_json::from_str(command).map_err(io::Error::other)?;
        add("command", command);
    }
    if with_body {
        add("body", STANDARD.encode(&record.body).into());
    }
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}
